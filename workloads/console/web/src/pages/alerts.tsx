// The newest alerts of all sites, filtered as the address says; one alert with its reasons.
import { Actions } from "../act";
import type { Alert, AlertRow, Alerts, Changes } from "../api";
import { useData } from "../data";
import { number, score, shown } from "../format";
import { AlertTable, Copy, Filters, Matching, SeverityMark, Shown, Time, Value } from "../parts";
import { Reasons } from "../reasons";
import { to } from "../route";
import { useSites } from "../sites";

const most = 1_000;
const worse = ["low", "medium", "high", "critical"];

export function AlertsPage({ asked }: { asked: Record<string, string> }) {
  const data = useData<Alerts>("alerts", { limit: most, ...asked }, { concerns: (changes, value) => withNew(asked, changes, value), pause: 2_000 });
  const { sites, namespaces, pipelines } = useSites();
  return (
    <>
      <h1>Alerts</h1>
      <Filters
        path={["alerts"]}
        asked={asked}
        choices={[
          { name: "severity", label: "Severity", kind: "severity" },
          { name: "site", label: "Site", options: sites },
          { name: "namespace", label: "Namespace", options: namespaces },
          { name: "pipeline", label: "Pipeline", options: pipelines },
          { name: "reason", label: "Reason (field)" },
          { name: "text", label: "Text in the record" },
        ]}
      />
      <p>
        <a href={to(["histogram"], asked)}>Histogram of these</a>
      </p>
      <Shown data={data}>
        {(page) => (
          <>
            <Matching shown={page.alerts.length} matching={page.matching} kept={page.kept} />
            <AlertTable alerts={page.alerts} caption="Alerts, the newest first" />
          </>
        )}
      </Shown>
    </>
  );
}

/** Takes new alerts in where the filters can be told from their rows; else the server has to be asked. */
function withNew(asked: Record<string, string>, { alerts }: Changes, value: Alerts | undefined): boolean | { value: Alerts } {
  if (alerts.length === 0) return false;
  if (!value || asked.text || asked.from || asked.to || asked.incident) return true;
  const known = new Set(value.alerts.map((alert) => alert.id));
  const fresh = alerts.filter((alert) => !known.has(alert.id) && matches(asked, alert));
  if (fresh.length === 0) return false;
  const rows = [...fresh, ...value.alerts].sort((a, b) => (a.detected_utc < b.detected_utc ? 1 : -1)).slice(0, most);
  return { value: { ...value, alerts: rows, matching: value.matching + fresh.length, kept: value.kept + fresh.length } };
}

function matches(asked: Record<string, string>, alert: AlertRow): boolean {
  return (
    (!asked.site || asked.site === alert.site) &&
    (!asked.namespace || asked.namespace === alert.namespace) &&
    (!asked.pipeline || asked.pipeline === alert.pipeline) &&
    (!asked.severity || worse.indexOf(alert.severity) >= worse.indexOf(asked.severity)) &&
    (!asked.reason || alert.reasons.includes(asked.reason))
  );
}

export function AlertPage({ id }: { id: string }) {
  const path = `alerts/${encodeURIComponent(id)}`;
  const data = useData<Alert>(path, {}, { concerns: ({ people }) => people, pause: 300 });
  const similar = useData<Alerts>(`${path}/similar`, {}, { concerns: ({ alerts }) => alerts.length > 0, pause: 5_000 });
  return (
    <>
      <p>
        <a href={to(["alerts"])}>All alerts</a>
      </p>
      <Shown data={data}>
        {(alert) => (
          <>
            <h1>
              Alert at {alert.site}, <Time utc={alert.detected_utc} />
            </h1>
            <p>
              <Value text={alert.text} longest={2_000} />
            </p>
            {alert.simulated && (
              <p class="notice">Somebody made this record up to see what becomes of it: nobody is told of it, no model learns from it, and it counts nowhere.</p>
            )}
            <dl class="facts">
              <div>
                <dt>Severity</dt>
                <dd>
                  <SeverityMark severity={alert.severity} />
                </dd>
              </div>
              <div>
                <dt>Score</dt>
                <dd>
                  {score(alert.score)}, above {score(alert.threshold)}
                </dd>
              </div>
              <div>
                <dt>Pipeline</dt>
                <dd>
                  {alert.namespace}/{alert.pipeline}
                </dd>
              </div>
              <div>
                <dt>Model</dt>
                <dd>{alert.model_version ? <Value text={alert.model_version} /> : "–"}</dd>
              </div>
            </dl>
            <Actions
              of={{ namespace: alert.namespace, pipeline: alert.pipeline }}
              match={alert.silence_match}
              judged={{ alert: alert.id, uuid: alert.uuid, site: alert.site }}
              verdict={alert.verdict}
              isSimulated={alert.simulated}
              simulation={alert.simulation}
              notSimulatedBecause={alert.not_simulated_because}
            />
            <h2>Reasons</h2>
            <Reasons reasons={alert.reasons_in_full} />
            <h2>Record</h2>
            {!alert.is_whole && (
              <p class="notice">It has {number(alert.bytes, 9)} bytes; this is the beginning.</p>
            )}
            <p>
              <Copy text={alert.json} label="Copy as JSON" />
            </p>
            <pre tabIndex={0}>{readable(alert.json)}</pre>
          </>
        )}
      </Shown>
      <h2>Similar within an hour</h2>
      <Shown data={similar}>{(page) => <AlertTable alerts={page.alerts} caption="Alerts with the same largest reason, of all sites" />}</Shown>
    </>
  );
}

/** One member a line where that is small; else as it is. Numbers stay as they were written. */
function readable(json: string): string {
  const text = shown(json, 70_000);
  return text.length > 20_000 ? text : text.replace(/,"(?=[^"]{1,80}":)/g, ',\n "');
}
