//! A record as one line: the archive holds a record a line, and so do its readers.

use std::borrow::Cow;

/// The record on one line. Line breaks in valid JSON stand between tokens only, where a space means the same.
pub fn one_line(record: &[u8]) -> Cow<'_, [u8]> {
    if has_breaks(record) {
        let mut line = record.to_vec();
        join_lines(&mut line);
        line.into()
    } else {
        record.into()
    }
}

/// Makes every line break a space. Most records have none, which is seen sooner than each byte is looked at for a change.
pub(crate) fn join_lines(record: &mut [u8]) {
    if !has_breaks(record) {
        return;
    }
    for byte in record {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

fn has_breaks(record: &[u8]) -> bool {
    record.contains(&b'\n') || record.contains(&b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_become_spaces_and_a_line_is_not_copied() {
        assert_eq!(one_line(b"{\n\"a\":1}\n").as_ref(), b"{ \"a\":1} ");
        assert_eq!(one_line(b"{\r\"a\":1\r\n}").as_ref(), b"{ \"a\":1  }");
        assert!(matches!(one_line(b"{\"a\":\"\\n\"}"), Cow::Borrowed(_)));
    }
}
