//! What a generator serves.

use super::{Metric, MetricKind, inventory};

inventory! {
    BUILD: Info "vedette_generator_build_info" ["version"]
        "Version of this program";
    RECORDS: Counter "vedette_generator_records_total" []
        "Records that Kafka has acknowledged";
    RECORD_BYTES: Counter "vedette_generator_record_bytes_total" []
        "Bytes of the records that Kafka has acknowledged";
    BAD_ROWS: Counter "vedette_generator_bad_rows_total" ["reason"]
        "Rows of the data set that were left out, by reason";
    DELIVERY_ERRORS: Counter "vedette_generator_delivery_errors_total" []
        "Records that Kafka did not take";
}
