//! Every command that the documentation shows is one that `make` and `vedette` know. CI runs them; here is proven that no
//! page shows another, and that the notebook is committed without what a run leaves in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::{Value, json};
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

#[test]
fn the_notebook_is_committed_as_nobody_ran_it() {
    let text = std::fs::read_to_string(repository().join("docs/exploration.ipynb")).unwrap();
    let notebook: Value = serde_json::from_str(&text).unwrap();
    let kernel = json!({ "display_name": "Python 3", "language": "python", "name": "python3" });
    assert_eq!(notebook["metadata"], json!({ "kernelspec": kernel, "language_info": { "name": "python" } }));
    let cells = notebook["cells"].as_array().unwrap();
    for cell in cells {
        let id = cell["id"].as_str().unwrap();
        assert_eq!(cell["metadata"], json!({}), "{id}");
        if cell["cell_type"] == "code" {
            assert_eq!((&cell["outputs"], &cell["execution_count"]), (&json!([]), &Value::Null), "{id}");
        }
    }
    assert!(cells.len() > 20, "only {} cells were found", cells.len());
    let checkout = repository().canonicalize().unwrap();
    let top = format!("/{}/", checkout.components().nth(1).unwrap().as_os_str().display());
    let home = std::env::home_dir().unwrap().display().to_string();
    for machine in ["/home/", "/Users/", "/tmp/", "C:\\", &top, &home] {
        assert!(!text.contains(machine), "{machine}");
    }
}
