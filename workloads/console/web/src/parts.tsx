// What several pages are made of.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { AlertRow, IncidentRow, Severity } from "./api";
import type { Data } from "./data";
import { ago, count, plural, score, shown, time } from "./format";
import { to } from "./route";

export function SeverityMark({ severity }: { severity: Severity }) {
  return <span class={`severity ${severity}`}>{severity}</span>;
}

export function Time({ utc }: { utc: string | null | undefined }) {
  return utc ? (
    <time dateTime={utc} title={utc}>
      {time(utc)}
    </time>
  ) : (
    <>–</>
  );
}

/** A value of somebody's record: text, whatever is in it. */
export function Value({ text, longest }: { text: string; longest?: number }) {
  return <bdi>{shown(text, longest)}</bdi>;
}

/** What is shown of data that may not be there yet, or not any more. */
export function Shown<T>({ data, children }: { data: Data<T>; children: (value: T) => ComponentChildren }) {
  return (
    <>
      {data.error && (
        <p class="notice bad" role="alert">
          {shown(data.error)}
        </p>
      )}
      {data.value !== undefined ? children(data.value) : !data.error && <p class="quiet">Loading …</p>}
    </>
  );
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = () =>
    void navigator.clipboard.writeText(text).then(() => {
      setDone(true);
      setTimeout(() => setDone(false), 1_500);
    });
  return (
    <button type="button" onClick={copy} aria-live="polite">
      {done ? "Copied" : label}
    </button>
  );
}

export function AlertTable({ alerts, caption }: { alerts: AlertRow[]; caption: string }) {
  const [most, setMost] = useState(100);
  if (alerts.length === 0) return <p class="quiet">None.</p>;
  return (
    <>
      <div class="wide" role="region" aria-label={caption} tabIndex={0}>
        <table class="rows">
          <caption>{caption}</caption>
          <thead>
            <tr>
              <th scope="col">Detected</th>
              <th scope="col">Severity</th>
              <th scope="col">Site</th>
              <th scope="col">Pipeline</th>
              <th scope="col" class="number">
                Score
              </th>
              <th scope="col">Reasons</th>
            </tr>
          </thead>
          <tbody>
            {alerts.slice(0, most).map((alert) => (
              <tr key={alert.id}>
                <td>
                  <a class="row-link" href={to(["alerts", alert.id])}>
                    <Time utc={alert.detected_utc} />
                  </a>
                </td>
                <td>
                  <SeverityMark severity={alert.severity} />
                  {alert.simulated && <span class="quiet"> simulated</span>}
                </td>
                <td>{alert.site}</td>
                <td>
                  {alert.namespace}/{alert.pipeline}
                </td>
                <td class="number">{score(alert.score)}</td>
                <td>
                  <Value text={alert.reasons.join(", ")} longest={80} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {alerts.length > most && (
        <button type="button" onClick={() => setMost(most + 300)}>
          Show more of {count(alerts.length)}
        </button>
      )}
    </>
  );
}

export function IncidentTable({ incidents, caption }: { incidents: IncidentRow[]; caption: string }) {
  if (incidents.length === 0) return <p class="quiet">None.</p>;
  return (
    <div class="wide" role="region" aria-label={caption} tabIndex={0}>
      <table class="rows">
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Severity</th>
            <th scope="col">Status</th>
            <th scope="col">Site</th>
            <th scope="col">Pipeline</th>
            <th scope="col" class="number">
              Alerts
            </th>
            <th scope="col">First</th>
            <th scope="col">Last</th>
          </tr>
        </thead>
        <tbody>
          {incidents.map((incident) => (
            <tr key={incident.id}>
              <td>
                <a class="row-link" href={to(["incidents", incident.id])}>
                  <Value text={incident.common || "no reason"} longest={80} />
                </a>
              </td>
              <td>
                <SeverityMark severity={incident.severity} />
              </td>
              <td>{incident.status}</td>
              <td>{incident.site}</td>
              <td>
                {incident.namespace}/{incident.pipeline}
              </td>
              <td class="number">{count(incident.alerts)}</td>
              <td>
                <Time utc={incident.first_utc} />
              </td>
              <td>
                <time dateTime={incident.last_utc} title={incident.last_utc}>
                  {ago(incident.last_utc)}
                </time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type Choice = {
  name: string;
  label: string;
  kind?: "text" | "severity" | "status";
  options?: string[];
  /** What it is where nothing is chosen. */
  none?: string;
  /** In words, where these are others than the value. */
  words?: Record<string, string>;
};

/** Filters that stand in the address: whoever is given it sees the same. */
export function Filters({ path, asked, choices }: { path: string[]; asked: Record<string, string>; choices: Choice[] }) {
  const change = (name: string, value: string) => {
    location.hash = to(path, { ...asked, [name]: value });
  };
  const options = (choice: Choice): string[] | undefined =>
    choice.kind === "severity"
      ? ["low", "medium", "high", "critical"]
      : choice.kind === "status"
        ? ["open", "closed"]
        : choice.options;
  return (
    <form class="filters" role="search" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {choices.map((choice) => {
        const values = options(choice);
        return (
          <label key={choice.name}>
            <span>{choice.label}</span>
            {values ? (
              <select value={asked[choice.name] ?? ""} onChange={(event) => change(choice.name, event.currentTarget.value)}>
                <option value="">{choice.none ?? (choice.kind === "severity" ? "any" : "all")}</option>
                {values.map((value) => (
                  <option key={value} value={value}>
                    {choice.kind === "severity" && value !== "critical" ? `${value} and worse` : (choice.words?.[value] ?? value)}
                  </option>
                ))}
              </select>
            ) : (
              <Text value={asked[choice.name] ?? ""} onChange={(value) => change(choice.name, value)} />
            )}
          </label>
        );
      })}
      {Object.keys(asked).length > 0 && <a href={to(path)}>Clear</a>}
    </form>
  );
}

/** What somebody is writing stays while the page is drawn anew, and counts once it is done. */
function Text({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <input
      type="search"
      value={text}
      onInput={(event) => setText(event.currentTarget.value)}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

export function Matching({ shown: rows, matching, kept }: { shown: number; matching: number; kept: number }) {
  const all = matching === kept ? `${plural(matching, "alert")} kept` : `${count(matching)} of ${plural(kept, "alert")} match`;
  return (
    <p class="quiet" role="status">
      {all}
      {rows < matching ? `; the newest ${count(rows)} are listed` : ""}
    </p>
  );
}
