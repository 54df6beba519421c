// All sites beside each other.
import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { type Query, choice, dashboard, now, series } from "./panels.js";

const CHOSEN = 'site=~"$site"';
const RECORDS: Query = [`sum by (site) (rate(vedette_detector_records_total{${CHOSEN}}[$__rate_interval]))`, "{{site}}"];
const BEHIND: Query = [`max by (site) (vedette_detector_lag_seconds{${CHOSEN}})`, "{{site}}"];

export function sites(): DashboardBuilder {
  return dashboard("sites", "All sites", "What every site takes in, what it alerts on, and how far behind it is.")
    .withVariable(choice("site", "Site", "label_values(vedette_operator_build_info, site)"))
    .withPanel(now("Records", "Records scored a second.", "short", RECORDS))
    .withPanel(now("Alerts", "Alerts a second.", "short", [`sum by (site) (rate(vedette_detector_alerts_total{${CHOSEN}}[$__rate_interval]))`, "{{site}}"]))
    .withPanel(now("Behind", "How long ago the last record was written that was read.", "s", BEHIND))
    .withPanel(now("Not ready", "Pipelines and trainings whose Ready is not True.", "short", [`count by (site) (vedette_operator_object_condition{condition="Ready",${CHOSEN}} < 1) or 0 * max by (site) (vedette_operator_leader{${CHOSEN}})`, "{{site}}"]))
    .withPanel(now("Lost records", "Records that retention deleted before they were read.", "short", [`sum by (site) (vedette_detector_lost_records_total{${CHOSEN}})`, "{{site}}"]))
    .withPanel(now("Open incidents told late", "How long the oldest incident waits of which a receiver is not told.", "s", [`max by (site) (vedette_notifier_longest_wait_seconds{${CHOSEN}})`, "{{site}}"]))
    .withPanel(series("Records", "Records scored a second.", "reqps", RECORDS))
    .withPanel(series("Alerts", "Alerts per million records.", "short", [`1e6 * sum by (site) (rate(vedette_detector_alerts_total{${CHOSEN}}[$__rate_interval])) / sum by (site) (rate(vedette_detector_records_total{${CHOSEN}}[$__rate_interval]))`, "{{site}}"]))
    .withPanel(series("End to end, p99", "From the time that a record has in Kafka to the commit of what was made of it.", "s", [`histogram_quantile(0.99, sum by (site, le) (rate(vedette_detector_end_to_end_latency_seconds_bucket{${CHOSEN}}[$__rate_interval])))`, "{{site}}"]))
    .withPanel(series("Detectors behind", "How long ago the last record was written that was read.", "s", BEHIND))
    .withPanel(series("Archive behind", "How long ago the last record was written that was archived.", "s", [`max by (site) (vedette_archiver_lag_seconds{${CHOSEN}})`, "{{site}}"]))
    .withPanel(series("Dead letters", "Records a second that could not be read or scored.", "reqps", [`sum by (site, reason) (rate(vedette_detector_dead_letters_total{${CHOSEN}}[$__rate_interval]))`, "{{site}} {{reason}}"]))
    // As consoles say, which hear of all sites: a site that is silent has no series of its own.
    .withPanel(series("Silent", "How long nothing was heard of a pipeline at a site.", "s", [`max by (object_namespace, pipeline, object_site) (vedette_console_site_silence_seconds{object_site=~"$site"})`, "{{object_site}} {{object_namespace}}/{{pipeline}}"]));
}
