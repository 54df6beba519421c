//! Every command that the documentation shows is one that `make` and `vedette` know. CI runs them; here is proven that no
//! page shows another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use clap::Parser;
use clap::error::ErrorKind;
use vedette_cli::commands::Vedette;
use vedette_testing::pages::{commands, pages, repository};

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
            let recipe = String::from_utf8(output.stdout).unwrap().replace("\\\n", " ");
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
