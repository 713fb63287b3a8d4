//! What the flags and the settings together ask for. Flags win.

use std::path::PathBuf;

use super::Start;
use crate::adapters::{Config, Dsn, Namespaces};
use crate::app::Taste;
use crate::cli::Global;
use crate::log::{self, Log};
use crate::problem::Problem;
use crate::settings::{Loaded, Places, Settings};

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
    let Loaded { settings, themes, keymaps, .. } = loaded;
    Taste {
        theme: global.theme.clone().unwrap_or(settings.theme),
        keymap: global.keymap.clone().unwrap_or(settings.keymap),
        themes,
        keymaps,
        ascii: settings.ascii,
        utc: settings.utc,
        bell: settings.bell,
        limits: settings.limits,
        problems,
    }
}

/// Which world to look at: the flags', else the settings'.
pub(super) fn world(global: &Global, settings: &Settings) -> Config {
    let mut config = global.adapters();
    if config.contexts.is_empty() {
        config.contexts.clone_from(&settings.contexts);
    }
    if config.namespaces == Namespaces::All && !global.all_namespaces && !settings.namespaces.is_empty() {
        config.namespaces = Namespaces::Only(settings.namespaces.clone());
    }
    for (cluster, login) in &settings.clusters {
        if let Some(secret) = &login.secret {
            config.secrets.insert(cluster.clone(), secret.clone());
        }
        let any = login.dsn.iter().map(|text| (None, text));
        let own = login.instances.iter().map(|(name, text)| (Some(name.into()), text));
        config.dsn.extend(any.chain(own).map(|(instance, text)| Dsn {
            cluster: cluster.clone(),
            instance,
            text: text.reveal().to_owned(),
        }));
    }
    config
}
