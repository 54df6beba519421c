// A numeric field of the alerts, or of a sample of all records, by a categorical one, and how the scores of alerts are distributed.
import type { Histogram, Scores } from "../api";
import { HistogramChart, ScoresChart } from "../chart";
import { useData } from "../data";
import { ago, plural } from "../format";
import { Filters, Shown, Time } from "../parts";
import { to } from "../route";
import { useSites } from "../sites";

const live = { concerns: ({ alerts }: { alerts: unknown[] }) => alerts.length > 0, pause: 5_000 };

export function HistogramPage({ asked }: { asked: Record<string, string> }) {
  const { field = "duration", by = "service", of, ...filter } = asked;
  const isSample = of === "sample";
  const { namespace, pipeline, site } = filter;
  // Records have no severity, and no incident: what only alerts have is asked of these alone.
  const sent = isSample ? { of, namespace, pipeline, site } : filter;
  const { sites, namespaces, pipelines, all } = useSites();
  const chosen = all?.filter((one) => (!namespace || one.namespace === namespace) && (!pipeline || one.pipeline === pipeline));
  const count = chosen && new Set(chosen.map((one) => `${one.namespace}/${one.pipeline}`)).size;
  const isAsked = !isSample || (count !== undefined && count <= 1);
  const data = useData<Histogram>(isAsked ? "histogram" : undefined, { ...sent, field, by }, isSample ? {} : live);
  return (
    <>
      <h1>Histogram of {isSample ? "records" : "alerts"}</h1>
      <Filters
        path={["histogram"]}
        asked={{ ...asked, field, by }}
        choices={[
          { name: "of", label: "Of", options: ["sample"], none: "alerts", words: { sample: "a sample of all records of the last hour" } },
          { name: "field", label: "Number", options: named(data.value?.numeric_fields, field) },
          { name: "by", label: "By", options: named(data.value?.categorical_fields, by) },
          ...(isSample ? [] : [{ name: "severity", label: "Severity", kind: "severity" as const }]),
          { name: "site", label: "Site", options: sites },
          { name: "namespace", label: "Namespace", options: namespaces },
          { name: "pipeline", label: "Pipeline", options: pipelines },
        ]}
      />
      {!isSample && (
        <p>
          <a href={to(["alerts"], filter)}>These alerts</a>
        </p>
      )}
      {isSample && (count ?? 0) > 1 && <p class="notice">A sample is of one pipeline: choose it above, and its namespace where several have one of that name.</p>}
      {(isAsked || count === undefined) && (
        <Shown data={data}>
          {(histogram) => (
            <>
              <p class="quiet" role="status">
                {plural(histogram.alerts, histogram.sample ? "record" : "alert")}
                {histogram.sample && <Of sample={histogram.sample} />}
                {histogram.without > 0 && `, ${plural(histogram.without, "of them has", "of them have")} no number there`}
              </p>
              {histogram.sample && histogram.alerts === 0 ? <Nothing sample={histogram.sample} /> : <HistogramChart histogram={histogram} />}
            </>
          )}
        </Shown>
      )}
      {!isSample && <ScoresPart filter={filter} />}
    </>
  );
}

type Sample = NonNullable<Histogram["sample"]>;

function Of({ sample }: { sample: Sample }) {
  return (
    <>
      {" "}
      of {sample.namespace}/{sample.pipeline}, of {sample.sites_in_it} of {plural(sample.sites, "site")} that archived within the hour
      {sample.from_utc && (
        <>
          , from <Time utc={sample.from_utc} /> to <Time utc={sample.to_utc} />
        </>
      )}
      , read {ago(sample.read_utc)}
    </>
  );
}

function Nothing({ sample }: { sample: Sample }) {
  return (
    <p class="notice">
      {sample.sites === 0
        ? "No site archived records within the last hour, so there is no sample yet. What came is archived some seconds later, and here once the bucket has it of the other sites."
        : "Of what was read of the archive no record is of the last hour by its field utc, but for such as somebody made up or as are very long: there is no sample. The clock of whoever makes the records may be wrong, or an archive object takes records for longer than an hour (spec.archiver.rolling.maxAge)."}
    </p>
  );
}

function ScoresPart({ filter }: { filter: Record<string, string> }) {
  const scores = useData<Scores>("scores", filter, live);
  return (
    <>
      <h2>Scores</h2>
      <Shown data={scores}>{(value) => <ScoresChart scores={value} />}</Shown>
    </>
  );
}

function named(fields: string[] | undefined, chosen: string): string[] {
  return [...new Set([...(fields ?? []), chosen])].sort();
}
