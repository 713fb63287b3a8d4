//! The README tells the truth: its key table is the generated one, its commands are commands, its pictures exist.

use std::process::Command;

const README: &str = include_str!("../README.md");
const HOWDAH: &str = env!("CARGO_BIN_EXE_howdah");

#[test]
fn the_key_table_is_the_generated_one() {
    let table = README.split("<!-- keys: written by `howdah keys --markdown` -->").nth(1).unwrap();
    let table = table.split("<!-- /keys -->").next().unwrap();
    // Settings of whoever runs the tests must not matter.
    let nowhere = tempfile::tempdir().unwrap();
    let out = Command::new(HOWDAH)
        .args(["keys", "--markdown"])
        .env("XDG_CONFIG_HOME", nowhere.path())
        .env_remove("HOWDAH_CONFIG")
        .output()
        .unwrap();
    assert_eq!(
        table.trim(),
        String::from_utf8(out.stdout).unwrap().trim(),
        "`howdah keys --markdown` says something else"
    );
}

#[test]
fn every_command_of_it_is_understood() {
    let mut seen = 0;
    for line in fenced() {
        let Some(rest) = line.strip_prefix("howdah") else { continue };
        let words = rest.split('#').next().unwrap().split_whitespace();
        let args = std::iter::once("howdah").chain(words).map(Into::into);
        assert!(howdah::cli::parse(args).is_ok(), "not understood: {line}");
        seen += 1;
    }
    assert!(seen >= 10, "the README's commands were not found");
}

#[test]
fn every_make_target_of_it_exists() {
    let makefile = include_str!("../Makefile");
    let targets: Vec<_> = fenced().filter_map(|l| l.strip_prefix("make ")).collect();
    assert!(!targets.is_empty());
    for target in targets {
        let name = target.split_whitespace().next().unwrap();
        assert!(makefile.lines().any(|l| l.starts_with(&format!("{name}:"))), "no target {name}");
    }
}

#[test]
fn its_pictures_exist() {
    let pictures: Vec<_> =
        README.split("](").skip(1).filter_map(|p| p.split(')').next()).filter(|p| p.ends_with(".svg")).collect();
    assert!(pictures.len() >= 3);
    for picture in pictures {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(picture);
        assert!(path.exists(), "{picture} is missing");
    }
}

/// Lines of fenced blocks.
fn fenced() -> impl Iterator<Item = &'static str> {
    let mut inside = false;
    README.lines().filter(move |line| {
        if line.starts_with("```") {
            inside = !inside;
            return false;
        }
        inside
    })
}
