//! A person's settings: `config.toml`, with own themes, keymaps and runbooks beside it.
//!
//! A wrong line never stops the console: it is reported with its place and the default is used. A wrong theme, keymap
//! or runbook is refused as a whole. `howdah check` reports everything at once. This file knows where files are and what may stand
//! in them; it does not know what is done with it.

mod limits;
mod places;
mod read;

use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::document::mistake::Mistake;
use crate::domain::health::Limits;
use crate::problem::Problem;
use crate::procedure::Protected;
use crate::procedure::drill::Objectives;
use crate::procedure::runbook::Runbooks;
use crate::ui::keymap::Keymaps;
use crate::ui::theme::{Depth, Themes};

pub use places::Places;

/// What `config.toml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The theme's name.
    pub theme: String,
    /// The keymap's name.
    pub keymap: String,
    /// Plain ASCII marks.
    pub ascii: bool,
    /// Times in UTC.
    pub utc: bool,
    /// Ring when a verdict changes.
    pub bell: bool,
    /// Hear the mouse.
    pub mouse: bool,
    /// How many colours; `None`: as the environment says.
    pub colours: Option<Depth>,
    /// Contexts to look at; empty: the current one.
    pub contexts: Vec<String>,
    /// Namespaces to look at; empty: all.
    pub namespaces: Vec<String>,
    /// Where exported files go; `None`: the current folder.
    pub export_folder: Option<PathBuf>,
    /// How often what is new in the object stores of clusters on screen is listed; `None`: never.
    pub stores: Option<SignedDuration>,
    /// What to log; `None`: `info`.
    pub log: Option<String>,
    /// Where a figure becomes a warning.
    pub limits: Limits,
    /// Contexts whose clusters are armed and changed only by typing their name.
    pub protected: Protected,
    /// What a drill must reach to pass.
    pub objectives: Objectives,
    /// How to log in, by `namespace/cluster` or `context:namespace/cluster`.
    pub clusters: BTreeMap<String, Login>,
}

/// How to log in to a cluster's servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// A secret in the cluster's namespace with `username` and `password`.
    pub secret: Option<String>,
    /// A connection string for any instance: found out by asking.
    pub dsn: Option<Hidden>,
    /// Connection strings by instance.
    pub instances: BTreeMap<String, Hidden>,
}

/// Text that is used and never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The text, for the one that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            theme: "default".into(),
            keymap: "default".into(),
            ascii: false,
            utc: false,
            bell: false,
            mouse: true,
            colours: None,
            contexts: Vec::new(),
            namespaces: Vec::new(),
            export_folder: None,
            stores: Some(SignedDuration::from_mins(1)),
            log: None,
            limits: Limits::default(),
            protected: Protected::default(),
            objectives: Objectives::default(),
            clusters: BTreeMap::new(),
        }
    }
}

/// Settings, themes, keymaps and runbooks as they were found, with everything that is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What the settings file says.
    pub settings: Settings,
    /// Own themes as `(path, text)`.
    pub themes: Vec<(String, String)>,
    /// Own keymaps as `(path, text)`.
    pub keymaps: Vec<(String, String)>,
    /// Own runbooks as `(path, text)`.
    pub runbooks: Vec<(String, String)>,
    /// Mistakes in the settings file itself, and files that can't be read.
    pub mistakes: Vec<Mistake>,
    /// The files that were read.
    pub files: Vec<String>,
}

impl Loaded {
    /// Reads everything. What is missing is a default; what is wrong is a mistake.
    pub fn read(places: &Places) -> Loaded {
        let mut loaded = Loaded::default();
        loaded.themes = loaded.folder(&places.themes);
        loaded.keymaps = loaded.folder(&places.keymaps);
        loaded.runbooks = loaded.folder(&places.runbooks);
        if let Some(text) = loaded.file(&places.settings, places.named) {
            let file = places.settings.display().to_string();
            let (settings, mistakes) = read::settings(&file, &text, &loaded.themes, &loaded.keymaps);
            loaded.settings = settings;
            loaded.mistakes.extend(mistakes);
        }
        loaded
    }

    /// Everything that is wrong: settings, themes, keymaps, runbooks, by file and line.
    pub fn all_mistakes(&self) -> Vec<Mistake> {
        let mut all = self.mistakes.clone();
        all.extend(Themes::with(self.themes.iter().cloned()).1);
        all.extend(Keymaps::with(self.keymaps.iter().cloned()).1);
        all.extend(Runbooks::with(self.runbooks.iter().cloned()).1);
        all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        all
    }

    /// What is wrong with the settings file, as problems.
    pub fn problems(&self) -> Vec<Problem> {
        self.mistakes.iter().map(Problem::from).collect()
    }

    /// A file's text; `None` when there is none. A file that was asked for by name must be there.
    fn file(&mut self, path: &std::path::Path, required: bool) -> Option<String> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.files.push(name);
                Some(text)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !required => None,
            Err(e) => {
                self.mistakes.push(Mistake::of_file(&name, format!("can't be read: {e}")));
                None
            }
        }
    }

    /// The `.toml` files of a folder by name.
    fn folder(&mut self, path: &std::path::Path) -> Vec<(String, String)> {
        let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
        let paths = entries.filter_map(|e| Some(e.ok()?.path()));
        let mut paths: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
        paths.sort();
        let read = |p: &PathBuf| Some((p.display().to_string(), self.file(p, true)?));
        paths.iter().filter_map(read).collect()
    }
}
