//! Whether what is to be learned fits into memory: an estimate before the fit, rather than an end by the kernel in the middle of it.

use crate::error::TrainerError;

/// A row as it is sampled, without its cells.
const ROW_BYTES: u64 = 150;
/// Copies of the cells that exist at a time at most: the sample, both sides of the split, what is filled, and folds.
const COPIES: u64 = 4;
/// Bytes of a cell that a search takes beside: the rows by folds, and in bins.
const SEARCHED: u64 = 6;
/// Bytes of a cell that each trial at a time takes: real and synthetic rows in bins, and what a tree learns from.
const TRIAL: u64 = 4;
/// What a training takes whatever its rows.
const BASE_BYTES: u64 = 128 << 20;
const MIB: u64 = 1 << 20;

/// Refuses rows that would not fit; says what they take.
///
/// # Errors
/// When the estimate is above the limit.
pub(crate) fn check(
    rows: usize,
    columns: usize,
    parallel_trials: usize,
    limit: Option<u64>,
) -> Result<u64, TrainerError> {
    let searched = if parallel_trials > 0 { SEARCHED + TRIAL * parallel_trials as u64 } else { 0 };
    let needed = BASE_BYTES + rows as u64 * (ROW_BYTES + (COPIES * 4 + searched) * columns as u64);
    match limit {
        Some(limit) if needed > limit => {
            Err(TrainerError::Memory { rows, columns, needed_mib: needed.div_ceil(MIB), limit_mib: limit / MIB })
        }
        Some(_) | None => Ok(needed),
    }
}

/// Bytes that this process may use, where the system tells: its control group's limit, or else the machine's memory.
pub(crate) fn limit() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = groups.into_iter().find_map(|path| read(path)?.trim().parse().ok());
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    group.into_iter().chain(machine).min()
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_fit_is_refused_with_what_to_do() {
        assert!(check(1_000_000, 41, 0, Some(2 << 30)).is_ok() && check(1_000_000, 4_000, 0, None).is_ok());
        assert!(check(1_000_000, 41, 1, None).unwrap() > check(1_000_000, 41, 0, None).unwrap());
        let refused = check(1_000_000, 1_500, 0, Some(2 << 30)).unwrap_err().to_string();
        for word in [
            "1000000 records of 1500 features",
            "23160 MiB to learn from, and there are 2048 MiB",
            "maxRecords",
            "resources",
        ] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }

    #[test]
    fn the_machine_tells_its_memory() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total("nothing"), None);
        assert!(limit().is_none_or(|limit| limit > 1 << 20));
    }
}
