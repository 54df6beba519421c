//! The console of a cluster, found and reached by kubectl. That is one that answers with what lies in a directory, and forwards to the
//! console of this test: what one with an API server behind it does is for the tests on clusters.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use vedette_testing::write_script;

use crate::site::{PREFIX, Site, json};

const KUBECTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >> asked
case "$*" in
    "config current-context"*) cat context ;;
    "get pods"*)
        if [ -e no-pods ]; then cat no-pods >&2; exit 1; fi
        cat pods ;;
    port-forward*)
        if [ -e no-forward ]; then cat no-forward >&2; exit 1; fi
        echo "Forwarding from 127.0.0.1:$(cat port) -> 8081"
        exec sleep 600 ;;
esac
"#;

struct Cluster(TempDir);

impl Cluster {
    /// One with the console of a site.
    fn of(site: &Site) -> Self {
        let cluster = Self(tempfile::tempdir().unwrap());
        write_script(&cluster.file("kubectl"), KUBECTL);
        cluster.put("context", "east\n");
        cluster.put("port", &site.page.port().to_string());
        cluster.put("pods", &pods(&["True"]).to_string());
        cluster
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    fn take(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.file(name)).ok()?;
        std::fs::remove_file(self.file(name)).unwrap();
        Some(text)
    }

    async fn run(&self, site: &Site, words: &[&str]) -> Output {
        site.run_with(words, &[("PATH", &self.path())]).await
    }

    /// A proxy reaches nothing on this machine.
    async fn run_behind_a_proxy(&self, site: &Site, words: &[&str]) -> Output {
        let proxy = [("http_proxy", "http://127.0.0.1:1"), ("no_proxy", "")];
        site.run_with(words, &[&[("PATH", self.path().as_str())][..], &proxy].concat()).await
    }

    fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.0.path().display())
    }

    async fn refusal(&self, site: &Site, words: &[&str]) -> String {
        let output = self.run(site, words).await;
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{words:?}: {said}");
        said
    }
}

/// The pods of a console, as the chart makes them.
fn pods(ready: &[&str]) -> Value {
    let pod = |(number, ready): (usize, &&str)| {
        json!({
            "metadata": {
                "name": format!("vedette-console-{number}"), "namespace": "vedette",
                "labels": { "app.kubernetes.io/name": "vedette-console", "app.kubernetes.io/instance": "vedette" },
            },
            "spec": { "containers": [{
                "name": "console", "args": ["--site=east", format!("--path-prefix={PREFIX}")],
                "ports": [{ "name": "http", "containerPort": 8080 }, { "name": "page", "containerPort": 8081 }],
            }] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        })
    };
    json!({ "apiVersion": "v1", "kind": "List", "items": ready.iter().enumerate().map(pod).collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_place_is_named_the_console_of_the_cluster_answers() {
    let site = Site::new().await;
    let cluster = Cluster::of(&site);
    cluster.put("pods", &pods(&["False", "True"]).to_string());
    for words in [&["alerts", "list"][..], &["status"], &["verdicts", "list"], &["silences", "list"]] {
        let words = [words, &["-o", "json"]].concat();
        let told = cluster.run_behind_a_proxy(&site, &[&words[..], &["-n", "team"]].concat()).await;
        assert_eq!(json(&told), json(&site.in_bucket(&words).await), "{words:?}");
        let asked = cluster.take("asked").unwrap();
        let asked: Vec<&str> = asked.lines().collect();
        let [context, pods, forward] = asked.as_slice() else { panic!("{words:?}: {asked:?}") };
        assert!(context.starts_with("config current-context"), "{context}");
        assert!(
            pods.contains("--selector app.kubernetes.io/name=vedette-console") && pods.contains("--all-namespaces")
        );
        let expected = "port-forward pod/vedette-console-1 :8081 --address=127.0.0.1 --namespace=vedette";
        assert_eq!(*forward, expected);
    }
    let add = ["silences", "add", "-n", "team", "--match", "true", "--for", "2h", "--why", "a test", "-o", "plain"];
    let token = site.token_file();
    let named = ["--context", "west", "--console-namespace", "vedette", "--console-token-file", &token];
    let added = cluster.run(&site, &[&add[..], &named].concat()).await;
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let asked = cluster.take("asked").unwrap();
    assert!(asked.lines().all(|line| line.ends_with("--context=west --namespace=vedette")), "{asked}");

    // Whoever names a place gets that one, and what a console does not tell asks no cluster.
    let elsewhere = site.bucket.endpoint();
    for words in [
        &["alerts", "list", "-n", "team", "--bucket", &elsewhere][..],
        &["alerts", "list", "-n", "team", "--data-dir", "no-such"],
        &["archive", "ls", "-n", "team"],
    ] {
        cluster.run(&site, words).await;
        assert_eq!(cluster.take("asked"), None, "{words:?}");
    }
    for wrong in [["--context", "east"], ["--console-namespace", "vedette"]] {
        let words = [&["alerts", "list", "--bucket", &elsewhere][..], &wrong].concat();
        assert_eq!(cluster.run(&site, &words).await.status.code(), Some(2), "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_gives_no_console_is_said_in_one_line_with_the_mend() {
    let site = Site::new().await;
    let cluster = Cluster::of(&site);
    let list = ["alerts", "list", "-n", "team"];
    let refused = async |more: &[&str], said: &str| {
        let error = cluster.refusal(&site, &[&list[..], more].concat()).await;
        let is_whole = error.contains("no place is named with --console, --bucket or --data-dir");
        assert!(is_whole && error.contains(said), "{said}: {error}");
    };
    cluster.put("pods", &pods(&[]).to_string());
    refused(&[], "the cluster has no console: install one with console.enabled").await;
    refused(&["--console-namespace", "team"], "namespace team has no console").await;
    cluster.put("pods", &pods(&["False"]).to_string());
    refused(&[], "no pod of the console vedette/vedette is ready: `kubectl get pods --namespace vedette").await;
    cluster.put("pods", "no JSON");
    refused(&[], "what kubectl says of the pods cannot be read").await;

    cluster.put("pods", &pods(&["True"]).to_string());
    cluster.put(
        "no-forward",
        "Error from server (Forbidden): pods \"vedette-console-0\" is forbidden: User \"ada\u{1b}[2J\"\n",
    );
    refused(&[], "could not reach the console, as kubectl says: Error from server (Forbidden)").await;
    cluster.put("no-pods", "Error from server (Forbidden): pods is forbidden: User \"ada\" cannot list\n");
    refused(&[], "name the namespace of the console with --console-namespace").await;
    refused(&["--console-namespace", "team"], "kubectl auth can-i --list").await;
    cluster.take("context");
    refused(&[], "kubectl has no current context: name one with --context").await;

    let output = site.run_with(&list, &[("PATH", "/no-such-directory")]).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && error.contains("kubectl, by which a cluster is asked, is not on the PATH"),
        "{error}"
    );
}
