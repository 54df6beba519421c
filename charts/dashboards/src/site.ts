// The pipelines of a site.
import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { choice, dashboard, series } from "./panels.js";

const DETECTORS = 'site=~"$site",namespace=~"$namespace",service=~"($pipeline)-detector"';
const ARCHIVERS = 'site=~"$site",namespace=~"$namespace",service=~"($pipeline)-archiver"';
const NOTIFIERS = 'site=~"$site",namespace=~"$namespace",service=~"($pipeline)-notifier"';
const PODS = "{{namespace}} {{pod}}";

export function site(): DashboardBuilder {
  return dashboard("site", "A site", "The pipelines of a site: what detectors, archivers and notifiers do.")
    .withVariable(choice("site", "Site", "label_values(vedette_operator_build_info, site)"))
    .withVariable(choice("namespace", "Namespace", 'label_values(vedette_detector_records_total{site=~"$site"}, namespace)'))
    .withVariable(choice("pipeline", "Pipeline", 'label_values(vedette_detector_records_total{site=~"$site",namespace=~"$namespace"}, service)', "/(.*)-detector/"))
    .withPanel(series("Records", "Records scored a second, by detector.", "reqps", [`sum by (namespace, pod) (rate(vedette_detector_records_total{${DETECTORS}}[$__rate_interval]))`, PODS]))
    .withPanel(series("Alerts", "Alerts per million records, and how many the budget in force allows.", "short",
      [`1e6 * sum by (namespace, service) (rate(vedette_detector_alerts_total{${DETECTORS}}[$__rate_interval])) / sum by (namespace, service) (rate(vedette_detector_records_total{${DETECTORS}}[$__rate_interval]))`, "{{namespace}} {{service}}"],
      [`max by (namespace, service) (vedette_detector_budget_in_force_per_million{${DETECTORS}})`, "{{namespace}} {{service}} budget"]))
    .withPanel(series("End to end", "From the time that a record has in Kafka to the commit of what was made of it.", "s",
      [`histogram_quantile(0.5, sum by (le) (rate(vedette_detector_end_to_end_latency_seconds_bucket{${DETECTORS}}[$__rate_interval])))`, "p50"],
      [`histogram_quantile(0.99, sum by (le) (rate(vedette_detector_end_to_end_latency_seconds_bucket{${DETECTORS}}[$__rate_interval])))`, "p99"]))
    .withPanel(series("Detectors behind", "How long ago the last record was written that was read.", "s", [`max by (namespace, pod) (vedette_detector_lag_seconds{${DETECTORS}})`, PODS]))
    .withPanel(series("Partitions unread", "Partitions that are in no lag: without a leader, or it is looked for from where they are read.", "short",
      [`sum by (namespace, pod) (vedette_detector_untold_partitions{${DETECTORS}})`, PODS],
      [`sum by (namespace, pod) (vedette_archiver_untold_partitions{${ARCHIVERS}})`, PODS]))
    .withPanel(series("Dead letters", "Records a second that could not be read or scored.", "reqps", [`sum by (namespace, service, reason) (rate(vedette_detector_dead_letters_total{${DETECTORS}}[$__rate_interval]))`, "{{namespace}} {{service}} {{reason}}"]))
    .withPanel(series("Scores beside the training", "Population stability index of the scores; from 0.25 on the records are others.", "short", [`max by (namespace, service) (vedette_detector_score_psi{${DETECTORS}})`, "{{namespace}} {{service}}"]))
    .withPanel(series("Fields beside the training", "The five fields that differ most, by population stability index.", "short", [`topk(5, max by (namespace, service, field) (vedette_detector_feature_psi{${DETECTORS}}))`, "{{field}}"]))
    .withPanel(series("Scores", "Records a second, by score.", "reqps", [`sum by (le) (rate(vedette_detector_score_bucket{${DETECTORS}}[$__rate_interval]))`, "up to {{le}}"]))
    .withPanel(series("Archive behind", "How long ago the last record was written that was archived.", "s", [`max by (namespace, service, stream) (vedette_archiver_lag_seconds{${ARCHIVERS}})`, "{{namespace}} {{service}} {{stream}}"]))
    .withPanel(series("Steps in the bucket that failed", "They are tried again.", "reqps", [`sum by (namespace, service, reason) (rate(vedette_archiver_upload_failures_total{${ARCHIVERS}}[$__rate_interval]))`, "{{namespace}} {{service}} {{reason}}"]))
    .withPanel(series("Incidents that wait", "Of which a receiver is yet to be told.", "short", [`max by (namespace, service, receiver) (vedette_notifier_waiting_incidents{${NOTIFIERS}})`, "{{namespace}} {{service}} {{receiver}}"]))
    .withPanel(series("Units done again", "Units of work that were given up and done again: a broker that is slow or away.", "reqps", [`sum by (namespace, pod) (rate(vedette_detector_aborts_total{${DETECTORS}}[$__rate_interval]))`, PODS]))
    .withPanel(series("Lost records", "That retention deleted before they were read.", "short",
      [`sum by (namespace, service) (vedette_detector_lost_records_total{${DETECTORS}})`, "{{namespace}} {{service}}"],
      [`sum by (namespace, service) (vedette_archiver_lost_records_total{${ARCHIVERS}})`, "{{namespace}} {{service}}"]))
    .withPanel(series("Told", "Messages a second that receivers took.", "reqps", [`sum by (namespace, service, receiver) (rate(vedette_notifier_deliveries_total{${NOTIFIERS}}[$__rate_interval]))`, "{{namespace}} {{service}} {{receiver}}"]));
}
