//! The newest of an archive, for whoever looks at it again and again: what was read stays with its taker, and then only what is new is
//! read, as no object of it ever changes.

use jiff::Timestamp;
use vedette_archive::{Missed, Seen, Span, TakeNewest, read_unseen};
use vedette_streams::bucket::BucketError;

use super::pipeline::Chosen;

/// What was taken of it until now. A taker may get a record twice.
#[derive(Debug)]
pub(super) struct News<T> {
    /// A taker that has nothing.
    empty: T,
    taker: T,
    seen: Option<Seen>,
    /// How far back it was read.
    not_before: Timestamp,
    missed: Missed,
}

impl<T: TakeNewest + Clone> News<T> {
    /// Of somebody who has taken nothing yet.
    pub(super) fn new(empty: T) -> Self {
        let (taker, not_before) = (empty.clone(), empty.not_before());
        Self { empty, taker, seen: None, not_before, missed: Missed::default() }
    }

    /// Reads what is new, and returns who took it, and what could not be taken until now; nothing where nothing is new.
    ///
    /// # Errors
    /// When the bucket cannot be read: what was new is read the next time.
    pub(super) async fn read(&mut self, chosen: &Chosen, span: Span<'_>) -> Result<Option<(&T, &Missed)>, BucketError> {
        if !self.read_unseen(chosen, span).await? {
            return Ok(None);
        }
        if self.taker.not_before() < self.not_before {
            // What was passed over, as there was enough without it, is wanted now.
            *self = Self::new(self.empty.clone());
            self.read_unseen(chosen, span).await?;
        }
        self.not_before = self.taker.not_before();
        Ok(Some((&self.taker, &self.missed)))
    }

    /// Says whether anything was new.
    async fn read_unseen(&mut self, chosen: &Chosen, span: Span<'_>) -> Result<bool, BucketError> {
        let read = read_unseen(chosen.bucket(), &chosen.keys, span, &mut self.seen, &mut self.taker).await?;
        let Some(Missed { objects, lines }) = read else { return Ok(false) };
        self.missed.objects.extend(objects);
        self.missed.lines += lines;
        Ok(true)
    }
}
