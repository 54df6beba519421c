//! What is told again and again: whenever it has changed, until somebody ends it. How it looks, and what there is to say of it, is for
//! each command.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use vedette_service::{Shutdown, error_chain};

use super::moment::duration;
use crate::output::{OutputError, OutputFormat, Screen, escaped, print, print_while_read, say, warn};

/// Whoever looks more often sees no more, and costs the bucket as many requests as it has objects to list.
const SHORTEST: Duration = Duration::from_secs(1);

/// Whether it is told again and again, and how often somebody looks.
#[derive(Debug, Clone, Args)]
pub struct WatchOptions {
    /// Tell it anew whenever it has changed, until Ctrl-C: in place on a terminal, elsewhere below each other, as lines of JSON with -o
    /// json and documents behind `---` with -o yaml
    #[arg(short = 'w', long, group = "lasting")]
    pub watch: bool,

    /// How long to wait until the bucket is looked at once more, at least 1s
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = interval, requires = "lasting")]
    pub interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?.unsigned_abs();
    if interval < SHORTEST { Err(format!("{text:?} is too short: wait at least 1s")) } else { Ok(interval) }
}

/// Why something was not told.
pub(super) trait Unseen: Error + From<OutputError> + 'static {
    /// Whether the bucket is away, so that it may be told later.
    fn is_away(&self) -> bool;

    /// That it was stopped before it was told.
    fn stopped() -> Self;
}

/// An answer, and what is wrong with what it was made of, for standard error.
#[derive(Debug)]
pub(super) struct Told<T> {
    pub(super) answer: T,
    pub(super) notes: Vec<String>,
}

/// Does something until somebody stops it: that is the right end of what lasts, and a failure of what does not.
///
/// # Errors
/// When it fails, or is stopped early.
pub(super) async fn until_stopped<E: Unseen>(
    shutdown: &Shutdown,
    is_lasting: bool,
    doing: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    match shutdown.run_until_cancelled(doing).await {
        Some(done) => done,
        None if is_lasting => Ok(()),
        None => Err(E::stopped()),
    }
}

/// Tells it once, or whenever it has changed for as long as somebody reads. Whoever looks says nothing where nothing is new.
///
/// # Errors
/// When it cannot be seen or written; a bucket that is away while one watches is waited for.
pub(super) async fn tell<T: Serialize, E: Unseen>(
    options: &WatchOptions,
    format: OutputFormat,
    mut look: impl AsyncFnMut() -> Result<Option<Told<T>>, E>,
    write: impl Fn(&mut Vec<u8>, &T, OutputFormat) -> io::Result<()>,
) -> Result<(), E> {
    if !options.watch {
        let told = look().await?;
        return Ok(told.map_or(Ok(()), |told| once(&told, format, write))?);
    }
    let (mut presence, mut teller) = (Presence::default(), Teller::new(format));
    loop {
        // While the bucket is away what was told of it stays, and that it is away stands below.
        if let Some(told) = presence.of(look().await)?
            && teller.again(told, &write)?.is_break()
        {
            return Ok(());
        }
        tokio::time::sleep(options.interval).await;
    }
}

fn once<T: Serialize>(
    told: &Told<T>,
    format: OutputFormat,
    write: impl Fn(&mut Vec<u8>, &T, OutputFormat) -> io::Result<()>,
) -> Result<(), OutputError> {
    let Told { answer, notes } = told;
    print(|out| {
        let mut bytes = Vec::new();
        match format.document() {
            Some(document) => document.write(&mut bytes, answer)?,
            None => write(&mut bytes, answer, format)?,
        }
        out.write_all(&bytes)
    })?;
    notes.iter().for_each(|note| warn(note));
    Ok(())
}

/// Whether the bucket answers: when it does not, and when it does again, is said once.
#[derive(Debug, Default)]
pub(super) struct Presence {
    is_away: bool,
}

impl Presence {
    /// What was seen; nothing while the bucket is away.
    ///
    /// # Errors
    /// Where waiting does not help.
    pub(super) fn of<T, E: Unseen>(&mut self, seen: Result<T, E>) -> Result<Option<T>, E> {
        match seen {
            Ok(seen) => {
                if mem::take(&mut self.is_away) {
                    say("the bucket answers again");
                }
                Ok(Some(seen))
            }
            Err(error) if error.is_away() => {
                if !mem::replace(&mut self.is_away, true) {
                    warn(&format!("{}; it is waited for", error_chain(&error)));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Writes answers of one kind, one after the other.
struct Teller {
    format: OutputFormat,
    /// Where each is to stand in the place of the one before.
    screen: Option<Screen>,
    /// The last one as it is written.
    last: Option<String>,
    /// What was said to be wrong with it.
    notes: BTreeSet<String>,
}

impl Teller {
    fn new(format: OutputFormat) -> Self {
        let is_drawn = format.is_for_people() && io::stdout().is_terminal();
        Self { format, screen: is_drawn.then(Screen::default), last: None, notes: BTreeSet::new() }
    }

    /// Writes the next one where it is another than the last; on a screen in any case, as the window may be another. Says whether
    /// somebody still reads.
    fn again<T: Serialize>(
        &mut self,
        told: Option<Told<T>>,
        write: impl Fn(&mut Vec<u8>, &T, OutputFormat) -> io::Result<()>,
    ) -> Result<ControlFlow<()>, OutputError> {
        print_while_read(|out| {
            if let Some(told) = told {
                let text = self.text(&told, write)?;
                if self.screen.is_none() && self.last.as_ref() != Some(&text) {
                    // Documents tell where they begin.
                    if self.last.is_some() && self.format.document().is_none() {
                        writeln!(out)?;
                    }
                    out.write_all(text.as_bytes())?;
                }
                self.last = Some(text);
            }
            match (&mut self.screen, &self.last) {
                (Some(screen), Some(text)) => screen.draw(out, text),
                (None, _) | (_, None) => Ok(()),
            }
        })
    }

    /// An answer as it is written. What is wrong with it is said where it was not said of the one before.
    fn text<T: Serialize>(
        &mut self,
        told: &Told<T>,
        write: impl Fn(&mut Vec<u8>, &T, OutputFormat) -> io::Result<()>,
    ) -> io::Result<String> {
        let Told { answer, notes } = told;
        let mut bytes = Vec::new();
        match self.format.document() {
            Some(document) => document.write_next(&mut bytes, answer)?,
            None => write(&mut bytes, answer, self.format)?,
        }
        let notes: BTreeSet<String> = notes.iter().cloned().collect();
        if self.screen.is_some() {
            // What is drawn next would be over what is said beside it.
            if !notes.is_empty() {
                writeln!(bytes)?;
            }
            notes.iter().try_for_each(|note| writeln!(bytes, "warning: {}", escaped(note)))?;
        } else {
            notes.difference(&self.notes).for_each(|note| warn(note));
        }
        self.notes = notes;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        watch: WatchOptions,
    }

    fn options(words: &[&str]) -> Result<WatchOptions, clap::Error> {
        Command::try_parse_from([&["list"], words].concat()).map(|command| command.watch)
    }

    #[test]
    fn one_looks_every_few_seconds_and_not_more_often_than_each_second() {
        let seconds =
            |words: &[&str]| options(words).map(|options| (options.watch, options.interval.as_secs())).unwrap();
        assert_eq!(seconds(&[]), (false, 5));
        assert_eq!(seconds(&["--watch"]), (true, 5));
        assert_eq!(seconds(&["-w", "--interval", "1m30s"]), (true, 90));
        for wrong in ["0s", "999ms", "-5s", "5", "often"] {
            assert!(options(&["--watch", "--interval", wrong]).is_err(), "{wrong}");
        }
        assert!(options(&["--interval", "2s"]).is_err());
    }

    #[test]
    fn a_screen_shows_what_is_wrong_below_the_answer() {
        let mut teller = Teller { screen: Some(Screen::default()), ..Teller::new(OutputFormat::Table) };
        let told = Told { answer: "a table", notes: ["odd\u{1b}[2J", "other"].map(str::to_owned).to_vec() };
        let text = teller.text(&told, |out, answer, _| writeln!(out, "{answer}")).unwrap();
        assert_eq!(text, "a table\n\nwarning: odd\\u{1b}[2J\nwarning: other\n");
    }
}
