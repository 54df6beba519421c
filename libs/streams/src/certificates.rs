//! Certificates of authorities, as PEM: of one file, or of all files of a directory whose names end alike, so that what is signed
//! by an authority and by the one that follows it is trusted alike.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use vedette_contract::file_names::FileNames;

/// Whether the path is that of several files: its last part begins with `*`.
pub(crate) fn are_several(path: &Path) -> bool {
    matches!(names(path), FileNames::Ending(_))
}

/// What stands in the file, or in all of them, in the order of their names.
///
/// # Errors
/// When one cannot be read, or none is there.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !are_several(path) {
        return fs::read(path);
    }
    let files = files(path)?;
    if files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no file of the directory has such a name"));
    }
    let mut text = Vec::new();
    for file in files {
        text.extend(fs::read(file)?);
        // The last line of a file may have no end.
        text.push(b'\n');
    }
    Ok(text)
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let names = names(path);
    let mut files = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap_or(Path::new(".")))? {
        let file = entry?.path();
        if file.file_name().and_then(OsStr::to_str).is_some_and(|name| names.contain(name)) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn names(path: &Path) -> FileNames<'_> {
    FileNames::of(path.file_name().and_then(OsStr::to_str).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_whose_names_end_alike_are_read_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let several = directory.path().join("*.crt");
        assert_eq!(read(&several).unwrap_err().kind(), io::ErrorKind::NotFound);
        for (name, text) in [("ca.crt", "new"), ("ca-2026.crt", "old\n"), ("ca.p12", "no"), ("..data.crt", "no")] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        assert_eq!(read(&several).unwrap(), b"old\n\nnew\n");
        assert_eq!(read(&directory.path().join("ca.crt")).unwrap(), b"new");
        assert!(read(&directory.path().join("ca.pem")).is_err());
    }
}
