//! Tests of the tables and of what is drawn from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::profile::Draw;
use super::*;
use vedette_datasets::columns::NORMAL;

fn records(seed: u64, anomaly_fraction: f64, count: usize) -> Vec<Value> {
    let mut simulator = Simulator::new(seed, anomaly_fraction);
    let mut draw_one = || {
        let mut object = Vec::new();
        simulator.append_members(&mut object);
        object[0] = b'{';
        object.push(b'}');
        serde_json::from_slice(&object).unwrap()
    };
    (0..count).map(|_| draw_one()).collect()
}

fn labels(records: &[Value]) -> BTreeMap<&str, usize> {
    let mut labels = BTreeMap::new();
    for record in records {
        *labels.entry(record["label"].as_str().unwrap()).or_default() += 1;
    }
    labels
}

fn mean(records: &[Value], label: &str, column: Column) -> f64 {
    let of_the_label = || records.iter().filter(|record| record["label"] == label);
    of_the_label().map(|record| record[column.name()].as_f64().unwrap()).sum::<f64>() / of_the_label().count() as f64
}

#[test]
fn a_record_has_the_41_columns_in_order_and_a_label() {
    let mut object = Vec::new();
    Simulator::new(1, 0.5).append_members(&mut object);
    let text = String::from_utf8(object).unwrap();
    let positions: Vec<usize> = Column::ALL
        .into_iter()
        .map(|column| text.find(&format!(",\"{}\":", column.name())).unwrap())
        .chain([text.find(",\"label\":").unwrap()])
        .collect();
    assert!(positions.is_sorted());
    assert_eq!(text.matches("\":").count(), 42);
}

#[test]
fn the_seed_decides_every_record() {
    assert_eq!(records(7, 0.1, 500), records(7, 0.1, 500));
    assert_ne!(records(7, 0.1, 500), records(8, 0.1, 500));
}

#[test]
fn the_share_of_attacks_is_kept() {
    for fraction in [0.0, 0.005, 0.3, 1.0] {
        let records = records(1, fraction, 40_000);
        let attacks = records.iter().filter(|record| record["label"] != NORMAL).count();
        let share = attacks as f64 / records.len() as f64;
        let tolerance = 4.0 * (fraction * (1.0 - fraction) / records.len() as f64).sqrt();
        assert!((share - fraction).abs() <= tolerance, "{fraction}: {share}");
    }
}

#[test]
fn every_kind_of_attack_comes_with_its_share() {
    let records = records(1, 1.0, 20_000);
    let labels = labels(&records);
    assert_eq!(labels.len(), ATTACKS.len());
    for attack in ATTACKS {
        let percent = labels[attack.label] as f64 * 100.0 / records.len() as f64;
        assert!((percent - attack.percent).abs() < 1.0, "{}: {percent}", attack.label);
    }
}

#[test]
fn every_service_of_normal_traffic_comes() {
    let records = records(1, 0.0, 50_000);
    assert_eq!(labels(&records).into_keys().collect::<Vec<_>>(), [NORMAL]);
    let drawn: BTreeSet<&str> = records.iter().map(|record| record["service"].as_str().unwrap()).collect();
    let documented: BTreeSet<&str> =
        NORMAL_TRAFFIC.iter().flat_map(|kind| kind.services.iter().map(|(_, (_, service))| *service)).collect();
    assert_eq!(drawn, documented);
}

#[test]
fn values_keep_to_their_columns() {
    for record in records(3, 0.5, 20_000) {
        for column in Column::ALL {
            let value = &record[column.name()];
            match column {
                Column::ProtocolType | Column::Service | Column::Flag => assert!(!value.as_str().unwrap().is_empty()),
                _ => {
                    let (smallest, largest) = column.range();
                    let number = value.as_f64().unwrap();
                    assert!((smallest..=largest).contains(&number), "{} {number}", column.name());
                    assert!(column.is_rate() || value.is_u64(), "{} {value}", column.name());
                }
            }
        }
    }
}

#[test]
fn kinds_differ_as_the_tables_say() {
    let records = records(5, 0.5, 40_000);
    let mean = |label, column| mean(&records, label, column);
    assert!(mean("smurf.", Column::Count) > 400.0);
    assert!((mean("teardrop.", Column::WrongFragment) - 3.0).abs() < 1e-9);
    assert!(mean("neptune.", Column::SerrorRate) > 0.7 && mean(NORMAL, Column::SerrorRate) < 0.05);
    assert!(mean("guess_passwd.", Column::NumFailedLogins) >= 1.0 && mean(NORMAL, Column::NumFailedLogins) < 0.01);
    assert!((mean(NORMAL, Column::LoggedIn) - 0.75).abs() < 0.05, "{}", mean(NORMAL, Column::LoggedIn));
}

#[test]
fn the_tables_are_whole() {
    for kinds in [NORMAL_TRAFFIC, ATTACKS] {
        assert!((kinds.iter().map(|kind| kind.percent).sum::<f64>() - 100.0).abs() < 1e-9);
        for kind in kinds {
            assert!(!kind.services.is_empty() && !kind.flags.is_empty(), "{}", kind.name);
            let texts = kind.services.iter().flat_map(|(_, (protocol, service))| [protocol, service]);
            let texts = texts.chain(kind.flags.iter().map(|(_, flag)| flag)).chain([&kind.label]);
            for text in texts {
                // They are written into JSON as they are.
                assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'), "{text}");
            }
            let mut drawn = BTreeSet::new();
            for (column, draw) in kind.window.iter().chain(kind.values) {
                if let Draw::Times(earlier, _, _) = draw {
                    assert!(drawn.contains(&(*earlier as usize)), "{}: {}", kind.name, column.name());
                }
                drawn.insert(*column as usize);
            }
        }
    }
}

#[test]
fn each_distribution_has_its_moments() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut sample = |draw: Draw| {
        let mut drawn = [0.0; 41];
        drawn[Column::Count as usize] = 10.0;
        let mut values: Vec<f64> = (0..20_000).map(|_| draw.sample(&mut random, &drawn)).collect();
        values.sort_by(f64::total_cmp);
        (values.iter().sum::<f64>() / values.len() as f64, values[values.len() / 2])
    };
    let near = |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 0.05, "{value} {expected}");
    near(sample(Draw::Fixed(3.0)).0, 3.0);
    near(sample(Draw::Uniform(2.0, 4.0)).0, 3.0);
    near(sample(Draw::LogNormal(50.0, 0.5)).1, 50.0);
    near(sample(Draw::LogNormal(50.0, 0.5)).0, 50.0 * (0.5f64 * 0.5 / 2.0).exp());
    near(sample(Draw::Exponential(7.0)).0, 7.0);
    near(sample(Draw::Chance(0.3)).0, 0.3);
    near(sample(Draw::Mix(&[(3.0, Draw::Fixed(0.0)), (1.0, Draw::Fixed(8.0))])).0, 2.0);
    near(sample(Draw::Times(Column::Count, 0.5, 1.5)).0, 10.0);
}
