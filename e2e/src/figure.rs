//! Figures that tests measure on their way and `make bench` collects: a line of standard output each.

use std::fmt::{self, Display};

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
    /// What was promised of the ratio, where the peer is another program and not that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// What a ratio may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
}

impl Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(ratio) => write!(formatter, "at least {ratio:.3}"),
            Self::AtMost(ratio) => write!(formatter, "at most {ratio:.3}"),
        }
    }
}

impl Figure {
    /// With its ratio.
    pub fn new(name: &str, unit: &str, ours: f64, peer: f64) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), ours, peer, ratio: ours / peer, limit: None }
    }
}

/// Prints a figure as a line that [`read`] finds again.
pub fn figure(name: &str, unit: &str, ours: f64, peer: f64) {
    print(&Figure::new(name, unit, ours, peer));
}

/// The same, where something was promised of the ratio to a peer.
pub fn figure_within(limit: Option<Limit>, name: &str, unit: &str, ours: f64, peer: f64) {
    print(&Figure { limit, ..Figure::new(name, unit, ours, peer) });
}

fn print(figure: &Figure) {
    println!("{MARK}{}", serde_json::to_string(figure).unwrap_or_default());
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
        assert_eq!(found[0].limit, None);
    }

    #[test]
    fn what_was_promised_of_a_ratio_goes_with_the_figure() {
        let promised = Figure { limit: Some(Limit::AtLeast(0.6)), ..Figure::new("speed", "records/s", 1., 2.) };
        let line = serde_json::to_string(&promised).unwrap();
        let found = read(&format!("figure {line}\n"));
        assert_eq!(found[0].limit.map(|limit| limit.to_string()).as_deref(), Some("at least 0.600"));
    }
}
