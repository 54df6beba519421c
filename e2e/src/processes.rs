//! What `/proc` says of the processes below another: Linux only, like the tests that need it.

use std::fs;
use std::path::PathBuf;

/// A process below another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its id.
    pub pid: u32,
    /// File name of its executable.
    pub name: String,
}

/// Every living descendant of a process, by executable name.
pub fn descendants(of: u32) -> Vec<Child> {
    let mut found = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for pid in children(parent) {
            parents.push(pid);
            if let Some(name) = executable(pid) {
                found.push(Child { pid, name });
            }
        }
    }
    found
}

/// Largest resident set that a process had, bytes; none once it is gone.
pub fn peak_resident_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmHWM:")
}

/// Resident set of a process, bytes; none once it is gone.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmRSS:")
}

fn status_bytes(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// CPU that a process and its threads have taken, in user and kernel mode; none once it is gone.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    // Linux counts in hundredths of a second here, whatever the kernel's own clock.
    const TICKS_PER_SECOND: f64 = 100.;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th numbers behind it.
    let mut numbers = stat.rsplit_once(')')?.1.split_whitespace().skip(11).map(str::parse::<u64>);
    let [user, system] = [numbers.next()?.ok()?, numbers.next()?.ok()?];
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .filter_map(Result::ok)
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

fn executable(pid: u32) -> Option<String> {
    let path: PathBuf = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Killed when dropped, also where an assertion fails.
    struct Sleeper(std::process::Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = (self.0.kill(), self.0.wait());
        }
    }

    #[test]
    fn a_child_is_found_by_its_name_and_has_memory() {
        let sleeper = Sleeper(std::process::Command::new("sleep").arg("300").spawn().unwrap());
        let child = &sleeper.0;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(240);
        let found = loop {
            let found = descendants(std::process::id())
                .into_iter()
                .find(|found| found.pid == child.id() && found.name != "deps");
            if found.as_ref().is_some_and(|found| !found.name.starts_with("vedette"))
                || std::time::Instant::now() > deadline
            {
                break found;
            }
            std::thread::yield_now();
        };
        assert!(found.is_some());
        let resident = resident_bytes(child.id()).unwrap();
        assert!(resident > 0 && peak_resident_bytes(child.id()).unwrap() >= resident);
        assert!((0. ..10.).contains(&cpu_seconds(child.id()).unwrap()));
    }
}
