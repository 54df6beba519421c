//! Numbers as integers in the same order: a processor compares and adds up integers with fewer instructions, a third of the
//! time of a walk.

const SIGN: u32 = 1 << 31;
/// The place of a value that is not a number, before all others.
pub(crate) const UNKNOWN: u32 = 0;

/// The place of a number among all `f32`, -0 before 0; no two numbers have the same.
pub(crate) const fn place(number: f32) -> u32 {
    let bits = number.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The number at a place.
pub(crate) const fn number(place: u32) -> f32 {
    f32::from_bits(if place & SIGN == 0 { !place } else { place & !SIGN })
}

/// A place that is greater than that of a threshold if the value is greater than it: both zeros have that of the lesser one,
/// and what is not a number comes before all.
pub(crate) fn of_value(value: f32) -> u32 {
    if value.is_nan() { UNKNOWN } else { place(-(0. - value)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_compare_as_numbers_do(bits in any::<[u32; 2]>(), near in 0..3u32) {
            let special = [0., -0., f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE];
            let [one, other] = bits.map(f32::from_bits);
            let neighbour = f32::from_bits(bits[0].wrapping_add(near));
            for value in special.into_iter().chain([one, other, neighbour]) {
                for threshold in special.into_iter().chain([one, other]).filter(|threshold| !threshold.is_nan()) {
                    prop_assert_eq!(of_value(value) > place(threshold), value > threshold, "{} {}", value, threshold);
                    prop_assert_eq!(number(place(threshold)).to_bits(), threshold.to_bits());
                }
            }
        }
    }
}
