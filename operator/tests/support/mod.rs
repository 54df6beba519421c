//! What a Deployment gives the operator, as the operator understands it.

use clap::{CommandFactory, Parser};
use k8s_openapi::api::core::v1::Container;
use vedette_operator::settings::OperatorArguments;

/// The container's arguments and environment, without the variables that are read elsewhere. What nothing reads is a panic.
pub fn operator_arguments(container: &Container, read_elsewhere: &[&str]) -> OperatorArguments {
    let command = OperatorArguments::command();
    let mut words = vec!["vedette-operator".to_owned()];
    words.extend(container.args.clone().unwrap_or_default());
    for variable in container.env.iter().flatten().filter(|variable| !read_elsewhere.contains(&variable.name.as_str()))
    {
        let argument = command
            .get_arguments()
            .find(|argument| argument.get_env().is_some_and(|name| name == variable.name.as_str()))
            .unwrap_or_else(|| panic!("nothing reads {}", variable.name));
        words.push(format!("--{}=given", argument.get_long().unwrap()));
    }
    let arguments = OperatorArguments::try_parse_from(words).unwrap();
    let mounts: Vec<_> = container.volume_mounts.iter().flatten().map(|mount| &mount.mount_path).collect();
    assert!(arguments.site_file.starts_with(mounts[0]));
    assert_eq!(arguments.bucket_credentials.to_str(), Some(mounts[1].as_str()));
    let port = container.ports.as_ref().unwrap()[0].container_port;
    assert_eq!(port, i32::from(arguments.listen_address.port()));
    arguments
}
