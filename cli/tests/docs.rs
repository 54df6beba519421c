//! Every command that the documentation shows is one that `make` and `vedette` know. CI runs them; here is proven that no
//! page shows another, and that the notebook is committed without what a run leaves in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};
use vedette_cli::commands::Vedette;
use vedette_testing::pages::{commands, pages, repository, words};

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
fn the_examples_of_each_command_stand_on_its_page() {
    let page =
        |name: &str| commands(&std::fs::read_to_string(repository().join("docs").join(name)).unwrap(), "vedette");
    let (of_local, of_all) = (page("local.md"), page("cli.md"));
    let (root, mut seen) = (Vedette::command(), 0);
    for noun in root.get_subcommands() {
        let verbs: Vec<_> = noun.get_subcommands().collect();
        let all = if verbs.is_empty() { vec![noun] } else { verbs };
        for command in all {
            let help = command.get_after_help().unwrap_or_else(|| panic!("{}", command.get_name())).to_string();
            let shown = if command.get_name() == "local" { &of_local } else { &of_all };
            for line in help.lines().filter(|line| line.starts_with("  vedette ")) {
                // An explanation follows after at least two spaces.
                let example = words(line.trim().split("  ").next().unwrap());
                assert!(shown.contains(&example), "its page lacks {line}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} examples were found");
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
