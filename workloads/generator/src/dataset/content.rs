//! A data set's bytes as text to parse: what is compressed is told by its first bytes, not by its name.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTANDARD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BUFFER_BYTES: usize = 64 * 1024;

/// Reads plain, gzip (RFC 1952, also of several members) or zstd (RFC 8878, also of several frames) bytes.
///
/// # Errors
/// When the first bytes cannot be read.
pub(super) fn decompress<'content>(content: impl Read + 'content) -> io::Result<Box<dyn Read + 'content>> {
    let mut content = BufReader::with_capacity(BUFFER_BYTES, content);
    // A reader may return less than asked for, so the first bytes are collected before they are looked at.
    let mut first = Vec::new();
    (&mut content).take(ZSTANDARD.len() as u64).read_to_end(&mut first)?;
    let (gzip, zstandard) = (first.starts_with(&GZIP), first.starts_with(&ZSTANDARD));
    let whole = BufReader::with_capacity(BUFFER_BYTES, io::Cursor::new(first).chain(content));
    if gzip {
        Ok(Box::new(MultiGzDecoder::new(whole)))
    } else if zstandard {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(whole)?))
    } else {
        Ok(Box::new(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Returns one byte at a time.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(buffer.len()).min(1);
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn text_of(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        decompress(Trickle(bytes))?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        assert_eq!(text_of(b"a,b\n").unwrap(), "a,b\n");
        assert_eq!(text_of(b"").unwrap(), "");
        assert_eq!(text_of(b"a").unwrap(), "a");
        assert_eq!(text_of(&[gzip("a,b\n"), gzip("1,2\n")].concat()).unwrap(), "a,b\n1,2\n");
        let frame = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert_eq!(text_of(&[frame("a,b\n"), frame("1,2\n")].concat()).unwrap(), "a,b\n1,2\n");
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let whole = gzip(&"a,b\n".repeat(1000));
        assert!(text_of(&whole[..whole.len() / 2]).is_err());
        let whole = zstd::encode_all("a,b\n".repeat(1000).as_bytes(), 1).unwrap();
        assert!(text_of(&whole[..whole.len() / 2]).is_err());
    }
}
