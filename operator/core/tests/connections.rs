//! What the site file says of Kafka and the bucket, as pods get it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::json;
use support::{build, pipeline_with, text, trainings};
use vedette_contract::arguments::{
    ArchiverArguments, KafkaArguments, OauthArguments, TopicsArguments, TrainerArguments,
};
use vedette_core::desired::{Live, build_pipeline, build_training_job};
use vedette_core::site::{SiteFile, Source};
use vedette_testing::container::parse;

const BUCKET: &str = "{name: vedette, credentialsSecret: vedette-bucket}";
const MUTUAL: &str = "bootstrapServers: 'my-cluster-kafka-bootstrap:9093', tls: {ca: {secret: my-cluster-cluster-ca-cert}, \
    clientCertificate: {secret: my-user, certificateKey: user.crt, privateKeyKey: user.key}}";

fn site(kafka: &str, bucket: &str) -> SiteFile {
    let images = "{topics: t, generator: g, detector: d, archiver: a, trainer: t}";
    let text = format!("{{site: {{name: east}}, kafka: {{{kafka}}}, bucket: {bucket}, images: {images}}}");
    SiteFile::parse(&text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// The archivers' pod: it talks to both.
fn archiver(site: &SiteFile) -> PodSpec {
    build_pipeline(&pipeline_with("{}"), site, None, &Live::default()).archiver.spec.template.spec.unwrap()
}

fn topics(site: &SiteFile) -> Container {
    let children = build_pipeline(&pipeline_with("{}"), site, None, &Live::default());
    children.topics_job.spec.unwrap().template.spec.unwrap().containers.remove(0)
}

fn kafka(site: &SiteFile) -> KafkaArguments {
    parse::<TopicsArguments>(&topics(site), &[]).kafka
}

fn properties(site: &SiteFile) -> BTreeMap<String, String> {
    kafka(site).kafka_properties.into_iter().map(|property| (property.key, property.value)).collect()
}

#[test]
fn a_client_certificate_and_a_private_authority_are_files_of_strimzis_secrets() {
    let spec = archiver(&site(MUTUAL, BUCKET));
    insta::assert_yaml_snapshot!("mutual_tls_volumes", spec.volumes);
    insta::assert_yaml_snapshot!("mutual_tls_container", spec.containers[0]);
}

#[test]
fn what_talks_to_kafka_alone_has_the_files_of_kafka() {
    let mounts = topics(&site(MUTUAL, BUCKET)).volume_mounts.unwrap();
    let read_only: Vec<_> = mounts.iter().map(|mount| (mount.name.as_str(), mount.read_only)).collect();
    assert_eq!(read_only, [("kafka-ca", Some(true)), ("kafka-certificate", Some(true))]);
    let training = build_training_job(&trainings(&text("minimal.yaml"))[0], &site(MUTUAL, BUCKET), "flows-1");
    assert_eq!(training.spec.unwrap().template.spec.unwrap().volumes, None);
}

#[test]
fn a_strimzi_user_with_a_password_names_itself() {
    let credentials = "bootstrapServers: 'k:9093', credentialsSecret: my-user, username: my-user, \
        saslMechanism: SCRAM-SHA-512, tls: {ca: {configMap: trust, key: bundle.pem}}";
    let site = site(credentials, BUCKET);
    let KafkaArguments { sasl_username, sasl_password, .. } = kafka(&site);
    assert_eq!(sasl_username.as_deref(), Some("my-user"));
    assert_eq!(sasl_password.unwrap().reveal(), "my-user/password");
    let expected = [
        ("sasl.mechanisms", "SCRAM-SHA-512"),
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", "/var/lib/vedette/kafka-ca/ca.crt"),
    ];
    assert_eq!(properties(&site), expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let volumes = archiver(&site).volumes.unwrap();
    let trust = volumes.iter().find(|volume| volume.name == "kafka-ca").unwrap().config_map.clone().unwrap();
    assert_eq!(json!(trust), json!({ "name": "trust", "items": [{ "key": "bundle.pem", "path": "ca.crt" }] }));
}

#[test]
fn an_object_whose_name_has_dots_can_be_named() {
    let kafka = "bootstrapServers: 'k:9093', credentialsSecret: client.example.org, tls: {ca: {configMap: kube-root-ca.crt}, \
        clientCertificate: {secret: kafka.example.org-tls}}";
    let site = site(kafka, "{name: b, ca: {configMap: openshift-service-ca.crt, key: service-ca.crt}}");
    let needs: Vec<String> = site.needs().keys().map(ToString::to_string).collect();
    assert_eq!(
        needs,
        [
            "Secret client.example.org",
            "Secret kafka.example.org-tls",
            "ConfigMap kube-root-ca.crt",
            "ConfigMap openshift-service-ca.crt"
        ]
    );
    let spec = archiver(&site);
    let maps = spec.volumes.iter().flatten().filter_map(|volume| volume.config_map.as_ref());
    assert_eq!(maps.map(|map| map.name.as_str()).collect::<Vec<_>>(), ["kube-root-ca.crt", "openshift-service-ca.crt"]);
}

#[test]
fn what_a_receiver_needs_is_named_as_any_object_is() {
    let webhook = "{url: 'https://desk', ca: {configMap: kube-root-ca.crt, key: '*.crt'}, \
        hmacSecret: {name: desk.example.org, key: hmac}}";
    let built = build(&format!("{{incidents: {{receivers: [{{name: desk, webhook: {webhook}}}]}}}}"));
    let spec = built.notifier.unwrap().spec.template.spec.unwrap();
    let volumes = json!(spec.volumes);
    let volume = |purpose: &str| {
        let name = format!("vedette-receiver-desk-{purpose}");
        volumes.as_array().unwrap().iter().find(|volume| volume["name"] == name).unwrap().clone()
    };
    assert_eq!(volume("hmac")["secret"]["secretName"], "desk.example.org");
    assert_eq!(volume("ca")["configMap"], json!({ "name": "kube-root-ca.crt", "optional": true }));
    let arguments = spec.containers[0].args.clone().unwrap().join(" ");
    assert!(arguments.contains("/var/lib/vedette/vedette-receiver-desk-ca/*.crt"), "{arguments}");
}

#[test]
fn where_keys_end_alike_all_their_authorities_are_trusted() {
    let ca = "{secret: my-cluster-cluster-ca-cert, key: '*.crt'}";
    let oauth = format!("{{tokenEndpoint: 'https://login/token', ca: {ca}}}");
    let kafka = format!("bootstrapServers: 'k:9093', credentialsSecret: user, oauth: {oauth}, tls: {{ca: {ca}}}");
    let site = site(&kafka, &format!("{{name: b, ca: {ca}}}"));
    let spec = archiver(&site);
    let authorities = ["kafka-ca", "kafka-oauth-ca", "bucket-ca"];
    for name in authorities {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == name).unwrap();
        let whole = json!({ "secretName": "my-cluster-cluster-ca-cert" });
        assert_eq!(json!(volume.secret), whole, "which keys there are nobody knows here");
    }
    let arguments: ArchiverArguments = parse(&spec.containers[0], &[]);
    let location = properties(&site)["ssl.ca.location"].clone().into();
    let files = [Some(location), arguments.kafka.oauth.unwrap().ca_file, arguments.bucket.bucket_ca_file];
    assert_eq!(files, authorities.map(|name| Some(format!("/var/lib/vedette/{name}/*.crt").into())));
}

#[test]
fn tokens_are_asked_for_by_every_client_of_kafka_with_the_secret_in_the_environment_alone() {
    let oauth = "{tokenEndpoint: 'https://login.example.org/token', scope: kafka write, audience: broker, ca: {configMap: trust}}";
    let site = site(&format!("bootstrapServers: 'k:9093', credentialsSecret: client, oauth: {oauth}"), BUCKET);
    let KafkaArguments { bootstrap_servers: _, kafka_properties, sasl_username, sasl_password, oauth } = kafka(&site);
    assert_eq!(sasl_username.as_deref(), Some("client/username"));
    assert_eq!(sasl_password.unwrap().reveal(), "client/password");
    assert_eq!(kafka_properties, []);
    let expected = OauthArguments {
        token_endpoint: "https://login.example.org/token".to_owned(),
        scope: Some("kafka write".to_owned()),
        audience: Some("broker".to_owned()),
        ca_file: Some("/var/lib/vedette/kafka-oauth-ca/ca.crt".into()),
    };
    assert_eq!(oauth.as_ref(), Some(&expected));
    let archiver: ArchiverArguments = parse(&archiver(&site).containers[0], &[]);
    assert_eq!(archiver.kafka.oauth, oauth);
    let mounts = topics(&site).volume_mounts.unwrap();
    assert_eq!(mounts.iter().map(|mount| mount.name.as_str()).collect::<Vec<_>>(), ["kafka-oauth-ca"]);
    assert!(site.needs().keys().any(|source| source.to_string() == "ConfigMap trust"));
}

#[test]
fn properties_that_somebody_gave_win() {
    let given = "properties: {security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN}, saslMechanism: SCRAM-SHA-256, \
        credentialsSecret: user";
    let properties = properties(&site(&format!("{MUTUAL}, {given}"), BUCKET));
    assert_eq!(properties["security.protocol"], "SASL_PLAINTEXT");
    assert_eq!((properties["sasl.mechanism"].as_str(), properties.get("sasl.mechanisms")), ("PLAIN", None));
}

#[test]
fn a_property_that_would_break_a_promise_and_one_that_is_given_by_two_names_are_refused_by_name() {
    let refused = |property: &str| {
        let text = format!(
            "{{site: {{name: east}}, kafka: {{bootstrapServers: 'k:1', properties: {{{property}}}}}, bucket: {BUCKET}, \
             images: {{topics: t, generator: g, detector: d, archiver: a, trainer: t}}}}"
        );
        SiteFile::parse(&text).err().map(|errors| format!("{errors:?}")).unwrap_or_default()
    };
    assert!(refused("isolation.level: read_uncommitted").contains("records that were taken back would be read"));
    assert!(refused("statistics.interval.ms: '0'").contains("statistics.interval.ms"));
    assert_eq!(refused("statistics.interval.ms: '1000'"), "");
    assert!(refused("request.required.acks: '1'").contains("request.required.acks"));
    assert!(refused("linger.ms: '5', queue.buffering.max.ms: '6'").contains("another name of linger.ms"));
    let secret = "sasl.oauthbearer.client.credentials.client.secret: x";
    assert!(refused(secret).contains("use kafka.oauth"), "{}", refused(secret));
    assert_eq!(refused("linger.ms: '5'"), "");
}

#[test]
fn keys_of_the_buckets_secret_have_any_names() {
    let keys = "{accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, sessionToken: TOKEN}";
    let bucket = format!("{{name: b, credentialsSecret: claim, credentialsKeys: {keys}}}");
    let site = site("bootstrapServers: 'k:1'", &bucket);
    let archiver: ArchiverArguments = parse(&archiver(&site).containers[0], &[]);
    let training = build_training_job(&trainings(&text("minimal.yaml"))[0], &site, "flows-1");
    let trainer: TrainerArguments = parse(&training.spec.unwrap().template.spec.unwrap().containers[0], &[]);
    for bucket in [archiver.bucket, trainer.bucket] {
        assert_eq!(bucket.access_key_id.as_deref(), Some("claim/AWS_ACCESS_KEY_ID"));
        assert_eq!(bucket.secret_access_key.unwrap().reveal(), "claim/AWS_SECRET_ACCESS_KEY");
        assert_eq!(bucket.session_token.unwrap().reveal(), "claim/TOKEN");
    }
}

#[test]
fn a_bucket_of_ones_own_authority_and_key_is_used_by_the_pods_own_identity() {
    let bucket = "{name: b, prefix: teams/fraud/, pathStyle: false, ca: {configMap: trust}, encryption: {algorithm: 'aws:kms', kmsKeyId: key-1}}";
    let site = site("bootstrapServers: 'k:1'", bucket);
    let training = build_training_job(&trainings(&text("minimal.yaml"))[0], &site, "flows-1");
    for spec in [archiver(&site), training.spec.unwrap().template.spec.unwrap()] {
        let arguments: Vec<&str> = spec.containers[0].args.iter().flatten().map(String::as_str).collect();
        for argument in [
            "--bucket-ca-file=/var/lib/vedette/bucket-ca/ca.crt",
            "--bucket-prefix=teams/fraud",
            "--bucket-addressing=virtual-host",
            "--bucket-encryption=aws:kms",
            "--bucket-kms-key-id=key-1",
        ] {
            assert!(arguments.contains(&argument), "{arguments:?}");
        }
        let mounts = spec.containers[0].volume_mounts.as_ref().unwrap();
        assert!(mounts.iter().any(|mount| mount.mount_path == "/var/lib/vedette/bucket-ca"), "{mounts:?}");
        let from_secrets = spec.containers[0].env.iter().flatten().filter(|variable| variable.name.starts_with("AWS_"));
        assert_eq!(from_secrets.count(), 0);
    }
    let archiver: ArchiverArguments = parse(&archiver(&site).containers[0], &[]);
    assert_eq!((archiver.bucket.access_key_id, archiver.bucket.secret_access_key), (None, None));
    assert_eq!(site.needs().keys().map(ToString::to_string).collect::<Vec<_>>(), ["ConfigMap trust"]);
}

#[test]
fn every_key_that_pods_are_given_is_one_that_is_watched() {
    let credentials = "credentialsSecret: my-user, credentialsKeys: {username: name}";
    let site = site(&format!("{MUTUAL}, {credentials}"), BUCKET);
    let needs: Vec<(String, Vec<String>)> =
        site.needs().into_iter().map(|(source, keys)| (source.to_string(), keys.into_iter().collect())).collect();
    let spec = archiver(&site);
    let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for secret in spec.volumes.iter().flatten().filter_map(|volume| volume.secret.as_ref()) {
        let source = Source::Secret(secret.secret_name.as_ref().unwrap().parse().unwrap());
        let keys = secret.items.iter().flatten().map(|item| item.key.clone());
        given.entry(source.to_string()).or_default().extend(keys);
    }
    for variable in spec.containers[0].env.iter().flatten() {
        if let Some(reference) = variable.value_from.as_ref().and_then(|source| source.secret_key_ref.as_ref()) {
            given.entry(format!("Secret {}", reference.name)).or_default().push(reference.key.clone());
        }
    }
    given.values_mut().for_each(|keys| keys.sort());
    assert_eq!(needs, given.into_iter().collect::<Vec<_>>());
}

#[test]
fn what_is_secret_or_does_not_fit_is_refused_with_what_to_write_instead() {
    let images = "{topics: t, generator: g, detector: d, archiver: a, trainer: t}";
    let refused = |kafka: &str, bucket: &str| {
        let kafka = format!("{{bootstrapServers: 'k:1', {kafka}}}");
        let text = format!("{{site: {{name: east}}, kafka: {kafka}, bucket: {bucket}, images: {images}}}");
        SiteFile::parse(&text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (kafka, path, mend) in [
        ("properties: {sasl.password: hidden}", "kafka.properties", "kafka.credentialsSecret"),
        ("properties: {ssl.key.pem: hidden}", "kafka.properties", "kafka.tls.clientCertificate"),
        ("properties: {ssl.key.password: hidden}", "kafka.properties", "not encrypted"),
        ("username: u", "kafka.username", "credentialsSecret"),
        ("oauth: {tokenEndpoint: 'https://t'}", "kafka.credentialsSecret", "client id"),
        ("credentialsSecret: s, oauth: {tokenEndpoint: t}", "kafka.oauth.tokenEndpoint", "URL"),
        ("credentialsSecret: s, oauth: {tokenEndpoint: 'http://t', scope: ''}", "kafka.oauth.scope", "leave it out"),
        (
            "credentialsSecret: s, saslMechanism: PLAIN, oauth: {tokenEndpoint: 'http://t'}",
            "kafka.saslMechanism",
            "OAUTHBEARER",
        ),
        ("credentialsSecret: s, oauth: {tokenEndpoint: 'http://t', ca: {}}", "kafka.oauth.ca", "configMap"),
        ("properties: {sasl.mechanism: OAUTHBEARER}", "kafka.properties", "kafka.oauth"),
        ("credentialsSecret: s, credentialsKeys: {password: 'a b'}", "kafka.credentialsKeys.password", "key"),
        ("tls: {}", "kafka.tls", "clientCertificate"),
        ("tls: {ca: {}}", "kafka.tls.ca", "configMap"),
        ("tls: {ca: {secret: a, configMap: b}}", "kafka.tls.ca.configMap", "leave it out"),
        ("tls: {ca: {secret: a, key: '*'}}", "kafka.tls.ca.key", "key of the object"),
        ("tls: {ca: {secret: a, key: 'a*.crt'}}", "kafka.tls.ca.key", "key of the object"),
        (
            "tls: {clientCertificate: {secret: a, certificateKey: '*.crt'}}",
            "kafka.tls.clientCertificate.certificateKey",
            "key",
        ),
        (
            "tls: {clientCertificate: {secret: a, privateKeyKey: ''}}",
            "kafka.tls.clientCertificate.privateKeyKey",
            "key",
        ),
    ] {
        let errors = refused(kafka, BUCKET);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(&format!(": {path}: ")) && errors[0].contains(mend), "{errors:?}");
        assert!(!errors[0].contains("hidden"), "{errors:?}");
    }
    for (bucket, path) in [
        ("{name: b, ca: {}}", "bucket.ca"),
        ("{name: b, prefix: /teams}", "(file)"),
        ("{name: b, encryption: {algorithm: AES128}}", "(file)"),
        ("{name: b, encryption: {algorithm: AES256, kmsKeyId: k}}", "bucket.encryption.kmsKeyId"),
    ] {
        let errors = refused("", bucket);
        assert!(errors.len() == 1 && errors[0].contains(&format!(": {path}: ")), "{errors:?}");
    }
    let errors = refused("", "{name: b, credentialsSecret: s, credentialsKeys: {sessionToken: '..'}}");
    assert!(errors[0].contains("bucket.credentialsKeys.sessionToken"), "{errors:?}");
}
