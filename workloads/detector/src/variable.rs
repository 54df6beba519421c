//! A value of the record by the name that a person gave it.

use vedette_records::{Field, FieldNames, Record, Scalar};

/// The field of this name or, where a record has none, what lies within the object before the first point.
pub(crate) struct Variable {
    pub(crate) name: String,
    field: Field,
    object: Option<Field>,
}

impl Variable {
    /// Asks for it; `None` where records that have it are refused.
    pub(crate) fn want(name: &str, names: &mut FieldNames) -> Option<Self> {
        let object = name.split_once('.').map(|(object, _)| object);
        if names.is_refused(name) || object.is_some_and(|object| names.is_refused(object)) {
            return None;
        }
        let (field, object) = (names.want(name), object.map(|object| names.want(object)));
        Some(Self { name: name.to_owned(), field, object })
    }

    /// Its value; `None` where the record has none.
    pub(crate) fn get<'record>(&self, record: &Record<'record>) -> Option<Scalar<'record>> {
        let within = || self.name.split('.').skip(1).try_fold(record.get(self.object?)?, Scalar::member);
        record.get(self.field).or_else(within)
    }
}
