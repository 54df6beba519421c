//! `vedette alerts list --follow`: the newest alerts, and then each that comes to the archive.

use std::io;
use std::ops::ControlFlow;

use super::AlertsError;
use super::arrivals::Arrivals;
use super::list::{ListOptions, Newest, Row, Wanted, cells, newest, table};
use crate::commands::missed::complain;
use crate::commands::news::News;
use crate::commands::pipeline::Chosen;
use crate::commands::watch::Presence;
use crate::output::{OutputError, OutputFormat, Table, print_while_read};

/// Prints them, until somebody ends it or nobody reads any more.
pub(super) async fn follow(options: &ListOptions) -> Result<(), AlertsError> {
    let wanted = Wanted::of(options)?;
    let chosen = options.pipeline.choose().await?;
    let (mut arrivals, mut presence) = (Arrivals::new(wanted), Presence::default());
    let mut lines = Lines { format: options.output.format(), table: table(&[]) };
    let first = loop {
        match presence.of(begin(options, wanted, &chosen, &mut arrivals).await)? {
            Some(first) => break first,
            None => tokio::time::sleep(options.watch.interval).await,
        }
    };
    if lines.write(&first)?.is_break() {
        return Ok(());
    }
    loop {
        let read = arrivals.read(&chosen, &options.sites).await;
        // Also where the bucket went away in the middle.
        let (rows, missed) = arrivals.hand_over();
        complain(&missed);
        if !rows.is_empty() && lines.write(&rows)?.is_break() {
            return Ok(());
        }
        let is_all = presence.of(read.map_err(AlertsError::from))?;
        if is_all != Some(false) {
            tokio::time::sleep(options.watch.interval).await;
        }
    }
}

/// The newest, the oldest of them first; whatever comes from now on is an arrival.
async fn begin(
    options: &ListOptions,
    wanted: Wanted,
    chosen: &Chosen,
    arrivals: &mut Arrivals,
) -> Result<Vec<Row>, AlertsError> {
    arrivals.skip(chosen, &options.sites).await?;
    let mut news = News::new(Newest::new(wanted, options.limit));
    let Some((rows, missed)) = newest(options, chosen, &mut news).await? else { return Ok(Vec::new()) };
    complain(&missed);
    arrivals.tell_of(&rows);
    Ok(rows)
}

/// What is printed, a line or a document an alert.
struct Lines {
    format: OutputFormat,
    table: Table,
}

impl Lines {
    /// Says whether somebody still reads.
    fn write(&mut self, rows: &[Row]) -> Result<ControlFlow<()>, OutputError> {
        let Self { format, table } = self;
        print_while_read(|out| -> io::Result<()> {
            match format.document() {
                Some(document) => rows.iter().try_for_each(|row| document.write_next(out, row)),
                None => {
                    rows.iter().for_each(|row| table.row(cells(row)));
                    table.write_next(out, *format)
                }
            }
        })
    }
}
