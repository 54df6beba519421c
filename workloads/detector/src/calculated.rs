//! Calculated fields: CEL expressions over the record's own fields, compiled once. Integers stay integers; CEL does not mix
//! them with other numbers, so where a record does, all of its numbers are doubles.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::context::VariableResolver;
use cel::{Context, ExecutionError, IdedExpr, Value};
use thiserror::Error;
use vedette_contract::arguments::KeyValue;
use vedette_contract::fields;
use vedette_records::{FieldNames, Numeral, Record, Scalar, ScalarKind};

use crate::expression::Expression;
use crate::variable::Variable;

/// Why a calculated field was refused.
#[derive(Debug, Error)]
pub enum CalculatedFieldError {
    /// The name is taken.
    #[error("calculated field {name}: the name is reserved")]
    Reserved { name: String },
    /// Two have one name.
    #[error("calculated field {name} is there twice")]
    Duplicate { name: String },
    /// Not CEL.
    #[error("calculated field {name}: {expression:?} is not a CEL expression: {message}")]
    Syntax {
        name: String,
        /// The expression.
        expression: String,
        /// What the compiler says.
        message: String,
    },
    /// CEL, but of a kind that cannot be evaluated here.
    #[error("calculated field {name}: {expression:?} uses a part of CEL that is not supported")]
    Unsupported {
        name: String,
        /// The expression.
        expression: String,
    },
    /// It needs what no record has.
    #[error(
        "calculated field {name}: the detector adds {variable:?}, so no record has it when the field is calculated"
    )]
    AddedVariable {
        name: String,
        /// The variable.
        variable: String,
    },
}

/// The calculated fields of a pipeline, in the order in which they are added.
pub(crate) struct CalculatedFields {
    fields: Vec<CalculatedField>,
    functions: Context<'static>,
}

struct CalculatedField {
    name: String,
    /// `,"name":`
    prefix: String,
    expression: Expression,
    variables: Vec<Known>,
}

/// A variable of an expression.
enum Known {
    Record(Variable),
    /// A field that was looked up: its name, and which one it is.
    LookedUp(String, usize),
}

impl Known {
    fn name(&self) -> &str {
        match self {
            Self::Record(variable) => &variable.name,
            Self::LookedUp(name, _) => name,
        }
    }
}

/// What the variables of an expression stand for.
#[derive(Clone, Copy)]
struct Values<'a> {
    record: &'a Record<'a>,
    /// Where in `json` the values stand that were looked up.
    looked_up: &'a [Option<Range<usize>>],
    json: &'a [u8],
}

impl<'a> Values<'a> {
    fn get(&self, known: &Known) -> Option<Scalar<'a>> {
        match known {
            Known::Record(variable) => variable.get(self.record),
            Known::LookedUp(_, position) => {
                let place = self.looked_up.get(*position)?.clone()?;
                std::str::from_utf8(&self.json[place]).ok().map(Scalar::of_json)
            }
        }
    }
}

impl CalculatedField {
    /// `None` when the interpreter panicked.
    fn evaluate(&self, functions: &Context<'_>, values: Values<'_>) -> Option<cel::ResolveResult> {
        let Expression { as_written, doubles } = &self.expression;
        let mut variables = Variables { values: Some(values), known: &self.variables, numbers: Numbers::AsWritten };
        let first = evaluate(as_written, functions, &variables)?;
        if !may_mix_numbers(&first) {
            return Some(first);
        }
        variables.numbers = Numbers::Doubles;
        // Where the numbers were not to blame, the first error is the one to tell.
        evaluate(doubles, functions, &variables).filter(Result::is_ok).or(Some(first))
    }
}

/// Whether an operator did not take its operands, as with `1.5 + 2`.
fn may_mix_numbers(result: &cel::ResolveResult) -> bool {
    matches!(result, Err(ExecutionError::NoSuchOverload | ExecutionError::UnsupportedBinaryOperator(..)))
}

impl CalculatedFields {
    /// Compiles the expressions and asks for the fields that they read, beside those that were looked up. Those that the
    /// detector adds are refused already.
    ///
    /// # Errors
    /// When a name is taken, or an expression cannot be used.
    pub(crate) fn compile(
        definitions: &[KeyValue],
        looked_up: &[String],
        names: &mut FieldNames,
    ) -> Result<Self, CalculatedFieldError> {
        let mut compiled = Self { fields: Vec::new(), functions: Context::default() };
        for KeyValue { key: name, value: expression } in definitions {
            if fields::is_reserved(name) {
                return Err(CalculatedFieldError::Reserved { name: name.clone() });
            }
            if compiled.position(name).is_some() {
                return Err(CalculatedFieldError::Duplicate { name: name.clone() });
            }
            let field = compile(name, expression, looked_up, names)?;
            let nothing = Variables { values: None, known: &[], numbers: Numbers::AsWritten };
            if evaluate(&field.expression.as_written, &compiled.functions, &nothing).is_none() {
                return Err(CalculatedFieldError::Unsupported { name: name.clone(), expression: expression.clone() });
            }
            compiled.fields.push(field);
        }
        Ok(compiled)
    }

    /// Which one, in order, has this name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.fields.len()
    }

    /// Appends each field that has a value for this record, `,"name":value`, and says where the value stands. A field
    /// whose variables are missing, whose expression fails or whose value is not a finite number, a boolean or text is
    /// left out; `failed` hears its name and why.
    pub(crate) fn append(
        &self,
        record: &Record<'_>,
        looked_up: &[Option<Range<usize>>],
        out: &mut Vec<u8>,
        values: &mut [Option<Range<usize>>],
        mut failed: impl FnMut(&str, &str),
    ) {
        for (field, range) in self.fields.iter().zip(values) {
            let start = out.len();
            out.extend_from_slice(field.prefix.as_bytes());
            let value_start = out.len();
            let written = match field.evaluate(&self.functions, Values { record, looked_up, json: out }) {
                Some(Ok(value)) => write_json(&value, out),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the evaluation broke off".to_owned()),
            };
            *range = match written {
                Ok(()) => Some(value_start..out.len()),
                Err(reason) => {
                    out.truncate(start);
                    failed(&field.name, &reason);
                    None
                }
            };
        }
    }
}

fn compile(
    name: &str,
    expression: &str,
    looked_up: &[String],
    names: &mut FieldNames,
) -> Result<CalculatedField, CalculatedFieldError> {
    let syntax = |message: String| CalculatedFieldError::Syntax {
        name: name.to_owned(),
        expression: expression.to_owned(),
        message,
    };
    // The compiler is not ours, and what it is given comes from a person: should it panic, that is a refusal too.
    let parsed = catch_unwind(|| Expression::parse(expression))
        .map_err(|_| syntax("the compiler broke off".to_owned()))?
        .map_err(syntax)?;
    let mut variables = Vec::new();
    for variable in parsed.variables() {
        let known = match looked_up.iter().position(|field| *field == variable) {
            Some(position) => Known::LookedUp(variable, position),
            None => match Variable::want(&variable, names) {
                Some(variable) => Known::Record(variable),
                None => return Err(CalculatedFieldError::AddedVariable { name: name.to_owned(), variable }),
            },
        };
        variables.push(known);
    }
    let prefix = format!(",{}:", serde_json::Value::from(name));
    Ok(CalculatedField { name: name.to_owned(), prefix, expression: parsed, variables })
}

/// `None` when the interpreter panicked: it is not ours, and one expression must not stop the stream.
fn evaluate(expression: &IdedExpr, functions: &Context<'_>, variables: &Variables<'_>) -> Option<cel::ResolveResult> {
    let evaluation = || {
        let mut context = functions.new_inner_scope();
        context.set_variable_resolver(variables);
        Value::resolve(expression, &context)
    };
    catch_unwind(AssertUnwindSafe(evaluation)).ok()
}

struct Variables<'a> {
    values: Option<Values<'a>>,
    known: &'a [Known],
    numbers: Numbers,
}

/// What whole numbers of a record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// Integers.
    AsWritten,
    /// Doubles, as all others.
    Doubles,
}

impl VariableResolver for Variables<'_> {
    fn resolve(&self, variable: &str) -> Option<Value> {
        let known = self.known.iter().find(|known| known.name() == variable)?;
        variable_of(self.values?.get(known)?, self.numbers)
    }
}

fn variable_of(scalar: Scalar<'_>, numbers: Numbers) -> Option<Value> {
    match scalar.kind() {
        ScalarKind::Null => Some(Value::Null),
        ScalarKind::Boolean => Some(Value::Bool(scalar.json() == "true")),
        ScalarKind::Number => match numbers {
            Numbers::AsWritten => scalar.numeral().map(number),
            Numbers::Doubles => scalar.number().map(Value::Float),
        },
        ScalarKind::Text => scalar.text().map(|text| Value::String(Arc::new(text.into_owned()))),
        ScalarKind::Nested => None,
    }
}

fn number(numeral: Numeral) -> Value {
    match numeral {
        Numeral::Int(number) => Value::Int(number),
        Numeral::UInt(number) => Value::UInt(number),
        Numeral::Float(number) => Value::Float(number),
    }
}

fn write_json(value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let written = match value {
        Value::Int(number) => serde_json::to_writer(out, number),
        Value::UInt(number) => serde_json::to_writer(out, number),
        Value::Float(number) if number.is_finite() => serde_json::to_writer(out, number),
        Value::Float(number) => return Err(format!("the result is {number}, which JSON does not have")),
        Value::Bool(truth) => serde_json::to_writer(out, truth),
        Value::String(text) => serde_json::to_writer(out, text.as_str()),
        other => return Err(format!("the result is a {}, not a number, a boolean or text", other.type_of())),
    };
    written.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_records::RecordReader;

    fn definitions(definitions: &[&str]) -> Vec<KeyValue> {
        definitions.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn compile(definitions: &[KeyValue]) -> Result<(CalculatedFields, FieldNames), CalculatedFieldError> {
        let mut names = FieldNames::default();
        let calculated = definitions.iter().map(|definition| definition.key.as_str());
        fields::ADDED.into_iter().chain(calculated).for_each(|name| names.refuse(name));
        CalculatedFields::compile(definitions, &[], &mut names).map(|compiled| (compiled, names))
    }

    /// The appended JSON, and the names of what was left out.
    fn calculate(expressions: &[&str], record: &str) -> (String, Vec<String>) {
        let (calculated, names) = compile(&definitions(expressions)).unwrap();
        let mut reader = RecordReader::new(names);
        let record = reader.read(record.as_bytes()).unwrap();
        let (mut out, mut left_out, mut values) = (Vec::new(), Vec::new(), vec![None; calculated.count()]);
        calculated.append(&record, &[], &mut out, &mut values, |name, _| left_out.push(name.to_owned()));
        assert_eq!(values.iter().filter(|value| value.is_none()).count(), left_out.len());
        (String::from_utf8(out).unwrap(), left_out)
    }

    #[test]
    fn integers_are_added_as_integers() {
        let (json, left_out) =
            calculate(&["total_bytes=src_bytes + dst_bytes"], r#"{"src_bytes":181,"dst_bytes":5450}"#);
        assert_eq!((json.as_str(), left_out.len()), (r#","total_bytes":5631"#, 0));
    }

    #[test]
    fn every_scalar_is_a_variable_and_a_result() {
        let record = r#"{"a":1.5,"b":true,"s":"x\"y","n":null,"big":18446744073709551615}"#;
        let expressions = ["f=a * 2.0", "t=b && s == 'x\"y'", "text=s + '!'", "none=n == null", "u=big"];
        let (json, left_out) = calculate(&expressions, record);
        assert_eq!(json, r#","f":3.0,"t":true,"text":"x\"y!","none":true,"u":18446744073709551615"#);
        assert_eq!(left_out, Vec::<String>::new());
    }

    #[test]
    fn a_field_that_cannot_be_calculated_is_left_out_alone() {
        let expressions = [
            "missing=a + b",
            "zero=a / 0",
            "infinite=1.0 / 0.0",
            "overflow=a + 9223372036854775807",
            "mixed=a + 'text'",
            "list=[a]",
            "nested=object == 1",
            "fine=a + 1",
        ];
        let (json, left_out) = calculate(&expressions, r#"{"a":1,"object":{"a":1}}"#);
        assert_eq!(json, r#","fine":2"#);
        assert_eq!(left_out, ["missing", "zero", "infinite", "overflow", "mixed", "list", "nested"]);
    }

    #[test]
    fn a_record_that_mixes_numbers_is_calculated_with_doubles() {
        let expressions = ["total_bytes=src_bytes + dst_bytes", "twice=2 * src_bytes + 1", "share=dst_bytes / 4.0"];
        let (json, left_out) = calculate(&expressions, r#"{"src_bytes":4226,"dst_bytes":7959.0}"#);
        assert_eq!(json, r#","total_bytes":12185.0,"twice":8453,"share":1989.75"#);
        let (other, _) = calculate(&expressions, r#"{"src_bytes":1.5,"dst_bytes":2}"#);
        assert_eq!(other, r#","total_bytes":3.5,"twice":4.0,"share":0.5"#);
        assert_eq!(left_out, Vec::<String>::new());
    }

    #[test]
    fn a_field_of_any_name_and_a_member_of_an_object_can_be_calculated_with() {
        let expressions = [
            "bytes=flow.bytes_toserver + flow.deep.bytes",
            "port=id.orig_p + 1",
            "other=record['Dst Port'] * 2",
            "mixed=flow.bytes_toserver + 0.5",
            "none=flow.missing",
            "list=flow.list",
        ];
        let record = r#"{"flow":{"bytes_toserver":3,"deep":{"bytes":4},"list":[1]},"id.orig_p":80,"id":{"orig_p":1},
            "Dst Port":443}"#;
        let (json, left_out) = calculate(&expressions, record);
        assert_eq!(json, r#","bytes":7,"port":81,"other":886,"mixed":3.5"#);
        assert_eq!(left_out, ["none", "list"]);
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        for (definition, complaint) in [
            ("site='x'", "reserved"),
            ("utc='x'", "reserved"),
            ("a=1 +", "not a CEL expression"),
            ("a=site", "no record has it"),
            ("a=a + 1", "no record has it"),
            ("a=Message{field: 1}", "not supported"),
        ] {
            let Err(error) = compile(&definitions(&[definition])) else { panic!("{definition}") };
            assert!(error.to_string().contains(complaint), "{definition}: {error}");
        }
        let twice = compile(&definitions(&["a=b", "a=c"]));
        assert!(matches!(twice, Err(CalculatedFieldError::Duplicate { .. })));
    }
}
