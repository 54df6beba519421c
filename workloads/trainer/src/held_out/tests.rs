use vedette_contract::model::{FeatureSpecification, SCHEMA};
use vedette_forest::budget::BudgetTracker;
use vedette_forest::features::Encoder;
use vedette_records::{Field, FieldNames, RecordReader};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::*;
use crate::batch::Batch;
use crate::collect::{Sampler, Split};
use crate::infer::FieldSurvey;
use crate::learn::{LearnSettings, learn};
use crate::line::LineReader;
use crate::novelty::refuse_all_new;
use crate::schema::{Kind, Schema};

const BUDGET: f64 = 5_000.;
const LEARNED: u32 = 12_000;
const SCORED: u32 = 20_000;

/// Of record and purpose alone, 0 to 1.
fn uniform(record: u32, purpose: u64) -> f64 {
    (xxh3_64_with_seed(&record.to_le_bytes(), purpose) as f64 + 0.5) / 2_f64.powi(64)
}

/// Connections, ten a second, all of one kind, with one more field. The shape is that of public bug reports.
struct Stream {
    extra: Extra,
    /// Weights of sources, summed up; a long tail.
    sources: Vec<f64>,
}

/// A field that grows or widens.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Extra {
    Nothing,
    /// The time in seconds.
    Epoch,
    /// One text a minute.
    Minute,
    /// The number of the record.
    Row,
    /// What is left of something.
    Left,
    /// Source addresses of a long tail, a quarter of which is new for ever.
    Address,
    /// Never twice.
    Session,
    /// A few that are frequent, and new ones for ever.
    User,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
impl Stream {
    fn new(extra: Extra) -> Self {
        let add = |sum: &mut f64, source: u32| {
            *sum += f64::from(source + 1).powf(-1.1);
            Some(*sum)
        };
        Self { extra, sources: (0..200_000).scan(0., add).collect() }
    }

    fn record(&self, number: u32) -> String {
        let draw = |purpose| uniform(number, purpose);
        let normal = (-2. * draw(1).ln()).sqrt() * (std::f64::consts::TAU * draw(2)).cos();
        let bytes = (7. + 1.5 * normal).exp() as u64;
        let packets = 1 + bytes / 900 + (-draw(3).ln()) as u64;
        let duration = -draw(4).ln() / 2.;
        let protocol = if draw(5) < 0.8 { "tcp" } else { "udp" };
        let service = ["http", "dns", "ssh"][usize::from(draw(6) > 0.6) + usize::from(draw(6) > 0.9)];
        let time = jiff::Timestamp::from_millisecond(1_772_355_600_000 + 100 * i64::from(number)).unwrap();
        let extra = match self.extra {
            Extra::Nothing => String::new(),
            Extra::Epoch => format!(r#","extra":{}.{}"#, time.as_second(), number % 10),
            Extra::Minute => format!(r#","extra":"2026-03-01 {:02}:{:02}:00""#, number / 36_000, number / 600 % 60),
            Extra::Row => format!(r#","extra":{}"#, number + 1),
            Extra::Left => format!(r#","extra":{}.5"#, 100_000 - number),
            Extra::Address => {
                let drawn = draw(7) * self.sources[self.sources.len() - 1];
                let source = self.sources.partition_point(|sum| *sum < drawn);
                format!(r#","extra":"10.{}.{}.{}""#, source >> 16, source >> 8 & 255, source & 255)
            }
            Extra::Session => format!(r#","extra":"s{:016x}""#, xxh3_64_with_seed(&number.to_le_bytes(), 8)),
            Extra::User => format!(r#","extra":"user{}""#, (1. / draw(9)) as u64),
        };
        format!(
            r#"{{"uuid":"{number}","utc":"{time}","bytes":{bytes},"packets":{packets},"duration":{duration:.4},"protocol":"{protocol}","service":"{service}"{extra}}}"#
        )
    }

    /// What a training of the first records makes of them, of the features that it finds or of `extra` as this.
    fn learn(&self, forced: Option<Kind>) -> Result<Scorer, TrainerError> {
        let lines: Vec<String> = (0..LEARNED).map(|number| self.record(number)).collect();
        let mut survey = FieldSurvey::default();
        lines.iter().for_each(|line| survey.add(line.as_bytes()));
        let columns = match forced {
            Some(kind) => vec![("bytes".to_owned(), Kind::Numeric), ("extra".to_owned(), kind)],
            None => survey.features(None)?.columns,
        };
        let schema = Schema::new(columns, "uuid", None, None);
        let mut sampler = Sampler::new(&schema, lines.len(), 1);
        let (mut reader, mut batch) = (LineReader::new(&schema), Batch::default());
        for line in &lines {
            reader.read(&schema, line.as_bytes(), &mut batch, String::new);
        }
        sampler.offer(&batch, &schema);
        let sample = sampler.finish(&schema, 0.2);
        let (features, once) = (sample.specification.clone(), sample.once());
        let encoder = Encoder::new(&features).unwrap();
        let Split { training, holdout, rest: _ } = sample.split(&encoder);
        refuse_all_new(&features, &training, &once, &survey.growing())?;
        let learner = Learner::defaults(Algorithm::Ensemble);
        let settings = LearnSettings { learner, seed: 1, alert_budget_per_million: BUDGET, folds: 0 };
        let learned = learn(&features, &training, &holdout, None, &settings)?;
        let mut names = FieldNames::default();
        let fields = features.columns.iter().map(|column| names.want(&column.name)).collect();
        let calibrator = Calibrator::new(&learned.calibration).unwrap();
        let reader = RecordReader::new(names);
        Ok(Scorer { reader, fields, encoder, forest: learned.forest, calibrator, calibrated_on: learned.calibrated_on })
    }
}

/// Scores as a detector does.
struct Scorer {
    reader: RecordReader,
    fields: Vec<Field>,
    encoder: Encoder,
    forest: Forest,
    calibrator: Calibrator,
    calibrated_on: CalibrationRows,
}

impl Scorer {
    fn scores(&mut self, stream: &Stream, numbers: std::ops::Range<u32>) -> Vec<f64> {
        let mut rows = Matrix::new(self.fields.len());
        for number in numbers {
            let line = stream.record(number);
            let record = self.reader.read(line.as_bytes()).unwrap();
            let row = self.fields.iter().enumerate();
            rows.push_row(
                &row.map(|(column, field)| self.encoder.encode(column, record.get(*field))).collect::<Vec<_>>(),
            );
        }
        let mut scores = Vec::new();
        self.forest.score_batch(&rows, &mut scores);
        scores.iter().map(|raw| self.calibrator.score(*raw)).collect()
    }
}

/// Alerts per million of these scores, and what they are while a tracker moves the threshold.
fn alerts_per_million(scores: &[f64]) -> [f64; 2] {
    let threshold = threshold_for_budget(BUDGET);
    let untracked = scores.iter().filter(|score| **score > threshold).count();
    let (mut tracker, mut tracked) = (BudgetTracker::new(BUDGET), 0);
    for unit in scores.chunks(500) {
        let alerts = unit.iter().filter(|score| **score > tracker.threshold()).count() as u64;
        tracker.count(unit.len() as u64, alerts);
        tracked += alerts;
    }
    [untracked as f64, tracked as f64].map(|alerts| alerts * 1e6 / scores.len() as f64)
}

#[test]
fn where_fields_widen_for_ever_half_to_twice_the_budget_alerts() {
    for extra in [Extra::Nothing, Extra::Address, Extra::User] {
        let stream = Stream::new(extra);
        let mut scorer = stream.learn(None).unwrap();
        let is_feature = scorer.encoder.columns().iter().any(|column| column.name == "extra");
        assert_eq!(is_feature, extra != Extra::Nothing);
        let alerts = alerts_per_million(&scorer.scores(&stream, LEARNED..LEARNED + SCORED));
        assert!(
            scorer.calibrated_on.newest > 2_000
                && alerts.iter().all(|alerts| (BUDGET / 2. ..=BUDGET * 2.).contains(alerts)),
            "{extra:?}: {alerts:?} a million without and with a tracker"
        );
    }
}

#[test]
fn what_only_grows_or_falls_or_never_comes_twice_is_no_feature_and_refused_where_it_is_to_be_one() {
    for (extra, forced) in [
        // Twenty minutes are ten values of such a number, which has 24 bits.
        (Extra::Epoch, (Kind::Numeric, "only grows, and by less than a model can tell apart")),
        (Extra::Minute, (Kind::Categorical, "beyond all before")),
        (Extra::Row, (Kind::Numeric, "beyond all before")),
        (Extra::Left, (Kind::Numeric, "beyond all before")),
        (Extra::Session, (Kind::Categorical, "the only one of its kind")),
    ] {
        let stream = Stream::new(extra);
        let mut survey = FieldSurvey::default();
        (0..LEARNED).for_each(|number| survey.add(stream.record(number).as_bytes()));
        let features = survey.features(None).unwrap();
        assert!(features.left_out.contains_key("extra") && features.columns.len() == 5, "{extra:?} {features:?}");
        let (kind, told) = forced;
        let refused = stream.learn(Some(kind)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains(&format!("extra ({told}")) && !refused.contains("bytes"), "{extra:?}: {refused}");
    }
}

#[test]
fn rows_are_parted_by_time_and_those_of_one_time_stay_together() {
    let made = |count: i64| (0..count).rev().map(|row| Some(row / 10)).collect::<Vec<_>>();
    let ByTime { older, newest } = by_time(&made(1_005), usize::MAX, 4).unwrap();
    assert_eq!((older.len(), newest.len()), (750, 255));
    assert!(newest.iter().all(|row| *row < 255));
    let ByTime { older, newest } = by_time(&made(1_005), 505, 4).unwrap();
    assert_eq!((older.len() + newest.len(), newest.len()), (505, 135));
    for made in [made(80), vec![Some(3); 500], [vec![None], made(500)].concat(), vec![]] {
        assert!(by_time(&made, usize::MAX, 4).is_none(), "{made:?}");
    }
}

#[test]
fn categories_that_were_not_learned_are_unseen_and_missing_ones_stay_missing() {
    let kind = ColumnKind::categorical(["a", "b", "c"].map(str::to_owned).to_vec());
    let columns =
        [Column { name: "n".to_owned(), kind: ColumnKind::numeric(0.) }, Column { name: "t".to_owned(), kind }];
    let matrix = |rows: &[[f32; 2]]| {
        let mut matrix = Matrix::new(2);
        rows.iter().for_each(|row| matrix.push_row(row));
        matrix
    };
    let rows = as_unseen(&columns, &matrix(&[[9., 0.], [9., 2.]]), &matrix(&[[1., 0.], [2., 1.], [3., 2.], [4., 3.]]));
    assert_eq!(rows, matrix(&[[1., 0.], [2., 3.], [3., 2.], [4., 3.]]));
}

#[test]
fn with_a_reference_window_what_calibrates_is_the_stream_and_the_newest_of_it() {
    let rows = |rows: u16, level: f32| {
        let mut matrix = Matrix::new(2);
        let order = (0..rows).map(|row| u32::from(row) * 7_919 % u32::from(rows));
        let made = order.map(|row| {
            matrix.push_row(&[level + f32::from(u16::try_from(row % 100).unwrap()), (row % 7) as f32]);
            Some(i64::from(row))
        });
        Rows { made: made.collect(), labels: vec![None; rows.into()], matrix }
    };
    let columns = ["a", "b"].map(|name| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) });
    let features = FeatureSpecification { schema: SCHEMA, columns: columns.to_vec() };
    let learner = Learner::defaults(Algorithm::Ensemble);
    let settings = LearnSettings { learner, seed: 1, alert_budget_per_million: 10_000., folds: 0 };
    let calibrated_on = |rest| {
        let learned = learn(&features, &rows(2_000, 0.), &rows(300, 0.), Some(&rest), &settings).unwrap();
        (learned.calibrated_on.at_random, learned.calibrated_on.newest)
    };
    assert_eq!(calibrated_on(rows(4_000, 0.)), (4_300, 1_000));
    // Of what is too little the period calibrates, too; and where nothing is left, as if there were none.
    assert_eq!(calibrated_on(rows(200, 0.)), (2_500, 50));
    assert_eq!(calibrated_on(rows(0, 0.)), (2_300, 500));
}

#[test]
#[allow(clippy::cast_possible_truncation)]
fn the_newest_have_half_of_the_weight_and_tell_of_a_stream_that_moves() {
    // A level that rises with time, of which the newest quarter is above the others.
    let mut matrix = Matrix::new(2);
    let order: Vec<u16> = (0..4_000_u32).map(|row| u16::try_from(row * 7_919 % 4_000).unwrap()).collect();
    for row in &order {
        let noise = uniform(u32::from(*row), 1) as f32;
        matrix.push_row(&[f32::from(*row) / 1_000. + 2. * noise, uniform(u32::from(*row), 2) as f32]);
    }
    let made =
        |moves: bool| order.iter().map(move |row| Some(if moves { i64::from(*row) } else { i64::from(row % 1_000) }));
    let columns = ["a", "b"].map(|name| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) });
    let calibrated = |made: Vec<Option<i64>>| {
        let training = Rows { matrix: matrix.clone(), labels: vec![None; 4_000], made };
        let none = Rows { matrix: Matrix::new(2), labels: vec![], made: vec![] };
        let features = FeatureSpecification { schema: SCHEMA, columns: columns.to_vec() };
        let learner = Learner::defaults(Algorithm::Ensemble);
        let settings = LearnSettings { learner, seed: 1, alert_budget_per_million: 10_000., folds: 0 };
        learn(&features, &training, &none, None, &settings).unwrap()
    };
    let (moves, stays) = (calibrated(made(true).collect()), calibrated(made(false).collect()));
    for learned in [&moves, &stays] {
        let CalibrationRows { at_random, newest, .. } = learned.calibrated_on;
        assert_eq!((at_random, newest, learned.calibration.rows), (4_000, 1_000, 5_000));
    }
    let newest = |rows: CalibrationRows| rows.newest_alerts_per_million.unwrap();
    assert!(newest(moves.calibrated_on) > 5. * newest(stays.calibrated_on), "{:?}", moves.calibrated_on);
    let none = calibrated(vec![None; 4_000]);
    assert_eq!((none.calibrated_on.newest, none.calibrated_on.newest_alerts_per_million), (0, None));
    assert!(none.calibrated_on.budget_error_per_million < stays.calibrated_on.budget_error_per_million);
}
