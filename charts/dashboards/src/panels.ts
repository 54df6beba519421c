// What all dashboards are made of: variables that choose what is shown, and panels of a title and expressions.
import { DashboardBuilder, DatasourceVariableBuilder, QueryVariableBuilder, VariableRefresh, VariableSort } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as SeriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

const PROMETHEUS = { type: "prometheus", uid: "${datasource}" };
const WIDTH = 24;

/** An expression, and what its series are called. */
export type Query = [expression: string, legend: string];

/** A dashboard that shows the last hour, and whose source of data is chosen. */
export function dashboard(uid: string, title: string, description: string): DashboardBuilder {
  return new DashboardBuilder(`Vedette / ${title}`)
    .uid(`vedette-${uid}`)
    .description(description)
    .tags(["vedette"])
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .timezone("browser")
    .readonly()
    .withVariable(new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"));
}

/** A choice among the values of a label; all of them unless one is chosen. */
export function choice(name: string, label: string, query: string, regex = ""): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(PROMETHEUS)
    .query(query)
    .regex(regex)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*");
}

/** How something went, three beside each other. */
export function series(title: string, description: string, unit: string, ...queries: Query[]): SeriesBuilder {
  const panel = new SeriesBuilder().title(title).description(description).unit(unit).min(0).span(WIDTH / 3).height(8);
  return panel.datasource(PROMETHEUS).targets(queries.map(target));
}

/** How something is now, six beside each other. */
export function now(title: string, description: string, unit: string, ...queries: Query[]): StatBuilder {
  const panel = new StatBuilder().title(title).description(description).unit(unit).span(WIDTH / 6).height(4);
  return panel.datasource(PROMETHEUS).targets(queries.map(target));
}

function target([expression, legend]: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder().refId(String.fromCharCode(65 + index)).expr(expression).legendFormat(legend).datasource(PROMETHEUS);
}
