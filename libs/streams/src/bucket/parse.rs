//! An object for a parser that blocks: its pieces flow through a short channel to the thread that parses.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use tokio::task::JoinError;

use crate::bucket::{BucketError, ObjectStream};

/// Pieces that may wait to be parsed.
const PIECES: usize = 8;

impl ObjectStream {
    /// What the parser makes of the content, or how its thread ended.
    ///
    /// # Errors
    /// When the connection breaks. The parser sees a file that ends early then: this is the error to tell.
    pub async fn parse<T: Send + 'static>(
        self,
        parse: impl FnOnce(Pieces) -> T + Send + 'static,
    ) -> Result<Result<T, JoinError>, BucketError> {
        let (sender, pieces) = mpsc::channel(PIECES);
        let parsing = tokio::task::spawn_blocking(move || parse(Pieces { pieces, piece: Bytes::new() }));
        forward(self, sender).await?;
        Ok(parsing.await)
    }
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
#[derive(Debug)]
pub struct Pieces {
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
