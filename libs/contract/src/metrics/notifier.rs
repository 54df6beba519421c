//! What a notifier serves.

use super::{Metric, MetricKind, inventory};

inventory! {
    BUILD: Info "vedette_notifier_build_info" ["version"]
        "Version of this program";
    ALERTS: Counter "vedette_notifier_alerts_total" []
        "Alerts read";
    LOST_ALERTS: Counter "vedette_notifier_lost_alerts_total" []
        "Offsets whose alerts retention deleted before they were read";
    UNREADABLE_ALERTS: Counter "vedette_notifier_unreadable_alerts_total" []
        "Messages among the alerts that are no record";
    SIMULATED_ALERTS: Counter "vedette_notifier_simulated_alerts_total" []
        "Alerts of records that somebody made up, of which no incident is made";
    OVERFLOWED_ALERTS: Counter "vedette_notifier_overflowed_alerts_total" []
        "Alerts that would have opened an incident and had no room for one of their own";
    STRANGE_SEVERITIES: Counter "vedette_notifier_strange_severities_total" []
        "Alerts whose record has a severity that is none of low, medium, high and critical";
    LATE_ALERTS: Counter "vedette_notifier_late_alerts_total" []
        "Alerts that were read a window or more after they were detected";
    LARGEST_LAG: Gauge "vedette_notifier_largest_lag_seconds" []
        "How long after it was detected the latest of the late alerts was read";
    OPENED_INCIDENTS: Counter "vedette_notifier_opened_incidents_total" []
        "Incidents opened";
    OPEN_INCIDENTS: Gauge "vedette_notifier_open_incidents" []
        "Incidents that alerts may join";
    WRITTEN_INCIDENTS: Counter "vedette_notifier_written_incidents_total" []
        "Messages written to the topic of the incidents";
    WRITE: Histogram "vedette_notifier_write_seconds" []
        "Time that one transaction took";
    RESTARTS: Counter "vedette_notifier_restarts_total" []
        "Times that the incidents were read anew, as something was not written";
    SILENCES: Gauge "vedette_notifier_silences" []
        "Silences that are in force or to come";
    PASSED_SILENCES: Gauge "vedette_notifier_passed_silences" []
        "Objects among the silences that are none, or one too many";
    SILENCE_LOOK_FAILURES: Counter "vedette_notifier_silence_look_failures_total" []
        "Looks at the silences that failed, after which those that are known stand";
    SILENCED_ALERTS: Counter "vedette_notifier_silenced_alerts_total" []
        "Alerts that a silence matched";
    SILENCE_FAILURES: Counter "vedette_notifier_silence_failures_total" []
        "Alerts of which the match of a silence is neither true nor false, and which it does not silence";
    DELIVERIES: Counter "vedette_notifier_deliveries_total" ["receiver"]
        "Messages that a receiver took";
    DELIVERY_FAILURES: Counter "vedette_notifier_delivery_failures_total" ["receiver"]
        "Messages that a receiver did not take and that are sent again";
    REFUSED_DELIVERIES: Counter "vedette_notifier_refused_deliveries_total" ["receiver"]
        "Messages that a receiver refuses though it takes others, or for a day, and of which it is not told";
    FILTER_FAILURES: Counter "vedette_notifier_filter_failures_total" ["receiver"]
        "Incidents of which a filter is neither true nor false";
    FOREIGN_INCIDENTS: Counter "vedette_notifier_foreign_incidents_total" ["receiver"]
        "Messages among the incidents that are of another pipeline or site";
    WAITING_INCIDENTS: Gauge "vedette_notifier_waiting_incidents" ["receiver"]
        "Incidents of which a receiver is yet to be told";
    LONGEST_WAIT: Gauge "vedette_notifier_longest_wait_seconds" ["receiver"]
        "How long the oldest incident waits of which a receiver is yet to be told";
}
