//! Which files, or keys of a Secret or `ConfigMap`, are meant: one by its name, or all that end alike.

/// Names as one text gives them: itself, or `*` and how they end, such as `*.crt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileNames<'a> {
    /// This one.
    This(&'a str),
    /// All that end so; those that are hidden, as what the kubelet keeps beside mounted keys is, are none of them.
    Ending(&'a str),
}

impl<'a> FileNames<'a> {
    /// What the text means.
    pub fn of(text: &'a str) -> Self {
        text.strip_prefix('*').map_or(Self::This(text), Self::Ending)
    }

    /// Whether this name is one of them.
    pub fn contain(self, name: &str) -> bool {
        match self {
            Self::This(this) => name == this,
            Self::Ending(ending) => name.ends_with(ending) && !name.starts_with('.'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_how_names_begin() {
        let contain = |names: &str, name: &str| FileNames::of(names).contain(name);
        assert!(contain("ca.crt", "ca.crt") && !contain("ca.crt", "old-ca.crt"));
        for authority in ["ca.crt", "ca-2026-11-28T09-00-00Z.crt"] {
            assert!(contain("*.crt", authority), "{authority}");
        }
        for other in ["ca.p12", "ca.crt.old", "..data", ".crt"] {
            assert!(!contain("*.crt", other), "{other}");
        }
    }
}
