//! Which fields of a record somebody asks for, and which no record may have.

use std::collections::HashMap;

/// A field of the record that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub(crate) usize);

/// What a key of a record means to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Passed through without a look at its value.
    Other,
    /// A record that has it is refused.
    Refused,
    /// Its value is captured.
    Wanted(Field),
}

/// The names that a reader looks for.
#[derive(Debug, Clone, Default)]
pub struct FieldNames {
    roles: HashMap<String, Role>,
    wanted: usize,
}

impl FieldNames {
    /// Asks for a field. One name is one field, however often it is asked for.
    pub fn want(&mut self, name: &str) -> Field {
        if let Some(Role::Wanted(field)) = self.roles.get(name) {
            return *field;
        }
        let field = Field(self.wanted);
        self.wanted += 1;
        // A refused name stays refused: no record that is read has it.
        self.roles.entry(name.to_owned()).or_insert(Role::Wanted(field));
        field
    }

    /// Refuses every record that has this field, whoever wants it.
    pub fn refuse(&mut self, name: &str) {
        self.roles.insert(name.to_owned(), Role::Refused);
    }

    /// Whether records with this field are refused.
    pub fn is_refused(&self, name: &str) -> bool {
        self.roles.get(name) == Some(&Role::Refused)
    }

    pub(crate) fn role(&self, key: &str) -> Role {
        self.roles.get(key).copied().unwrap_or(Role::Other)
    }

    /// How many fields were asked for.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_field_and_a_refused_one_stays_refused() {
        let mut names = FieldNames::default();
        names.refuse("site");
        let fields = ["a", "b", "a", "site"].map(|name| names.want(name));
        assert_eq!(fields, [Field(0), Field(1), Field(0), Field(2)]);
        assert_eq!((names.role("a"), names.role("c")), (Role::Wanted(Field(0)), Role::Other));
        assert!(names.is_refused("site") && !names.is_refused("a"));
        names.refuse("b");
        assert_eq!(names.role("b"), Role::Refused);
    }
}
