//! Access control lists, by Kafka's own protocol: librdkafka's Rust crate knows none, and each of Kafka's tools takes seconds.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::broker::ADMIN;

/// The requests `CreateAcls` and `DeleteAcls` in the last version without tagged fields.
const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;
const VERSION: i16 = 1;
const LITERAL: u8 = 3;
const PREFIXED: u8 = 4;
const ALLOW: u8 = 3;

/// What is granted, with Kafka's own numbers.
#[derive(Clone, Copy)]
pub(crate) enum Resource<'a> {
    Topic(&'a str),
    Group(&'a str),
    GroupPrefix(&'a str),
    TransactionalId(&'a str),
    TransactionalIdPrefix(&'a str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Alter = 7,
    Describe = 8,
    DescribeConfigs = 10,
    AlterConfigs = 11,
}

/// Allows a user these operations from everywhere.
pub(crate) fn allow(user: &str, grants: &[(Resource<'_>, Operation)]) {
    let mut body = Vec::new();
    body.extend(CREATE_ACLS.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    text(&mut body, "vedette-e2e");
    body.extend(length::<i32>(grants.len()).to_be_bytes());
    for (resource, operation) in grants {
        entry(&mut body, user, *resource, *operation);
    }
    // After correlation id and throttle time: the number of results, each a code and a text that is empty without an error.
    let answer = ask(&body);
    let mut expected = length::<i32>(grants.len()).to_be_bytes().to_vec();
    expected.extend([0; 4].repeat(grants.len()));
    assert_eq!(answer[8..], expected, "Kafka refuses an ACL of {user}: {}", String::from_utf8_lossy(&answer));
}

/// Takes one grant back.
pub(crate) fn revoke(user: &str, resource: Resource<'_>, operation: Operation) {
    let mut body = Vec::new();
    body.extend(DELETE_ACLS.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    text(&mut body, "vedette-e2e");
    body.extend(1_i32.to_be_bytes());
    entry(&mut body, user, resource, operation);
    // After correlation id, throttle time and the number of results: a code, a text, and what was deleted.
    let answer = ask(&body);
    assert_eq!(answer[12..14], [0, 0], "Kafka deletes no ACL of {user}: {}", String::from_utf8_lossy(&answer));
    assert_eq!(answer[16..20], 1_i32.to_be_bytes(), "it was not one ACL of {user}");
}

fn entry(body: &mut Vec<u8>, user: &str, resource: Resource<'_>, operation: Operation) {
    let (kind, name, pattern) = match resource {
        Resource::Topic(name) => (2, name, LITERAL),
        Resource::Group(name) => (3, name, LITERAL),
        Resource::GroupPrefix(name) => (3, name, PREFIXED),
        Resource::TransactionalId(name) => (5, name, LITERAL),
        Resource::TransactionalIdPrefix(name) => (5, name, PREFIXED),
    };
    body.push(kind);
    text(body, name);
    body.push(pattern);
    text(body, &format!("User:{user}"));
    text(body, "*");
    body.extend([operation as u8, ALLOW]);
}

fn ask(request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(ADMIN).unwrap();
    stream.write_all(&length::<i32>(request.len()).to_be_bytes()).unwrap();
    stream.write_all(request).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    answer
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(length::<i16>(text.len()).to_be_bytes());
    body.extend(text.as_bytes());
}

fn length<T: TryFrom<usize, Error: std::fmt::Debug>>(length: usize) -> T {
    T::try_from(length).unwrap()
}
