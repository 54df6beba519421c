//! Decodes zstd frames that come piece by piece, without holding them.

use std::io::{self, Write};

use zstd::stream::write::Decoder;

/// Takes the bytes of an object, and hands what they hold on to a writer.
pub(super) struct Pieces<W: Write> {
    /// Until the first bytes come.
    writer: Option<W>,
    decoder: Option<Decoder<'static, W>>,
    unreadable: Option<io::Error>,
}

impl<W: Write + Default> Default for Pieces<W> {
    fn default() -> Self {
        Self::for_writer(W::default())
    }
}

impl<W: Write + Default> Pieces<W> {
    pub(super) fn for_writer(writer: W) -> Self {
        Self { writer: Some(writer), decoder: None, unreadable: None }
    }

    /// After a damage nothing more is decoded.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        if self.unreadable.is_none() {
            self.unreadable = self.decode(chunk).err();
        }
    }

    /// The writer, and why not all was decoded, if so.
    pub(super) fn finish(mut self) -> (W, Option<io::Error>) {
        let flushed = self.decoder.as_mut().map_or(Ok(()), Write::flush);
        let writer = self.decoder.map(Decoder::into_inner).or(self.writer).unwrap_or_default();
        (writer, self.unreadable.or(flushed.err()))
    }

    fn decode(&mut self, chunk: &[u8]) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            self.decoder = Some(Decoder::new(writer)?);
        }
        self.decoder.as_mut().map_or(Ok(()), |decoder| decoder.write_all(chunk))
    }
}
