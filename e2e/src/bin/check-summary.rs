//! Reads the JSON summary of `vedette local` from standard input and fails with every promise that it breaks.
//!
//! `vedette local … --json | check-summary --versions 2 --auroc 0.95 --budget 5000`

use std::io::Read;
use std::process::ExitCode;

use serde_json::Value;

/// A promise: what it says, and whether the summary keeps it.
type Promise = (String, bool);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut text = String::new();
    let summary: Value = match std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string()) {
        Ok(_) => match serde_json::from_str(&text) {
            Ok(summary) => summary,
            Err(error) => return refuse(&format!("standard input is not a JSON summary: {error}")),
        },
        Err(error) => return refuse(&error),
    };
    let promises = match promises(&summary, &arguments) {
        Ok(promises) => promises,
        Err(error) => return refuse(&error),
    };
    let mut code = ExitCode::SUCCESS;
    for (promise, kept) in promises {
        println!("{} {promise}", if kept { "kept  " } else { "BROKEN" });
        if !kept {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("check-summary: {message}");
    ExitCode::from(2)
}

fn promises(summary: &Value, arguments: &[String]) -> Result<Vec<Promise>, String> {
    let number = |path: &str| summary.pointer(path).and_then(Value::as_f64);
    let show = |path: &str| summary.pointer(path).map_or_else(|| "missing".to_owned(), ToString::to_string);
    let enriched_and_dead =
        number("/records_enriched").zip(number("/dead_letters")).map(|(enriched, dead)| enriched + dead);
    let mut promises = vec![
        (format!("records flow: {} generated", show("/records_generated")), number("/records_generated") > Some(0.0)),
        (format!("nothing is lost: {}", show("/lost")), number("/lost") == Some(0.0)),
        (format!("nothing is twice: {}", show("/duplicates")), number("/duplicates") == Some(0.0)),
        (
            "enriched and dead letters are all that was generated".to_owned(),
            enriched_and_dead.is_some() && enriched_and_dead == number("/records_generated"),
        ),
        (
            format!("all that is enriched is archived: {} of {}", show("/archive/records"), show("/records_enriched")),
            number("/archive/records").is_some() && number("/archive/records") == number("/records_enriched"),
        ),
        (format!("there are alerts: {}", show("/alerts")), number("/alerts") > Some(0.0)),
    ];
    for pair in arguments.chunks(2) {
        let [option, value] = pair else { return Err(format!("{} needs a value", pair.concat())) };
        let limit: f64 = value.parse().map_err(|_| format!("{option} {value}: not a number"))?;
        promises.push(match option.as_str() {
            "--versions" => {
                let versions = summary["model_versions"].as_array().map_or(0, Vec::len);
                (format!("at least {limit} model versions: {versions}"), versions as f64 >= limit)
            }
            "--auroc" => (format!("AUROC at least {limit}: {}", show("/auroc")), number("/auroc") >= Some(limit)),
            "--budget" => {
                let alerts = number("/alerts_per_million");
                let kept = alerts.is_some_and(|alerts| (limit / 2.0..=limit * 2.0).contains(&alerts));
                (format!("alerts within half to twice {limit} per million: {}", show("/alerts_per_million")), kept)
            }
            _ => return Err(format!("unknown option {option}; there are --versions, --auroc and --budget")),
        });
    }
    Ok(promises)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "records_generated": 10, "records_enriched": 9, "dead_letters": 1, "alerts": 1, "lost": 0, "duplicates": 0,
            "archive": {"records": 9}, "auroc": 0.97, "alerts_per_million": 6000.0, "model_versions": [{}, {}],
        })
    }

    fn broken(summary: &Value) -> usize {
        let arguments = ["--versions", "2", "--auroc", "0.95", "--budget", "5000"].map(str::to_owned);
        promises(summary, &arguments).unwrap().iter().filter(|(_, kept)| !kept).count()
    }

    #[test]
    fn every_promise_can_be_broken() {
        assert_eq!(broken(&good()), 0);
        for (field, value, count) in [
            ("lost", json!(1), 1),
            ("duplicates", json!(1), 1),
            ("dead_letters", json!(0), 1),
            ("alerts", json!(0), 1),
            ("archive", json!({"records": 8}), 1),
            ("auroc", json!(null), 1),
            ("alerts_per_million", json!(11_000.0), 1),
            ("model_versions", json!([{}]), 1),
        ] {
            let mut summary = good();
            summary[field] = value;
            assert_eq!(broken(&summary), count, "{field}");
        }
        assert!(broken(&json!({})) >= 8);
    }

    #[test]
    fn options_that_mean_nothing_are_refused() {
        assert!(promises(&good(), &["--what".to_owned(), "1".to_owned()]).is_err());
        assert!(promises(&good(), &["--auroc".to_owned()]).is_err());
        assert!(promises(&good(), &["--auroc".to_owned(), "x".to_owned()]).is_err());
    }
}
