//! `vedette validate`: what the operator will say of some manifests, before they are applied.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use thiserror::Error;
use vedette_contract::Name;
use vedette_core::FieldError;
use vedette_core::manifest::{self, Manifest, Parsed};
use vedette_core::site::SiteFile;

use crate::output::{OutputError, print};

/// A site for manifests that are valid at any.
const ANY_SITE: &str = "
site: { name: local }
kafka: { bootstrapServers: localhost:9092 }
bucket: { name: vedette, credentialsSecret: bucket-credentials }
images:
  topics: vedette-topics
  generator: vedette-generator
  detector: vedette-detector
  archiver: vedette-archiver
  notifier: vedette-notifier
  trainer: vedette-trainer
";

/// Checks manifests as the operator will: fields, values, expressions, names. Prints every error with its field, what is
/// wrong with it and its value, and ends with exit code 1 if there is one.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette validate -f manifests/demo.yaml
  vedette validate -f pipeline.yaml -f training.yaml --site-file east.yaml")]
pub struct ValidateOptions {
    /// Manifests; may be repeated; all of them are checked together
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub filenames: Vec<PathBuf>,

    /// Namespace of objects that name none
    #[arg(short = 'n', long, value_name = "NAME", default_value = "default")]
    pub namespace: Name,

    /// The site file of the operator that the manifests are for
    #[arg(long, value_name = "FILE")]
    pub site_file: Option<PathBuf>,
}

/// Why manifests are not valid.
#[derive(Debug, Error)]
pub enum ValidateError {
    /// A file that the user named.
    #[error("could not read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Every error, a line each.
    #[error("{}", lines(.0))]
    Invalid(Vec<FieldError>),
    /// What is valid could not be told.
    #[error(transparent)]
    Output(#[from] OutputError),
}

fn lines(errors: &[FieldError]) -> String {
    let mut text = match errors {
        [_] => "1 field is wrong:".to_owned(),
        _ => format!("{} fields are wrong:", errors.len()),
    };
    for error in errors {
        text.push_str("\n  ");
        text.push_str(&error.to_string());
    }
    text
}

/// Prints what is valid, or fails with every error.
pub(super) fn run(options: &ValidateOptions) -> Result<(), ValidateError> {
    let valid = validate(options)?;
    Ok(print(|out| writeln!(out, "valid: {}", valid.join(", ")))?)
}

fn validate(options: &ValidateOptions) -> Result<Vec<String>, ValidateError> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|source| ValidateError::File { path: path.clone(), source })
    };
    let site = match &options.site_file {
        Some(path) => SiteFile::parse(&read(path)?),
        None => SiteFile::parse(ANY_SITE),
    }
    .map_err(ValidateError::Invalid)?;
    let mut all = Parsed::default();
    for path in &options.filenames {
        let Parsed { manifests, errors } = manifest::parse(&read(path)?, &options.namespace);
        all.manifests.extend(manifests);
        all.errors.extend(errors);
    }
    let titles = all.manifests.iter().map(Manifest::title).collect();
    all.validate(&site).map_err(ValidateError::Invalid)?;
    Ok(titles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str]) -> Result<Vec<String>, ValidateError> {
        let directory = tempfile::tempdir().unwrap();
        let filenames = texts
            .iter()
            .enumerate()
            .map(|(number, text)| {
                let path = directory.path().join(format!("{number}.yaml"));
                std::fs::write(&path, text).unwrap();
                path
            })
            .collect();
        validate(&ValidateOptions { filenames, namespace: "team".parse().unwrap(), site_file: None })
    }

    #[test]
    fn valid_objects_of_all_files_are_named() {
        let pipeline = "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {name: a}\nspec: {}\n";
        assert_eq!(check(&[pipeline]).unwrap(), ["AnomalyPipeline team/a"]);
    }

    #[test]
    fn errors_of_all_files_are_listed_together() {
        let wrong = |name: &str| {
            format!(
                "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {{name: {name}}}\nspec: {{generator: {{recordsPerSecond: -1}}}}\n"
            )
        };
        let error = check(&[&wrong("a"), &wrong("b"), ": :"]).unwrap_err().to_string();
        for expected in ["team/a", "team/b", "recordsPerSecond", "not YAML", "fields are wrong"] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
    }

    #[test]
    fn what_is_nested_without_end_is_an_error() {
        let head = "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {name: a}\nspec: ";
        let deep = 100_000;
        let blocks: String = (0..2_000).map(|depth| format!("\n{}a:", " ".repeat(depth + 1))).collect();
        let doubled: String =
            (1..60).map(|depth| format!("\n  a{depth}: &a{depth} [*a{0}, *a{0}]", depth - 1)).collect();
        for nested in [
            format!("{}{}", "[".repeat(deep), "]".repeat(deep)),
            format!("{}1{}", "{a: ".repeat(deep), "}".repeat(deep)),
            "[".repeat(deep),
            "- ".repeat(deep),
            blocks,
            format!("\n  a0: &a0 [x, x]{doubled}"),
        ] {
            let error = check(&[&format!("{head}{nested}")]).unwrap_err().to_string();
            assert!(error.contains("wrong"), "{}", &error[..error.floor_char_boundary(200)]);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let options = ValidateOptions {
            filenames: vec!["no-such.yaml".into()],
            namespace: "a".parse().unwrap(),
            site_file: None,
        };
        assert!(validate(&options).unwrap_err().to_string().contains("no-such.yaml"));
    }
}
