//! Every `helm` and `kubectl` command of the documentation is one that these programs know, and the chart takes the values
//! that are given to it there.

use vedette_testing::pages::{commands, pages};

use crate::helm::{KUBE_VERSION, helm, run};

#[test]
fn every_helm_and_kubectl_command_of_the_docs_is_understood() {
    let mut seen = 0;
    for (path, text) in pages() {
        for program in ["helm", "kubectl"] {
            for words in commands(&text, program) {
                // A program reads all of its arguments before it shows its help.
                let mut arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
                arguments.push("--help");
                let help = run(program, &arguments);
                assert!(help.is_ok(), "{}: {words:?}: {}", path.display(), help.unwrap_err());
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "only {seen} commands were found");
}

#[test]
fn every_release_of_the_docs_renders() {
    let mut seen = 0;
    for (path, text) in pages() {
        for words in
            commands(&text, "helm").into_iter().filter(|words| words.iter().any(|word| word.starts_with("charts/")))
        {
            let [_, verb, rest @ ..] = &words[..] else { panic!("{words:?}") };
            if !["install", "upgrade"].contains(&verb.as_str()) {
                continue;
            }
            let mut arguments = vec!["template"];
            arguments.extend(rest.iter().map(String::as_str).filter(|word| *word != "--install"));
            arguments.extend(KUBE_VERSION);
            let rendered = helm(&arguments);
            assert!(rendered.is_ok(), "{}: {words:?}: {}", path.display(), rendered.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} releases were found");
}
