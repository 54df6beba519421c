// A numeric field of the alerts by a categorical one, and how their scores are distributed.
import type { Histogram, Scores } from "../api";
import { HistogramChart, ScoresChart } from "../chart";
import { useData } from "../data";
import { plural } from "../format";
import { Filters, Shown } from "../parts";
import { to } from "../route";
import { useSites } from "../sites";

const live = { concerns: ({ alerts }: { alerts: unknown[] }) => alerts.length > 0, pause: 5_000 };

export function HistogramPage({ asked }: { asked: Record<string, string> }) {
  const { field = "duration", by = "service", ...filter } = asked;
  const data = useData<Histogram>("histogram", { ...filter, field, by }, live);
  const scores = useData<Scores>("scores", filter, live);
  const { sites, namespaces, pipelines } = useSites();
  return (
    <>
      <h1>Histogram of alerts</h1>
      <Filters
        path={["histogram"]}
        asked={{ ...asked, field, by }}
        choices={[
          { name: "field", label: "Number", options: named(data.value?.numeric_fields, field) },
          { name: "by", label: "By", options: named(data.value?.categorical_fields, by) },
          { name: "severity", label: "Severity", kind: "severity" },
          { name: "site", label: "Site", options: sites },
          { name: "namespace", label: "Namespace", options: namespaces },
          { name: "pipeline", label: "Pipeline", options: pipelines },
        ]}
      />
      <p>
        <a href={to(["alerts"], filter)}>These alerts</a>
      </p>
      <Shown data={data}>
        {(histogram) => (
          <>
            <p class="quiet" role="status">
              {plural(histogram.alerts, "alert")}
              {histogram.without > 0 && `, ${plural(histogram.without, "of them has", "of them have")} no number there`}
            </p>
            <HistogramChart histogram={histogram} />
          </>
        )}
      </Shown>
      <h2>Scores</h2>
      <Shown data={scores}>{(value) => <ScoresChart scores={value} />}</Shown>
    </>
  );
}

function named(fields: string[] | undefined, chosen: string): string[] {
  return [...new Set([...(fields ?? []), chosen])].sort();
}
