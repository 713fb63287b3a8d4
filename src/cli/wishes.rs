//! What the flags and the settings together ask for. Flags win.

use super::args::Global;
use crate::adapters::{Config, Dsn, Namespaces};
use crate::document::mistake::nearest;
use crate::problem::Problem;
use crate::settings::{Loaded, Places, Settings};
use crate::ui::keymap::Keymaps;
use crate::ui::resolve::stem;
use crate::ui::theme::Themes;

/// The settings that the flags name. Their mistakes are told by `howdah check` and the console; a command goes on with
/// what can be read.
///
/// # Errors
/// There is no place for settings.
pub fn settings(global: &Global) -> Result<Settings, Problem> {
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    let loaded = Loaded::read(&places);
    for problem in loaded.problems() {
        super::output::complain(&problem);
    }
    Ok(loaded.settings)
}

/// Do `--theme` and `--keymap` name something? One's own file with a mistake does: the mistake is told elsewhere, and
/// the default is used.
///
/// # Errors
/// A name that means nothing, with the nearest that does.
pub fn names(global: &Global) -> Result<(), Problem> {
    if global.theme.is_none() && global.keymap.is_none() {
        return Ok(());
    }
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    let loaded = Loaded::read(&places);
    let (themes, keymaps) = (Themes::shipped(), Keymaps::shipped());
    named("theme", global.theme.as_deref(), themes.names(), &loaded.themes, "howdah themes")?;
    named("keymap", global.keymap.as_deref(), keymaps.names(), &loaded.keymaps, "")
}

fn named<'a>(
    what: &str,
    wanted: Option<&str>,
    shipped: impl Iterator<Item = &'a str>,
    own: &'a [(String, String)],
    list: &str,
) -> Result<(), Problem> {
    let all: Vec<&str> = shipped.chain(own.iter().map(|(file, _)| stem(file))).collect();
    let Some(wanted) = wanted.filter(|w| !all.contains(w)) else { return Ok(()) };
    let because = format!("there are {}", all.join(", "));
    let hint = match (nearest(wanted, all.iter().copied()), list) {
        (Some(near), _) => format!("--{what} {near}"),
        (None, "") => format!("--{what} {}", all.first().copied().unwrap_or("default")),
        (None, list) => list.to_owned(),
    };
    Err(Problem::usage(format!("no such {what}: {wanted}")).because(because).try_this(hint))
}

/// Which world to look at: the flags', else the settings'.
pub fn world(global: &Global, settings: &Settings) -> Config {
    let mut config = global.adapters();
    if config.contexts.is_empty() {
        config.contexts.clone_from(&settings.contexts);
    }
    if config.namespaces == Namespaces::All && !global.all_namespaces && !settings.namespaces.is_empty() {
        config.namespaces = Namespaces::Only(settings.namespaces.clone());
    }
    config.stores = settings.stores.and_then(|every| every.try_into().ok());
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
