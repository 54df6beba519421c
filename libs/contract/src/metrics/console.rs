//! What a console serves.

use super::{Metric, MetricKind, inventory};

inventory! {
    BUILD: Info "vedette_console_build_info" ["version"]
        "Version of this program";
    BUCKET_REQUESTS: Counter "vedette_console_bucket_requests_total" []
        "Requests to the bucket";
    BUCKET_FAILURES: Counter "vedette_console_bucket_failures_total" []
        "Looks at the bucket that failed";
    UNREADABLE_MESSAGES: Counter "vedette_console_unreadable_messages_total" []
        "Messages that are no alert or no incident";
    KEPT_ALERTS: Gauge "vedette_console_kept_alerts" []
        "Alerts that are kept in memory";
    LISTENERS: Gauge "vedette_console_listeners" []
        "Browsers that are told what is new";
    ACTIONS: Counter "vedette_console_actions_total" []
        "Silences that were added or ended here, verdicts that were given, and simulated records that were sent";
    REFUSED_ACTIONS: Counter "vedette_console_refused_actions_total" []
        "Requests to write that were refused";
    WRONG_TOKENS: Counter "vedette_console_wrong_tokens_total" []
        "Requests with a token that is none of this console";
    SITE_SILENCE: Gauge "vedette_console_site_silence_seconds" ["object_namespace", "pipeline", "object_site"]
        "How long nothing was heard of a pipeline at a site, when the bucket was read last";
}
