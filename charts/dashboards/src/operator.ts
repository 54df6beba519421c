// The operators.
import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { choice, dashboard, series } from "./panels.js";

const CHOSEN = 'site=~"$site"';

export function operator(): DashboardBuilder {
  return dashboard("operator", "Operator", "Whether the operators lead, reach what they watch, and have nothing to do at rest.")
    .withVariable(choice("site", "Site", "label_values(vedette_operator_build_info, site)"))
    .withPanel(series("Leads", "1 for the process that holds the lease.", "short", [`vedette_operator_leader{${CHOSEN}}`, "{{site}} {{pod}}"]).max(1))
    .withPanel(series("Namespaces", "That are acted upon.", "short", [`max by (site) (vedette_operator_namespaces{${CHOSEN}})`, "{{site}}"]))
    .withPanel(series("Namespaces reached", "0: something in it cannot be watched.", "short", [`min by (site, exported_namespace) (vedette_operator_namespace_reachable{${CHOSEN}})`, "{{site}} {{exported_namespace}}"]).max(1))
    .withPanel(series("Reconciles", "A second, by kind.", "reqps", [`sum by (site, kind) (rate(vedette_operator_reconciles_total{${CHOSEN}}[$__rate_interval]))`, "{{site}} {{kind}}"]))
    .withPanel(series("Reconciles that failed", "A second, by reason.", "reqps", [`sum by (site, kind, reason) (rate(vedette_operator_reconcile_errors_total{${CHOSEN}}[$__rate_interval]))`, "{{site}} {{kind}} {{reason}}"]))
    .withPanel(series("How long they take, p99", "Of a reconcile.", "s", [`histogram_quantile(0.99, sum by (site, kind, le) (rate(vedette_operator_reconcile_duration_seconds_bucket{${CHOSEN}}[$__rate_interval])))`, "{{site}} {{kind}}"]))
    .withPanel(series("Sent to the API server", "Objects and statuses a second; none at rest.", "reqps", [`sum by (site, kind) (rate(vedette_operator_applies_total{${CHOSEN}}[$__rate_interval]))`, "{{site}} {{kind}}"]))
    .withPanel(series("Watches that broke", "A second, by kind.", "reqps", [`sum by (site, kind) (rate(vedette_operator_watch_errors_total{${CHOSEN}}[$__rate_interval]))`, "{{site}} {{kind}}"]))
    .withPanel(series("Conditions that do not hold", "How many objects of each condition.", "short", [`count by (site, condition) (vedette_operator_object_condition{condition!~"Reconciling|Stalled",${CHOSEN}} == 0)`, "{{site}} {{condition}}"]));
}
