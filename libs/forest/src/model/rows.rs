//! From records to the rows of a model, for whoever has records as JSON and needs no more of them than their scores.

use vedette_contract::model::ColumnKind;
use vedette_records::{Field, FieldNames, Record};

use crate::Matrix;
use crate::features::Encoder;

/// Makes rows of records, as the detector does.
#[derive(Debug)]
pub struct RowReader {
    fields: Vec<Field>,
    row: Vec<f32>,
    missing: Vec<u64>,
}

impl RowReader {
    /// Asks for the fields that the model reads.
    pub fn new(encoder: &Encoder, names: &mut FieldNames) -> Self {
        let fields: Vec<Field> = encoder.columns().iter().map(|column| names.want(&column.name)).collect();
        Self { row: Vec::with_capacity(fields.len()), missing: vec![0; fields.len()], fields }
    }

    /// Adds the row of a record.
    ///
    /// # Panics
    /// When the rows are not as wide as the model, or the encoder is another's.
    pub fn push(&mut self, encoder: &Encoder, record: &Record<'_>, rows: &mut Matrix) {
        self.row.clear();
        for (column, (field, missing)) in self.fields.iter().zip(&mut self.missing).enumerate() {
            let value = record.get(*field);
            let number = encoder.encode(column, value);
            let is_missing = match &encoder.columns()[column].kind {
                ColumnKind::Numeric { .. } => number.is_nan(),
                // What stands for a category that was never seen is there.
                ColumnKind::Categorical { .. } => value.is_none_or(|value| value.category().is_none()),
            };
            *missing += u64::from(is_missing);
            self.row.push(number);
        }
        rows.push_row(&self.row);
    }

    /// How many of the records so far had no value that a column can use, by column.
    pub fn missing(&self) -> &[u64] {
        &self.missing
    }
}

#[cfg(test)]
mod tests {
    use vedette_contract::model::{Column, FeatureSpecification, SCHEMA};
    use vedette_records::RecordReader;

    use super::*;

    #[test]
    fn a_record_becomes_the_row_that_the_detector_makes_of_it() {
        let sentinels = ColumnKind::Numeric { median: 3., sentinels: vec![-9_999.], usual: None };
        let columns =
            [("bytes", sentinels), ("service", ColumnKind::categorical(["http", "dns"].map(str::to_owned).to_vec()))];
        let columns = columns.map(|(name, kind)| Column { name: name.to_owned(), kind }).to_vec();
        let encoder = Encoder::new(&FeatureSpecification { schema: SCHEMA, columns }).unwrap();
        let mut names = FieldNames::default();
        let (mut rows, mut matrix) = (RowReader::new(&encoder, &mut names), Matrix::new(2));
        let mut reader = RecordReader::new(names);
        for line in [
            r#"{"other":1,"service":"dns","bytes":"7"}"#,
            r#"{"service":"ntp","bytes":-9999}"#,
            r#"{"service":null,"bytes":2}"#,
            "{}",
        ] {
            rows.push(&encoder, &reader.read(line.as_bytes()).unwrap(), &mut matrix);
        }
        let read: Vec<_> = matrix.iter().map(|row| (Some(row[0]).filter(|number| !number.is_nan()), row[1])).collect();
        assert_eq!(read, [(Some(7.), 1.), (None, 2.), (Some(2.), 2.), (None, 2.)]);
        assert_eq!(rows.missing(), [2, 2]);
    }
}
