// Silences of all sites: what people are not told of, until when, and by whose wish.
import { End } from "../act";
import { useAccess } from "../access";
import type { Access, Silence, Silences } from "../api";
import { type Data, useData } from "../data";
import { count, plural, shown } from "../format";
import { Filters, Shown, Time, Value } from "../parts";
import { useSites } from "../sites";

export function SilencesPage({ asked }: { asked: Record<string, string> }) {
  const data = useData<Silences>("silences", asked, { concerns: ({ people }) => people, pause: 300 });
  const access = useAccess();
  const { sites, namespaces, pipelines } = useSites();
  return (
    <>
      <h1>Silences</h1>
      <Filters
        path={["silences"]}
        asked={asked}
        choices={[
          { name: "state", label: "State", options: ["in force", "to come", "over"] },
          { name: "site", label: "Site", options: sites },
          { name: "namespace", label: "Namespace", options: namespaces },
          { name: "pipeline", label: "Pipeline", options: pipelines },
        ]}
      />
      <Shown data={data}>
        {(page) => (
          <>
            <p class="quiet" role="status">
              {plural(page.matching, "silence")}, {count(page.in_force)} in force
              {page.silences.length < page.matching ? `; ${count(page.silences.length)} are listed` : ""}
            </p>
            <SilenceTable silences={page.silences} access={access} />
            {page.matching === 0 && Object.keys(asked).length === 0 && (
              <p class="notice">Of what people know already they are not told for a time: an incident and an alert have “Silence …”.</p>
            )}
            {page.passed.length > 0 && (
              <>
                <h2>What silences nothing, or cannot be read</h2>
                <ul>
                  {page.passed.map(({ key, why }) => (
                    <li key={key}>
                      <Value text={key} />: {shown(why, 500)}
                    </li>
                  ))}
                </ul>
              </>
            )}
          </>
        )}
      </Shown>
    </>
  );
}

function SilenceTable({ silences, access }: { silences: Silence[]; access: Data<Access> }) {
  if (silences.length === 0) return <p class="quiet">None.</p>;
  return (
    <div class="wide" role="region" aria-label="Silences, those in force first" tabIndex={0}>
      <table>
        <caption>Silences, those in force first</caption>
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Which alerts</th>
            <th scope="col">From</th>
            <th scope="col">Until</th>
            <th scope="col">By</th>
            <th scope="col">Why</th>
            <th scope="col">Pipeline</th>
            <th scope="col">Written by</th>
            <th scope="col">End</th>
          </tr>
        </thead>
        <tbody>
          {silences.map((silence) => (
            <tr key={`${silence.site} ${silence.id}`}>
              <td>
                <span class={silence.state === "in force" ? "state good" : "state"}>{silence.state}</span>
              </td>
              <td class="long">
                <code>{shown(silence.match, 2_000)}</code>
                {silence.exclude_from_training && <div class="quiet">no model learns from these records</div>}
              </td>
              <td>
                <Time utc={silence.from_utc} />
              </td>
              <td>
                <Time utc={silence.until_utc} />
              </td>
              <td>
                <Value text={silence.by} longest={100} />
              </td>
              <td class="long">
                <Value text={silence.why} longest={1_000} />
              </td>
              <td>
                {silence.namespace}/{silence.pipeline}
              </td>
              <td>{silence.site}</td>
              <td>
                <End silence={silence} access={access} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
