//! What names there are, said beside one that is not there.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use vedette_contract::Name;

/// So many names are listed in one error.
pub(super) const LISTED: usize = 10;

/// The names, one after the other, as far as there is room.
pub(super) fn listed(names: impl IntoIterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let more = names.len().saturating_sub(LISTED);
    let listed = names[..names.len() - more].join(", ");
    if more > 0 { format!("{listed} and {more} more") } else { listed }
}

/// The same, those first that are spelled most like the one that is meant.
pub(super) fn nearest_listed<'a>(meant: &Name, names: impl IntoIterator<Item = &'a Name>) -> String {
    let mut names: Vec<&Name> = names.into_iter().collect();
    names.sort_by_key(|name| Reverse(in_common(meant.as_str(), name.as_str())));
    listed(names)
}

/// How many characters two names begin with alike, and of the rest how many they end with.
pub(super) fn in_common(one: &str, other: &str) -> (usize, usize) {
    let begin = one.bytes().zip(other.bytes()).take_while(|(left, right)| left == right).count();
    let (one, other) = (&one.as_bytes()[begin..], &other.as_bytes()[begin..]);
    (begin, one.iter().rev().zip(other.iter().rev()).take_while(|(left, right)| left == right).count())
}

/// Of names that are met one by one those that are spelled most like the one that is meant.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
    meant: String,
    found: BTreeSet<(Reverse<(usize, usize)>, String)>,
}

impl Nearest {
    pub(super) fn to(meant: impl Into<String>) -> Self {
        Self { meant: meant.into(), found: BTreeSet::new() }
    }

    pub(super) fn meet(&mut self, name: &str) {
        let near = Reverse(in_common(&self.meant, name));
        if self.found.len() == LISTED && self.found.last().is_some_and(|(farthest, _)| *farthest <= near) {
            return;
        }
        self.found.insert((near, name.to_owned()));
        if self.found.len() > LISTED {
            self.found.pop_last();
        }
    }

    /// Those, the nearest first.
    pub(super) fn names(&self) -> Vec<String> {
        self.found.iter().map(|(_, name)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_near_by_how_they_begin_and_then_by_how_they_end() {
        assert_eq!(
            [("abc", "abc"), ("abc", "axc"), ("", "a"), ("aa", "a")].map(|(one, other)| in_common(one, other)),
            [(3, 0), (1, 1), (0, 0), (1, 0)]
        );
        let mut nearest = Nearest::to("flows");
        (0..40).for_each(|number| nearest.meet(&format!("n{number}")));
        ["flow", "floes", "flow"].iter().for_each(|name| nearest.meet(name));
        let names = nearest.names();
        assert_eq!((&names[..2], names.len()), (&["flow".to_owned(), "floes".to_owned()][..], LISTED));
    }

    #[test]
    fn of_hundreds_of_names_the_near_ones_are_listed() {
        let names: Vec<Name> = (100..400).map(|number| format!("team-{number}").parse().unwrap()).collect();
        let said = nearest_listed(&"team-37".parse().unwrap(), &names);
        assert!(said.starts_with("team-370, team-371, ") && said.ends_with("team-379 and 290 more"), "{said}");
    }

    #[test]
    fn of_many_names_it_is_said_how_many_more_there_are() {
        assert_eq!(listed(["a", "b"]), "a, b");
        assert_eq!(listed((0..12).map(|number| number.to_string())), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    }
}
