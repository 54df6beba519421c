//! What tests share: a small real model of two numeric features and a categorical one, one of them calculated; and a broker with a
//! topic of one partition, and its reader.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use vedette_contract::ModelVersion;
use vedette_contract::arguments::ProcessingGuarantee;
use vedette_contract::fields::Reason;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, SCHEMA};
use vedette_forest::{Learner, Matrix, Model, artifact, calibration, fit, with_usual};
use vedette_service::{Readiness, Shutdown};
use vedette_streams::kafka::group::{self, GroupConsumer};
use vedette_streams::kafka::place::at_offset;
use vedette_streams::kafka::{Isolation, KafkaSettings, Watch};
use vedette_testing::TestBroker;

use crate::delivery::DeliveryContext;
use crate::readiness::BROKER;
use crate::unit::UnitOfWork;

pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A reason of which only this is known.
pub(crate) fn reason(field: &str, share: f64) -> Reason {
    Reason { field: field.to_owned(), share, value: None, direction: None, usual: None, expected: None }
}

/// A model that finds `total_bytes` far above 600, and its version and files.
pub(crate) fn model_files() -> (ModelVersion, BTreeMap<String, Vec<u8>>) {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let columns = vec![
        column("duration", ColumnKind::numeric(5.0)),
        column("total_bytes", ColumnKind::numeric(500.0)),
        column("service", ColumnKind::categorical(vec!["http".to_owned(), "smtp".to_owned()])),
    ];
    let mut rows = Matrix::new(columns.len());
    for number in 0..1000u16 {
        let bytes = if number < 3 { 50_000.0 } else { 400.0 + f32::from(number % 200) };
        rows.push_row(&[f32::from(number % 10), bytes, f32::from(number % 2)]);
    }
    let forest = fit(&Learner::defaults(Algorithm::Ensemble), &rows, &columns, &[], 7).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let calibration = calibration::calibrate(scores).unwrap();
    let packed = artifact::pack(
        &forest,
        &FeatureSpecification { schema: SCHEMA, columns: with_usual(&columns, &rows) },
        &calibration,
    )
    .unwrap();
    let at = "2026-11-23T08:42:10Z".parse().unwrap();
    (ModelVersion::new(at, &packed.content_sha256).unwrap(), packed.files)
}

pub(crate) fn model() -> (ModelVersion, Model) {
    let (version, files) = model_files();
    let manifest = artifact::manifest_for(version.clone(), &files);
    (version, Model::from_files(&files, &manifest).unwrap())
}

/// A broker with the topic `s`, which has one partition, and a consumer of it.
pub(crate) struct Stream {
    pub(crate) consumer: GroupConsumer,
    settings: KafkaSettings,
    _broker: TestBroker,
}

impl Stream {
    pub(crate) async fn start() -> Self {
        let broker = TestBroker::with_topics(&["s:partitions=1,retention.ms=-1"]).await;
        let settings = broker.settings("test");
        let consumer =
            group::create(&settings.consumer("detectors", Isolation::ReadCommitted), settings.context()).unwrap();
        Self { consumer, settings, _broker: broker }
    }

    /// So many records.
    pub(crate) fn produce(&self, count: usize) {
        let producer: BaseProducer = self.settings.producer().create().unwrap();
        for number in 0..count {
            let value = format!(r#"{{"uuid":"u{number}"}}"#);
            producer.send(BaseRecord::<(), _>::to("s").partition(0).payload(&value)).map_err(|it| it.0).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    pub(crate) fn read_from(&self, offset: i64) {
        self.consumer.assign(&at_offset("s", 0, offset).unwrap()).unwrap();
    }

    /// A unit of work whose producer is not known to Kafka yet.
    pub(crate) fn unit(&self, guarantee: ProcessingGuarantee) -> UnitOfWork {
        let config = match guarantee {
            ProcessingGuarantee::ExactlyOnce => self.settings.transactional_producer("detector-0"),
            ProcessingGuarantee::AtLeastOnce => self.settings.producer(),
        };
        let producer = config.create_with_context(DeliveryContext::new(self.settings.context())).unwrap();
        let (topic, outputs) = ("s".parse().unwrap(), ["e", "a", "d"].map(|name| name.parse().unwrap()));
        let readiness = Readiness::new(&[BROKER]);
        UnitOfWork::new(producer, guarantee, (topic, outputs), Watch::default(), readiness, Shutdown::new())
    }
}
