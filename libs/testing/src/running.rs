//! A program that runs for as long as a test wants it to, and what it says meanwhile.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// So long nothing takes that goes well, on a machine with better to do.
const PATIENCE: Duration = Duration::from_secs(240);

/// The program. It ends with the test.
pub struct Running {
    child: Child,
    printed: Lines<BufReader<ChildStdout>>,
    said: Lines<BufReader<ChildStderr>>,
}

/// One that has ended.
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// The lines of standard output that nobody had asked for.
    pub printed: Vec<String>,
    /// Those of standard error.
    pub said: Vec<String>,
}

impl Running {
    /// Starts it.
    pub fn start(command: std::process::Command) -> Self {
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, printed, said }
    }

    /// The next line that it prints to standard output.
    pub async fn line(&mut self) -> String {
        let Some(line) = next(&mut self.printed).await else { panic!("it ended, and printed nothing more") };
        line
    }

    /// The next line that it says on standard error.
    pub async fn complaint(&mut self) -> String {
        let Some(line) = next(&mut self.said).await else { panic!("it ended, and said nothing more") };
        line
    }

    /// Presses Ctrl-C.
    pub async fn press(&self) {
        let kill = format!("kill -INT {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    }

    /// Presses Ctrl-C and waits for its end.
    pub async fn interrupt(mut self) -> Ended {
        self.press().await;
        let (mut printed, mut said) = (Vec::new(), Vec::new());
        while let Some(line) = next(&mut self.printed).await {
            printed.push(line);
        }
        while let Some(line) = next(&mut self.said).await {
            said.push(line);
        }
        Ended { status: self.child.wait().await.unwrap(), printed, said }
    }
}

async fn next<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>) -> Option<String> {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    line.unwrap_or_else(|_| panic!("it says nothing within {PATIENCE:?}")).unwrap()
}
