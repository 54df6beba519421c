//! What the default must reach, and how far it may stay behind others: the goals of `docs/learning.md`. All of it is deterministic.

use std::collections::BTreeMap;

use vedette_contract::learner::Algorithm;

use crate::protocols::Family;
use crate::{PEER, Quality, Table};

/// Those of which the goals are the means. Made tables are of the first alone.
const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];
/// How many of them are held against the goals; the first two are below one.
const HELD: [usize; 3] = [1, 3, 6];
const FLOORS: [Floor; 10] = [
    // It hangs on one dense attack, and is lower on the second seed than on the others.
    Floor { set: "KDD SA", auroc: 0.99, auprc: 0., recall: 0.7 },
    Floor { set: "KDD SF", auroc: 0.985, auprc: 0., recall: 0.6 },
    Floor { set: "KDD http", auroc: 0.987, auprc: 0., recall: 0.2 },
    Floor { set: "KDD corrected", auroc: 0.953, auprc: 0., recall: 0. },
    Floor { set: "mean of 23 sets", auroc: 0.76, auprc: 0.41, recall: 0. },
    Floor { set: "mean of 27 with dependence", auroc: 0., auprc: 0.69, recall: 0.56 },
    Floor { set: "turbine-like", auroc: 0., auprc: 0., recall: 0.95 },
    Floor { set: "pump-like", auroc: 0., auprc: 0., recall: 0.95 },
    Floor { set: "mean of 600 stress sets", auroc: 0., auprc: 0.45, recall: 0. },
    // One in 21 of them.
    Floor { set: "mean of 29 stress sets", auroc: 0., auprc: 0.45, recall: 0. },
];
const SA_OF_ALL_SEEDS: Floor = Floor { set: "KDD SA", auroc: 0.99, auprc: 0., recall: 0.8 };
/// A stress set is far behind where its average precision is so much below that of the isolation forest with pooled gain; one in so many
/// may be.
const FAR_BEHIND: f64 = 0.2;
const ONE_IN: usize = 60;
/// Recall may be so much below the peer's where there are so many anomalies.
const BEHIND_PEER: f64 = 0.1;
const ENOUGH_ANOMALIES: usize = 30;

/// A set that was measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Its name in the table.
    pub name: String,
    /// Its family.
    pub family: Family,
    /// How many scored rows of the last seed are anomalies.
    pub anomalies: usize,
}

/// At least so much.
struct Floor {
    set: &'static str,
    auroc: f64,
    auprc: f64,
    recall: f64,
}

/// The goals that the default did not reach; none where other seeds were taken.
pub(crate) fn not_reached(table: &Table, measured: &[Measured], seeds: &[u64]) -> Vec<String> {
    if !SEEDS.starts_with(seeds) || !HELD.contains(&seeds.len()) {
        return Vec::new();
    }
    let of_all = (seeds.len() == SEEDS.len()).then_some(&SA_OF_ALL_SEEDS);
    let floors = FLOORS.iter().chain(of_all).filter_map(|floor| floor.not_reached(table));
    floors.chain(far_behind(table, measured)).chain(behind_peer(table, measured)).collect()
}

impl Floor {
    fn not_reached(&self, table: &Table) -> Option<String> {
        let Self { set, auroc, auprc, recall } = *self;
        let reached = ours(table.get(set)?)?;
        let is_below = reached.auroc < auroc || reached.auprc < auprc || reached.recall_at_1pct < recall;
        is_below
            .then(|| format!("Ensemble on {set} fell below AUROC {auroc}, AUPRC {auprc}, recall {recall}: {reached:?}"))
    }
}

fn far_behind(table: &Table, measured: &[Measured]) -> Option<String> {
    let stress = measured.iter().filter(|set| set.family == Family::Stress);
    let compared: Vec<(&str, bool)> =
        stress.filter_map(|set| Some((set.name.as_str(), is_far_behind(table.get(&set.name)?)?))).collect();
    let far: Vec<&str> = compared.iter().filter(|(_, is_far)| *is_far).map(|(name, _)| *name).collect();
    let most = compared.len().div_ceil(ONE_IN);
    (far.len() > most).then(|| {
        format!("more than {most} stress sets are {FAR_BEHIND} below IsolationForest in AUPRC: {}", far.join(", "))
    })
}

fn is_far_behind(rows: &BTreeMap<String, Quality>) -> Option<bool> {
    let pooled = rows.get(Algorithm::IsolationForest.as_str())?;
    Some(ours(rows)?.auprc < pooled.auprc - FAR_BEHIND)
}

fn behind_peer(table: &Table, measured: &[Measured]) -> Vec<String> {
    let labelled = measured.iter().filter(|set| matches!(set.family, Family::Kdd | Family::Adbench));
    let of = |set: &Measured| {
        let rows = table.get(&set.name)?;
        let (reached, theirs) = (ours(rows)?.recall_at_1pct, rows.get(PEER)?.recall_at_1pct);
        let is_behind = reached < theirs - BEHIND_PEER;
        is_behind.then(|| format!("Ensemble on {} has recall {reached:.3}, and {PEER} {theirs:.3}", set.name))
    };
    labelled.filter(|set| set.anomalies >= ENOUGH_ANOMALIES).filter_map(of).collect()
}

fn ours(rows: &BTreeMap<String, Quality>) -> Option<Quality> {
    rows.get(Algorithm::Ensemble.as_str()).copied()
}
