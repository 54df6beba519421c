// All sites at once: who runs what, how fast, how late, and where alerts come from.
import type { Overview, Site, Source } from "../api";
import { Rates } from "../chart";
import { useData } from "../data";
import { ago, count, number, plural, shown } from "../format";
import { Shown } from "../parts";
import { to } from "../route";

export function OverviewPage() {
  const data = useData<Overview>("overview", {}, {
    concerns: ({ alerts, incidents, sites }) => sites || incidents.length > 0 || alerts.length > 0,
    pause: 2_000,
  });
  return (
    <>
      <h1>Overview</h1>
      <Shown data={data}>
        {(overview) => (
          <>
            <Trouble what="The bucket" source={overview.bucket} tail="What is shown of other sites is as it was then." />
            <Trouble what={`Kafka of ${overview.own_site}`} source={overview.kafka} tail="Alerts of this site come by the bucket, some seconds later." />
            <p>
              <a href={to(["incidents"], { status: "open" })}>{plural(overview.open_incidents, "open incident")}</a>,{" "}
              {plural(overview.sites.length, "pipeline at a site", "pipelines at sites")}
            </p>
            {overview.sites.length === 0 ? (
              <p class="notice">No pipeline has said anything in the bucket yet. Apply an AnomalyPipeline; it is here within a minute.</p>
            ) : (
              <Sites sites={overview.sites} now={Date.parse(overview.now_utc)} own={overview.own_site} />
            )}
            {overview.history.series.length > 0 && <Rates history={overview.history} />}
            {overview.sites.length > 0 && <Topics sites={overview.sites} />}
          </>
        )}
      </Shown>
    </>
  );
}

function Trouble({ what, source, tail }: { what: string; source: Source; tail: string }) {
  if (!source.trouble) return null;
  // A site without alerts' topics has nothing to read.
  if (source.trouble === "not read yet") return <p class="quiet">{what} is not read yet.</p>;
  return (
    <div class="notice bad" role="alert">
      <strong>{what} does not answer</strong> ({source.answered_utc ? `it did ${ago(source.answered_utc)}` : "it never did"}). {tail}{" "}
      <details>
        <summary>What is wrong</summary>
        {shown(source.trouble, 1_000)}
      </details>
    </div>
  );
}

function Sites({ sites, now, own }: { sites: Site[]; now: number; own: string }) {
  return (
    <div class="wide" role="region" aria-label="Sites" tabIndex={0}>
      <table>
        <caption>Pipelines at their sites</caption>
        <thead>
          <tr>
            <th scope="col">Site</th>
            <th scope="col">Pipeline</th>
            <th scope="col">State</th>
            <th scope="col">Model</th>
            <th scope="col" class="number">
              Budget/million
            </th>
            <th scope="col" class="number">
              Records/s
            </th>
            <th scope="col" class="number">
              Lag
            </th>
            <th scope="col" class="number">
              Dead letters
            </th>
            <th scope="col" class="number">
              Lost
            </th>
            <th scope="col">Alerts</th>
          </tr>
        </thead>
        <tbody>
          {sites.map((site) => (
            <tr key={`${site.namespace} ${site.pipeline} ${site.site}`}>
              <th scope="row">
                {site.site}
                {site.site === own && <span class="quiet"> (here)</span>}
              </th>
              <td>
                {site.namespace}/{site.pipeline}
              </td>
              <td>
                <State site={site} now={now} />
              </td>
              <td>
                {site.training ? (
                  <a href={to(["models", site.namespace, site.training])}>{site.model_version ?? "none yet"}</a>
                ) : (
                  (site.model_version ?? "none")
                )}
              </td>
              <td class="number">{number(site.alert_budget_per_million)}</td>
              <td class="number">{number(site.records_per_second, 3)}</td>
              <td class="number">
                {count(site.lag_records)}
                {site.lag_seconds > 1 ? `, ${number(site.lag_seconds, 2)} s` : ""}
              </td>
              <td class="number">{count(site.dead_letters)}</td>
              <td class="number">{count(site.lost_records)}</td>
              <td>
                <a href={to(["alerts"], { site: site.site, namespace: site.namespace, pipeline: site.pipeline })}>show</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function State({ site, now }: { site: Site; now: number }) {
  if (site.silent_since_utc) return <span class="state bad">silent, last heard {ago(site.silent_since_utc, now)}</span>;
  if (site.ready === null || site.ready === undefined) return <span class="state">not told yet</span>;
  return site.ready ? <span class="state good">ready</span> : <span class="state bad">not ready</span>;
}

function Topics({ sites }: { sites: Site[] }) {
  const rows = sites.flatMap((site) => site.topics.map((topic) => ({ site, topic })));
  if (rows.length === 0) return null;
  return (
    <div class="wide" role="region" aria-label="Topics" tabIndex={0}>
      <table>
        <caption>Topics that are read</caption>
        <thead>
          <tr>
            <th scope="col">Site</th>
            <th scope="col">Topic</th>
            <th scope="col" class="number">
              Partitions
            </th>
            <th scope="col" class="number">
              Offsets held
            </th>
            <th scope="col" class="number">
              Lag
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ site, topic }) => (
            <tr key={`${site.namespace} ${site.pipeline} ${site.site} ${topic.topic}`}>
              <th scope="row">{site.site}</th>
              <td>{topic.topic}</td>
              <td class="number">{count(topic.partitions)}</td>
              <td class="number">{count(topic.held_records)}</td>
              <td class="number">{count(topic.lag_records)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
