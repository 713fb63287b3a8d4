//! What the flags and the settings together ask for. Flags win.

use std::path::PathBuf;

use super::Start;
use crate::app::Taste;
use crate::cli::{Global, world};
use crate::log::{self, Log};
use crate::problem::Problem;
use crate::settings::{Loaded, Places};

/// The console's start, and the log that lives as long as the console.
///
/// # Errors
/// No place for settings, a log that can't be written.
pub(super) fn wishes(global: &Global, place: &str) -> Result<(Start, Log), Problem> {
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    let loaded = Loaded::read(&places);
    let settings = &loaded.settings;
    let log = log::start(&places.state, global.log.as_deref().or(settings.log.as_deref()))?;
    let start = Start {
        world: world(global, settings),
        mouse: settings.mouse,
        depth: settings.colours,
        state: places.state.clone(),
        exports: settings.export_folder.clone().unwrap_or_else(|| PathBuf::from(".")),
        record: global.record.clone(),
        place: place.to_owned(),
        taste: taste(global, loaded),
        reload: {
            let global = global.clone();
            Box::new(move || taste(&global, Loaded::read(&places)))
        },
    };
    Ok((start, log))
}

fn taste(global: &Global, loaded: Loaded) -> Taste {
    let problems = loaded.problems();
    let Loaded { settings, themes, keymaps, runbooks, .. } = loaded;
    Taste {
        theme: global.theme.clone().unwrap_or(settings.theme),
        keymap: global.keymap.clone().unwrap_or(settings.keymap),
        themes,
        keymaps,
        ascii: settings.ascii,
        utc: settings.utc,
        bell: settings.bell,
        limits: settings.limits,
        read_only: global.read_only,
        protected: settings.protected,
        objectives: settings.objectives,
        runbooks,
        problems,
    }
}
