//! In what form a command answers.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::escape::escaped_json;
use super::yaml::yaml;

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Columns with their names, for people
    Table,
    /// The table with further columns, where there is more to say
    Wide,
    /// One line each with tabs between its fields, and no names of columns, for scripts
    Plain,
    /// JSON
    Json,
    /// The same document as YAML
    Yaml,
}

/// A form that is one document with everything in it, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    Json,
    Yaml,
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

impl OutputFormat {
    /// Whether people read it, who want names and words around it.
    pub(crate) fn is_for_people(self) -> bool {
        match self {
            Self::Table | Self::Wide => true,
            Self::Plain | Self::Json | Self::Yaml => false,
        }
    }

    /// The document that it is, where it is one.
    pub(crate) fn document(self) -> Option<Document> {
        match self {
            Self::Json => Some(Document::Json),
            Self::Yaml => Some(Document::Yaml),
            Self::Table | Self::Wide | Self::Plain => None,
        }
    }

    /// Writes what was added: the document that it is, or else its id for scripts and sentences for people.
    pub(crate) fn write_added<W: Write>(
        self,
        out: &mut W,
        added: &impl Serialize,
        id: &impl Display,
        for_people: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.document() {
            Some(document) => document.write(out, added),
            None if self.is_for_people() => for_people(out),
            None => writeln!(out, "{id}"),
        }
    }
}

impl Document {
    /// Writes an answer as the one document of a command.
    pub(crate) fn write(self, out: &mut impl Write, answer: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Json => writeln!(out, "{}", escaped_json(&serde_json::to_string_pretty(answer)?)),
            Self::Yaml => out.write_all(yaml(answer)?.as_bytes()),
        }
    }

    /// Writes an answer as one of several documents: a line of JSON, or YAML behind a line of its own.
    pub(crate) fn write_next(self, out: &mut impl Write, answer: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Json => writeln!(out, "{}", escaped_json(&serde_json::to_string(answer)?)),
            Self::Yaml => write!(out, "---\n{}", yaml(answer)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_that_follow_each_other_can_be_told_apart() {
        let written = |document: Document| {
            let mut out = Vec::new();
            for number in 1..3 {
                document.write_next(&mut out, &json!({ "alerts": number, "site": "east\u{1b}" })).unwrap();
            }
            String::from_utf8(out).unwrap()
        };
        let lines = "{\"alerts\":1,\"site\":\"east\\u001b\"}\n{\"alerts\":2,\"site\":\"east\\u001b\"}\n";
        assert_eq!(written(Document::Json), lines);
        let documents = "---\nalerts: 1\nsite: \"east\\u001b\"\n---\nalerts: 2\nsite: \"east\\u001b\"\n";
        assert_eq!(written(Document::Yaml), documents);
    }
}
