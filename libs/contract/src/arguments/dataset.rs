//! How a data set is written, where its own bytes do not tell: the words are those of the manifest.

use clap::{Args, ValueEnum};

/// What stands between the fields of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Separator {
    /// All of them; among equals the first is meant.
    pub const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Pipe];

    /// The byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }

    /// As it is written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comma => "Comma",
            Self::Semicolon => "Semicolon",
            Self::Tab => "Tab",
            Self::Pipe => "Pipe",
        }
    }
}

/// What stands before the decimals of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum DecimalMark {
    /// `124.5`
    Point,
    /// `124,5`
    Comma,
}

impl DecimalMark {
    /// As it is written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Point => "Point",
            Self::Comma => "Comma",
        }
    }
}

/// How the characters are written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum TextEncoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// Windows-1252, which reads Latin-1 too.
    Windows1252,
}

impl TextEncoding {
    /// As it is written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "Utf8",
            Self::Utf16Le => "Utf16Le",
            Self::Utf16Be => "Utf16Be",
            Self::Windows1252 => "Windows1252",
        }
    }
}

/// How a data set is written, where its own bytes do not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct DatasetArguments {
    /// What stands between the fields of the data set; found where omitted
    #[arg(long = "dataset-separator", value_enum)]
    pub separator: Option<Separator>,

    /// What stands before the decimals of its numbers; Point where omitted
    #[arg(long = "dataset-decimal-mark", value_enum)]
    pub decimal_mark: Option<DecimalMark>,

    /// How its characters are written; where omitted UTF-8, or UTF-16 where its first bytes say so
    #[arg(long = "dataset-encoding", value_enum)]
    pub encoding: Option<TextEncoding>,

    /// Name of a column of a data set that has no line of names; repeated, one for each column in order
    #[arg(long = "dataset-column", value_name = "NAME")]
    pub columns: Vec<String>,
}
