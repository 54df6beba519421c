//! In what form a command answers.

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::escape::escaped_json;

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Columns with their names, for people
    Table,
    /// One line each with tabs between its fields, and no names of columns, for scripts
    Plain,
    /// JSON
    Json,
}

/// The option that says it.
#[derive(Debug, Clone, Args)]
pub struct OutputOptions {
    /// How to answer; a table on a terminal, else plain
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum)]
    pub output: Option<OutputFormat>,
}

impl OutputOptions {
    /// The form that is asked for, or that suits standard output.
    pub(crate) fn format(&self) -> OutputFormat {
        let usual = || if io::stdout().is_terminal() { OutputFormat::Table } else { OutputFormat::Plain };
        self.output.unwrap_or_else(usual)
    }
}

/// Writes an answer as JSON.
pub(crate) fn write_json(out: &mut impl Write, answer: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string_pretty(answer)?;
    writeln!(out, "{}", escaped_json(&json))
}
