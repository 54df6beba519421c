//! Expressions of PMML.

pub(super) fn apply(function: &str, one: &str, other: &str) -> String {
    format!(r#"<Apply function="{function}">{one}{other}</Apply>"#)
}

pub(super) fn apply_to(function: &str, one: &str) -> String {
    apply(function, one, "")
}

pub(super) fn number(number: f64) -> String {
    format!(r#"<Constant dataType="double">{number:?}</Constant>"#)
}

/// A field by its name, escaped.
pub(super) fn field(name: &str) -> String {
    format!(r#"<FieldRef field="{name}"/>"#)
}

pub(super) fn derived(name: &str, expression: &str) -> String {
    format!(r#"<DerivedField name="{name}" optype="continuous" dataType="double">{expression}</DerivedField>"#)
}
