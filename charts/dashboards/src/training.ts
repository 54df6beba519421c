// Trainings, and what their models make of the records.
import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import { choice, dashboard, series } from "./panels.js";

const TRAININGS = 'kind="ModelTraining",site=~"$site",object_namespace=~"$namespace"';
const PIPELINES = 'kind="AnomalyPipeline",site=~"$site",object_namespace=~"$namespace"';
const DETECTORS = 'site=~"$site",namespace=~"$namespace"';
const TRAINING = "{{site}} {{object_namespace}}/{{name}}";

export function training(): DashboardBuilder {
  const condition = (name: string): [string, string] => [`max by (site, object_namespace, name) (vedette_operator_object_condition{condition="${name}",${TRAININGS}})`, TRAINING];
  return dashboard("training", "Training", "Whether trainings do what they should, which version is where, and what the models make of the records.")
    .withVariable(choice("site", "Site", "label_values(vedette_operator_build_info, site)"))
    .withVariable(choice("namespace", "Namespace", 'label_values(vedette_operator_object_info{kind="ModelTraining",site=~"$site"}, object_namespace)'))
    .withPanel(series("Last run", "1: it did what it should. 0: it did not. -1: not known.", "short", condition("Trained")).min(-1).max(1))
    .withPanel(series("Gate", "1: the last model passed. 0: it is a candidate.", "short", condition("GatePassed")).min(-1).max(1))
    .withPanel(series("Published", "1: a version is current.", "short", condition("Published")).min(-1).max(1))
    .withPanel(series("Versions", "The version that a training published, and that detectors run; one line each.", "short", [`max by (site, kind, name, model_version) (vedette_operator_object_info{${TRAININGS}}) or max by (site, kind, name, model_version) (vedette_operator_object_info{${PIPELINES}})`, "{{site}} {{kind}} {{name}} {{model_version}}"]))
    .withPanel(series("Current pointers", "Lookups a second, by what was found.", "reqps", [`sum by (site, result) (rate(vedette_operator_model_polls_total{site=~"$site"}[$__rate_interval]))`, "{{site}} {{result}}"]))
    .withPanel(series("Model as wanted", "1: the detectors run the version that is wanted.", "short", [`max by (site, object_namespace, name) (vedette_operator_object_condition{condition="ModelCurrent",${PIPELINES}})`, TRAINING]).min(-1).max(1))
    .withPanel(series("Scores beside the training", "Population stability index of the scores; from 0.25 on the records are others.", "short", [`max by (site, namespace, service) (vedette_detector_score_psi{${DETECTORS}})`, "{{site}} {{namespace}} {{service}}"]))
    .withPanel(series("Values that are missing", "Records a second without a value that a feature can use, the five most frequent.", "reqps", [`topk(5, sum by (namespace, service, field) (rate(vedette_detector_missing_values_total{${DETECTORS}}[$__rate_interval])))`, "{{service}} {{field}}"]))
    .withPanel(series("Categories that are new", "Records a second with a category that was not there in training, the five most frequent.", "reqps", [`topk(5, sum by (namespace, service, field) (rate(vedette_detector_unseen_values_total{${DETECTORS}}[$__rate_interval])))`, "{{service}} {{field}}"]))
    .withPanel(series("Threshold", "The score above which a record alerts.", "short", [`max by (site, namespace, service) (vedette_detector_score_threshold{${DETECTORS}})`, "{{site}} {{namespace}} {{service}}"]))
    .withPanel(series("Budget in force", "Records per million that alert at that threshold, by the model's calibration.", "short", [`max by (site, namespace, service) (vedette_detector_budget_in_force_per_million{${DETECTORS}})`, "{{site}} {{namespace}} {{service}}"]))
    .withPanel(series("Age of the model", "How long ago the version was published that a pipeline has.", "s", [`time() - max by (site, object_namespace, name) (vedette_operator_model_timestamp_seconds{${PIPELINES}})`, TRAINING]));
}
