//! Records that people make up, and what one can begin with.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::fields::Reason;

use crate::simulate::{Outcome, Scored, Simulation};

/// With what a simulation of a record begins, and how it is sent without the console.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SimulationFormView {
    /// The input topic of the pipeline at this site.
    pub(crate) topic: String,
    /// The brokers, as the console was told them.
    pub(crate) bootstrap_servers: String,
    /// The fields that the record had when it came, by name.
    pub(crate) fields: Vec<FieldView>,
}

/// A field of a record.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FieldView {
    pub(crate) name: String,
    /// Its value, as JSON text.
    pub(crate) json: String,
}

/// How a record stands that somebody made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SimulationStatus {
    /// Kafka has it, and no detector has come to it yet.
    Pending,
    /// It has a score.
    Scored,
    /// A detector without a model came to it.
    Unscored,
    /// It could not be read or scored, and is a dead letter.
    DeadLetter,
    /// No detector has come to it in time.
    Unanswered,
}

/// A record that somebody made up, and what became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SimulationView {
    /// Its identity, by which it is asked for.
    pub(crate) uuid: String,
    #[schemars(with = "String")]
    pub(crate) namespace: Name,
    #[schemars(with = "String")]
    pub(crate) pipeline: Name,
    #[schemars(with = "String")]
    pub(crate) site: Name,
    /// When Kafka had it.
    #[schemars(with = "String")]
    pub(crate) sent_utc: Timestamp,
    pub(crate) status: SimulationStatus,
    pub(crate) score: Option<f64>,
    /// Above which records alerted then; null where the detector does not tell.
    pub(crate) threshold: Option<f64>,
    /// Whether it is an alert; null where that is not known.
    pub(crate) is_alert: Option<bool>,
    pub(crate) model_version: Option<String>,
    /// The fields behind its score, the largest share first.
    pub(crate) reasons: Vec<Reason>,
    /// Why it has no score; null where it has one, or may get one.
    pub(crate) why: Option<String>,
    /// The id of its alert, where that is kept.
    pub(crate) alert_id: Option<String>,
}

impl SimulationView {
    /// As it stands; `alert_of` tells the id of the alert of a record with this uuid, where that is kept.
    pub(crate) fn of(simulation: &Simulation, alert_of: impl FnOnce(&str) -> Option<String>) -> Self {
        let Simulation { uuid, owner, sent, outcome } = simulation;
        let uuid = uuid.to_string();
        let mut view = Self {
            namespace: owner.namespace.clone(),
            pipeline: owner.pipeline.clone(),
            site: owner.site.clone(),
            sent_utc: *sent,
            status: SimulationStatus::Pending,
            score: None,
            threshold: None,
            is_alert: None,
            model_version: None,
            reasons: Vec::new(),
            why: None,
            alert_id: None,
            uuid,
        };
        let mut known_as = None;
        match outcome {
            Outcome::Pending => {}
            Outcome::Scored(Scored { uuid, score, model_version, threshold, reasons }) => {
                known_as.clone_from(uuid);
                view.status = SimulationStatus::Scored;
                (view.score, view.threshold) = (Some(*score), *threshold);
                view.is_alert = threshold.map(|threshold| *score > threshold);
                (view.model_version, view.reasons) = (model_version.clone(), reasons.clone());
            }
            Outcome::Unscored => {
                view.status = SimulationStatus::Unscored;
                view.why = Some("the detectors have no model yet, so records have no score".to_owned());
            }
            Outcome::DeadLetter { reason, message } => {
                (view.status, view.why) = (SimulationStatus::DeadLetter, Some(format!("{reason}: {message}")));
            }
            Outcome::Unanswered { why } => (view.status, view.why) = (SimulationStatus::Unanswered, Some(why.clone())),
        }
        if view.is_alert == Some(true) {
            view.alert_id = alert_of(known_as.as_ref().unwrap_or(&view.uuid));
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::testing::owner;

    #[test]
    fn it_is_an_alert_where_its_score_is_above_the_threshold_and_has_the_id_of_that() {
        let (uuid, sent) = (Uuid::from_u128(7), "2026-11-23T12:00:00Z".parse().unwrap());
        let of = |outcome: Outcome| {
            let simulation = Simulation { uuid, owner: owner("east"), sent, outcome };
            let view = SimulationView::of(&simulation, |asked| (asked == uuid.to_string()).then(|| "id".to_owned()));
            (view.status, view.is_alert, view.alert_id, view.why.is_some())
        };
        let scored = |score: f64, threshold: Option<f64>| {
            Outcome::Scored(Scored { uuid: None, score, threshold, model_version: None, reasons: Vec::new() })
        };
        let status = SimulationStatus::Scored;
        assert_eq!(of(scored(0.999, Some(0.99))), (status, Some(true), Some("id".to_owned()), false));
        assert_eq!(of(scored(0.99, Some(0.99))), (status, Some(false), None, false));
        let Outcome::Scored(by_itself) = scored(0.999, Some(0.99)) else { panic!() };
        let renamed = Outcome::Scored(Scored { uuid: Some("of a detector".to_owned()), ..by_itself });
        assert_eq!(of(renamed).2, None, "its record has another");
        assert_eq!(of(scored(0.99, None)), (status, None, None, false));
        assert_eq!(of(Outcome::Pending), (SimulationStatus::Pending, None, None, false));
        assert_eq!(of(Outcome::Unscored), (SimulationStatus::Unscored, None, None, true));
        let why = || "why".to_owned();
        let letter = Outcome::DeadLetter { reason: why(), message: why() };
        assert_eq!(of(letter), (SimulationStatus::DeadLetter, None, None, true));
        assert_eq!(of(Outcome::Unanswered { why: why() }), (SimulationStatus::Unanswered, None, None, true));
    }
}
