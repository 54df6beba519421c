// Incidents, and the newest alerts below them; one incident.
import { Actions } from "../act";
import type { Alerts, Changes, Incident, Incidents } from "../api";
import { useData } from "../data";
import { count, plural, score, shown, time } from "../format";
import { AlertTable, Copy, Filters, IncidentTable, Matching, SeverityMark, Shown, Time, Value } from "../parts";
import { to } from "../route";
import { useSites } from "../sites";

export function IncidentsPage({ asked }: { asked: Record<string, string> }) {
  const data = useData<Incidents>("incidents", { limit: 50, ...asked }, { concerns: ({ incidents }) => incidents.length > 0 });
  const { sites, namespaces, pipelines } = useSites();
  const filters = asked.after === undefined ? asked : Object.fromEntries(Object.entries(asked).filter(([name]) => name !== "after"));
  return (
    <>
      <h1>Incidents</h1>
      <Filters
        path={["incidents"]}
        asked={filters}
        choices={[
          { name: "status", label: "Status", kind: "status" },
          { name: "severity", label: "Severity", kind: "severity" },
          { name: "site", label: "Site", options: sites },
          { name: "namespace", label: "Namespace", options: namespaces },
          { name: "pipeline", label: "Pipeline", options: pipelines },
        ]}
      />
      <Shown data={data}>
        {(page) => (
          <>
            <p class="quiet" role="status">
              {plural(page.matching, "incident")}, {count(page.open)} open
            </p>
            <IncidentTable incidents={page.incidents} caption="Incidents, those with the newest alert first" />
            <p class="pages">
              {asked.after !== undefined && <a href={to(["incidents"], filters)}>Newest</a>}{" "}
              {page.next && <a href={to(["incidents"], { ...filters, after: page.next })}>Older</a>}
            </p>
            {page.matching === 0 && Object.keys(asked).length === 0 && (
              <p class="notice">
                Incidents come of pipelines with <code>spec.incidents</code>. Alerts are <a href={to(["alerts"])}>listed</a> all the same.
              </p>
            )}
          </>
        )}
      </Shown>
      <h2>Newest alerts</h2>
      <NewestAlerts asked={{ site: filters.site, namespace: filters.namespace, pipeline: filters.pipeline, limit: 20 }} />
    </>
  );
}

function NewestAlerts({ asked }: { asked: Record<string, string | number | undefined> }) {
  const data = useData<Alerts>("alerts", asked, { concerns: ({ alerts }) => alerts.length > 0 });
  return <Shown data={data}>{(page) => <AlertTable alerts={page.alerts} caption="Newest alerts" />}</Shown>;
}

export function IncidentPage({ id }: { id: string }) {
  const isChanged = ({ incidents }: Changes) => incidents.some((incident) => incident.id === id);
  const concerns = { concerns: isChanged };
  const data = useData<Incident>(`incidents/${encodeURIComponent(id)}`, {}, { concerns: (changes) => changes.people || isChanged(changes), pause: 300 });
  const alerts = useData<Alerts>("alerts", { incident: id, limit: 1_000 }, concerns);
  return (
    <>
      <p>
        <a href={to(["incidents"])}>All incidents</a>
      </p>
      <Shown data={data}>
        {(incident) => (
          <>
            <h1>
              Incident: <Value text={incident.common || "no reason"} longest={120} />
            </h1>
            <dl class="facts">
              <div>
                <dt>Severity</dt>
                <dd>
                  <SeverityMark severity={incident.severity} />
                </dd>
              </div>
              <div>
                <dt>Status</dt>
                <dd>
                  {incident.status}
                  {incident.closed_utc && `, ${time(incident.closed_utc)}`}
                </dd>
              </div>
              <div>
                <dt>Where</dt>
                <dd>
                  {incident.site}, {incident.namespace}/{incident.pipeline}
                </dd>
              </div>
              <div>
                <dt>Alerts</dt>
                <dd>{count(incident.alerts)}</dd>
              </div>
              <div>
                <dt>First</dt>
                <dd>
                  <Time utc={incident.first_utc} />
                </dd>
              </div>
              <div>
                <dt>Last</dt>
                <dd>
                  <Time utc={incident.last_utc} />
                </dd>
              </div>
              <div>
                <dt>Highest score</dt>
                <dd>{score(incident.highest_score)}</dd>
              </div>
            </dl>
            {incident.silenced_alerts > 0 && (
              <p class="notice">
                {count(incident.silenced_alerts)} of its alerts are silenced, by {incident.silenced_by.join(", ")}. <a href={to(["silences"])}>Silences</a>
              </p>
            )}
            <Actions
              of={{ namespace: incident.namespace, pipeline: incident.pipeline }}
              match={incident.silence_match}
              judged={{ incident: incident.id }}
              verdict={incident.verdict}
            />
            <h2>Reasons</h2>
            <div class="wide" role="region" aria-label="Reasons" tabIndex={0}>
              <table>
                <caption>Fields that weigh most, of all alerts together</caption>
                <thead>
                  <tr>
                    <th scope="col">Field</th>
                    <th scope="col" class="number">
                      In alerts
                    </th>
                    <th scope="col">Last value</th>
                  </tr>
                </thead>
                <tbody>
                  {incident.reasons.map((reason) => (
                    <tr key={reason.field}>
                      <th scope="row">
                        <Value text={reason.field} />
                      </th>
                      <td class="number">{count(reason.alerts)}</td>
                      <td>{reason.value === null || reason.value === undefined ? "–" : <Value text={reason.value} />}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <h2>Example</h2>
            {incident.example_id && (
              <p>
                <a href={to(["alerts", incident.example_id])}>The alert with the highest score</a>
              </p>
            )}
            {incident.example && <pre tabIndex={0}>{shown(incident.example, 20_000)}</pre>}
            <p>
              The same from Kafka: <code>{incident.command}</code> <Copy text={incident.command} />
            </p>
          </>
        )}
      </Shown>
      <h2>Alerts</h2>
      <Shown data={alerts}>
        {(page) => (
          <>
            <Matching shown={page.alerts.length} matching={page.matching} kept={page.kept} />
            <AlertTable alerts={page.alerts} caption="Alerts of this incident that are kept" />
          </>
        )}
      </Shown>
    </>
  );
}
