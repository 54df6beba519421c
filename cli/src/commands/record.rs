//! A record in two columns: its fields and their values.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::output::{Align, Table, value};

/// The fields of this JSON text by name, but for some.
pub(super) fn fields(json: &str, but_for: &[&str]) -> Table {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
    for (name, raw) in fields.into_iter().filter(|(name, _)| !but_for.contains(&name.as_str())) {
        table.row([name, value(raw.get())]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputFormat;

    #[test]
    fn fields_are_in_order_and_values_as_they_came() {
        let mut out = Vec::new();
        let table = fields(r#"{"b": 1.50, "a": "x\ty", "score": 1, "c": {"d": null}}"#, &["score"]);
        table.write(&mut out, OutputFormat::Plain).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a\tx\\u{9}y\nb\t1.50\nc\t{\"d\": null}\n");
    }
}
