//! Operators and numbers of a graph. The numbers of fields are those of onnx.proto.

use super::super::protobuf::Message;

pub(super) const FLOAT: u64 = 1;
pub(super) const BYTE: u64 = 2;
const LONG: u64 = 7;
pub(super) const DOUBLE: u64 = 11;
const INTEGER_ATTRIBUTE: u64 = 2;
pub(super) const TENSOR_ATTRIBUTE: u64 = 4;
const INTEGERS_ATTRIBUTE: u64 = 7;

pub(super) fn constant(name: &str, value: f64) -> Message {
    tensor(DOUBLE, &[], &value.to_le_bytes()).text(8, name)
}

pub(super) fn node(domain: &str, operator: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
    node.text(2, output).text(4, operator).text(7, domain)
}

pub(super) fn attribute(name: &str, kind: u64) -> Message {
    Message::default().text(1, name).number(20, kind)
}

pub(super) fn integer(name: &str, number: u64) -> Message {
    attribute(name, INTEGER_ATTRIBUTE).number(3, number)
}

pub(super) fn integers(name: &str, numbers: impl IntoIterator<Item = u64>) -> Message {
    attribute(name, INTEGERS_ATTRIBUTE).numbers(8, numbers)
}

pub(super) fn tensor(kind: u64, shape: &[u64], little_endian: &[u8]) -> Message {
    Message::default().numbers(1, shape.iter().copied()).number(2, kind).bytes(9, little_endian)
}

/// An input or output of any number of rows.
pub(super) fn value(name: &str, kind: u64, columns: u64) -> Message {
    let rows = Message::default().text(2, "N");
    let shape = Message::default().message(1, rows).message(1, Message::default().number(1, columns));
    let of_tensor = Message::default().number(1, kind).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, of_tensor))
}

/// One number for each column or target.
pub(super) fn vector(name: &str, values: &[f64]) -> Message {
    doubles(name, &[values.len()], values)
}

pub(super) fn doubles(name: &str, shape: &[usize], values: &[f64]) -> Message {
    let shape: Vec<u64> = shape.iter().map(|length| *length as u64).collect();
    tensor(DOUBLE, &shape, &bytes_of(values)).text(8, name)
}

pub(super) fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Whole numbers.
pub(super) fn numbers(name: &str, values: impl IntoIterator<Item = u64>) -> Message {
    let values: Vec<u64> = values.into_iter().collect();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(LONG, &[values.len() as u64], &bytes).text(8, name)
}

/// To double precision.
pub(super) fn cast(input: &str, output: &str) -> Message {
    node("", "Cast", &[input], output).message(5, integer("to", DOUBLE))
}
