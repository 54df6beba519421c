//! How Kafka writes the few requests that are made here, in their versions before KIP-482: numbers are big-endian, texts, bytes and
//! lists have their length before them, and a length of -1 is none.

use thiserror::Error;

/// An answer that ends too early, or is no text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the answer is not what Kafka answers to this")]
pub(super) struct BrokenAnswer;

/// A request that is being written.
#[derive(Debug, Default)]
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn int8(mut self, number: i8) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn int16(mut self, number: i16) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn int32(mut self, number: i32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn bool(self, holds: bool) -> Self {
        self.int8(i8::from(holds))
    }

    /// Texts of ours are names, values and a token: none is as long as a length can be.
    pub(super) fn text(mut self, text: &str) -> Self {
        self = self.int16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.extend(text.bytes().take(usize::from(i16::MAX.unsigned_abs())));
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.int32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend(bytes);
        self
    }

    pub(super) fn list<T>(
        mut self,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        write: impl Fn(Self, T) -> Self,
    ) -> Self {
        let items = items.into_iter();
        self = self.int32(i32::try_from(items.len()).unwrap_or(i32::MAX));
        items.fold(self, write)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What is left to read of an answer.
#[derive(Debug)]
pub(super) struct Answer<'a>(pub(super) &'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], BrokenAnswer> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BrokenAnswer)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], BrokenAnswer> {
        self.take(LENGTH)?.try_into().map_err(|_| BrokenAnswer)
    }

    pub(super) fn int8(&mut self) -> Result<i8, BrokenAnswer> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn int16(&mut self) -> Result<i16, BrokenAnswer> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self) -> Result<i32, BrokenAnswer> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn bool(&mut self) -> Result<bool, BrokenAnswer> {
        Ok(self.int8()? != 0)
    }

    pub(super) fn text(&mut self) -> Result<Option<String>, BrokenAnswer> {
        let Ok(length) = usize::try_from(self.int16()?) else { return Ok(None) };
        String::from_utf8(self.take(length)?.to_vec()).map(Some).map_err(|_| BrokenAnswer)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], BrokenAnswer> {
        let length = self.int32()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }

    /// As many as it says; one that says too many ends too early.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, BrokenAnswer>,
    ) -> Result<Vec<T>, BrokenAnswer> {
        let mut items = Vec::new();
        for _ in 0..self.int32()? {
            items.push(read(self)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let request = Request::default().int8(-1).int16(300).int32(-70_000).bool(true).text("ä").bytes(b"xyz");
        let bytes = request.list(["a", "b"], Request::text).int16(-1).into_bytes();
        let mut answer = Answer(&bytes);
        assert_eq!((answer.int8(), answer.int16(), answer.int32()), (Ok(-1), Ok(300), Ok(-70_000)));
        assert_eq!(
            (answer.bool(), answer.text(), answer.bytes()),
            (Ok(true), Ok(Some("ä".to_owned())), Ok(&b"xyz"[..]))
        );
        let texts = answer.list(Answer::text).unwrap();
        assert_eq!(texts, [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!((answer.text(), answer.0.len()), (Ok(None), 0));
    }

    #[test]
    fn an_answer_that_ends_too_early_is_broken() {
        for bytes in [&[][..], &[0, 9, b'x'], &[0, 1, 0xff]] {
            assert_eq!(Answer(bytes).text(), Err(BrokenAnswer), "{bytes:?}");
        }
        let endless = Request::default().int32(i32::MAX).int16(0).into_bytes();
        assert_eq!(Answer(&endless).list(Answer::int16).unwrap_err(), BrokenAnswer);
        assert_eq!(Answer(&endless).bytes(), Err(BrokenAnswer));
    }
}
