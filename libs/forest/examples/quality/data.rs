//! Data sets as a table of numbers and texts with labels: KDD Cup 99, the archives of NumPy (npz), and CSV.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::Matrix;
use vedette_forest::features::{Encoder, by_falling_frequency, numeric};

use crate::failure::Failure;
use crate::npz;

/// One field of all records.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    /// Numbers; not-a-number where there is none.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

/// Records with their labels.
#[derive(Debug, Clone)]
pub(crate) struct DataSet {
    /// Names of the fields.
    pub names: Vec<String>,
    /// The fields.
    pub fields: Vec<Field>,
    /// Which records are anomalies.
    pub anomalies: Vec<bool>,
}

impl DataSet {
    /// The encoding that these rows give: medians, and values by falling frequency.
    pub(crate) fn encoder(&self, rows: &[usize]) -> Result<Encoder, Failure> {
        let columns = self.names.iter().zip(&self.fields).map(|(name, field)| Column {
            name: name.clone(),
            #[allow(clippy::cast_possible_truncation)]
            kind: match field {
                Field::Numbers(values) => numeric(rows.iter().map(|row| values[*row] as f32)),
                Field::Texts(values) => {
                    let mut counts = HashMap::<&str, u64>::new();
                    rows.iter().for_each(|row| *counts.entry(&values[*row]).or_default() += 1);
                    let counts = counts.into_iter().map(|(value, count)| (value.to_owned(), count));
                    ColumnKind::categorical(by_falling_frequency(counts))
                }
            },
        });
        Ok(Encoder::new(&FeatureSpecification { schema: SCHEMA, columns: columns.collect() })?)
    }

    /// These rows in that encoding.
    pub(crate) fn encode(&self, encoder: &Encoder, rows: &[usize]) -> Matrix {
        let mut matrix = Matrix::with_capacity(self.fields.len(), rows.len());
        let mut encoded = vec![0.; self.fields.len()];
        for row in rows {
            for (column, (value, field)) in encoded.iter_mut().zip(&self.fields).enumerate() {
                *value = match field {
                    Field::Numbers(values) => encoder.numeric(column, values[*row]),
                    Field::Texts(values) => encoder.categorical(column, &values[*row]),
                };
            }
            matrix.push_row(&encoded);
        }
        matrix
    }

    /// Labels of these rows.
    pub(crate) fn labels(&self, rows: &[usize]) -> Vec<bool> {
        rows.iter().map(|row| self.anomalies[*row]).collect()
    }
}

/// A file of KDD Cup 99: 41 fields, the second to the fourth of them texts, and the label.
pub(crate) fn read_kdd(path: &Path) -> Result<DataSet, Failure> {
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); 42];
    for line in BufReader::new(GzDecoder::new(File::open(path)?)).lines() {
        let line = line?;
        let mut values = line.split(',');
        columns.iter_mut().for_each(|column| column.push(values.next().unwrap_or_default().to_owned()));
    }
    let anomalies = columns.pop().unwrap_or_default().iter().map(|label| label != "normal.").collect();
    let names = (0..41).map(|number| format!("field {number}")).collect();
    let field = |(number, texts): (usize, Vec<String>)| match number {
        1..=3 => Field::Texts(texts),
        _ => Field::Numbers(texts.iter().map(|text| text.parse().unwrap_or(f64::NAN)).collect()),
    };
    Ok(DataSet { names, fields: columns.into_iter().enumerate().map(field).collect(), anomalies })
}

/// An archive of NumPy with the arrays `X` and `y`, where 1 is an anomaly.
pub(crate) fn read_npz(path: &Path) -> Result<DataSet, Failure> {
    let arrays = npz::read(&std::fs::read(path)?)?;
    let array = |name: &str| arrays.get(name).ok_or_else(|| format!("{} has no array {name}", path.display()));
    let (x, y) = (array("X")?, array("y")?);
    let anomalies: Vec<bool> = y.values.iter().map(|value| *value > 0.5).collect();
    let columns = x.shape.get(1).copied().unwrap_or(1);
    if x.shape.first() != Some(&anomalies.len()) {
        return Err(format!("{}: X and y do not have the same rows", path.display()).into());
    }
    let value = |row: usize, column: usize| x.values[x.position(row, column)];
    let fields =
        (0..columns).map(|column| Field::Numbers((0..anomalies.len()).map(|row| value(row, column)).collect()));
    Ok(DataSet {
        names: (0..columns).map(|number| format!("x{number}")).collect(),
        fields: fields.collect(),
        anomalies,
    })
}

/// A CSV file with a header. A label that is empty or one of 0, false, no, ok, normal and benign says normal.
pub(crate) fn read_csv(path: &Path, label: &str) -> Result<DataSet, Failure> {
    const NORMAL: [&str; 7] = ["", "0", "false", "no", "ok", "normal", "benign"];
    let mut reader = csv::Reader::from_path(path)?;
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let at = names.iter().position(|name| name == label).ok_or_else(|| format!("there is no column {label:?}"))?;
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for record in reader.records() {
        columns.iter_mut().zip(&record?).for_each(|(column, value)| column.push(value.trim().to_owned()));
    }
    let is_anomaly = |text: &String| !NORMAL.contains(&text.trim_end_matches('.').to_lowercase().as_str());
    let anomalies = columns[at].iter().map(is_anomaly).collect();
    let (mut kept, mut fields) = (Vec::new(), Vec::new());
    for (number, (name, texts)) in names.into_iter().zip(columns).enumerate() {
        if number != at {
            let numbers: Vec<Option<f64>> = texts.iter().map(|text| text.parse().ok()).collect();
            // A number that is missing is an empty text.
            let numeric = texts.iter().zip(&numbers).all(|(text, number)| text.is_empty() || number.is_some());
            kept.push(name);
            fields.push(if numeric {
                Field::Numbers(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
            } else {
                Field::Texts(texts)
            });
        }
    }
    Ok(DataSet { names: kept, fields, anomalies })
}
