//! The space of a search: what each hyper-parameter may be, whether that makes a space that can be searched, and how it is
//! written on a command line.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SearchAlgorithm;
use crate::learner::Algorithm;
use crate::parameters::{PARAMETERS, Parameter, Parameters, Setting, Values};

/// Combinations that are counted; more are as good as infinite.
const MOST: u64 = 1 << 53;

/// What one hyper-parameter may be: some values, or a range of numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterSpace {
    /// These.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Setting>,
    /// From this number on,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// up to this one,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// by so much; of whole numbers 1 where it is omitted, of others any between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
}

/// A hyper-parameter and what it may be, as a command line has it: `trees=50,100`, `maxDepth=4..16/4`.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchParameter {
    /// Its name in the API.
    pub name: String,
    /// What it may be.
    pub space: ParameterSpace,
}

/// What is wrong with a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceFault {
    /// Which field below `spec.search`, such as `parameters.trees`.
    pub path: String,
    /// What it is.
    pub value: String,
    /// What is wrong with it and what to write instead.
    pub hint: String,
}

/// What a parameter may be in a space in which nothing is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Dimension {
    /// One of these.
    Listed(Vec<Setting>),
    /// A whole number: the first, and so many steps.
    Counts {
        /// The smallest.
        min: i32,
        /// From one to the next.
        step: i32,
        /// How many there are.
        count: u64,
    },
    /// A number: the first, and so many steps.
    Steps {
        /// The smallest.
        min: f64,
        /// From one to the next.
        step: f64,
        /// How many there are.
        count: u64,
    },
    /// Any number between these.
    Numbers {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
}

/// A space that can be searched.
#[derive(Debug, Clone)]
pub struct SearchSpace {
    fixed: Parameters,
    dimensions: Vec<(&'static Parameter, Dimension)>,
}

impl SearchSpace {
    /// The space of an algorithm's parameters around those that are fixed, if a search of it has an end.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(
        learner: Algorithm,
        fixed: &Parameters,
        parameters: &BTreeMap<String, ParameterSpace>,
        (algorithm, max_trials): (SearchAlgorithm, u64),
    ) -> Result<Self, Vec<SpaceFault>> {
        let (mut faults, mut dimensions) = (Vec::new(), Vec::new());
        if parameters.is_empty() {
            let hint = "is an empty space: name a parameter, and the values to try";
            faults.push(SpaceFault { path: "parameters".to_owned(), value: "{}".to_owned(), hint: hint.to_owned() });
        }
        let given: Vec<&str> = fixed.given().iter().map(|(parameter, _)| parameter.name).collect();
        for (name, space) in parameters {
            let parameter = PARAMETERS.iter().find(|parameter| parameter.name == name);
            match dimension(learner, &given, parameter, name, space) {
                Ok(dimension) => dimensions.push(dimension),
                Err((field, hint)) => {
                    let path = format!("parameters.{name}{field}");
                    faults.push(SpaceFault { path, value: space.to_string(), hint });
                }
            }
        }
        let space = Self { fixed: *fixed, dimensions };
        if faults.is_empty() {
            faults.extend(space.endless(algorithm, max_trials));
        }
        if faults.is_empty() { Ok(space) } else { Err(faults) }
    }

    /// What keeps a grid from having an end that is near enough.
    fn endless(&self, algorithm: SearchAlgorithm, max_trials: u64) -> Option<SpaceFault> {
        match algorithm {
            SearchAlgorithm::Random => None,
            SearchAlgorithm::Grid => match self.size() {
                Some(size) if size <= max_trials => None,
                Some(size) => Some(SpaceFault {
                    path: "maxTrials".to_owned(),
                    value: max_trials.to_string(),
                    hint: format!(
                        "the grid has {size} combinations: raise it, take values away, or choose the algorithm Random"
                    ),
                }),
                None => {
                    let endless = self.dimensions.iter().find(|(_, dimension)| dimension.len().is_none());
                    let (path, value, what) = endless.map_or_else(
                        || {
                            (
                                "maxTrials".to_owned(),
                                max_trials.to_string(),
                                "the grid has too many combinations to count",
                            )
                        },
                        |(parameter, dimension)| {
                            (format!("parameters.{}", parameter.name), dimension.to_string(), "makes the grid infinite")
                        },
                    );
                    let hint = format!("{what}: give values or a step, or choose the algorithm Random");
                    Some(SpaceFault { path, value, hint })
                }
            },
        }
    }

    /// How many combinations there are; none where there is no end to them.
    pub fn size(&self) -> Option<u64> {
        let mut sizes = self.dimensions.iter().map(|(_, dimension)| dimension.len());
        sizes.try_fold(1, |product: u64, size| product.checked_mul(size?).filter(|product| *product <= MOST))
    }

    /// The parameters that are searched, in the order of their names, each with what it may be.
    pub fn dimensions(&self) -> &[(&'static Parameter, Dimension)] {
        &self.dimensions
    }

    /// All parameters, where those that are searched are these.
    ///
    /// # Errors
    /// When a setting is not of the kind of its parameter.
    pub fn parameters(&self, searched: &BTreeMap<String, Setting>) -> Result<Parameters, serde_json::Error> {
        let fixed = self.fixed.given().into_iter().map(|(parameter, setting)| (parameter.name.to_owned(), setting));
        let all: BTreeMap<String, Setting> = fixed.chain(searched.clone()).collect();
        serde_json::to_value(all).and_then(serde_json::from_value)
    }
}

/// Where in a parameter's space the fault is, and what is wrong.
type Refusal = (&'static str, String);

fn dimension(
    learner: Algorithm,
    fixed: &[&str],
    parameter: Option<&'static Parameter>,
    name: &str,
    space: &ParameterSpace,
) -> Result<(&'static Parameter, Dimension), Refusal> {
    let refused = |field, hint: &str| Err((field, hint.to_owned()));
    let of_learner = || PARAMETERS.iter().filter(|parameter| parameter.default_of(learner).is_some());
    let Some(parameter) = parameter.filter(|parameter| parameter.default_of(learner).is_some()) else {
        let names: Vec<&str> = of_learner().map(|parameter| parameter.name).collect();
        let learner = learner.as_str();
        return Err(match names[..] {
            [] => ("", format!("{learner} has no parameters to search; choose another algorithm")),
            _ => ("", format!("is no parameter of {learner}; there are {}", names.join(", "))),
        });
    };
    if fixed.contains(&name) {
        return refused("", "is fixed by spec.parameters, too; take it out of one of them");
    }
    let ParameterSpace { values, min, max, step } = space;
    let dimension = match (values.as_slice(), min, max) {
        ([], None, None) => return refused("", "is an empty space: give values, or min and max"),
        ([], Some(min), Some(max)) => range(parameter, *min, *max, *step)?,
        ([], _, _) => return refused("", "give both min and max"),
        (_, None, None) if step.is_some() => return refused(".step", "goes with min and max, not with values"),
        (values, None, None) => Dimension::Listed(listed(parameter, values)?),
        (_, _, _) => return refused("", "give values, or min and max, not both"),
    };
    Ok((parameter, dimension))
}

fn listed(parameter: &Parameter, values: &[Setting]) -> Result<Vec<Setting>, Refusal> {
    let values: Vec<Setting> = values.iter().map(|value| of_kind(parameter, value)).collect();
    for (number, value) in values.iter().enumerate() {
        if !parameter.values.contains(value) {
            return Err((".values", format!("{value} is not allowed, which is {}", parameter.values)));
        }
        if values[..number].contains(value) {
            return Err((".values", format!("{value} stands there twice")));
        }
    }
    Ok(values)
}

fn range(parameter: &Parameter, min: f64, max: f64, step: Option<f64>) -> Result<Dimension, Refusal> {
    if min.is_nan() || max.is_nan() || min > max {
        return Err(("", "is an empty space: min is greater than max".to_owned()));
    }
    if step.is_some_and(|step| !step.is_finite() || step <= 0.) {
        return Err((".step", "must be greater than 0".to_owned()));
    }
    for (field, end) in [(".min", min), (".max", max)] {
        if !parameter.values.contains(&of_kind(parameter, &Setting::Number(end))) {
            return Err((field, format!("{end} is not allowed, which is {}", parameter.values)));
        }
    }
    // A step that fits but for the last digit fits: (0.3 - 0.1) / 0.1 is 1.9999999999999998.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative, and far below the limit of both
    let steps = |step: f64| ((max - min) / step + 1e-9).floor() as u64 + 1;
    match &parameter.values {
        Values::Count(_) => {
            let Setting::Count(step) = of_kind(parameter, &Setting::Number(step.unwrap_or(1.))) else {
                return Err((".step", "must be a whole number".to_owned()));
            };
            #[allow(clippy::cast_possible_truncation)] // the parameter allows it, so it is a whole number
            Ok(Dimension::Counts { min: min as i32, step, count: steps(f64::from(step)) })
        }
        Values::Number(_) => Ok(match step {
            Some(step) => Dimension::Steps { min, step, count: steps(step) },
            None if min < max => Dimension::Numbers { min, max },
            None => Dimension::Listed(vec![Setting::Number(min)]),
        }),
        Values::Flag | Values::OneOf(_) => Err(("", format!("has no range; give values, {}", parameter.values))),
    }
}

/// A number as the parameter has it: JSON does not tell 4 from 4.0, nor 1 from 1.0.
fn of_kind(parameter: &Parameter, setting: &Setting) -> Setting {
    #[allow(clippy::cast_possible_truncation)] // it is a whole number within these limits
    match (&parameter.values, setting) {
        (Values::Number(_), Setting::Count(count)) => Setting::Number(f64::from(*count)),
        (Values::Count(_), Setting::Number(number)) if number.fract() == 0. && number.abs() <= f64::from(i32::MAX) => {
            Setting::Count(*number as i32)
        }
        (_, setting) => setting.clone(),
    }
}

impl Dimension {
    /// How many values there are; none where there is no end to them.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Listed(values) => Some(values.len() as u64),
            Self::Counts { count, .. } | Self::Steps { count, .. } => Some(*count),
            Self::Numbers { .. } => None,
        }
    }

    /// Whether there is none, which is never so.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// A value by its number, from 0 on; of numbers between two, the share of the way from one to the other.
    pub fn at(&self, number: u64, share: f64) -> Option<Setting> {
        match self {
            Self::Listed(values) => values.get(usize::try_from(number).ok()?).cloned(),
            Self::Counts { min, step, .. } => {
                min.checked_add(i32::try_from(number).ok()?.checked_mul(*step)?).map(Setting::Count)
            }
            // 0.1 + 2 * 0.1 is 0.30000000000000004, which nobody meant.
            Self::Steps { min, step, .. } => Some(Setting::Number(((min + number as f64 * step) * 1e9).round() / 1e9)),
            // In as many digits as somebody copies.
            Self::Numbers { min, max } => {
                let number = min + (max - min) * share;
                Some(Setting::Number(((number * 1e6).round() / 1e6).clamp(*min, *max)))
            }
        }
    }
}

impl Display for Dimension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(values) => {
                formatter.write_str(&values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
            Self::Counts { min, step, count } => write!(formatter, "{count} numbers from {min} on by {step}"),
            Self::Steps { min, step, count } => write!(formatter, "{count} numbers from {min} on by {step}"),
            Self::Numbers { min, max } => write!(formatter, "{min}..{max}"),
        }
    }
}

impl Display for ParameterSpace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { values, min, max, step } = self;
        formatter.write_str(&values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))?;
        if min.is_some() || max.is_some() {
            let end = |end: &Option<f64>| end.map(|end| end.to_string()).unwrap_or_default();
            write!(formatter, "{}..{}", end(min), end(max))?;
        }
        step.map_or(Ok(()), |step| write!(formatter, "/{step}"))
    }
}

impl Display for SearchParameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.space)
    }
}

impl FromStr for SearchParameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, space) = text.split_once('=').ok_or("expected NAME=VALUE,… or NAME=MIN..MAX[/STEP]")?;
        let number = |text: &str| text.parse::<f64>().map_err(|_| format!("{text:?} is not a number"));
        let space = match space.split_once("..") {
            Some((min, rest)) => {
                let (max, step) = rest.split_once('/').map_or((rest, None), |(max, step)| (max, Some(step)));
                let step = step.map(number).transpose()?;
                ParameterSpace { values: Vec::new(), min: Some(number(min)?), max: Some(number(max)?), step }
            }
            None => {
                let values = space.split(',').filter(|value| !value.is_empty()).map(setting).collect();
                ParameterSpace { values, ..ParameterSpace::default() }
            }
        };
        Ok(Self { name: name.to_owned(), space })
    }
}

fn setting(text: &str) -> Setting {
    let number =
        || text.parse().map(Setting::Number).ok().filter(|_| text.starts_with(|first: char| !first.is_alphabetic()));
    let flag = || text.parse().map(Setting::Flag).ok();
    text.parse()
        .map(Setting::Count)
        .ok()
        .or_else(number)
        .or_else(flag)
        .unwrap_or_else(|| Setting::Name(text.to_owned().into()))
}

#[cfg(test)]
mod tests;
