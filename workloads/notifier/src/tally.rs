//! The fields behind an incident: what its alerts' largest reasons come to, in a list that stays short.

use vedette_contract::incident::IncidentReason;

/// So many of an alert's reasons count, and so many of an incident's are what others are compared with.
pub(crate) const LARGEST: usize = 3;
/// So many fields are remembered of an incident.
const REMEMBERED: usize = 12;

/// Adds a reason of an alert. The list stays in order: what weighs most comes first. Where it is full, what weighs least is
/// forgotten.
pub(crate) fn add(reasons: &mut Vec<IncidentReason>, reason: IncidentReason) {
    match reasons.iter_mut().find(|known| known.field == reason.field) {
        Some(known) => {
            known.alerts += reason.alerts;
            known.weight = known.weight.saturating_add(reason.weight);
            known.value = reason.value;
        }
        None => {
            reasons.truncate(REMEMBERED - 1);
            reasons.push(reason);
        }
    }
    reasons.sort_by(|one, other| other.weight.cmp(&one.weight).then_with(|| one.field.cmp(&other.field)));
}

/// The fields that weigh most.
pub(crate) fn largest(reasons: &[IncidentReason]) -> impl Iterator<Item = &str> {
    reasons.iter().take(LARGEST).map(|reason| reason.field.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(field: &str, weight: u64) -> IncidentReason {
        IncidentReason { field: field.to_owned(), alerts: 1, weight, value: Some(weight.to_string()) }
    }

    #[test]
    fn what_weighs_most_comes_first_and_the_last_value_counts() {
        let mut reasons = Vec::new();
        [("b", 5), ("a", 3), ("c", 9), ("a", 6)]
            .into_iter()
            .for_each(|(field, weight)| add(&mut reasons, reason(field, weight)));
        let told: Vec<_> = reasons.iter().map(|r| (r.field.as_str(), r.alerts, r.weight, r.value.as_deref())).collect();
        assert_eq!(told, [("a", 2, 9, Some("6")), ("c", 1, 9, Some("9")), ("b", 1, 5, Some("5"))]);
        assert_eq!(largest(&reasons).collect::<Vec<_>>(), ["a", "c", "b"]);
    }

    #[test]
    fn the_list_stays_short_and_keeps_what_weighs_most() {
        let mut reasons = Vec::new();
        add(&mut reasons, reason("heavy", 1_000));
        (0..1_000).for_each(|number| add(&mut reasons, reason(&format!("field-{number}"), 1)));
        assert_eq!((reasons.len(), reasons[0].field.as_str()), (REMEMBERED, "heavy"));
    }
}
