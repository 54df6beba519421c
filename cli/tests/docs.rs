//! Every command that the documentation shows is one that `make` and `vedette` know. CI runs them; here is proven that no
//! page shows another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use clap::error::ErrorKind;
use vedette_cli::command::Vedette;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn pages() -> Vec<(PathBuf, String)> {
    let root = repository();
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The lines of fenced blocks, without what a `#` begins, and the code within sentences.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            let lines = part.lines().skip(1).map(|line| line.split(" #").next().unwrap_or_default().trim());
            found.extend(lines.map(str::to_owned));
        } else {
            found.extend(part.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")));
        }
    }
    found
}

fn commands(text: &str, program: &str) -> Vec<Vec<String>> {
    code(text)
        .iter()
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| words.len() > 1 && words[0] == program)
        .collect()
}

/// What cannot be parsed; that a sentence leaves a required option out is no error.
fn refusal(words: &[String]) -> Option<String> {
    let error = Vedette::try_parse_from(words).err()?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        _ => Some(format!("{words:?}: {error}")),
    }
}

#[test]
fn every_vedette_command_of_the_docs_parses() {
    let mut seen = 0;
    for (path, text) in pages() {
        for words in commands(&text, "vedette") {
            seen += 1;
            let refused = refusal(&words);
            assert!(refused.is_none(), "{}: {}", path.display(), refused.unwrap());
        }
    }
    assert!(seen >= 3, "only {seen} commands were found");
}

#[test]
fn every_make_command_of_the_docs_runs_commands_that_exist() {
    let mut seen = 0;
    for (path, text) in pages() {
        for words in commands(&text, "make") {
            seen += 1;
            let output =
                Command::new("make").arg("--dry-run").args(&words[1..]).current_dir(repository()).output().unwrap();
            let recipe = String::from_utf8(output.stdout).unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {words:?}: {said}", path.display());
            for line in recipe.lines() {
                let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                if words.first().is_some_and(|program| program.ends_with("/vedette")) {
                    let refused = refusal(&words);
                    assert!(refused.is_none(), "{}: {}", path.display(), refused.unwrap());
                }
            }
        }
    }
    assert!(seen >= 5, "only {seen} commands were found");
}
