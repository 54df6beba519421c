//! Times and figures as people read them.

use jiff::Timestamp;

/// A time, to the second.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A share or an area; a dash where it is not known.
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// A value of a record from its JSON text: texts without their quotes.
pub(crate) fn value(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_people_write_it() {
        assert_eq!(["\"a \\\"b\"", "1.50", "null", "[1]"].map(value), ["a \"b", "1.50", "null", "[1]"]);
    }
}
