//! The archive in the bucket, for whoever writes, reads or checks it: the formats of its objects, what their writer says
//! of them, listing, reading, verifying, sampling. The keys are the contract's; Kafka is unknown here.

mod format;
mod hash;
mod last;
mod list;
mod metadata;
mod newest;
mod read;
mod sample;
mod seen;
mod verify;

pub use format::{COMPRESSION_LEVEL, FrameEncoder, Line, encoder};
pub use hash::{first_record, record_sha256};
pub use last::{holds_records, last_record};
pub use list::{Selection, Source, Stored, archived_days, list_after, list_day, list_newest, list_sources};
pub use metadata::{FoundMetadata, Metadata};
pub use newest::{DAYS_AGAIN, Missed, Span, TakeNewest, read_newest, read_unseen};
pub use read::{Beginning, Fetched, Part, fetch, fetch_beginning};
pub use sample::{BottomK, Offered};
pub use seen::Seen;
pub use verify::{Fault, Finding, VerifyReport, verify};
