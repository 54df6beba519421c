//! What a detector tells, and a notifier.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::distribution::Compared;
use vedette_contract::health::{
    DetectorHealth, FeatureHealth, Gap, Health, HealthComponent, NotifierHealth, RecentFeatures, StabilityHealth,
    UnusableFile,
};

/// That of a detector of the site `east` whose records lack a feature and are not as those of the training, and that found 500
/// records of its input lost.
pub fn lacks(feature: &str, now: Timestamp) -> Health {
    let seen = FeatureHealth { missing: 100, unseen: 0, usually_missing: Some(0.0) };
    let gap = Gap { topic: "sensor_messages".parse().unwrap(), partition: 0, start: 100, end: 600, found_at: now };
    Health {
        site: "east".parse().unwrap(),
        pod: "flows-detector".to_owned(),
        component: HealthComponent::Detector,
        started_at: now - SignedDuration::from_hours(1),
        updated_at: now,
        topics: Vec::new(),
        gaps: vec![gap],
        unready: Vec::new(),
        detector: Some(DetectorHealth {
            alerts: 0,
            dead_letters: std::collections::BTreeMap::new(),
            refused_records: 0,
            threshold: 0.5,
            budget: None,
            model_version: Some("20261123T084210Z-1a2b3c4d".parse().unwrap()),
            recent: RecentFeatures { records: 100, features: [(feature.to_owned(), seen)].into() },
            stability: Some(StabilityHealth {
                records: 1_000,
                scores: Compared { counts: vec![50, 950], expected: vec![0.5, 0.5] },
                features: [(feature.to_owned(), Compared { counts: vec![0, 0, 1_000], expected: vec![0.5, 0.5, 0.] })]
                    .into(),
            }),
        }),
        notifier: None,
    }
}

/// That of a notifier of the site `east` whose receiver needs a file that is not there.
pub fn lacks_file(receiver: &str, file: &str, now: Timestamp) -> Health {
    let unusable = UnusableFile { receiver: receiver.parse().unwrap(), file: file.into(), wrong: None };
    Health {
        site: "east".parse().unwrap(),
        pod: "flows-notifier".to_owned(),
        component: HealthComponent::Notifier,
        started_at: now - SignedDuration::from_hours(1),
        updated_at: now,
        topics: Vec::new(),
        gaps: Vec::new(),
        unready: Vec::new(),
        detector: None,
        notifier: Some(NotifierHealth { unusable_files: vec![unusable] }),
    }
}
