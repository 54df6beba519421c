//! A data set's bytes as UTF-8 text to parse. What is compressed, an archive or UTF-16 is told by the first bytes, not by
//! a name.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use vedette_contract::arguments::TextEncoding;

use super::encoding::{Decoded, Encoding};
use super::error::DatasetError;
use super::foreign;

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTANDARD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BUFFER_BYTES: usize = 64 * 1024;

/// Text as it comes; UTF-8 but for what its owner wrote wrong.
pub(super) type Text<'content> = Box<dyn BufRead + 'content>;

/// Reads plain, gzip (RFC 1952, also of several members) or zstd (RFC 8878, also of several frames) bytes.
///
/// # Errors
/// When the first bytes cannot be read, or are those of another kind of file.
pub(super) fn open<'content>(
    content: impl Read + 'content,
    encoding: Option<TextEncoding>,
) -> Result<Text<'content>, DatasetError> {
    let unreadable = |source| DatasetError::Content { line: 1, source };
    let plain = decompress(content).map_err(unreadable)?;
    let (first, plain) = peek(plain, foreign::TELLING_BYTES).map_err(unreadable)?;
    foreign::refuse(&first)?;
    decode(&first, plain, encoding).map_err(unreadable)
}

/// The first bytes, and all of them again. A reader may return less than asked for, so they are collected.
pub(super) fn peek(mut content: Text<'_>, bytes: usize) -> io::Result<(Vec<u8>, Text<'_>)> {
    let mut first = Vec::new();
    (&mut content).take(bytes as u64).read_to_end(&mut first)?;
    let again = Cursor::new(first.clone()).chain(content);
    Ok((first, Box::new(again)))
}

fn decompress<'content>(content: impl Read + 'content) -> io::Result<Text<'content>> {
    let (first, whole) = peek(buffered(content), ZSTANDARD.len())?;
    if first.starts_with(&GZIP) {
        Ok(buffered(MultiGzDecoder::new(whole)))
    } else if first.starts_with(&ZSTANDARD) {
        Ok(buffered(zstd::stream::read::Decoder::with_buffer(whole)?))
    } else {
        Ok(whole)
    }
}

fn buffered<'content>(content: impl Read + 'content) -> Text<'content> {
    Box::new(BufReader::with_capacity(BUFFER_BYTES, content))
}

fn decode<'content>(
    first: &[u8],
    mut content: Text<'content>,
    told: Option<TextEncoding>,
) -> io::Result<Text<'content>> {
    let (encoding, mark_bytes) = match first {
        [0xEF, 0xBB, 0xBF, ..] => (None, 3),
        [0xFF, 0xFE, ..] => (Some(Encoding::Utf16Le), 2),
        [0xFE, 0xFF, ..] => (Some(Encoding::Utf16Be), 2),
        _ => (without_mark(first, told), 0),
    };
    io::copy(&mut (&mut content).take(mark_bytes), &mut io::sink())?;
    Ok(match encoding {
        // What is not UTF-8 in it concerns its row alone.
        None => content,
        Some(encoding) => buffered(Decoded::new(content, encoding)),
    })
}

/// What is told, else UTF-16 where every other byte is 0, as in ASCII written so; `None` is UTF-8.
fn without_mark(first: &[u8], told: Option<TextEncoding>) -> Option<Encoding> {
    match (told, first) {
        (Some(TextEncoding::Utf16Le), _) | (None, [1..=255, 0, 1..=255, 0, ..]) => Some(Encoding::Utf16Le),
        (Some(TextEncoding::Utf16Be), _) | (None, [0, 1..=255, 0, 1..=255, ..]) => Some(Encoding::Utf16Be),
        (Some(TextEncoding::Windows1252), _) => Some(Encoding::Windows1252),
        (Some(TextEncoding::Utf8) | None, _) => None,
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

    fn text_as(bytes: &[u8], encoding: Option<TextEncoding>) -> io::Result<String> {
        let mut text = String::new();
        open(Trickle(bytes), encoding).map_err(io::Error::other)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn text_of(bytes: &[u8]) -> io::Result<String> {
        text_as(bytes, None)
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

    #[test]
    fn encodings_are_told_by_a_mark_by_zeros_or_by_somebody() {
        let text = "größe,b\nü,–\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            [&b"\xEF\xBB\xBF"[..], text.as_bytes()].concat(),
            [&b"\xFF\xFE"[..], &little].concat(),
            [&b"\xFE\xFF"[..], &big].concat(),
            little.clone(),
            big.clone(),
        ] {
            assert_eq!(text_of(&bytes).unwrap(), text);
        }
        assert_eq!(text_as(b"Web Attack \x96 XSS", Some(TextEncoding::Windows1252)).unwrap(), "Web Attack – XSS");
        assert!(text_of(&[&b"\xFF\xFEa\0"[..], b"\x00\xD8"].concat()).is_err(), "half a pair");
    }
}
