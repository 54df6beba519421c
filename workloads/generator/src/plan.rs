//! What a generator is to do: its arguments, checked once.

use thiserror::Error;
use vedette_contract::arguments::{GeneratorArguments, GeneratorMode, KeyValue};
use vedette_contract::kafka_property::refusal_by_generators;
use vedette_records::Label;

use vedette_datasets::DatasetSettings;
use vedette_datasets::columns::{LABEL, NORMAL};

/// Share of anomalous records where none is asked for and the records have a label.
pub(crate) const DEFAULT_ANOMALY_FRACTION: f64 = 0.005;

/// Arguments that do not go together.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PlanError {
    /// Not a rate.
    #[error("--records-per-second is {given}: it must be greater than 0")]
    Rate { given: f64 },
    /// Not a share.
    #[error("--anomaly-fraction is {given}: it must be from 0 to 1")]
    Fraction { given: f64 },
    /// Sequential takes the rows as they are.
    #[error("--anomaly-fraction is for mode Random: mode Sequential takes the data set as it is")]
    FractionOfSequential,
    /// The simulator has no end.
    #[error("mode Sequential needs --dataset-object: the simulator has no last record")]
    SequentialSimulator,
    /// The simulator's label is what it is.
    #[error(
        "the simulator's label is field {LABEL:?}, where {NORMAL:?} means normal: leave --label-field and --normal-label out"
    )]
    SimulatorLabel,
    /// Normal labels of no field.
    #[error("--normal-label needs --label-field, or a data set with KDD Cup 99's columns and no --normal-label")]
    NormalLabelsWithoutField,
    /// By which records would be lost, or twice.
    #[error(
        "the Kafka property {name:?} cannot be given to a generator: {instead}; take it from kafka.properties of the site"
    )]
    Property {
        /// As it was given.
        name: String,
        /// Why not.
        instead: &'static str,
    },
}

/// What to generate, and how fast.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Where the records come from.
    pub(crate) source: SourcePlan,
    /// Finite and greater than 0.
    pub(crate) records_per_second: f64,
    /// Seed of everything random but the uuids of mode Random.
    pub(crate) seed: u64,
}

/// Where the records come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SourcePlan {
    /// The simulator, for ever.
    Simulator {
        /// Share of attacks, 0 to 1.
        anomaly_fraction: f64,
    },
    /// A data set in the bucket.
    Dataset {
        /// Its full key.
        key: String,
        /// What is known of it.
        settings: DatasetSettings,
        /// In which order its rows come.
        walk: Walk,
    },
}

/// In which order the rows of a data set come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Walk {
    /// At random, for ever.
    Random {
        /// Share of anomalous records, 0 to 1, where one was asked for.
        anomaly_fraction: Option<f64>,
    },
    /// Every row once, in order.
    Sequential,
}

impl Plan {
    /// Checks the arguments that say what to generate.
    ///
    /// # Errors
    /// When a number is out of range or arguments do not go together.
    pub(crate) fn new(arguments: &GeneratorArguments) -> Result<Self, PlanError> {
        let GeneratorArguments {
            kafka,
            service: _,
            bucket: _,
            topic: _,
            max_message_bytes: _,
            records_per_second,
            mode,
            anomaly_fraction,
            dataset_object,
            dataset,
            calculated_names,
            label_field,
            normal_labels,
            seed,
        } = arguments;
        for KeyValue { key, .. } in &kafka.kafka_properties {
            if let Some(instead) = refusal_by_generators(key) {
                return Err(PlanError::Property { name: key.clone(), instead });
            }
        }
        if !(records_per_second.is_finite() && *records_per_second > 0.0) {
            return Err(PlanError::Rate { given: *records_per_second });
        }
        if let Some(given) = anomaly_fraction.filter(|fraction| !(0.0..=1.0).contains(fraction)) {
            return Err(PlanError::Fraction { given });
        }
        let walk = match mode {
            GeneratorMode::Random => Walk::Random { anomaly_fraction: *anomaly_fraction },
            GeneratorMode::Sequential if anomaly_fraction.is_some() => return Err(PlanError::FractionOfSequential),
            GeneratorMode::Sequential => Walk::Sequential,
        };
        let source = match (dataset_object, walk) {
            (None, Walk::Sequential) => return Err(PlanError::SequentialSimulator),
            (None, Walk::Random { anomaly_fraction }) => {
                let same_field = label_field.as_deref().is_none_or(|field| field == LABEL);
                if !same_field || normal_labels.iter().any(|label| label != NORMAL) {
                    return Err(PlanError::SimulatorLabel);
                }
                SourcePlan::Simulator { anomaly_fraction: anomaly_fraction.unwrap_or(DEFAULT_ANOMALY_FRACTION) }
            }
            (Some(_), _) if label_field.is_none() && !normal_labels.is_empty() => {
                return Err(PlanError::NormalLabelsWithoutField);
            }
            (Some(key), walk) => {
                let settings = DatasetSettings {
                    format: dataset.clone(),
                    label: label_field.as_ref().map(|field| Label::new(field, normal_labels)),
                    calculated_names: calculated_names.clone(),
                };
                SourcePlan::Dataset { key: key.clone(), settings, walk }
            }
        };
        Ok(Self { source, records_per_second: *records_per_second, seed: *seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    const REQUIRED: [&str; 9] = [
        "vedette-generator",
        "--bootstrap-servers=localhost:9092",
        "--pod-name=generator-0",
        "--bucket=vedette",
        "--access-key-id=user",
        "--secret-access-key=secret",
        "--topic=sensor_messages",
        "--seed=1",
        "--records-per-second=10",
    ];

    fn plan(more: &[&str]) -> Result<Plan, PlanError> {
        Plan::new(&GeneratorArguments::try_parse_from(REQUIRED.iter().chain(more)).unwrap())
    }

    #[test]
    fn the_simulator_has_half_a_percent_of_attacks_unless_told() {
        let fraction = |more: &[&str]| match plan(more).unwrap().source {
            SourcePlan::Simulator { anomaly_fraction } => anomaly_fraction,
            SourcePlan::Dataset { .. } => panic!("not the simulator"),
        };
        assert!((fraction(&["--mode=Random"]) - 0.005).abs() < f64::EPSILON);
        assert!((fraction(&["--mode=Random", "--anomaly-fraction=0.2"]) - 0.2).abs() < f64::EPSILON);
        assert!((fraction(&["--mode=Random", "--label-field=label", "--normal-label=normal."]) - 0.005).abs() < 1e-9);
    }

    #[test]
    fn a_data_set_is_walked_as_asked() {
        let source = |more: &[&str]| plan(&[&["--dataset-object=a/b.csv"], more].concat()).unwrap().source;
        let with = |label, walk| {
            let settings = DatasetSettings { label, ..DatasetSettings::default() };
            SourcePlan::Dataset { key: "a/b.csv".to_owned(), settings, walk }
        };
        assert_eq!(source(&["--mode=Sequential"]), with(None, Walk::Sequential));
        let label = Some(Label::new("kind", ["ok", "fine"]));
        assert_eq!(
            source(&["--mode=Random", "--label-field=kind", "--normal-label=ok", "--normal-label=fine"]),
            with(label, Walk::Random { anomaly_fraction: None })
        );
    }

    #[test]
    fn arguments_that_do_not_go_together_are_refused() {
        let object = "--dataset-object=x";
        for (more, expected) in [
            (vec!["--mode=Sequential"], PlanError::SequentialSimulator),
            (vec!["--mode=Sequential", object, "--anomaly-fraction=0.1"], PlanError::FractionOfSequential),
            (vec!["--mode=Random", "--anomaly-fraction=1.5"], PlanError::Fraction { given: 1.5 }),
            (vec!["--mode=Random", "--label-field=kind"], PlanError::SimulatorLabel),
            (vec!["--mode=Random", object, "--normal-label=ok"], PlanError::NormalLabelsWithoutField),
        ] {
            assert_eq!(plan(&more).unwrap_err(), expected, "{more:?}");
        }
        for property in ["message.timeout.ms=60000", "delivery.timeout.ms=60000", "max.in.flight=5"] {
            let error = plan(&["--mode=Random", &format!("--kafka-property={property}")]).unwrap_err().to_string();
            assert!(error.contains(property.split('=').next().unwrap()), "{error}");
        }
        for rate in ["0", "-1", "NaN", "inf"] {
            let mut arguments = GeneratorArguments::try_parse_from(REQUIRED.iter().chain(&["--mode=Random"])).unwrap();
            arguments.records_per_second = rate.parse().unwrap();
            assert!(matches!(Plan::new(&arguments), Err(PlanError::Rate { .. })), "{rate}");
        }
    }
}
