//! What a container gives its program, as the program understands it.

use clap::{Command, CommandFactory, Parser};
use k8s_openapi::api::core::v1::{Container, EnvVar};

/// The pod that every container here runs in.
pub const POD_NAME: &str = "pod-5d4f8-abcde";

/// Parses a container as its process would. The environment is given as the arguments that it stands for, because a test
/// must not change its own; a variable that no argument reads is a mistake, but for those that are read elsewhere.
pub fn parse<A: Parser + CommandFactory>(container: &Container, read_elsewhere: &[&str]) -> A {
    let command = A::command();
    let mut words = vec![command.get_name().to_owned()];
    words.extend(container.args.clone().unwrap_or_default());
    let variables = container.env.iter().flatten();
    let ours = variables.filter(|variable| !read_elsewhere.contains(&variable.name.as_str()));
    words.extend(ours.map(|variable| format!("--{}={}", option(&command, &variable.name), value(variable))));
    A::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:#?}\n{error}"))
}

/// The option that a variable stands for.
fn option<'a>(command: &'a Command, variable: &str) -> &'a str {
    let reads = |argument: &&clap::Arg| argument.get_env().is_some_and(|name| name == variable);
    let argument = command.get_arguments().find(reads);
    argument.unwrap_or_else(|| panic!("{} does not read {variable}", command.get_name())).get_long().unwrap()
}

/// What is in a variable: of a Secret, where it comes from.
fn value(variable: &EnvVar) -> String {
    match (&variable.value, &variable.value_from) {
        (Some(value), None) => value.clone(),
        (None, Some(source)) => match (&source.field_ref, &source.secret_key_ref) {
            (Some(field), None) if field.field_path == "metadata.name" => POD_NAME.to_owned(),
            (Some(field), None) if field.field_path == "metadata.namespace" => "namespace".to_owned(),
            (None, Some(secret)) => format!("{}/{}", secret.name, secret.key),
            _ => panic!("{source:?}"),
        },
        _ => panic!("{variable:?}"),
    }
}
