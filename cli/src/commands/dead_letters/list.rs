//! `vedette dead-letters list`: the newest dead letters.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::TopicName;
use vedette_contract::dead_letter::DeadLetterReason;

use super::letters::{Found, Letters};
use super::show::Summary;
use super::{DeadLettersError, TopicOptions};
use crate::output::{Align, OutputFormat, OutputOptions, Table, print, time, warn};

/// Lists the newest records that could not be read or scored, as their topic has them, with the reason of each. The place of one is what
/// the commands show and replay take.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette dead-letters list --bootstrap-servers kafka:9092
  vedette dead-letters list --bootstrap-servers kafka:9092 --topic west.dead_letters --reason invalid_json --limit 100 -o json")]
pub struct ListOptions {
    /// Where they are.
    #[command(flatten)]
    pub topic: TopicOptions,
    /// Only letters of this reason, such as `invalid_json` or `scoring_failed`
    #[arg(long, value_name = "REASON")]
    pub reason: Option<DeadLetterReason>,
    /// So many at most
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub limit: u16,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

#[derive(Debug, Serialize)]
struct Listing<'a> {
    topic: &'a TopicName,
    letters: Vec<Summary<'a>>,
    /// Messages beside them that are no dead letters.
    others: u64,
}

/// Prints them.
pub(super) fn list(options: &ListOptions) -> Result<(), DeadLettersError> {
    let letters = Letters::open(&options.topic)?;
    let Found { letters: newest, others } = letters.newest(options.limit.into(), options.reason)?;
    let format = options.output.format();
    let listing = Listing { topic: &letters.topic, letters: newest.iter().map(Summary::of).collect(), others };
    print(|out| write(out, &listing, format))?;
    if others > 0 && format.document().is_none() {
        warn(&format!("{others} messages of topic {} are no dead letters", letters.topic));
    }
    Ok(())
}

fn write(out: &mut impl Write, listing: &Listing<'_>, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, listing);
    }
    let mut table = Table::new([
        ("PLACE", Align::Left),
        ("REFUSED (UTC)", Align::Left),
        ("REASON", Align::Left),
        ("FROM", Align::Left),
        ("BYTES", Align::Right),
        ("WHAT WAS WRONG", Align::Left),
    ]);
    for letter in &listing.letters {
        table.row([
            letter.place.to_string(),
            time(letter.refused_at),
            letter.reason.to_owned(),
            letter.from(),
            letter.bytes.to_string(),
            letter.message.to_owned(),
        ]);
    }
    table.write(out, format)
}
