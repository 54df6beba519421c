//! The pages of the documentation, and the commands that they show.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every page, with its path.
pub fn pages() -> Vec<(PathBuf, String)> {
    let root = repository();
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain(["README.md", "CONTRIBUTING.md", "charts/vedette/README.md"].map(|name| root.join(name)));
    pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The commands of a page that call this program, as words.
pub fn commands(text: &str, program: &str) -> Vec<Vec<String>> {
    code(text).iter().map(|line| words(line)).filter(|words| words.len() > 1 && words[0] == program).collect()
}

/// The words of a line, as a shell takes them.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (character, quote) {
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, Some(begun)) if character == begun => quote = None,
            (_, None) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The lines of fenced blocks, without what a `#` begins and joined where they go on, and the code within sentences.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            let part = part.replace("\\\n", " ");
            let lines = part.lines().skip(1).map(|line| line.split(" #").next().unwrap_or_default().trim());
            found.extend(lines.map(str::to_owned));
        } else {
            found.extend(part.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")));
        }
    }
    found
}
