//! Directories of the user: where the configuration is looked for, where history, journal and snapshots are kept. Nothing is made here.

use std::path::{Path, PathBuf};

use restable_http::Environment;

use crate::environment;

/// Our directory in each of them.
const OURS: &str = "restable";

/// Where `config.toml` may be; `None` if the user has no home.
pub fn configuration(environment: &Environment) -> Option<PathBuf> {
    named(environment, environment::XDG_CONFIG_HOME).or_else(|| usual(environment, ".config"))
}

/// Where history and journal are kept; `None` if the user has no home.
pub fn state(environment: &Environment) -> Option<PathBuf> {
    named(environment, environment::XDG_STATE_HOME).or_else(|| usual(environment, ".local/state"))
}

/// Where snapshots are kept; `None` if the user has no home.
pub fn data(environment: &Environment) -> Option<PathBuf> {
    named(environment, environment::XDG_DATA_HOME).or_else(|| usual(environment, ".local/share"))
}

/// By the rule of these variables a relative path counts as not set.
fn named(environment: &Environment, variable: &str) -> Option<PathBuf> {
    let path = environment.var(variable).map(Path::new)?;
    path.is_absolute().then(|| path.join(OURS))
}

#[cfg(not(windows))]
fn usual(environment: &Environment, below: &str) -> Option<PathBuf> {
    let home = environment
        .var(environment::HOME)
        .map(PathBuf::from)
        .filter(|home| home.is_absolute());
    let home = home.or_else(|| etcetera::home_dir().ok())?;
    Some(home.join(below).join(OURS))
}

#[cfg(windows)]
fn usual(_: &Environment, _: &str) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.data_dir().join(OURS))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn where_things_are_kept() {
        let places = |variables: &[(&str, &str)]| {
            let environment = Environment::of(variables.iter().copied());
            [configuration, state, data]
                .map(|place| place(&environment))
                .map(|path| path.unwrap_or_default().display().to_string())
        };
        let home = ("HOME", "/home/a");
        let usual = [
            "/home/a/.config/restable",
            "/home/a/.local/state/restable",
            "/home/a/.local/share/restable",
        ];
        assert_eq!(places(&[home]), usual);
        assert_eq!(
            places(&[
                home,
                ("XDG_STATE_HOME", "relative"),
                ("XDG_CONFIG_HOME", "")
            ]),
            usual
        );
        assert_eq!(
            places(&[
                home,
                ("XDG_STATE_HOME", "/s"),
                ("XDG_CONFIG_HOME", "/c"),
                ("XDG_DATA_HOME", "/d")
            ]),
            ["/c/restable", "/s/restable", "/d/restable"]
        );
    }
}
