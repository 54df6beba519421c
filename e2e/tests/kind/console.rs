//! The step of the story that looks at the consoles: each shows both sites.

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
