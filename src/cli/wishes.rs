//! What the flags and the settings together ask for. Flags win.

use super::args::Global;
use crate::adapters::{Config, Dsn, Namespaces};
use crate::problem::Problem;
use crate::settings::{Loaded, Places, Settings};

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

/// Which world to look at: the flags', else the settings'.
pub fn world(global: &Global, settings: &Settings) -> Config {
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
