//! The quick way through a record, which most take: one object with nothing nested, keys and texts without escapes, and numbers
//! without exponents. Whatever is written otherwise, or is no JSON, is left to the parser: nothing is said against it here.

use std::ops::Range;

use crate::checked::PLAIN_NUMBER_BYTES;

/// Tells each key, and where its value stands. `None` where the object is not so plain; what was told by then is void.
pub(crate) fn members<'a>(text: &'a str, mut hear: impl FnMut(&'a str, Range<usize>)) -> Option<()> {
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    cursor.eat(b'{')?;
    cursor.skip_white();
    if cursor.eat(b'}').is_some() {
        return cursor.end();
    }
    loop {
        let Range { start, end } = cursor.text()?;
        cursor.skip_white();
        cursor.eat(b':')?;
        cursor.skip_white();
        hear(&text[start + 1..end - 1], cursor.value()?);
        cursor.skip_white();
        if cursor.eat(b',').is_none() {
            cursor.eat(b'}')?;
            return cursor.end();
        }
        cursor.skip_white();
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Option<()> {
        self.skip_white();
        self.peek().is_none().then_some(())
    }

    fn value(&mut self) -> Option<Range<usize>> {
        match self.peek()? {
            b'"' => self.text(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// With its quotation marks.
    fn text(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.eat(b'"')?;
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
        self.at += length;
        self.eat(b'"')?;
        Some(start..self.at)
    }

    fn word(&mut self, word: &[u8]) -> Option<Range<usize>> {
        let start = self.at;
        self.bytes[start..].starts_with(word).then(|| self.at += word.len())?;
        Some(start..self.at)
    }

    fn number(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        // Most have no sign.
        let _ = self.eat(b'-');
        let first = self.peek()?;
        let digits = self.digits()?;
        if first == b'0' && digits > 1 {
            return None;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        let is_over = !matches!(self.peek(), Some(b'e' | b'E'));
        (is_over && self.at - start <= PLAIN_NUMBER_BYTES).then_some(start..self.at)
    }

    /// How many there are, if there are any.
    fn digits(&mut self) -> Option<usize> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Some(self.at - start).filter(|digits| *digits > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(&str, &str)>> {
        let mut found = Vec::new();
        members(text, |key, value| found.push((key, &text[value]))).map(|()| found)
    }

    #[test]
    fn a_plain_record_is_read_by_its_bytes() {
        let text = "{ \"a\" :1,\"b\":\"x y\" ,\n\"\": null,\"c\":-0.50,\"d\":true,\"e\":false,\"é\":\"ü\"}\r\n";
        let expected =
            [("a", "1"), ("b", "\"x y\""), ("", "null"), ("c", "-0.50"), ("d", "true"), ("e", "false"), ("é", "\"ü\"")];
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("{ } ").unwrap(), []);
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_parser() {
        let long = format!("{{\"a\":{}}}", "9".repeat(309));
        for text in [
            "",
            "[1]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":[1]}",
            "{\"a\":{}}",
            "{\"a\":\"\\n\"}",
            "{\"\\u0061\":1}",
            "{\"a\":\"\n\"}",
            "{\"a\":1e5}",
            "{\"a\":1E5}",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":tru}",
            "{\"a\":nul",
            "{\"a\":NaN}",
            "{\"a\":+1}",
            "{a:1}",
            "{\"a\" 1}",
            &long,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
