//! What a detector serves.

use super::{Metric, MetricKind, inventory};

inventory! {
    BUILD: Info "vedette_detector_build_info" ["version"]
        "Version of this program";
    RECORDS: Counter "vedette_detector_records_total" []
        "Messages read, and what was made of them committed";
    ALERTS: Counter "vedette_detector_alerts_total" []
        "Alerts produced, but for those of simulated records";
    SIMULATED_RECORDS: Counter "vedette_detector_simulated_records_total" []
        "Records that somebody made up: scored, and neither among alerts nor among scores and features";
    DEAD_LETTERS: Counter "vedette_detector_dead_letters_total" ["reason"]
        "Messages that could not be read or scored, by reason";
    LOST_RECORDS: Counter "vedette_detector_lost_records_total" []
        "Offsets whose messages retention deleted before they were read";
    TRUNCATED_RECORDS: Counter "vedette_detector_truncated_records_total" []
        "Offsets whose messages Kafka lost after they were read";
    REFUSED_RECORDS: Counter "vedette_detector_refused_records_total" []
        "Messages of which Kafka took neither what was made of them nor a dead letter: they are left out";
    REDATED_RECORDS: Counter "vedette_detector_redated_records_total" []
        "Messages of which something was written with the present time, as a topic would soon delete what is so old";
    CALCULATED_FIELD_FAILURES: Counter "vedette_detector_calculated_field_failures_total" ["field"]
        "Records without a calculated field because it could not be calculated, by field";
    LOOKUPS: Counter "vedette_detector_lookups_total" ["lookup", "outcome"]
        "Records by lookup and by what became of it";
    LOOKUP_ROWS: Gauge "vedette_detector_lookup_rows" ["lookup"]
        "Keys of the table that records are joined with, by lookup";
    LOOKUP_TABLE_FAILURES: Counter "vedette_detector_lookup_table_failures_total" ["lookup"]
        "Looks at a table that found none that can be joined with, by lookup";
    MENDED_FIELDS: Counter "vedette_detector_mended_fields_total" ["field", "was"]
        "Records whose uuid or utc was filled or converted, by field and by what it was";
    TEXT_VALUES: Counter "vedette_detector_text_values_total" ["field", "counts_as"]
        "Values of numeric features that arrived as text, by field and whether they are numbers or count as missing";
    MISSING_VALUES: Counter "vedette_detector_missing_values_total" ["field"]
        "Records without a value that a feature of the model can use, by field";
    UNSEEN_VALUES: Counter "vedette_detector_unseen_values_total" ["field"]
        "Records with a category of a feature that was not there in training, by field";
    SCORE: Histogram "vedette_detector_score" []
        "Scores of records: their ranks in the calibration of the model";
    SCORE_PSI: Gauge "vedette_detector_score_psi" []
        "Population stability index of the scores of the last records against those of the training, once it is known";
    FEATURE_PSI: Gauge "vedette_detector_feature_psi" ["field"]
        "Population stability index of a feature in the last records against the training, by field, once it is known";
    SCORE_THRESHOLD: Gauge "vedette_detector_score_threshold" []
        "The score above which a record alerts, once there is a model";
    BUDGET_IN_FORCE: Gauge "vedette_detector_budget_in_force_per_million" []
        "Records per million that alert at that threshold, by the model's calibration";
    LAG_RECORDS: Gauge "vedette_detector_lag_records" []
        "Offsets of its partitions that it has not come to yet";
    LAG: Gauge "vedette_detector_lag_seconds" []
        "How long ago the last message was written that it has read, where it lags";
    UNTOLD_PARTITIONS: Gauge "vedette_detector_untold_partitions" []
        "Partitions of its own that are in no lag: without a leader, or it is looked for from where they are read";
    BATCH_RECORDS: Histogram "vedette_detector_batch_records" []
        "Messages processed at once";
    PROCESSING: Histogram "vedette_detector_processing_seconds" []
        "Time to process and enqueue a batch";
    END_TO_END_LATENCY: Histogram "vedette_detector_end_to_end_latency_seconds" []
        "From the time that a message has in Kafka to the commit of what was made of it";
    COMMITS: Counter "vedette_detector_commits_total" []
        "Commits of output and position";
    COMMIT: Histogram "vedette_detector_commit_seconds" []
        "Time of a commit";
    ABORTS: Counter "vedette_detector_aborts_total" []
        "Units of work that were given up and done again";
}
