//! The house stays in order: a room uses only rooms above it, foreign crates stay where they belong, nobody reads a
//! clock where time is an argument, and files fit in the head.
//!
//! It reads the source text, so it needs no compiler plug-in; comments and string literals are taken out first.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from top to bottom. A line may use only lines above it; rooms on one line may use each other.
const ROOMS: &[&[&str]] = &[
    &["text"],
    &["problem"],
    &["document"],
    &["domain"],
    &["procedure"],
    &["adapters"],
    &["command"],
    &["ui"],
    &["panes"],
    &["app"],
    &["lab"],
    &["settings"],
    &["log"],
    &["cli"],
    &["run"],
    &["main"],
];

/// Pairs that must not meet although one stands above the other: they meet on the wire only.
const STRANGERS: &[(&str, &str)] =
    &[("lab", "adapters"), ("lab", "ui"), ("lab", "panes"), ("lab", "app"), ("lab", "command"), ("panes", "adapters")];

/// Foreign names and the only places that may say them.
const FOREIGN: &[(&str, &[&str])] = &[
    ("kube", &["adapters/"]),
    ("azure_", &["adapters/"]),
    ("aws_", &["adapters/"]),
    ("object_store", &["adapters/objects/"]),
    ("reqwest", &["adapters/"]),
    ("k8s_openapi", &["adapters/", "lab/api/"]),
    ("tokio_postgres", &["adapters/", "lab/postgres/"]),
    ("crossterm", &["ui/chord.rs", "ui/terminal.rs"]),
    ("tokio", &["adapters/", "lab/", "cli/", "run.rs", "run/", "main.rs", "ui/terminal.rs", "log.rs"]),
    ("ratatui", &["ui/", "panes/", "app/", "run.rs", "run/", "cli/"]),
];

/// Calls that read a clock, and where they are at home.
const CLOCKS: &[&str] = &["Timestamp::now", "Zoned::now", "Instant::now", "SystemTime::now"];
const CLOCK_ROOMS: &[&str] = &["adapters/", "lab/", "cli/", "run.rs", "run/", "main.rs"];

/// Lines a source file may have.
const LONGEST: usize = 450;

struct Source {
    /// Below `src/`, with forward slashes.
    path: String,
    /// Without comments and literals.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    assert!(files.len() > 10, "src/ was not found");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            Source { path, lines: text.lines().count(), code: code_only(&text) }
        })
        .collect()
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Blanks out comments, string and character literals; keeps line ends.
fn code_only(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        let previous_is_word = i > 0 && (bytes[i - 1].is_alphanumeric() || bytes[i - 1] == '_');
        if rest.starts_with(&['/', '/']) {
            while i < bytes.len() && bytes[i] != '\n' {
                i += 1;
            }
        } else if rest.starts_with(&['/', '*']) {
            while i < bytes.len() && !bytes[i..].starts_with(&['*', '/']) {
                i += 1;
            }
            i += 2;
        } else if rest[0] == 'r' && !previous_is_word && raw_string(rest).is_some() {
            i += raw_string(rest).unwrap();
        } else if rest[0] == '"' {
            i += 1;
            while i < bytes.len() && bytes[i] != '"' {
                i += if bytes[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if rest[0] == '\'' && rest.len() > 2 && (rest[1] == '\\' || rest[2] == '\'') {
            i += 1;
            while i < bytes.len() && bytes[i] != '\'' {
                i += if bytes[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else {
            out.push(rest[0]);
            i += 1;
        }
    }
    out
}

/// The length of a raw string literal at the start of `rest`, if there is one.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let mut end = 2 + hashes;
    while end < rest.len() {
        if rest[end] == '"' && rest[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(end)
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|line| line.contains(&room))
}

/// Words that follow `prefix` in the code, such as the rooms after `crate::`.
fn words_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix)
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .flat_map(move |(at, _)| {
            let rest = &code[at + prefix.len()..];
            let list = match rest.strip_prefix('{') {
                // `use crate::{a::b, c}`: the first word of each item at the top level of the braces.
                Some(inner) => top_level_items(inner),
                None => vec![rest],
            };
            list.into_iter().map(|item| {
                let item = item.trim_start();
                &item[..item.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(item.len())]
            })
        })
}

fn top_level_items(inner: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0usize, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&inner[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

#[test]
fn every_file_belongs_to_a_room() {
    for source in sources() {
        let room = room_of(&source.path);
        assert!(room == "lib" || rank(room).is_some(), "src/{}: no such room in tests/layers.rs", source.path);
    }
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = room_of(&source.path);
        let Some(mine) = rank(room) else { continue };
        let root = if room == "main" { "howdah::" } else { "crate::" };
        // A chain of `super` long enough to reach the root would be a way around.
        let climbs = ["super::super::", "super::super::super::"].iter().flat_map(|p| words_after(&source.code, p));
        for used in words_after(&source.code, root).chain(climbs) {
            let Some(theirs) = rank(used) else { continue };
            let strangers = STRANGERS.contains(&(room, used));
            if used != room && (theirs > mine || strangers) {
                wrong.push(format!("src/{} uses `{used}`, which {room} must not know", source.path));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, homes) in FOREIGN {
            let said = source.code.match_indices(name).any(|(at, _)| {
                let before = source.code[..at].chars().next_back();
                let after = &source.code[at + name.len()..];
                let whole = name.ends_with('_') || after.starts_with("::") || after.starts_with(';');
                whole && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.')
            });
            if said && !homes.iter().any(|home| source.path.starts_with(home)) {
                wrong.push(format!("src/{} says `{name}`; its home is {homes:?}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_hands_change_a_cluster() {
    // Whatever could make a request that changes something; `exec` and tunnels carry SQL: read-only, but for the tables of
    // a drill's own.
    const HANDS: &str = "adapters/kubernetes/acts/";
    const WRITES: &[&str] = &[
        "PostParams",
        "PatchParams",
        "DeleteParams",
        "EvictParams",
        "http::Method",
        "Method::",
        ".method(",
        "method_mut",
    ];
    // The faults of a lab are the one thing it makes and deletes: objects of a group that no other Kubernetes has.
    const LAB: &str = "adapters/kubernetes/faults.rs";
    let mut wrong = Vec::new();
    let adapters = sources().into_iter().filter(|s| s.path.starts_with("adapters/"));
    for source in adapters.filter(|s| !s.path.starts_with(HANDS) && s.path != LAB) {
        for word in WRITES {
            let said = source
                .code
                .match_indices(word)
                .any(|(at, _)| !source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if said {
                wrong.push(format!("src/{} says `{word}`: only the hands send what changes a cluster", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn object_stores_are_only_read() {
    // The names of whatever the library can change a store by.
    const WRITES: &[&str] =
        &[".put", "put_opts", "put_multipart", ".delete", "delete_stream", "copy_opts", ".rename", "Signer"];
    let all = sources();
    let stores = all.iter().filter(|s| s.path.starts_with("adapters/objects/"));
    let wrong: Vec<_> = stores
        .flat_map(|s| WRITES.iter().filter(|w| s.code.contains(**w)).map(move |w| format!("src/{} says `{w}`", s.path)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn time_is_an_argument() {
    let mut wrong = Vec::new();
    for source in sources() {
        for clock in CLOCKS {
            if source.code.contains(clock) && !CLOCK_ROOMS.iter().any(|home| source.path.starts_with(home)) {
                wrong.push(format!("src/{} reads a clock with {clock}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_fit_in_the_head() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|s| s.lines > LONGEST)
        .map(|s| format!("src/{}: {} lines", s.path, s.lines))
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines:\n{}", long.join("\n"));
}

#[test]
fn folders_say_what_they_are_for() {
    for source in sources().iter().filter(|s| s.path.ends_with("/mod.rs")) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&source.path)).unwrap();
        assert!(text.starts_with("//! "), "src/{} does not begin with what the folder is for", source.path);
    }
}

mod of_itself {
    //! The reader above must see through comments and literals, or it proves nothing.

    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = "use crate::ui; // crate::lab\nlet s = \"crate::run\"; let r = r#\"crate::app \" \"#; let c = '\"'; /* crate::cli */ f::<'a>()";
        let code = code_only(text);
        assert!(code.contains("crate::ui"));
        for hidden in ["crate::lab", "crate::run", "crate::app", "crate::cli"] {
            assert!(!code.contains(hidden), "{hidden} in {code}");
        }
        assert!(code.contains("f::<'a>()"));
    }

    #[test]
    fn words_in_braces_are_seen() {
        let code = "use crate::{domain::{lsn, wal}, ui, app::Msg}; crate::lab::x; mycrate::run;";
        assert_eq!(words_after(code, "crate::").collect::<Vec<_>>(), ["domain", "ui", "app", "lab"]);
    }
}
