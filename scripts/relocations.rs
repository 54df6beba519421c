//! The build script of the largest programs. A static program has tens of thousands of relocations; packed (DT_RELR), each takes a bit or
//! two in place of 24 bytes, which is 7 % of the program. glibc reads them from 2.36 on, and what is linked with an older one does not start.
//! So it is asked for its version: it is that of the programs where they are built for the very machine that builds them.

use std::path::Path;
use std::process::Command;

/// Elsewhere nobody has tried.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The first version of glibc that reads them.
const FIRST: (u32, u32) = (2, 36);

fn main() {
    let [target, host, package] =
        ["TARGET", "HOST", "CARGO_MANIFEST_DIR"].map(|name| std::env::var(name).unwrap_or_default());
    // It reads nothing of its package, whose changes are none of its business.
    let this = Path::new(&package).ancestors().map(|above| above.join("scripts/relocations.rs"));
    this.filter(|file| file.is_file()).for_each(|file| println!("cargo::rerun-if-changed={}", file.display()));
    if target == TARGET && host == TARGET && glibc().is_some_and(|version| version >= FIRST) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Its major and minor version; none where nobody tells, and then the program is only larger.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let mut numbers = told.trim().strip_prefix("glibc ")?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
