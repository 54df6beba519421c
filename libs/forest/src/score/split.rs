//! A node of a forest as a walk reads it.

use crate::score::order;

/// Bits of [`Split::link`] that say how far it is to the first child.
const OFFSET_BITS: u32 = 20;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;
/// A forest reads no more columns than this.
pub(crate) const MAX_COLUMNS: u32 = 1 << (u32::BITS - OFFSET_BITS);

/// What a walk reads of a node, in one load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// The place of the threshold in the order of numbers; that of infinity in a leaf: nothing is greater.
    place: u32,
    /// The column in the upper bits; in the lower ones the distance to the first child, which is 0 in a leaf. The second
    /// child stands behind the first.
    pub(crate) link: u32,
}

impl Split {
    pub(crate) const LEAF: Self = Self::from_parts(f32::INFINITY, 0);

    pub(crate) const fn from_parts(threshold: f32, link: u32) -> Self {
        Self { place: order::place(threshold), link }
    }

    /// `None` where the column or the distance does not fit.
    pub(crate) fn new(threshold: f32, column: usize, distance: usize) -> Option<Self> {
        let column = u32::try_from(column).ok().filter(|column| *column < MAX_COLUMNS)?;
        let distance = u32::try_from(distance).ok().filter(|distance| *distance <= OFFSET_MASK)?;
        Some(Self::from_parts(threshold, column << OFFSET_BITS | distance))
    }

    /// Infinite in a leaf.
    pub(crate) fn threshold(self) -> f32 {
        order::number(self.place)
    }

    pub(crate) fn column(self) -> usize {
        (self.link >> OFFSET_BITS) as usize
    }

    /// How many nodes further the first child stands; 0 in a leaf.
    pub(crate) fn distance(self) -> usize {
        (self.link & OFFSET_MASK) as usize
    }

    /// How many nodes further a walk goes with this [`order::of_value`].
    pub(crate) fn step(self, value: u32) -> u32 {
        (self.link & OFFSET_MASK) + u32::from(value > self.place)
    }
}
