// Trainings, the versions that they published with their quality, and how far each site has rolled.
import type { Overview, Training, Trainings } from "../api";
import { useData } from "../data";
import { count, number, shown } from "../format";
import { Shown, Time } from "../parts";
import { to } from "../route";

const outcomes = { published: "published", gate_refused: "refused by the gate", not_enough_data: "too few records" };

export function ModelsPage({ namespace, training }: { namespace?: string; training?: string }) {
  const data = useData<Trainings>("trainings", {});
  const overview = useData<Overview>("overview", {}, { concerns: ({ sites }) => sites, pause: 2_000 });
  const isChosen = (one: Training) => (!namespace || one.namespace === namespace) && (!training || one.training === training);
  return (
    <>
      <h1>Models and trainings</h1>
      {namespace && (
        <p>
          <a href={to(["models"])}>All trainings</a>
        </p>
      )}
      <Shown data={data}>
        {({ trainings }) => {
          const chosen = trainings.filter(isChosen);
          return chosen.length === 0 ? (
            <p class="notice">No training has published a model or ended a run yet.</p>
          ) : (
            chosen.map((one) => <TrainingPart key={`${one.namespace} ${one.training}`} training={one} overview={overview.value} />)
          );
        }}
      </Shown>
    </>
  );
}

/** A page of its own, in a tab of its own: it comes of the bucket, and knows nothing of this one. */
function report({ namespace, training }: Training, version: string): string {
  return `reports/${[namespace, training, version].map(encodeURIComponent).join("/")}`;
}

function TrainingPart({ training, overview }: { training: Training; overview?: Overview }) {
  const followers = (overview?.sites ?? []).filter((site) => site.namespace === training.namespace && site.training === training.training);
  const at = (version: string) => followers.filter((site) => site.model_version === version).map((site) => site.site);
  const name = `${training.namespace}/${training.training}`;
  return (
    <section aria-label={name}>
      <h2>{name}</h2>
      <p>
        {training.current ? (
          <>
            Current is {training.current.version}, generation {count(training.current.generation)}, published{" "}
            <Time utc={training.current.published_utc} /> by {shown(training.current.published_by, 100)}.
          </>
        ) : (
          "Nothing is current yet."
        )}
      </p>
      {training.versions.length > 0 && (
        <div class="wide" role="region" aria-label={`Versions of ${name}`} tabIndex={0}>
          <table>
            <caption>Versions</caption>
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col">Trained</th>
                <th scope="col">Algorithm</th>
                <th scope="col" class="number">
                  Records
                </th>
                <th scope="col" class="number">
                  AUROC
                </th>
                <th scope="col" class="number">
                  Recall
                </th>
                <th scope="col" class="number">
                  Precision
                </th>
                <th scope="col" class="number">
                  Baseline AUROC
                </th>
                <th scope="col">Runs at</th>
                <th scope="col">Report</th>
              </tr>
            </thead>
            <tbody>
              {training.versions.map((version) => (
                <tr key={version.version}>
                  <th scope="row">
                    {version.version}
                    {version.version === training.current?.version && <span class="quiet"> (current)</span>}
                  </th>
                  <td>
                    <Time utc={version.trained_utc} />, {version.trained_at_site}
                  </td>
                  <td>{version.algorithm}</td>
                  <td class="number">{count(version.records)}</td>
                  <td class="number">{number(version.quality.auroc)}</td>
                  <td class="number">{number(version.quality.recall_at_budget)}</td>
                  <td class="number">{number(version.quality.precision_at_budget)}</td>
                  <td class="number">{number(version.baseline?.auroc)}</td>
                  <td>{at(version.version).join(", ") || "–"}</td>
                  <td>
                    {version.has_report ? (
                      <a href={report(training, version.version)} target="_blank" rel="noopener noreferrer" aria-label={`show the report of ${version.version}, in a new tab`}>
                        show
                      </a>
                    ) : (
                      "none"
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {training.runs.length > 0 && (
        <div class="wide" role="region" aria-label={`Runs of ${name}`} tabIndex={0}>
          <table>
            <caption>Runs</caption>
            <thead>
              <tr>
                <th scope="col">Ended</th>
                <th scope="col">Job</th>
                <th scope="col">Outcome</th>
                <th scope="col" class="number">
                  Records
                </th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {training.runs.map((run) => (
                <tr key={run.job}>
                  <td>
                    <Time utc={run.finished_utc} />
                  </td>
                  <td>{shown(run.job, 100)}</td>
                  <td>{outcomes[run.outcome]}</td>
                  <td class="number">{count(run.records)}</td>
                  <td>{shown(run.message, 500)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="quiet">
        The same: <code>kubectl get modeltraining -n {training.namespace} {training.training} -o yaml</code>
      </p>
    </section>
  );
}
