//! scikit-learn's IsolationForest and its metrics on the very same rows, in one Python process that reads requests line by
//! line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use vedette_forest::metrics;

use crate::failure::Failure;
use crate::protocols::Case;

/// A running peer.
pub(crate) struct Peer {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    directory: PathBuf,
}

impl Peer {
    /// Starts it. `python` must have what `libs/forest/peers/requirements.txt` names.
    pub(crate) fn start(python: &Path, directory: &Path) -> Result<Self, Failure> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/isolation_forest.py");
        let mut process = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = process.stdin.take().ok_or("the peer has no input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("the peer has no output")?);
        Ok(Self { process, requests, answers, directory: directory.to_owned() })
    }

    /// Scores of a case's rows by a forest that was fitted on its training rows. Our metrics of them must be those of
    /// scikit-learn.
    pub(crate) fn scores(&mut self, case: &Case, seed: u64) -> Result<Vec<f64>, Failure> {
        for (name, rows) in [("training", &case.training), ("scored", &case.scored)] {
            let bytes: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
            std::fs::write(self.directory.join(name), bytes)?;
        }
        let labels: Vec<u8> = case.anomalies.iter().copied().map(u8::from).collect();
        std::fs::write(self.directory.join("labels"), labels)?;
        writeln!(self.requests, "{} {seed} {}", case.training.columns(), self.directory.display())?;
        self.requests.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let theirs: Vec<f64> = answer.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let bytes = std::fs::read(self.directory.join("scores"))?;
        let scores: Vec<f64> = bytes.as_chunks().0.iter().map(|number| f64::from_le_bytes(*number)).collect();
        let ours = [metrics::auroc(&scores, &case.anomalies), metrics::auprc(&scores, &case.anomalies)];
        let same = |(ours, theirs): (&Option<f64>, &f64)| ours.is_some_and(|ours| (ours - theirs).abs() < 1e-9);
        if theirs.len() != ours.len() || !ours.iter().zip(&theirs).all(same) {
            return Err(format!("our metrics {ours:?} are not scikit-learn's {answer:?}").into());
        }
        Ok(scores)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
