//! Where files are: settings, themes, keymaps, runbooks, journals and logs.

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// Where files are. The same on every system: `XDG_CONFIG_HOME` and `XDG_STATE_HOME`, else `~/.config` and
/// `~/.local/state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The settings file.
    pub settings: PathBuf,
    /// The settings file was named by a flag or a variable: it must be there.
    pub named: bool,
    /// Own themes: beside the settings.
    pub themes: PathBuf,
    /// Own keymaps: beside the settings.
    pub keymaps: PathBuf,
    /// Own runbooks: beside the settings.
    pub runbooks: PathBuf,
    /// What howdah itself writes.
    pub state: PathBuf,
}

impl Places {
    /// Finds them: `--config`, then `HOWDAH_CONFIG`, then XDG.
    ///
    /// # Errors
    /// There is no home folder, and nothing that replaces it.
    pub fn find(flag: Option<&Path>, var: impl Fn(&str) -> Option<OsString>) -> Result<Places, Problem> {
        let given = |name| var(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let named = flag.map(Path::to_owned).or_else(|| given("HOWDAH_CONFIG"));
        let absolute = |name| given(name).filter(|p| p.is_absolute());
        let home = || {
            Xdg::new().map_err(|e| {
                Problem::usage("no place for settings")
                    .because(e)
                    .try_this("set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME")
            })
        };
        let state = match absolute("XDG_STATE_HOME") {
            Some(dir) => dir,
            None => {
                let xdg = home()?;
                xdg.state_dir().unwrap_or_else(|| xdg.home_dir().join(".local/state"))
            }
        };
        let settings = match (&named, absolute("XDG_CONFIG_HOME")) {
            (Some(file), _) => file.clone(),
            (None, Some(dir)) => dir.join("howdah/config.toml"),
            (None, None) => home()?.config_dir().join("howdah/config.toml"),
        };
        let beside = settings.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Places {
            named: named.is_some(),
            themes: beside.join("themes"),
            keymaps: beside.join("keymaps"),
            runbooks: beside.join("runbooks"),
            state: state.join("howdah"),
            settings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(flag: Option<&str>, vars: &[(&str, &str)]) -> Places {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        Places::find(flag.map(Path::new), var).unwrap()
    }

    #[test]
    fn the_flag_wins_over_the_variable_over_xdg() {
        let xdg = [("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s"), ("HOWDAH_CONFIG", "/v/a.toml")];
        let p = find(None, &xdg[..2]);
        assert_eq!((p.settings.as_path(), p.named), (Path::new("/c/howdah/config.toml"), false));
        assert_eq!(p.themes, Path::new("/c/howdah/themes"));
        assert_eq!(p.runbooks, Path::new("/c/howdah/runbooks"));
        assert_eq!(p.state, Path::new("/s/howdah"));
        assert_eq!(find(None, &xdg).keymaps, Path::new("/v/keymaps"));
        let p = find(Some("mine.toml"), &xdg);
        assert_eq!((p.settings.as_path(), p.themes.as_path()), (Path::new("mine.toml"), Path::new("themes")));
        assert!(p.named);
    }
}
