//! Settings from all places, resolved once: flags win over the environment, that over `config.toml`, that over defaults. Owns the settings of
//! the command itself; those of a session are the engine's. A key that nobody knows is an error, whatever file it stands in.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use restable_engine::{Origin, Settings};
use restable_http::{Cloud, Environment};
use restable_spec::names::fold;

use crate::arguments::Level;
use crate::environment;
use crate::error::{Error, Result};
use crate::output::Format;
use crate::places;

/// Where the shell keeps what was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum History {
    /// In the user's state directory.
    #[default]
    Usual,
    /// Nowhere.
    Off,
    /// In this file.
    File(PathBuf),
}

/// What was resolved.
#[derive(Debug, Default)]
pub struct Configuration {
    /// Of sessions.
    pub settings: Settings,
    /// Of DataFusion, in the order in which they are to be set.
    pub engine_options: Vec<(String, String)>,
    /// The format of rows, if anybody named one.
    pub output: Option<Format>,
    /// The Azure cloud.
    pub cloud: Cloud,
    /// The tenant of the Azure credential.
    pub tenant: Option<String>,
    /// A tree of provider documents.
    pub provider_specs: Option<PathBuf>,
    /// What is logged.
    pub log: Option<Level>,
    /// Where the shell keeps what was typed.
    pub history: History,
    /// The file that actions are journaled in, if anybody named one.
    pub journal: Option<PathBuf>,
    /// The directory that snapshots are kept in, if anybody named one.
    pub data_dir: Option<PathBuf>,
}

/// A configuration file that was read.
#[derive(Debug)]
pub struct ConfigurationFile {
    path: PathBuf,
    /// Dotted keys and their values.
    entries: Vec<(String, String)>,
}

/// The settings of flags, environment and file.
pub fn resolve(
    flags: &[(&'static str, String, String)],
    environment: &Environment,
    file: Option<&ConfigurationFile>,
) -> Result<Configuration> {
    let mut configuration = Configuration::default();
    if let Some(file) = file {
        let directory = file.path.parent().unwrap_or(Path::new(""));
        for (key, value) in &file.entries {
            let place = || format!("`{}`, key `{key}`", file.path.display());
            configuration
                .set(key, value, Origin::File, directory)
                .map_err(|fault| fault.at(place()))?;
        }
    }
    for (variable, key) in environment::SETTINGS {
        if let Some(value) = environment.var(variable) {
            configuration
                .set(key, value, Origin::Environment, Path::new(""))
                .map_err(|fault| fault.at(format!("`{variable}`")))?;
        }
    }
    for (flag, key, value) in flags {
        configuration
            .set(key, value, Origin::Flag, Path::new(""))
            .map_err(|fault| fault.at(format!("`{flag}`")))?;
    }
    Ok(configuration)
}

/// What is wrong with a value, without its place.
struct Fault {
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn at(self, place: String) -> Error {
        Error::Setting {
            place,
            message: self.message,
            hint: self.hint,
        }
    }
}

impl Configuration {
    /// Gives one setting its value. A relative path is meant from `directory`.
    fn set(
        &mut self,
        key: &str,
        value: &str,
        origin: Origin,
        directory: &Path,
    ) -> Result<(), Fault> {
        let takes = |what: &str| Fault {
            message: format!("`{key}` takes {what}, not `{value}`"),
            hint: None,
        };
        match fold(key).as_str() {
            "output" => {
                self.output =
                    Some(Format::from_str(value, true).map_err(|_| takes(&words::<Format>()))?)
            }
            "cloud" => {
                self.cloud = value
                    .parse()
                    .map_err(|_| takes("`public`, `china` or `usgov`"))?
            }
            "tenant" => self.tenant = (!value.is_empty()).then(|| value.to_owned()),
            "providerspecs" => {
                self.provider_specs = (!value.is_empty()).then(|| directory.join(value))
            }
            "log" => {
                self.log = Some(Level::from_str(value, true).map_err(|_| takes(&words::<Level>()))?)
            }
            "history" => {
                self.history = match value {
                    "off" => History::Off,
                    "" | "on" => History::Usual,
                    path => History::File(directory.join(path)),
                }
            }
            "journal" => self.journal = (!value.is_empty()).then(|| directory.join(value)),
            "datadir" => self.data_dir = (!value.is_empty()).then(|| directory.join(value)),
            _ if key.starts_with("datafusion.") => {
                self.engine_options.push((key.to_owned(), value.to_owned()))
            }
            _ => {
                let set = self.settings.set(key, value, origin);
                set.map_err(|diagnostic| Fault {
                    message: diagnostic.message,
                    hint: diagnostic.help,
                })?;
            }
        }
        Ok(())
    }
}

/// The words of a type, for a message.
fn words<T: clap::ValueEnum>() -> String {
    let words = T::value_variants()
        .iter()
        .filter_map(T::to_possible_value)
        .map(|word| format!("`{}`", word.get_name()));
    words.collect::<Vec<_>>().join(", ")
}

impl ConfigurationFile {
    /// The file that `RESTABLE_CONFIG` names, else the one in the user's configuration directory, which may be absent.
    pub fn find(environment: &Environment) -> Result<Option<ConfigurationFile>> {
        if let Some(path) = environment.var(environment::CONFIG) {
            return ConfigurationFile::read(Path::new(path)).map(Some);
        }
        let Some(directory) = places::configuration(environment) else {
            return Ok(None);
        };
        let path = directory.join("config.toml");
        match path.try_exists() {
            Ok(false) => Ok(None),
            _ => ConfigurationFile::read(&path).map(Some),
        }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<ConfigurationFile> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        ConfigurationFile::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<ConfigurationFile> {
        let place = format!("`{}`", path.display());
        let table: toml::Table = text.parse().map_err(|problem: toml::de::Error| {
            let line = problem.span().map_or(1, |span| {
                text[..span.start.min(text.len())].matches('\n').count() + 1
            });
            Error::Setting {
                place: place.clone(),
                message: format!("line {line}: {}", problem.message()),
                hint: None,
            }
        })?;
        let mut entries = Vec::new();
        flatten("", table, &mut entries).map_err(|key| Error::Setting {
            place,
            message: format!("`{key}` takes a text, a number, `true`, `false` or a list of texts"),
            hint: None,
        })?;
        Ok(ConfigurationFile {
            path: path.to_owned(),
            entries,
        })
    }
}

/// The values with dotted keys; `Err` is a key whose value no setting could have.
fn flatten(
    prefix: &str,
    table: toml::Table,
    entries: &mut Vec<(String, String)>,
) -> Result<(), String> {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        let text = match value {
            toml::Value::Table(table) => {
                flatten(&key, table, entries)?;
                continue;
            }
            toml::Value::String(text) => text,
            toml::Value::Boolean(value) => value.to_string(),
            toml::Value::Integer(value) => value.to_string(),
            toml::Value::Float(value) => value.to_string(),
            toml::Value::Array(items) => {
                let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
                items.ok_or(key.clone())?.join(",")
            }
            toml::Value::Datetime(_) => return Err(key),
        };
        entries.push((key, text));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<ConfigurationFile> {
        ConfigurationFile::parse(Path::new("/etc/restable/config.toml"), text)
    }

    fn flags(flags: &[(&'static str, &str, &str)]) -> Vec<(&'static str, String, String)> {
        flags
            .iter()
            .map(|(flag, key, value)| (*flag, (*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    const ONE: &str = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
    const TWO: &str = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c002";

    #[test]
    fn flags_win_over_environment_over_file_over_default() {
        let file = file(&format!(
            "max_concurrency = 1\npage_timeout = 1\npartial_results = true\noutput = 'csv'\nsubscriptions = ['{ONE}', '{TWO}']"
        ))
        .unwrap();
        let environment = Environment::of([
            ("RESTABLE_MAX_CONCURRENCY", "2"),
            ("RESTABLE_PAGE_TIMEOUT", "2"),
            ("RESTABLE_OUTPUT", "tsv"),
        ]);
        let flags = flags(&[
            ("--set", "max-concurrency", "3"),
            ("--output", "output", "json"),
        ]);
        let resolved = resolve(&flags, &environment, Some(&file)).unwrap();
        let seen = [
            "max_concurrency",
            "page_timeout",
            "partial_results",
            "subscriptions",
            "memory_limit",
        ]
        .map(|key| {
            (
                resolved.settings.value(key).unwrap(),
                resolved.settings.origin(key),
            )
        });
        let expected = [
            ("3", Origin::Flag),
            ("2", Origin::Environment),
            ("on", Origin::File),
            (&*format!("{ONE},{TWO}"), Origin::File),
            ("0", Origin::Default),
        ];
        assert_eq!(
            seen,
            expected.map(|(value, origin)| (value.to_owned(), origin))
        );
        assert_eq!(resolved.output, Some(Format::Json));
    }

    #[test]
    fn the_subscription_of_azures_tools_is_the_last_choice() {
        let both = Environment::of([
            ("AZURE_SUBSCRIPTION_ID", ONE),
            ("RESTABLE_DEFAULT_SUBSCRIPTION", TWO),
        ]);
        assert_eq!(
            resolve(&[], &both, None)
                .unwrap()
                .settings
                .default_subscription
                .as_deref(),
            Some(TWO)
        );
        let one = Environment::of([("AZURE_SUBSCRIPTION_ID", ONE)]);
        assert_eq!(
            resolve(&[], &one, None)
                .unwrap()
                .settings
                .default_subscription
                .as_deref(),
            Some(ONE)
        );
    }

    #[test]
    fn faults_name_their_place() {
        let cases = [
            (
                "colour = 'red'",
                "`/etc/restable/config.toml`, key `colour`: there is no setting `colour`",
            ),
            (
                "max_concurrency = 0",
                "`/etc/restable/config.toml`, key `max_concurrency`: `max_concurrency` takes a whole number from 1 to 1024, not `0`",
            ),
            (
                "output = 'xml'",
                "`/etc/restable/config.toml`, key `output`: `output` takes `table`, `json`, `jsonl`, `csv`, `tsv`, `markdown`, `parquet`, `arrow`, not `xml`",
            ),
            (
                "tenant = 1979-05-27",
                "`/etc/restable/config.toml`: `tenant` takes a text, a number, `true`, `false` or a list of texts",
            ),
            (
                "\n[server]\nport = 1",
                "`/etc/restable/config.toml`, key `server.port`: there is no setting `server.port`",
            ),
        ];
        for (text, expected) in cases {
            let told =
                file(text).and_then(|file| resolve(&[], &Environment::default(), Some(&file)));
            assert_eq!(told.unwrap_err().to_string(), expected);
        }
        let told = file("a = 1\nb = = 2").unwrap_err().to_string();
        assert!(
            told.starts_with("`/etc/restable/config.toml`: line 2: "),
            "{told}"
        );
        let told = resolve(&[], &Environment::of([("RESTABLE_CLOUD", "mars")]), None)
            .unwrap_err()
            .to_string();
        assert_eq!(
            told,
            "`RESTABLE_CLOUD`: `cloud` takes `public`, `china` or `usgov`, not `mars`"
        );
        let told = resolve(
            &flags(&[("--timeout", "statement_timeout", "soon")]),
            &Environment::default(),
            None,
        )
        .unwrap_err()
        .to_string();
        assert_eq!(
            told,
            "`--timeout`: `statement_timeout` takes seconds, like `30` or `1.5`, not `soon`"
        );
    }

    #[test]
    fn datafusions_settings_and_paths() {
        let file = file(
            "provider_specs = 'specs'\nhistory = 'off'\njournal = 'j.db'\n[datafusion.execution]\nbatch_size = 10",
        )
        .unwrap();
        let resolved = resolve(&[], &Environment::default(), Some(&file)).unwrap();
        assert_eq!(
            resolved.engine_options,
            [(
                "datafusion.execution.batch_size".to_owned(),
                "10".to_owned()
            )]
        );
        assert_eq!(
            resolved.provider_specs,
            Some(PathBuf::from("/etc/restable/specs"))
        );
        assert_eq!(resolved.history, History::Off);
        assert_eq!(resolved.journal, Some(PathBuf::from("/etc/restable/j.db")));
    }
}
