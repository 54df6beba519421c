//! As much of the protocol buffers' wire format as writing a model takes.

/// A message in the making: fields in the order in which they are added.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A number.
    pub(super) fn number(mut self, field: u32, number: u64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(number);
        self
    }

    /// Bytes as they are.
    pub(super) fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text.
    pub(super) fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    /// A message inside this one.
    pub(super) fn message(self, field: u32, message: Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// Many numbers, packed.
    pub(super) fn numbers(self, field: u32, numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut packed = Self::default();
        numbers.into_iter().for_each(|number| packed.varint(number));
        self.message(field, packed)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_format_come_out() {
        // From the description of the encoding: field 1 = 150, and field 2 = "testing".
        assert_eq!(Message::default().number(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").into_bytes(), b"\x12\x07testing");
        assert_eq!(Message::default().numbers(6, [3, 270, 86_942]).into_bytes(), b"\x32\x06\x03\x8e\x02\x9e\xa7\x05");
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }
}
