//! The steps of the story that look at the consoles: each shows both sites, and the command line finds them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use vedette_e2e::cluster::{ClusterError, Look, wait_for};

use crate::site::{NAMESPACE, PATIENCE, Site};
use crate::story::Story;

impl Story {
    /// How both stand, and alerts of both, with nothing in trouble.
    pub(crate) async fn the_console_of_each_site_shows_both(&self, version: &str) {
        for at in self.sites() {
            for of in self.sites() {
                wait_for(&format!("{} at the console of {}", of.name(), at.name()), PATIENCE, || async {
                    shows(at, of, version).unwrap_or_else(|error| Look::NotYet(error.to_string()))
                })
                .await
                .unwrap();
            }
            let page = at.cluster.kubectl(&["get", "--raw", &path("")]).unwrap();
            assert!(page.contains("./app.js"), "{page}");
        }
    }

    /// Where no place is named it asks the console of the current context, by a port that kubectl forwards.
    pub(crate) async fn the_command_line_finds_the_console_of_each_site(&self) {
        for at in self.sites() {
            let own = at.name();
            wait_for(&format!("the same alerts by the command line and the console of {own}"), PATIENCE, || async {
                finds_the_same_alerts(at).unwrap_or_else(|error| Look::NotYet(error.to_string()))
            })
            .await
            .unwrap();
            let stands = told(at, &["status"]).unwrap();
            let sites: Vec<&Value> = stands.as_array().unwrap().iter().map(|site| &site["site"]).collect();
            assert_eq!(sites, ["east", "west"], "{stands}");
        }
    }
}

fn told(at: &Site, words: &[&str]) -> Result<Value, ClusterError> {
    let of_pipeline = ["--namespace", NAMESPACE, "--pipeline", "flows", "--output", "json"];
    let said = at.cluster.vedette(&[words, &of_pipeline].concat())?;
    Ok(serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
}

fn finds_the_same_alerts(at: &Site) -> Result<Look<()>, ClusterError> {
    // Newer ones come meanwhile.
    let (own, until) = (at.name(), Timestamp::now() - SignedDuration::from_secs(10));
    let before = until.to_string();
    let found = told(at, &["alerts", "list", "--limit", "5", "--site", own.as_str(), "--until", &before])?;
    let last = until - SignedDuration::from_nanos(1);
    let question = format!("limit=5&namespace={NAMESPACE}&pipeline=flows&site={own}&to={last}");
    let kept = asked(at, &format!("api/v1/alerts?{question}"))?;
    let newest = |alerts: &Value| alerts["alerts"][0]["detected_utc"].as_str().map(str::to_owned);
    Ok(match newest(&found) {
        Some(time) if newest(&kept) == Some(time.clone()) => Look::Holds(()),
        Some(_) | None => Look::NotYet(format!("{found} and {kept}")),
    })
}

fn shows(at: &Site, of: &Site, version: &str) -> Result<Look<()>, ClusterError> {
    let overview = asked(at, "api/v1/overview")?;
    let alerts = asked(at, &format!("api/v1/alerts?limit=1&site={}", of.name()))?;
    let is_well = overview["sites"].as_array().into_iter().flatten().any(|site| {
        let stands = (&site["ready"], &site["silent_since_utc"], &site["model_version"]);
        site["site"] == of.name().as_str() && stands == (&true.into(), &Value::Null, &version.into())
    });
    let is_untroubled = overview["bucket"]["trouble"].is_null() && overview["kafka"]["trouble"].is_null();
    let has_alerted = alerts["alerts"][0]["site"] == of.name().as_str();
    let all = is_well && is_untroubled && has_alerted && overview["own_site"] == at.name().as_str();
    Ok(if all { Look::Holds(()) } else { Look::NotYet(format!("{overview} and {alerts}")) })
}

/// By way of the API server, which reaches the Service.
pub(crate) fn asked(at: &Site, what: &str) -> Result<Value, ClusterError> {
    let text = at.cluster.kubectl(&["get", "--raw", &path(what)])?;
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn path(what: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/services/vedette-console:page/proxy/{what}")
}
