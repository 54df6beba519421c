//! The newest of an archive, for whoever looks at it again and again: it is read again only where it lists something that it did not
//! list before, as no object of it ever changes.

use jiff::Timestamp;
use vedette_archive::{Missed, Selection, Source, Span, TakeNewest, list_sources, read_newest};
use vedette_streams::bucket::BucketError;

use super::pipeline::Chosen;

/// What was read the last time.
#[derive(Debug, Default)]
pub(super) struct News {
    /// How far back.
    not_before: Option<Timestamp>,
    /// What was listed of that before it was read; nothing the first time, when nobody knows yet how far back it is to be.
    listed: Option<Vec<Source>>,
}

impl News {
    /// Reads it, and returns who took it; nothing where nothing is new.
    ///
    /// # Errors
    /// When the bucket cannot be read: the next time it is read whatever is listed.
    pub(super) async fn read<T: TakeNewest>(
        &mut self,
        chosen: &Chosen,
        span: Span<'_>,
        mut taker: T,
    ) -> Result<Option<(T, Missed)>, BucketError> {
        let Span { stream, sites, before: _ } = span;
        let listed = match self.not_before {
            Some(_) => {
                let selection = Selection { stream, sites, not_before: self.not_before };
                Some(list_sources(chosen.bucket(), &chosen.keys, selection).await?)
            }
            None => None,
        };
        if listed.is_some() && listed == self.listed {
            return Ok(None);
        }
        let missed = read_newest(chosen.bucket(), &chosen.keys, span, &mut taker).await?;
        (self.listed, self.not_before) = (listed, Some(taker.not_before()));
        Ok(Some((taker, missed)))
    }
}
