//! What to try on what a run left: commands as they are typed where it was started, for the place that it wrote to.

use std::fmt::Write;

use vedette_contract::arguments::BUCKET_REGION;
use vedette_core::validate::ValidatedPipeline;

use super::observe::Summary;
use super::options::LocalOptions;
use crate::place::BUCKET_NAME;

const DATA_DIR: &str = "DATA_DIR";

/// The lines after the summary; none where nothing was archived.
pub(super) fn lines(options: &LocalOptions, pipeline: &ValidatedPipeline, summary: &Summary) -> String {
    if summary.archive.enriched_data.records == 0 {
        return String::new();
    }
    if options.data_dir.is_none() && options.bucket_endpoint.is_none() {
        return "Nothing of it is kept; --data-dir DIR keeps it for other commands and the notebook\n".to_owned();
    }
    let program = std::env::args_os().next().unwrap_or_else(|| "vedette".into()).to_string_lossy().into_owned();
    let mut commands = commands(&program, options, pipeline, !summary.model_versions.is_empty());
    commands.push(notebook(options));
    commands.iter().fold("Next\n".to_owned(), |mut text, words| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {}", words.join(" "));
        text
    })
}

/// Three commands of `program` that have something to show.
fn commands(program: &str, options: &LocalOptions, pipeline: &ValidatedPipeline, has_models: bool) -> Vec<Vec<String>> {
    let ValidatedPipeline { namespace, name, model, incidents, .. } = pipeline;
    let of_pipeline = ["--pipeline".to_owned(), name.to_string()];
    let second = if incidents.is_some() { ["incidents", "list"] } else { ["archive", "verify"] };
    let third = match &model.training {
        Some(training) if has_models => (["models", "list"], ["--training".to_owned(), training.to_string()]),
        Some(_) | None => (["archive", "ls"], of_pipeline.clone()),
    };
    [(["alerts", "list"], of_pipeline.clone()), (second, of_pipeline), third]
        .into_iter()
        .map(|(command, of)| {
            let mut words = vec![program.to_owned()];
            words.extend(command.map(str::to_owned));
            words.extend(place(options).into_iter().flat_map(|(option, _, value)| [option.to_owned(), value]));
            words.extend(["-n".to_owned(), namespace.to_string()]);
            words.extend(of);
            words
        })
        .collect()
}

/// What names the bucket, as an option, as a variable of `make` and its value; what would be taken anyway is left out.
fn place(options: &LocalOptions) -> Vec<(&'static str, &'static str, String)> {
    let LocalOptions { data_dir, bucket_endpoint, bucket_name, bucket_prefix, bucket_region, .. } = options;
    let unless = |value: &String, default: &str| Some(value.clone()).filter(|value| value != default);
    [
        ("--data-dir", DATA_DIR, data_dir.as_ref().map(|directory| directory.display().to_string())),
        ("--bucket", "BUCKET", bucket_endpoint.clone()),
        ("--bucket-name", "BUCKET_NAME", unless(bucket_name, BUCKET_NAME)),
        ("--bucket-prefix", "BUCKET_PREFIX", bucket_prefix.as_ref().map(ToString::to_string)),
        ("--bucket-region", "BUCKET_REGION", unless(bucket_region, BUCKET_REGION)),
    ]
    .into_iter()
    .filter_map(|(option, variable, value)| value.map(|value| (option, variable, value)))
    .collect()
}

/// `make notebook` is for a checkout, which may be elsewhere: its directory is absolute.
fn notebook(options: &LocalOptions) -> Vec<String> {
    let variables = place(options).into_iter().map(|(_, variable, value)| match variable {
        DATA_DIR => {
            let absolute = std::path::absolute(&value).map(|path| path.display().to_string());
            format!("{variable}={}", absolute.unwrap_or(value))
        }
        _ => format!("{variable}={value}"),
    });
    ["make".to_owned(), "notebook".to_owned()].into_iter().chain(variables).collect()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use vedette_testing::pages::words;

    use super::super::observe::{Archive, ModelVersionLine, Statistics, summarize};
    use super::super::setup;
    use super::*;
    use crate::commands::Vedette;

    /// The lines after a run with these arguments that archived something.
    fn said(manifest: &str, arguments: &[&str], versions: Vec<ModelVersionLine>) -> Vec<String> {
        let manifest = format!("{}/../manifests/{manifest}", env!("CARGO_MANIFEST_DIR"));
        let options = LocalOptions::parsed([&["local", "-f", &manifest], arguments].concat()).unwrap();
        let plan = setup::plan(&options, &"default".parse().unwrap()).unwrap();
        let mut archive = Archive::default();
        assert_eq!(lines(&options, &plan.pipeline, &summarize(&Statistics::default(), 1., archive, Vec::new())), "");
        archive.enriched_data.records = 7;
        let summary = summarize(&Statistics::default(), 1., archive, versions);
        lines(&options, &plan.pipeline, &summary).lines().map(str::to_owned).collect()
    }

    fn version() -> ModelVersionLine {
        ModelVersionLine {
            version: "20261123T084210Z-0a1b2c3d".to_owned(),
            trained_at: String::new(),
            records: 7,
            auroc: None,
            baseline_auroc: None,
            scored: 0,
        }
    }

    fn assert_parse(lines: &[String], commands: [&str; 3]) {
        assert_eq!((lines.len(), lines[0].as_str()), (5, "Next"), "{lines:?}");
        for (line, command) in lines[1..4].iter().zip(commands) {
            assert!(line.contains(command), "{command}: {line}");
            let refused = Vedette::try_parse_from(words(line)).err();
            assert!(refused.is_none(), "{line}: {}", refused.unwrap());
        }
        assert!(lines[4].starts_with("  make notebook "), "{lines:?}");
    }

    #[test]
    fn what_is_printed_parses_and_names_the_place() {
        let lines = said("demo.yaml", &["--data-dir", "/my data"], vec![version()]);
        assert_parse(&lines, ["alerts list", "archive verify", "models list"]);
        assert!(lines[1].ends_with("alerts list --data-dir '/my data' -n demo --pipeline kdd"), "{lines:?}");
        assert_eq!(lines[4], "  make notebook 'DATA_DIR=/my data'");
        let bucket = ["--bucket", "http://b:1", "--bucket-name", "c", "--bucket-prefix", "a/b", "--bucket-region", "r"];
        let lines = said("demo.yaml", &bucket, Vec::new());
        assert_parse(&lines, ["alerts list", "archive verify", "archive ls"]);
        assert!(lines[1].contains(&format!("{} -n demo", bucket.join(" "))), "{lines:?}");
        assert!(lines[4].ends_with("BUCKET=http://b:1 BUCKET_NAME=c BUCKET_PREFIX=a/b BUCKET_REGION=r"), "{lines:?}");
    }

    #[test]
    fn a_temporary_bucket_is_said_to_be_gone() {
        let lines = said("demo.yaml", &[], vec![version()]);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("--data-dir"), "{lines:?}");
    }

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        for (word, expected) in
            [("a/b-1", "a/b-1"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'"), ("", "''")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}
