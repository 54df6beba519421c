// The page: its pages, and how one moves between them.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "./app.css";
import { useAccess } from "./access";
import { listen, start } from "./live";
import { AccessPage } from "./pages/access";
import { AlertPage, AlertsPage } from "./pages/alerts";
import { HistogramPage } from "./pages/histogram";
import { IncidentPage, IncidentsPage } from "./pages/incidents";
import { ModelsPage } from "./pages/models";
import { OverviewPage } from "./pages/overview";
import { SilencesPage } from "./pages/silences";
import { to, useRoute, type Route } from "./route";

const places = [
  { path: "", label: "Overview" },
  { path: "incidents", label: "Incidents" },
  { path: "alerts", label: "Alerts" },
  { path: "silences", label: "Silences" },
  { path: "histogram", label: "Histogram" },
  { path: "models", label: "Models" },
];

function Page({ path, asked }: Route) {
  const [place, first, second] = path;
  switch (place) {
    case undefined:
      return <OverviewPage />;
    case "incidents":
      return first ? <IncidentPage key={first} id={first} /> : <IncidentsPage asked={asked} />;
    case "alerts":
      return first ? <AlertPage key={first} id={first} /> : <AlertsPage asked={asked} />;
    case "silences":
      return <SilencesPage asked={asked} />;
    case "access":
      return <AccessPage given={asked.token} />;
    case "histogram":
      return <HistogramPage asked={asked} />;
    case "models":
      return <ModelsPage namespace={first} training={second} />;
    default:
      return (
        <>
          <h1>Nothing here</h1>
          <p>
            There is no such page. <a href={to([])}>Go to the overview.</a>
          </p>
        </>
      );
  }
}

function App() {
  const route = useRoute();
  const [isConnected, setConnected] = useState(true);
  const main = useRef<HTMLElement>(null);
  const place = route.path.join("/");
  const isFirst = useRef(true);
  useEffect(() => listen((told) => setConnected(told.kind === "connected" ? told.connected : true)), []);
  useEffect(() => {
    const label = places.find((one) => one.path === (route.path[0] ?? ""))?.label ?? "Vedette";
    document.title = `${label} – Vedette`;
    // Whoever listens to the page hears where it went; at the first page the browser says it.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [place]);
  useEffect(() => {
    addEventListener("keydown", moved);
    return () => removeEventListener("keydown", moved);
  }, []);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        Skip to content
      </a>
      <header>
        <a class="name" href={to([])}>
          Vedette
        </a>
        <nav aria-label="Pages">
          {places.map(({ path, label }) => (
            <a key={path} href={to(path ? [path] : [])} aria-current={(route.path[0] ?? "") === path ? "page" : undefined}>
              {label}
            </a>
          ))}
        </nav>
        <Writing />
        <span role="status" class={isConnected ? "state good" : "state bad"}>
          {isConnected ? "live" : "not connected; trying again"}
        </span>
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        <Page {...route} />
      </main>
      <footer class="quiet">
        Keys: j and k go through a list, Enter opens. <a href="api/v1/openapi.json">API</a> · <a href="licenses.md">Licences</a>
      </footer>
    </>
  );
}

/** Whether one may write, and the way there. */
function Writing() {
  const { value: access } = useAccess();
  if (!access || (!access.may_write && !access.takes_token)) return null;
  return <a href={to(["access"])}>{access.may_write ? "you may write" : "you only read"}</a>;
}

/** j and k go from row to row, unless somebody is writing. */
function moved(event: KeyboardEvent): void {
  const isWriting = event.target instanceof Element && event.target.closest("input, select, textarea");
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey || (event.key !== "j" && event.key !== "k")) return;
  const rows = [...document.querySelectorAll<HTMLElement>("a.row-link")];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = event.key === "j" ? rows[at + 1] : rows[at <= 0 ? 0 : at - 1];
  next?.focus();
}

const app = document.getElementById("app");
if (app) {
  start();
  render(<App />, app);
}
