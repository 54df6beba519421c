//! What is said of an apply that failed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Finding, READY, find};
use crate::platform::ApplyFailure;
use crate::reason::{ReadyReason, Reason};

/// What fails so often in a row does not pass before anybody reads of it.
const TOLD_FROM: u32 = 3;

/// What `Ready` is then, these having been the conditions before; nothing where it may well pass at once.
pub(crate) fn apply_failed(failure: &ApplyFailure, before: &[Condition]) -> Option<Finding> {
    let ApplyFailure { message, is_lasting, times } = failure;
    if *is_lasting {
        return Some(Finding::fails(ReadyReason::ApplyFailed, message));
    }
    let told = find(before, READY).filter(|ready| ready.reason == ReadyReason::ApplyRetrying.as_str());
    match told {
        None if *times < TOLD_FROM => None,
        // The cause may read otherwise each time, and each status that is written has the object looked at again at once.
        Some(told) if !times.is_power_of_two() => Some(Finding::fails(ReadyReason::ApplyRetrying, &told.message)),
        None | Some(_) => {
            Some(Finding::fails(ReadyReason::ApplyRetrying, format!("{message}; it is tried again and again")))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::{Conditions, RECONCILING, is_true};
    use super::*;

    fn failed(times: u32, before: &[Condition]) -> Option<Finding> {
        let message = format!("cannot apply Job j: failed calling webhook, port {times}");
        apply_failed(&ApplyFailure { message, is_lasting: false, times }, before)
    }

    #[test]
    fn what_passes_is_told_where_it_lasts_and_until_it_is_over() {
        assert_eq!([failed(1, &[]), failed(2, &[])], [None, None]);
        let third = failed(3, &[]).unwrap();
        assert_eq!((third.holds, third.reason), (Some(false), "ApplyRetrying"));
        let told = Conditions::from(&[], None, Timestamp::UNIX_EPOCH).with_ready(third.clone()).into_vec();
        assert!(is_true(&told, RECONCILING), "it is not stalled");
        // An operator that begins anew counts from one.
        for again in [1, 2, 4] {
            assert!(failed(again, &told).unwrap().message.contains(&format!("port {again}")));
        }
        for same in [3, 5, 6, 7] {
            assert_eq!(failed(same, &told).as_ref(), Some(&third), "no status is written for a port");
        }
    }
}
