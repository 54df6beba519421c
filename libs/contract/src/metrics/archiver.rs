//! What an archiver serves.

use super::{Metric, MetricKind, inventory};

inventory! {
    BUILD: Info "vedette_archiver_build_info" ["version"]
        "Version of this program";
    RECORDS: Counter "vedette_archiver_records_total" ["stream"]
        "Records read from Kafka";
    RECORD_BYTES: Counter "vedette_archiver_record_bytes_total" ["stream"]
        "Bytes of the records read";
    ARCHIVED_RECORDS: Counter "vedette_archiver_archived_records_total" ["stream"]
        "Records of the closed objects";
    LOST_RECORDS: Counter "vedette_archiver_lost_records_total" ["stream"]
        "Offsets whose records retention deleted before they were archived";
    TRUNCATED_RECORDS: Counter "vedette_archiver_truncated_records_total" ["stream"]
        "Offsets whose records Kafka lost after they were read";
    LAG_RECORDS: Gauge "vedette_archiver_lag_records" ["stream"]
        "Offsets of its partitions that it has not come to yet";
    LAG: Gauge "vedette_archiver_lag_seconds" ["stream"]
        "How long ago the last record was written that it has read, where it lags";
    UNTOLD_PARTITIONS: Gauge "vedette_archiver_untold_partitions" ["stream"]
        "Partitions of its own that are in no lag: without a leader, or it is looked for from where they are read";
    OBJECTS: Counter "vedette_archiver_objects_total" ["stream"]
        "Objects closed in the bucket";
    MIXED_OBJECTS: Counter "vedette_archiver_mixed_objects_total" ["stream"]
        "Objects with records of another site among theirs: two releases write to one topic";
    OBJECT_BYTES: Counter "vedette_archiver_object_bytes_total" ["stream"]
        "Compressed bytes of the closed objects";
    DELTAS: Counter "vedette_archiver_deltas_total" ["stream"]
        "Deltas of open objects sent to the bucket";
    LAST_CLOSE: Gauge "vedette_archiver_last_close_timestamp_seconds" ["stream"]
        "When an object was closed last, Unix time";
    UPLOAD_FAILURES: Counter "vedette_archiver_upload_failures_total" ["reason"]
        "Work on the bucket or commits that failed and is tried again";
    PARTITIONS: Gauge "vedette_archiver_partitions" []
        "Partitions that it archives now";
    OPEN_OBJECTS: Gauge "vedette_archiver_open_objects" []
        "Objects that take records now";
    PAUSED_PARTITIONS: Gauge "vedette_archiver_paused_partitions" []
        "Partitions that wait for the bucket";
}
