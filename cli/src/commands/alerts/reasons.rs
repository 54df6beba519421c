//! The reasons of an alert in columns: each field with its value beside what is usual.

use vedette_contract::fields::{Direction, Expected, Reason, Usual};

use crate::output::{Align, Table, value};

pub(super) fn reasons(reasons: &[Reason]) -> Table {
    let mut table = Table::new([
        ("FIELD", Align::Left),
        ("SHARE", Align::Right),
        ("VALUE", Align::Left),
        ("IS", Align::Left),
        ("USUALLY", Align::Left),
    ]);
    for reason in reasons {
        let Reason { field, share, value: own, direction, usual, expected } = reason;
        let usual = usual.as_ref().map(usually).into_iter().chain(expected.as_ref().map(fitting));
        table.row([
            field.clone(),
            format!("{:.0} %", share * 100.),
            own.as_ref().map_or_else(|| "-".to_owned(), |own| value(&own.to_string())),
            direction.map_or("-", named).to_owned(),
            usual.collect::<Vec<_>>().join("; "),
        ]);
    }
    table
}

fn named(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => "above",
        Direction::Below => "below",
        Direction::Unseen => "never seen",
        Direction::Missing => "missing",
    }
}

fn usually(usual: &Usual) -> String {
    match usual {
        Usual::Range { low, high } => format!("{low} to {high}"),
        Usual::Values(values) => {
            let values = values.iter().map(|value| format!("{} ({:.0} %)", value.value, value.share * 100.));
            values.collect::<Vec<_>>().join(", ")
        }
    }
}

fn fitting(expected: &Expected) -> String {
    let Expected { value, low, high } = expected;
    format!("beside the other fields {value} ({low} to {high})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputFormat;

    #[test]
    fn each_reason_stands_beside_what_is_usual() {
        let all: Vec<Reason> = serde_json::from_str(
            r#"[{"field":"bytes","share":0.7,"value":5000,"direction":"above","usual":{"low":0.0,"high":96.5},
                "expected":{"value":3.0,"low":1.0,"high":9.0}},
            {"field":"service","share":0.25,"value":"odd","direction":"unseen","usual":[{"value":"http","share":0.8}]},
            {"field":"gone","share":0.05}]"#,
        )
        .unwrap();
        let mut out = Vec::new();
        reasons(&all).write(&mut out, OutputFormat::Plain).unwrap();
        let lines = [
            "bytes\t70 %\t5000\tabove\t0 to 96.5; beside the other fields 3 (1 to 9)",
            "service\t25 %\todd\tnever seen\thttp (80 %)",
            "gone\t5 %\t-\t-\t",
        ];
        assert_eq!(String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(), lines);
    }
}
