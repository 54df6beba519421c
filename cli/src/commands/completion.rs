//! `vedette completion`: what a shell needs to complete commands and options.

use std::io::Write;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::Vedette;
use crate::output::{OutputError, print};

/// Writes a script by which a shell completes the commands and options of `vedette`.
#[derive(Debug, Clone, Copy, Args)]
#[command(after_help = "Examples:
  vedette completion bash
  vedette completion zsh")]
pub struct CompletionOptions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: CompletedShell,
}

/// A shell that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

/// Prints it.
pub(super) fn run(options: CompletionOptions) -> Result<(), OutputError> {
    let script = script(options.shell);
    print(|out| out.write_all(&script))
}

fn script(shell: CompletedShell) -> Vec<u8> {
    let shell = match shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let (mut command, mut script) = (Vedette::command(), Vec::new());
    generate(shell, &mut command, "vedette", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_is_told_of_every_command() {
        for shell in CompletedShell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for command in Vedette::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell:?} knows nothing of {}", command.get_name());
            }
        }
    }
}
