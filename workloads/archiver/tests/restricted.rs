//! The archiver, which writes to a disk, as OpenShift's restricted SCC has it: any user of group 0 that nobody knows by name,
//! a disk that is read-only but for the directory of its own, and no privilege. It needs user namespaces.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Child, Command};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

/// In a mount namespace of its own: an empty directory for it to write to, all else read-only, then another user.
const RESTRICT: &str = r#"mount -t tmpfs -o mode=0777 none "$1" && mount -o remount,bind,ro / && shift &&
    exec unshare --user --map-user=1000770000 --map-group=0 "$@""#;

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn restricted(directory: &str, program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", RESTRICT, "sh", directory, program]);
    command.args(arguments).env_remove("HOME").env_remove("TMPDIR").current_dir("/");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn it_archives_as_any_user_with_a_read_only_disk() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().display().to_string();
    let mut who = restricted(&spool, "sh", &["-c".to_owned(), "id -u; id -g; touch /tmp/x || echo refused".to_owned()]);
    let who = who.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&who.stdout), "1000770000\n0\nrefused\n", "{who:?}");

    let (broker, bucket, address) = (TestBroker::start(), TestBucket::serve().await, free_address());
    broker.create_topics(&["e:partitions=1", "a:partitions=1"]).await;
    let arguments = [
        &bucket.options()[..],
        &[
            format!("--bootstrap-servers={}", broker.address()),
            format!("--listen-address={address}"),
            format!("--spool-directory={spool}/spool"),
        ],
        &["--pod-name=p", "--namespace=n", "--pipeline=p", "--site=s", "--group=g"].map(str::to_owned),
        &["--archive=enriched_data=e", "--archive=alerts=a", "--rolling-max-bytes=1", "--rolling-max-age-seconds=1"]
            .map(str::to_owned),
    ]
    .concat();
    let mut archiver = Process(restricted(&spool, env!("CARGO_BIN_EXE_vedette-archiver"), &arguments).spawn().unwrap());
    eventually("it is ready", async || {
        assert_eq!(archiver.0.try_wait().unwrap(), None, "it ended");
        http_get(address, "/readyz").await.starts_with("HTTP/1.1 200")
    })
    .await;
    let producer: BaseProducer = broker.settings("test").transactional_producer("t").create().unwrap();
    let patience = std::time::Duration::from_secs(60);
    producer.init_transactions(patience).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), _>::to("e").payload(r#"{"uuid":"1"}"#)).map_err(|(error, _)| error).unwrap();
    producer.commit_transaction(patience).unwrap();
    eventually("the record is in the bucket", async || {
        let objects = bucket.bucket.list("n/p/enriched_data/", None).await.unwrap();
        objects.iter().any(|object| !object.key.contains(".tmp/"))
    })
    .await;
}
