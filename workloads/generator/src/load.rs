//! Brings the data set from the bucket into memory: pieces flow through a short channel to the thread that parses.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use vedette_streams::bucket::{Bucket, BucketError, ObjectStream};

use crate::error::GeneratorError;
use vedette_datasets::{Dataset, DatasetSettings};

/// Pieces that may wait to be parsed.
const PIECES: usize = 8;

/// Loads the data set under this key.
///
/// # Errors
/// When it is not there, cannot be read, or is no data set.
pub(crate) async fn load(bucket: &Bucket, key: &str, settings: DatasetSettings) -> Result<Dataset, GeneratorError> {
    let Some(stream) = bucket.get_stream(key).await? else {
        return Err(GeneratorError::DatasetMissing { key: key.to_owned() });
    };
    let (sender, pieces) = mpsc::channel(PIECES);
    let parsing = tokio::task::spawn_blocking(move || Dataset::load(Pieces { pieces, piece: Bytes::new() }, &settings));
    // When the connection breaks, the parser sees a file that ends early: the connection's error is the one to tell.
    forward(stream, sender).await?;
    parsing.await?.map_err(|source| GeneratorError::Dataset { key: key.to_owned(), source })
}

/// Ends early when the parser has given up.
async fn forward(mut stream: ObjectStream, sender: mpsc::Sender<Bytes>) -> Result<(), BucketError> {
    while let Some(piece) = stream.next_chunk().await? {
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What arrives, as a reader for a thread that may block.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
