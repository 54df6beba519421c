//! Partitions that stand still at their end. Behind the last alert stand the marks of transactions, which nobody hands over: who stays
//! before them would seem to lose alerts once retention has deleted them.

use std::collections::BTreeMap;

use vedette_streams::kafka::standing::Standing;

/// Where the partitions at their end stood when the client told last.
#[derive(Debug, Default)]
pub(crate) struct Still(BTreeMap<i32, i64>);

impl Still {
    /// Those that stand at the end at which they stood before, and where: what is told twice, some seconds apart, has no alert on its
    /// way any more.
    pub(crate) fn stands(&mut self, standings: &[Standing]) -> Vec<(i32, i64)> {
        let at_end = standings.iter().filter(|standing| standing.next == standing.end);
        let now = at_end.map(|standing| (standing.partition, standing.end)).collect();
        let before = std::mem::replace(&mut self.0, now);
        self.0
            .iter()
            .map(|(partition, end)| (*partition, *end))
            .filter(|(of, end)| before.get(of) == Some(end))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_counts_when_it_is_told_twice_in_a_row() {
        let mut still = Still::default();
        let mut stands = |standings: &[(i32, i64, i64)]| {
            let standing = |(partition, next, end): &(i32, i64, i64)| Standing {
                topic: "alerts".to_owned(),
                partition: *partition,
                low: 0,
                end: *end,
                next: *next,
            };
            still.stands(&standings.iter().map(standing).collect::<Vec<_>>())
        };
        assert_eq!(stands(&[(0, 9, 9), (1, 3, 9)]), []);
        assert_eq!(stands(&[(0, 9, 9), (1, 9, 9)]), [(0, 9)]);
        assert_eq!(stands(&[(0, 9, 12), (1, 9, 9)]), [(1, 9)]);
        assert_eq!(stands(&[(0, 12, 12), (1, 10, 10)]), []);
    }
}
