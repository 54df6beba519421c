//! What an operator serves.

use super::{Metric, MetricKind, inventory};

inventory! {
    BUILD: Info "vedette_operator_build_info" ["version"]
        "Version of this program";
    RECONCILES: Counter "vedette_operator_reconciles_total" ["kind"]
        "Reconciles that ended, well or not";
    RECONCILE_ERRORS: Counter "vedette_operator_reconcile_errors_total" ["kind", "reason"]
        "Reconciles that failed";
    RECONCILE_DURATION: Histogram "vedette_operator_reconcile_duration_seconds" ["kind"]
        "How long a reconcile took";
    WATCH_ERRORS: Counter "vedette_operator_watch_errors_total" ["kind"]
        "Watches that broke and were begun again";
    NAMESPACE_REACHABLE: Gauge "vedette_operator_namespace_reachable" ["namespace"]
        "Whether everything in a watched namespace can be watched";
    NAMESPACES: Gauge "vedette_operator_namespaces" []
        "Namespaces that are acted upon";
    APPLIES: Counter "vedette_operator_applies_total" ["kind"]
        "Objects that were sent to the API server";
    MODEL_POLLS: Counter "vedette_operator_model_polls_total" ["result"]
        "Lookups of a current pointer in the bucket";
    MODELS_WATCHED: Gauge "vedette_operator_models_watched" []
        "Trainings whose pointer is looked up";
    LEADER: Gauge "vedette_operator_leader" []
        "Whether this process holds the lease";
    OBJECT_CONDITION: Gauge "vedette_operator_object_condition" ["kind", "object_namespace", "name", "condition"]
        "Conditions of pipelines and trainings: 1 for True, 0 for False, -1 for Unknown";
    OBJECT_INFO: Gauge "vedette_operator_object_info" ["kind", "object_namespace", "name", "reason", "model_version"]
        "Pipelines and trainings, with the reason of Ready and the model version";
    MODEL_TIMESTAMP: Gauge "vedette_operator_model_timestamp_seconds" ["kind", "object_namespace", "name"]
        "When the model version of a pipeline or training was published, Unix time";
}
