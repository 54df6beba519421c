//! UTF-16 and windows-1252 as UTF-8. A library of encodings brings the tables of all that browsers know, a quarter of a megabyte in
//! every program that reads a table.

use std::io::{self, BufRead, Read};

/// An encoding whose text is not taken as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16Le,
    Utf16Be,
    Windows1252,
}

/// Of windows-1252 the characters of the bytes from 0x80 on which are not those of Latin-1; what it leaves free is what browsers
/// make of it (WHATWG, Encoding Standard).
const FROM_0X80: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}',
    '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}',
    '\u{17e}', '\u{178}',
];

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Appends the characters that are whole, and gives their number of bytes. `None` where what follows them is none of this
    /// encoding.
    fn decode(self, bytes: &[u8], text: &mut String) -> Option<usize> {
        match self {
            Self::Utf16Le => utf_16(bytes, u16::from_le_bytes, text),
            Self::Utf16Be => utf_16(bytes, u16::from_be_bytes, text),
            Self::Windows1252 => {
                text.extend(bytes.iter().map(|byte| windows_1252(*byte)));
                Some(bytes.len())
            }
        }
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => FROM_0X80[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16, text: &mut String) -> Option<usize> {
    let (pairs, _) = bytes.as_chunks();
    let half = pairs.last().filter(|last| (0xd800..0xdc00).contains(&unit(**last)));
    let whole = pairs.len() - usize::from(half.is_some());
    for character in char::decode_utf16(pairs[..whole].iter().map(|pair| unit(*pair))) {
        text.push(character.ok()?);
    }
    Some(2 * whole)
}

/// Text of an encoding as UTF-8.
pub(super) struct Decoded<Content> {
    content: Content,
    encoding: Encoding,
    /// The bytes of a character that is not whole yet.
    begun: Vec<u8>,
    text: String,
    taken: usize,
    end: Option<End>,
}

/// What follows the last text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Nothing,
    Malformed,
}

impl<Content: BufRead> Decoded<Content> {
    pub(super) fn new(content: Content, encoding: Encoding) -> Self {
        Self { content, encoding, begun: Vec::new(), text: String::new(), taken: 0, end: None }
    }

    fn refill(&mut self) -> io::Result<()> {
        let Self { content, encoding, begun, text, taken, end } = self;
        let bytes = content.fill_buf()?;
        let read = bytes.len();
        begun.extend_from_slice(bytes);
        content.consume(read);
        text.clear();
        *taken = 0;
        match encoding.decode(begun, text) {
            Some(decoded) => drop(begun.drain(..decoded)),
            None => *end = Some(End::Malformed),
        }
        if read == 0 {
            *end = Some(if begun.is_empty() { End::Nothing } else { End::Malformed });
        }
        Ok(())
    }
}

impl<Content: BufRead> Read for Decoded<Content> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            match self.end {
                None => self.refill()?,
                Some(End::Nothing) => return Ok(0),
                Some(End::Malformed) => {
                    let message = format!("the bytes are not {}", self.encoding.name());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
            }
        }
        let rest = &self.text.as_bytes()[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_of_windows_1252_is_a_character() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut text = String::new();
        assert_eq!(Encoding::Windows1252.decode(&bytes, &mut text), Some(256));
        let characters: Vec<char> = text.chars().collect();
        assert_eq!((characters[0x7f], characters[0x80], characters[0x96], characters[0x9f]), ('\u{7f}', '€', '–', 'Ÿ'));
        assert_eq!((characters[0xa0], characters[0xff], characters.len()), ('\u{a0}', 'ÿ', 256));
    }

    #[test]
    fn a_pair_of_utf_16_waits_for_its_other_half_and_half_a_pair_is_refused() {
        let bytes: Vec<u8> = "a😀".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (length, taken, expected) in [(1, 0, ""), (3, 2, "a"), (4, 2, "a"), (5, 2, "a"), (6, 6, "a😀")] {
            let mut text = String::new();
            assert_eq!(Encoding::Utf16Be.decode(&bytes[..length], &mut text), Some(taken), "{length}");
            assert_eq!(text, expected);
        }
        assert_eq!(Encoding::Utf16Be.decode(&bytes[4..], &mut String::new()), None);
        assert_eq!(Encoding::Utf16Be.decode(&[bytes[2], bytes[3], 0, b'a'], &mut String::new()), None);
    }

    #[test]
    fn what_stands_before_a_fault_is_read() {
        let mut decoded = Decoded::new(b"\0a\0b\xd8\0\0c".as_slice(), Encoding::Utf16Be);
        let mut text = String::new();
        assert!(decoded.read_to_string(&mut text).is_err());
        let mut decoded = Decoded::new(b"\0a\0b\xd8\0\0c".as_slice(), Encoding::Utf16Be);
        let mut start = [0; 2];
        decoded.read_exact(&mut start).unwrap();
        assert_eq!((&start, decoded.read(&mut [0; 2]).is_err()), (b"ab", true));
    }
}
