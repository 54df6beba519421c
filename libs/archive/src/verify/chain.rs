//! The chain of a partition's objects: each begins where one before it ends. A recreated topic begins a chain of its
//! own, whose offsets start over, so the objects of several chains may lie side by side.

use jiff::civil::Date;

use super::{Fault, Finding};

/// One object: records from `start` to before `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) day: Date,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) key: String,
}

/// A chain of one generation of the topic.
struct Chain {
    start: i64,
    end: i64,
    last_key: String,
}

/// Joins the objects of one partition and names those that join nothing.
///
/// An object that no chain leads to begins a generation of the topic if it is the oldest that is kept, or if it starts
/// at offset 0 or where another generation starts. Otherwise, records before it are missing, or are in two objects.
pub(super) fn broken_links(mut links: Vec<Link>) -> Vec<Finding> {
    let oldest = links.iter().min_by_key(|link| (link.day, link.start)).map(|link| link.start);
    links.sort_unstable_by(|a, b| (a.start, a.end, &a.key).cmp(&(b.start, b.end, &b.key)));
    let mut chains: Vec<Chain> = Vec::new();
    let mut findings = Vec::new();
    for Link { day: _, start, end, key } in links {
        let is_new = start == 0 || oldest == Some(start) || chains.iter().any(|chain| chain.start == start);
        if let Some(chain) = chains.iter_mut().find(|chain| chain.end == start) {
            (chain.end, chain.last_key) = (end, key);
        } else if is_new {
            chains.push(Chain { start, end, last_key: key });
        } else if let Some(chain) = chains.iter_mut().filter(|chain| chain.end < start).max_by_key(|chain| chain.end) {
            let what =
                format!("offsets {} to {} are in no object; {} ends before them", chain.end, start - 1, chain.last_key);
            findings.push(Finding { key: key.clone(), fault: Fault::Gap, what });
            (chain.end, chain.last_key) = (end, key);
        } else if let Some(chain) = chains.iter_mut().min_by_key(|chain| chain.end) {
            let what = format!("it starts at offset {start}, and {} ends at {}", chain.last_key, chain.end);
            findings.push(Finding { key: key.clone(), fault: Fault::Overlap, what });
            if end > chain.end {
                (chain.end, chain.last_key) = (end, key);
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(day: i8, start: i64, end: i64) -> Link {
        Link { day: jiff::civil::date(2026, 11, day), start, end, key: format!("{start:020}") }
    }

    fn faults_of(links: Vec<Link>) -> Vec<(Fault, i64)> {
        broken_links(links).into_iter().map(|finding| (finding.fault, finding.key.parse().unwrap())).collect()
    }

    fn faults(links: &[(i64, i64)]) -> Vec<(Fault, i64)> {
        faults_of(links.iter().map(|(start, end)| link(23, *start, *end)).collect())
    }

    #[test]
    fn a_missing_object_is_a_gap_and_is_named_once() {
        assert_eq!(faults(&[(0, 5), (9, 12), (12, 20)]), [(Fault::Gap, 9)]);
        let finding = &broken_links(vec![link(23, 0, 5), link(23, 9, 12)])[0];
        assert!(finding.what.contains("offsets 5 to 8 "), "{}", finding.what);
    }

    #[test]
    fn an_object_that_starts_too_early_overlaps() {
        assert_eq!(faults(&[(0, 5), (3, 9), (9, 10)]), [(Fault::Overlap, 3)]);
    }

    #[test]
    fn an_archive_may_begin_anywhere() {
        assert_eq!(faults(&[(700, 900), (900, 950)]), []);
    }

    #[test]
    fn a_recreated_topic_is_a_chain_of_its_own() {
        assert_eq!(faults(&[(0, 5), (5, 9), (0, 3), (3, 40), (40, 41)]), []);
        let begun_late = vec![link(23, 500, 900), link(23, 900, 1000), link(24, 0, 3), link(24, 3, 4)];
        assert_eq!(faults_of(begun_late), []);
        assert_eq!(faults(&[(0, 5), (5, 9), (0, 3), (4, 40)]), [(Fault::Gap, 4)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whole_chains_have_no_fault_and_a_hole_is_found(
            lengths in proptest::collection::vec(1..50i64, 3..20), other in proptest::collection::vec(50..60i64, 0..5), hole in 1..2usize,
        ) {
            let chain = |lengths: &[i64]| {
                let mut start = 0;
                lengths.iter().map(|length| { start += length; (start - length, start) }).collect::<Vec<_>>()
            };
            let mut links = chain(&lengths);
            let whole = [links.clone(), chain(&other)].concat();
            prop_assert_eq!(faults(&whole), []);
            let hole = hole.min(links.len() - 2);
            let (_, end) = links.remove(hole);
            prop_assert_eq!(faults(&links), [(Fault::Gap, end)]);
        }
    }
}
