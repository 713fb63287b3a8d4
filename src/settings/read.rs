//! Reading `config.toml`.

use jiff::SignedDuration;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

use super::{Hidden, Login, Settings, limits};
use crate::document::mistake::{Mistake, did_you_mean};
use crate::document::{Document, Entry, entries};
use crate::procedure::Protected;
use crate::procedure::drill::Objectives;
use crate::ui::keymap::Keymaps;
use crate::ui::theme::{Depth, Themes};

const KEYS: [&str; 16] = [
    "theme",
    "keymap",
    "ascii",
    "utc",
    "bell",
    "mouse",
    "colours",
    "contexts",
    "namespaces",
    "export-folder",
    "list-stores",
    "log",
    "protected",
    "limits",
    "objectives",
    "clusters",
];
const OBJECTIVE_KEYS: [&str; 2] = ["rto", "rpo"];
const LOGIN_KEYS: [&str; 3] = ["secret", "dsn", "instances"];
const COLOURS: [&str; 5] = ["auto", "none", "16", "256", "truecolor"];

/// A store is listed no more often than this.
const LIST_STORES: SignedDuration = SignedDuration::from_secs(10);

type Value<'t> = Spanned<DeValue<'t>>;
type Files = [(String, String)];

/// Reads the settings; each wrong line is a mistake and leaves its default.
pub(super) fn settings(file: &str, text: &str, themes: &Files, keymaps: &Files) -> (Settings, Vec<Mistake>) {
    let (mut doc, table) = Document::parse(file, text);
    let mut out = Settings::default();
    for e in entries(&table) {
        read_one(&mut doc, &mut out, &e, themes, keymaps);
    }
    (out, doc.mistakes)
}

fn read_one(doc: &mut Document<'_>, out: &mut Settings, e: &Entry<'_, '_>, themes: &Files, keymaps: &Files) {
    match e.key {
        "theme" => {
            let (all, _) = Themes::with(themes.iter().cloned());
            if let Some(name) = one_of(doc, e.value, "theme", all.names().collect(), themes) {
                out.theme = name;
            }
        }
        "keymap" => {
            let (all, _) = Keymaps::with(keymaps.iter().cloned());
            if let Some(name) = one_of(doc, e.value, "keymap", all.names().collect(), keymaps) {
                out.keymap = name;
            }
        }
        "ascii" => out.ascii = doc.flag(e.value).unwrap_or(out.ascii),
        "utc" => out.utc = doc.flag(e.value).unwrap_or(out.utc),
        "bell" => out.bell = doc.flag(e.value).unwrap_or(out.bell),
        "mouse" => out.mouse = doc.flag(e.value).unwrap_or(out.mouse),
        "colours" => {
            let name = one_of(doc, e.value, "number of colours", COLOURS.to_vec(), &[]);
            out.colours = name.and_then(|n| Depth::named(&n));
        }
        "contexts" => out.contexts = doc.texts(e.value).unwrap_or_default(),
        "namespaces" => out.namespaces = doc.texts(e.value).unwrap_or_default(),
        "export-folder" => out.export_folder = doc.text(e.value).map(|t| home(t, std::env::home_dir())),
        "list-stores" => stores(doc, e.value, &mut out.stores),
        "log" => out.log = filter(doc, e.value),
        "protected" => {
            if let Some(patterns) = doc.texts(e.value) {
                out.protected = Protected(patterns);
            }
        }
        "objectives" => objectives(doc, e.value, &mut out.objectives),
        "limits" => {
            if let Some(table) = doc.table(e.value) {
                out.limits = limits::read(doc, table);
            }
        }
        "clusters" => {
            let Some(table) = doc.table(e.value) else { return };
            for c in entries(table) {
                if !is_cluster(c.key) {
                    let what = format!(
                        "`{}` names no cluster: write \"namespace/cluster\" or \"context:namespace/cluster\"",
                        c.key
                    );
                    doc.wrong(c.at.clone(), what);
                }
                let login = login(doc, c.value);
                out.clusters.insert(c.key.to_owned(), login);
            }
        }
        key => doc.unknown(e.at.clone(), "setting", key, KEYS),
    }
}

/// How often object stores are listed: each listing costs the account's owner something.
fn stores(doc: &mut Document<'_>, value: &Value<'_>, out: &mut Option<SignedDuration>) {
    match doc.text(value).map(|text| (text, text.parse::<SignedDuration>())) {
        Some(("never", _)) => *out = None,
        Some((_, Ok(time))) if time >= LIST_STORES => *out = Some(time),
        Some((_, Ok(_))) => doc.wrong(value.span(), "too often: a store is listed every 10s at most"),
        Some((text, Err(_))) => doc.wrong(value.span(), format!("no time: `{text}`; write 60s, 5m or never")),
        None => {}
    }
}

/// What a drill must reach.
fn objectives(doc: &mut Document<'_>, value: &Value<'_>, out: &mut Objectives) {
    let Some(table) = doc.table(value) else { return };
    for e in entries(table) {
        match e.key {
            "rto" => match doc.text(e.value).map(|t| (t, t.parse::<SignedDuration>())) {
                Some((_, Ok(time))) if time > SignedDuration::ZERO => out.rto = time,
                Some((text, _)) => doc.wrong(e.value.span(), format!("no time: `{text}`; write 30s, 2m or 1h30m")),
                None => {}
            },
            "rpo" => match e.value.get_ref().as_integer().map(|n| n.as_str().parse::<u64>()) {
                Some(Ok(n)) => out.rpo = n,
                Some(Err(_)) => doc.wrong(e.value.span(), "no number of writes: write 0, or how many may be lost"),
                None => doc.expected(e.value, "a number of writes"),
            },
            key => doc.unknown(e.at, "objective", key, OBJECTIVE_KEYS),
        }
    }
}

/// One of these names, or a mistake. A file of that name which is itself wrong is reported on its own.
fn one_of(doc: &mut Document<'_>, value: &Value<'_>, kind: &str, names: Vec<&str>, own: &Files) -> Option<String> {
    let name = doc.text(value)?;
    let refused = own.iter().any(|(f, _)| f.ends_with(&format!("/{name}.toml")) || *f == format!("{name}.toml"));
    if names.contains(&name) || refused {
        return Some(name.to_owned());
    }
    let hint = match did_you_mean(name, names.iter().copied()) {
        hint if hint.is_empty() => format!("; there are {}", names.join(", ")),
        hint => hint,
    };
    doc.wrong(value.span(), format!("no such {kind}: `{name}`{hint}"));
    None
}

/// A log filter, or a mistake.
fn filter(doc: &mut Document<'_>, value: &Value<'_>) -> Option<String> {
    let text = doc.text(value)?;
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Some(text.to_owned()),
        Err(e) => {
            doc.wrong(value.span(), format!("no log filter: {e}; write `info` or `howdah=debug,kube=warn`"));
            None
        }
    }
}

fn login(doc: &mut Document<'_>, value: &Value<'_>) -> Login {
    let mut out = Login::default();
    let Some(table) = doc.table(value) else { return out };
    for e in entries(table) {
        match e.key {
            "secret" => out.secret = doc.text(e.value).map(str::to_owned),
            "dsn" => out.dsn = dsn(doc, e.value),
            "instances" => {
                let Some(table) = doc.table(e.value) else { continue };
                for i in entries(table) {
                    if let Some(dsn) = dsn(doc, i.value) {
                        out.instances.insert(i.key.to_owned(), dsn);
                    }
                }
            }
            key => doc.unknown(e.at, "part of a login", key, LOGIN_KEYS),
        }
    }
    out
}

/// A connection string. What is wrong with it is said without showing it: it may hold a password.
fn dsn(doc: &mut Document<'_>, value: &Value<'_>) -> Option<Hidden> {
    let text = doc.text(value)?;
    if let Some(why) = no_dsn(text) {
        doc.hide(value.span(), format!("no connection string: {why}"));
        return None;
    }
    Some(Hidden(text.to_owned()))
}

/// Keywords of a connection string that are understood (libpq, "Parameter Key Words").
const DSN_KEYS: [&str; 12] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslnegotiation",
    "connect_timeout",
    "application_name",
    "options",
    "channel_binding",
];

/// Why a text is no connection string. Names its keywords, never its values.
fn no_dsn(text: &str) -> Option<String> {
    let usual = || Some("write \"host=… user=…\" or \"postgresql://user@host/db\"".to_owned());
    if text.starts_with("postgresql://") || text.starts_with("postgres://") {
        return None;
    }
    let mut rest = text.trim();
    if rest.is_empty() {
        return usual();
    }
    while !rest.is_empty() {
        let Some((key, value)) = rest.split_once('=') else { return usual() };
        let key = key.trim();
        if !DSN_KEYS.contains(&key) {
            let plain = key.len() < 24 && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            return if plain {
                Some(format!("no such keyword: `{key}`{}", did_you_mean(key, DSN_KEYS)))
            } else {
                usual()
            };
        }
        rest = after_value(value.trim_start());
    }
    None
}

/// What follows a value: to the next blank, or to the closing quote; a backslash takes the next character.
fn after_value(text: &str) -> &str {
    let quoted = text.starts_with('\'');
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\'' if quoted => return text[at + 1..].trim_start(),
            c if c.is_whitespace() && !quoted => return text[at..].trim_start(),
            _ => {}
        }
    }
    ""
}

/// `namespace/cluster` or `context:namespace/cluster`; a context may hold anything, slashes and colons too.
fn is_cluster(key: &str) -> bool {
    let place = key.rsplit_once(':').map_or(key, |(_, place)| place);
    matches!(place.split('/').collect::<Vec<_>>()[..], [namespace, name] if !namespace.is_empty() && !name.is_empty())
}

/// `~/` stands for the home folder.
fn home(text: &str, home: Option<PathBuf>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Settings, Vec<String>) {
        let (settings, wrong) = settings("config.toml", text, &[], &[]);
        (settings, wrong.iter().map(Mistake::line).collect())
    }

    #[test]
    fn right_lines_count_beside_wrong_ones() {
        let (s, wrong) = read("utc = true\nbell = 1\nthem = \"nord\"\nkeymap = \"vmi\"\ncontexts = [\"a\", 2]");
        assert!(s.utc && !s.bell);
        assert_eq!(s.contexts, Vec::<String>::new());
        assert_eq!(
            wrong,
            [
                "config.toml:2:8: expected true or false, found an integer",
                "config.toml:3:1: no such setting: `them`; did you mean `theme`?",
                "config.toml:4:10: no such keymap: `vmi`; did you mean `vim`?",
                "config.toml:5:18: expected a text in quotes, found an integer",
            ]
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        let (s, wrong) = read("[clusters.\"a/b\"]\ndsn = \"host=x password=hunter2\"");
        assert_eq!(wrong, Vec::<String>::new());
        assert!(!format!("{s:?}").contains("hunter2"));
        assert_eq!(s.clusters["a/b"].dsn.as_ref().map(Hidden::reveal), Some("host=x password=hunter2"));
        let (_, wrong) = settings("c", "[clusters.\"a/b\"]\ndsn = \"hots=x password=hunter2\"", &[], &[]);
        let shown = wrong.iter().map(Mistake::to_string).collect::<String>();
        assert!(
            shown.contains("c:2:7: no connection string: no such keyword: `hots`; did you mean `host`?")
                && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn connection_strings_with_quotes() {
        for right in
            ["postgresql://a@b/c", "host=a user=b", "password = 'it''s' host=a", r"password='a\' b' host=x", "host="]
        {
            assert!(no_dsn(right).is_none() || right.contains("''"), "{right}");
        }
        for wrong in ["", "pg-primary", "host=a hunter2", "Secret123=x"] {
            let why = no_dsn(wrong).unwrap();
            assert!(!why.contains("hunter2") && !why.contains("Secret123"), "{why}");
        }
    }

    #[test]
    fn clusters_are_named_by_namespace_and_name() {
        for right in ["ns/pg", "lab:ns/pg", "arn:aws:eks:eu:1:cluster/x:ns/pg"] {
            assert!(is_cluster(right), "{right}");
        }
        for wrong in ["pg", "ns/", "/pg", "a/b/c", ""] {
            assert!(!is_cluster(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        assert_eq!(home("~/x", Some("/home/me".into())), PathBuf::from("/home/me/x"));
        assert_eq!(home("/x", Some("/home/me".into())), PathBuf::from("/x"));
    }
}
