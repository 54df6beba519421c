//! Figures that tests measure on their way and `make bench` collects: a line of standard output each.

use serde::{Deserialize, Serialize};

const MARK: &str = "figure ";

/// What was measured beside what it is measured by: another program in the same run, or the limit that was promised.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// What was measured.
    pub ours: f64,
    /// The peer, or the limit.
    pub peer: f64,
    /// Ours by the peer's.
    pub ratio: f64,
}

impl Figure {
    /// With its ratio.
    pub fn new(name: &str, unit: &str, ours: f64, peer: f64) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), ours, peer, ratio: ours / peer }
    }
}

/// Prints a figure as a line that [`read`] finds again.
pub fn figure(name: &str, unit: &str, ours: f64, peer: f64) {
    let line = serde_json::to_string(&Figure::new(name, unit, ours, peer));
    println!("{MARK}{}", line.unwrap_or_default());
}

/// The figures in what a program printed.
pub fn read(output: &str) -> Vec<Figure> {
    output.lines().filter_map(|line| serde_json::from_str(line.split_once(MARK)?.1).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_figure_is_found_behind_whatever_a_test_runner_puts_before_it() {
        let line = serde_json::to_string(&Figure::new("size", "MB", 12.0, 24.0)).unwrap();
        let found = read(&format!("test it_is_small ... figure {line}\nok\n"));
        assert_eq!((found[0].name.as_str(), found[0].ratio, found.len()), ("size", 0.5, 1));
    }
}
