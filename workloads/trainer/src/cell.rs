//! One value of a row in four bytes.

/// A value of a row: the bits of a number in a numeric column, a position in a list of texts in a categorical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell(u32);

impl Cell {
    /// The value that a record does not have, or not in the kind of its column. As an `f32` it is no number.
    pub(crate) const MISSING: Self = Self(u32::MAX);

    /// A number; infinite where it is too large for an `f32`, until it is encoded.
    #[allow(clippy::cast_possible_truncation)] // A row is made of f32.
    pub(crate) fn of_number(number: f64) -> Self {
        if number.is_nan() { Self::MISSING } else { Self((number as f32).to_bits()) }
    }

    /// The text at this position. Beyond four billion texts it is missing.
    pub(crate) fn of_category(position: usize) -> Self {
        u32::try_from(position).map_or(Self::MISSING, Self)
    }

    /// The number of a numeric column.
    pub(crate) fn number(self) -> Option<f32> {
        Some(f32::from_bits(self.0)).filter(|number| !number.is_nan())
    }

    /// The position of a categorical column's text.
    pub(crate) fn category(self) -> Option<usize> {
        (self != Self::MISSING).then_some(self.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        for (number, kept) in [(0.1, 0.1_f32), (-0.0, -0.0), (1e300, f32::INFINITY), (-1e300, f32::NEG_INFINITY)] {
            assert_eq!(Cell::of_number(number).number().map(f32::to_bits), Some(kept.to_bits()), "{number}");
        }
        assert_eq!([0, 7].map(|position| Cell::of_category(position).category()), [Some(0), Some(7)]);
    }

    #[test]
    fn what_is_missing_is_neither() {
        assert_eq!(Cell::MISSING, Cell::of_number(f64::NAN));
        assert_eq!(Cell::MISSING, Cell::of_category(usize::MAX));
        assert_eq!((Cell::MISSING.number(), Cell::MISSING.category()), (None, None));
    }
}
