//! A CSV data set of another kind than network traffic: six columns of a pump and its state, with one planted kind of
//! anomaly, a bearing that vibrates.

use std::fmt::Write;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The column that makes a row anomalous.
pub const PLANTED_COLUMN: &str = "vibration_mm_s";

/// CSV with a header: `rows` rows, one in fifty of them anomalous in [`PLANTED_COLUMN`] alone, deterministic by seed.
pub fn csv(rows: usize, seed: u64) -> String {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut text = format!("pump,pressure_bar,flow_l_min,temperature_c,{PLANTED_COLUMN},speed_rpm,state\n");
    for row in 0..rows {
        let anomalous = row % 50 == 49;
        let load: f64 = random.random_range(0.3..1.0);
        let noise = |random: &mut Xoshiro256PlusPlus, width: f64| random.random_range(-width..width);
        let pump = random.random_range(1..=4);
        let pressure = 2.0 + 6.0 * load + noise(&mut random, 0.4);
        let flow = 40.0 + 160.0 * load + noise(&mut random, 12.0);
        let temperature = 35.0 + 20.0 * load + noise(&mut random, 4.0);
        let speed = 900.0 + 1900.0 * load + noise(&mut random, 60.0);
        let vibration =
            if anomalous { random.random_range(6.0..12.0) } else { 1.0 + 1.5 * load + noise(&mut random, 0.5) };
        let state = if anomalous { "bearing" } else { "ok" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "P{pump},{pressure:.2},{flow:.1},{temperature:.1},{vibration:.2},{speed:.0},{state}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_in_fifty_vibrates() {
        let text = csv(1000, 1);
        assert_eq!(text.lines().filter(|line| line.ends_with(",bearing")).count(), 20);
        assert_eq!(text, csv(1000, 1));
        assert!(text.lines().all(|line| line.split(',').count() == 7));
    }
}
