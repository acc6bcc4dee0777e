//! PostgreSQL's settings as far as they mean something here. A setting is in the list with the values that are honoured;
//! any other value, and any other setting, is an error, so that nothing is accepted and ignored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use restable_sql::{Connection, Diagnostic, Modes, SetValue, ShowObject, Statement};

use super::others::Others;
use crate::acting::Access;
use crate::catalog::Current;
use crate::functions::interval_styles::IntervalStyle;
use crate::session::{Session, shown};
use crate::settings::{ALL, Documented};
use crate::shared::Shared;
use crate::show::texts;
use crate::statement::lock;
use crate::{Error, Origin, Result, zone};

/// The version that clients are told; they take abilities from it.
pub const SERVER_VERSION: &str = "16.9";

/// Settings whose changes a server reports to its client, in PostgreSQL's spelling.
pub const REPORTED: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

/// So many services of a provider stand in the path on which bare names are looked for.
const FEW_SERVICES: usize = 8;
/// The path of a session whose client names none and which has no database yet.
const NO_SERVICES: &str = "\"$user\", public";

/// What a client of PostgreSQL set, and who it is.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// The name that the client gave.
    pub user: String,
    /// The database that it connected to.
    pub database: String,
    /// The number of its connection, which cancels its statements.
    pub process: i32,
    /// The connections of the same user, which it may see and stop.
    pub others: Option<Arc<Others>>,
    /// Whether the server speaks TLS, and how this connection is encrypted.
    pub encryption: Encryption,
    /// What differs from the defaults: now, and where it began.
    values: BTreeMap<&'static str, String>,
    initial: BTreeMap<&'static str, String>,
}

/// What a connection has of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// Whether its server has a certificate, so that `SHOW ssl` is on.
    pub offered: bool,
    /// How the connection is encrypted; `None` if it is not.
    pub used: Option<Cipher>,
}

/// How a connection is encrypted, in OpenSSL's words, which are PostgreSQL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cipher {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub name: String,
    /// Bits of the key.
    pub bits: u16,
}

/// A setting with its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// One of PostgreSQL's.
    Own(&'static str, String),
    /// One of the engine's, as the engine writes it.
    Engine(&'static str, String),
}

impl Variable {
    /// The name of the setting.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Variable::Own(name, _) | Variable::Engine(name, _) => name,
        }
    }
}

/// How a value is judged.
enum Takes {
    /// It cannot be set.
    Fixed,
    /// Any text.
    Any,
    /// One of these, without regard to case.
    One(&'static [&'static str]),
    /// Rules of its own.
    Own(fn(&str) -> Option<String>),
}

struct Known {
    name: &'static str,
    default: &'static str,
    takes: Takes,
}

const fn known(name: &'static str, default: &'static str, takes: Takes) -> Known {
    Known {
        name,
        default,
        takes,
    }
}

const ON: Takes = Takes::Own(|value| boolean(value).filter(|on| *on).map(|_| "on".to_owned()));
const OFF: Takes = Takes::Own(|value| boolean(value).filter(|on| !*on).map(|_| "off".to_owned()));
/// A level of isolation. Each statement reads the provider as it is then, so that those which promise more are `read committed`; who asks
/// for one is told.
const LEVEL: Takes = Takes::Own(|value| {
    let level = value.to_ascii_lowercase();
    match &*level {
        "read committed" | "read uncommitted" => Some(level),
        other if Postgres::promises_more(other) => Some("read committed".to_owned()),
        _ => None,
    }
});
const EITHER: Takes =
    Takes::Own(|value| boolean(value).map(|on| if on { "on" } else { "off" }.to_owned()));

const KNOWN: &[Known] = &[
    known("application_name", "", Takes::Any),
    known("bytea_output", "hex", Takes::One(&["hex"])),
    known(
        "client_encoding",
        "UTF8",
        Takes::Own(|value| {
            let folded: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            ["utf8", "unicode"]
                .contains(&&*folded.to_ascii_lowercase())
                .then(|| "UTF8".to_owned())
        }),
    ),
    known(
        "client_min_messages",
        "notice",
        Takes::One(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning",
            "error",
        ]),
    ),
    known(
        "DateStyle",
        "ISO, MDY",
        Takes::Own(|value| {
            let mut parts = value
                .split(',')
                .map(|part| part.trim().to_ascii_uppercase());
            // Days are read in one order only.
            parts
                .all(|part| ["ISO", "MDY"].contains(&&*part))
                .then(|| "ISO, MDY".to_owned())
        }),
    ),
    // There are no bodies of functions, no policies of rows, and no scans that could begin in the middle.
    known("check_function_bodies", "on", EITHER),
    known("row_security", "on", EITHER),
    known("synchronize_seqscans", "on", EITHER),
    known("default_table_access_method", "heap", Takes::Fixed),
    known("default_tablespace", "", Takes::Fixed),
    known("default_transaction_isolation", "read committed", LEVEL),
    known("default_transaction_deferrable", "off", OFF),
    known("transaction_deferrable", "off", OFF),
    known("default_transaction_read_only", "on", EITHER),
    known("transaction_read_only", "on", EITHER),
    known("transaction_isolation", "read committed", LEVEL),
    known(
        "extra_float_digits",
        "1",
        Takes::Own(|value| {
            value
                .parse::<i64>()
                .ok()
                .filter(|digits| (1..=3).contains(digits))
                .map(|digits| digits.to_string())
        }),
    ),
    known(
        "idle_in_transaction_session_timeout",
        "0",
        Takes::One(&["0"]),
    ),
    known("idle_session_timeout", "0", Takes::One(&["0"])),
    known("transaction_timeout", "0", Takes::One(&["0"])),
    known("in_hot_standby", "off", Takes::Fixed),
    known("integer_datetimes", "on", Takes::Fixed),
    known(
        "IntervalStyle",
        "postgres",
        Takes::One(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
    ),
    known("is_superuser", "off", Takes::Fixed),
    known("jit", "off", OFF),
    known("lc_collate", "C", Takes::Fixed),
    known("lc_ctype", "C.UTF-8", Takes::Fixed),
    known(
        "lc_messages",
        "C",
        Takes::One(&["C", "C.UTF-8", "en_US.UTF-8"]),
    ),
    known(
        "lock_timeout",
        "0",
        Takes::Own(|value| duration(value).map(milliseconds)),
    ),
    known("lc_monetary", "C", Takes::Fixed),
    known("lc_numeric", "C", Takes::Fixed),
    known("lc_time", "C", Takes::Fixed),
    known("max_connections", "0", Takes::Fixed),
    known("max_identifier_length", "63", Takes::Fixed),
    known("max_index_keys", "32", Takes::Fixed),
    known("password_encryption", "scram-sha-256", Takes::Fixed),
    known("plan_cache_mode", "auto", Takes::One(&["auto"])),
    known("quote_all_identifiers", "off", OFF),
    // Everybody is who he came as.
    known("role", "none", Takes::One(&["none"])),
    known("search_path", NO_SERVICES, Takes::Any),
    known("server_encoding", "UTF8", Takes::Fixed),
    known("server_version", SERVER_VERSION, Takes::Fixed),
    known("server_version_num", "160009", Takes::Fixed),
    known("session_authorization", "", Takes::Fixed),
    known("ssl", "off", Takes::Fixed),
    known("standard_conforming_strings", "on", ON),
    known("TimeZone", "UTC", Takes::Own(time_zone)),
];

/// The name of every setting.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

fn find(name: &str) -> Option<&'static Known> {
    KNOWN
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name))
}

impl Postgres {
    /// A client that just connected. `given` are settings of its start-up message, which must be known and valid.
    pub fn new<'a>(
        user: &str,
        database: &str,
        access: Access,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Postgres> {
        let mut values = BTreeMap::new();
        values.insert("session_authorization", user.to_owned());
        if access == Access::Write {
            for name in ["default_transaction_read_only", "transaction_read_only"] {
                values.insert(name, "off".to_owned());
            }
        }
        for (name, value) in given {
            let known = find(name).ok_or_else(|| unknown(name))?;
            values.insert(known.name, checked(known, value, access)?);
        }
        Ok(Postgres {
            user: user.to_owned(),
            database: database.to_owned(),
            process: 0,
            others: None,
            encryption: Encryption::default(),
            initial: values.clone(),
            values,
        })
    }

    /// The same over the connection of this number.
    #[must_use]
    pub fn numbered(self, process: i32) -> Postgres {
        Postgres { process, ..self }
    }

    /// The same at a server that takes so many connections.
    #[must_use]
    pub fn at_most(mut self, connections: usize) -> Postgres {
        for values in [&mut self.values, &mut self.initial] {
            values.insert("max_connections", connections.to_string());
        }
        self
    }

    /// The same among the connections of its user.
    #[must_use]
    pub fn among(self, others: Others) -> Postgres {
        Postgres {
            others: Some(Arc::new(others)),
            ..self
        }
    }

    /// The same over a connection that is encrypted like this.
    #[must_use]
    pub fn encrypted(mut self, encryption: Encryption) -> Postgres {
        if encryption.offered {
            for values in [&mut self.values, &mut self.initial] {
                values.insert("ssl", "on".to_owned());
            }
        }
        self.encryption = encryption;
        self
    }

    /// Whether a level of isolation promises what a session does not keep.
    pub fn promises_more(level: &str) -> bool {
        let more = ["repeatable read", "serializable"];
        more.iter().any(|one| level.eq_ignore_ascii_case(one))
    }

    /// Whether there is such a setting.
    pub fn knows(name: &str) -> bool {
        find(name).is_some()
    }

    /// Takes a value from how it was.
    pub(crate) fn take(&mut self, then: &Postgres, name: &str) {
        let Some(known) = find(name) else {
            return;
        };
        match then.values.get(known.name) {
            Some(value) => self.values.insert(known.name, value.clone()),
            None => self.values.remove(known.name),
        };
    }

    /// The value of a setting.
    pub fn value(&self, name: &str) -> Option<&str> {
        let known = find(name)?;
        // Who says that his transactions only read means every one.
        if known.name == "transaction_read_only"
            && self.values.get("default_transaction_read_only") == Some(&"on".to_owned())
        {
            return Some("on");
        }
        Some(Self::of(&self.values, known))
    }

    /// The value that it began with.
    pub(super) fn began(&self, name: &str) -> Option<&str> {
        find(name).map(|known| Self::of(&self.initial, known))
    }

    fn of<'a>(values: &'a BTreeMap<&'static str, String>, known: &Known) -> &'a str {
        values.get(known.name).map_or(known.default, String::as_str)
    }
}

impl Shared {
    /// Whether a client of PostgreSQL said that it only reads.
    pub(crate) fn says_it_only_reads(&self) -> bool {
        let names = ["transaction_read_only", "default_transaction_read_only"];
        self.postgres().is_some_and(|postgres| {
            let mut names = names.iter();
            names.any(|name| postgres.value(name) == Some("on"))
        })
    }

    /// What a client of PostgreSQL set, if the session is one's.
    pub(crate) fn postgres(&self) -> Option<Arc<Postgres>> {
        let postgres = self.postgres.as_ref()?.read();
        Some(Arc::clone(
            &postgres.unwrap_or_else(std::sync::PoisonError::into_inner),
        ))
    }

    /// The value of one of PostgreSQL's settings, or of the session's own, with its name.
    pub(crate) fn postgres_value(
        &self,
        postgres: &Postgres,
        name: &str,
    ) -> Option<(&'static str, String)> {
        if name.eq_ignore_ascii_case("statement_timeout") {
            let time = self.settings().statement_timeout.unwrap_or_default();
            return Some(("statement_timeout", milliseconds(time)));
        }
        let Some(known) = find(name) else {
            let same = |own: &&Documented| restable_spec::names::same(own.name, name);
            let own = ALL.iter().find(same)?;
            let settings = self.settings();
            return Some((own.name, shown(self, &settings, own.name).ok()?));
        };
        Some((known.name, postgres.value(name)?.to_owned()))
    }
}

impl Session {
    /// What a client of PostgreSQL set, if the session is one's.
    pub fn postgres(&self) -> Option<Arc<Postgres>> {
        self.shared().postgres()
    }

    /// The settings that a statement changes, if they are PostgreSQL's and the session is one of its clients'.
    pub(crate) fn postgres_set(&self, statement: &Statement) -> Result<Option<Vec<Variable>>> {
        let Some(postgres) = self.postgres() else {
            return Ok(None);
        };
        let access = self.door_access();
        Ok(match statement {
            Statement::Set(set) if set.key.eq_ignore_ascii_case("statement_timeout") => {
                let value = set.value.text();
                let time = duration(&value)
                    .ok_or_else(|| wrong("statement_timeout", &value).at(set.value_span))?;
                Some(vec![Variable::Engine(
                    "statement_timeout",
                    time.as_secs_f64().to_string(),
                )])
            }
            Statement::Set(set) => match find(&set.key) {
                Some(known) => {
                    let value = listed(&set.value);
                    let value = checked(known, &value, access)
                        .map_err(|problem| problem.at(set.value_span))?;
                    Some(vec![Variable::Own(known.name, value)])
                }
                None => None,
            },
            Statement::Reset(reset) => match reset.key.as_deref().and_then(find) {
                Some(known) => {
                    let value = Postgres::of(&postgres.initial, known).to_owned();
                    Some(vec![Variable::Own(known.name, value)])
                }
                None => None,
            },
            Statement::Connection(Connection::Characteristics { session, modes }) => {
                let mut all = Vec::new();
                let name = |long, short| if *session { long } else { short };
                if let Some(level) = &modes.isolation {
                    let known = find(name(
                        "default_transaction_isolation",
                        "transaction_isolation",
                    ));
                    let known = known.ok_or_else(|| unknown("transaction_isolation"))?;
                    all.push(Variable::Own(known.name, checked(known, level, access)?));
                }
                if let Some(read_only) = modes.read_only {
                    let known = find(name(
                        "default_transaction_read_only",
                        "transaction_read_only",
                    ));
                    let known = known.ok_or_else(|| unknown("transaction_read_only"))?;
                    let value = if read_only { "on" } else { "off" };
                    all.push(Variable::Own(known.name, checked(known, value, access)?));
                }
                Some(all)
            }
            _ => None,
        })
    }

    /// The answer of SHOW of a setting.
    pub(crate) fn postgres_show(&self, statement: &Statement) -> Result<Option<RecordBatch>> {
        let Some(postgres) = self.postgres() else {
            return Ok(None);
        };
        let Statement::Show(show) = statement else {
            return Ok(None);
        };
        let ShowObject::Setting(name) = &show.object else {
            return Ok(None);
        };
        match self.shared().postgres_value(&postgres, name) {
            Some((name, value)) => texts(&[name], vec![vec![Some(value)]]).map(Some),
            None => Ok(None),
        }
    }

    /// What giving a setting of either kind a value comes to, and how the value is shown then.
    pub(crate) fn chosen(&self, name: &str, value: &str) -> Result<(Variable, String)> {
        if name.eq_ignore_ascii_case("statement_timeout") {
            let time = duration(value).ok_or_else(|| wrong("statement_timeout", value))?;
            let seconds = time.as_secs_f64().to_string();
            let variable = Variable::Engine("statement_timeout", seconds);
            return Ok((variable, milliseconds(time)));
        }
        if let Some(known) = find(name) {
            let value = checked(known, value, self.door_access())?;
            return Ok((Variable::Own(known.name, value.clone()), value));
        }
        let same = |own: &&Documented| restable_spec::names::same(own.name, name);
        let known = ALL.iter().find(same).ok_or_else(|| unknown(name))?;
        let mut tried = (*self.settings()).clone();
        tried.set(known.name, value, Origin::Statement)?;
        self.within_start(&tried)?;
        let shown = tried.value(known.name)?;
        Ok((Variable::Engine(known.name, value.to_owned()), shown))
    }

    /// Makes the changes. The answer is what was changed, in words.
    pub(crate) fn apply_postgres(&self, variables: Vec<Variable>) -> Result<String> {
        let mut told = Vec::new();
        for variable in variables {
            match variable {
                Variable::Engine(name, value) => {
                    self.set(name, &value, Origin::Statement)?;
                    self.apply_memory_limit()?;
                    told.push(format!("{name} = {value}"));
                }
                Variable::Own(name, value) => {
                    told.push(format!("{name} = {value}"));
                    if name == "search_path" {
                        self.shared().set_search_path(&value);
                    }
                    if name == "TimeZone" {
                        self.set_zone(&value);
                    }
                    if name == "IntervalStyle" {
                        self.set_intervals(&value);
                    }
                    self.write_postgres(|postgres| {
                        postgres.values.insert(name, value);
                    });
                }
            }
        }
        Ok(told.join(", "))
    }

    /// Sets all of PostgreSQL's settings back to what the session began with.
    pub(crate) fn reset_postgres(&self) {
        self.write_postgres(|postgres| {
            postgres.values = postgres.initial.clone();
            self.shared()
                .set_search_path(postgres.value("search_path").unwrap_or_default());
            self.set_zone(postgres.value("TimeZone").unwrap_or("UTC"));
            self.set_intervals(postgres.value("IntervalStyle").unwrap_or_default());
        });
    }

    /// Changes what a client set, and where its bare names are looked for with it.
    pub(crate) fn recall_postgres(&self, change: impl FnOnce(&mut Postgres)) {
        self.write_postgres(|postgres| {
            change(postgres);
            self.shared()
                .set_search_path(postgres.value("search_path").unwrap_or_default());
            self.set_zone(postgres.value("TimeZone").unwrap_or("UTC"));
            self.set_intervals(postgres.value("IntervalStyle").unwrap_or_default());
        });
    }

    /// Gives the session the zone in which it reads and writes times.
    fn set_zone(&self, name: &str) {
        let ground = &self.shared().ground;
        ground.configure(|config| zone::set_zone(config, name));
    }

    /// Gives the session the style in which it writes intervals.
    fn set_intervals(&self, name: &str) {
        let ground = &self.shared().ground;
        let style = IntervalStyle::named(name).unwrap_or_default();
        ground.configure(|config| zone::set_interval_style(config, style));
    }

    fn write_postgres(&self, change: impl FnOnce(&mut Postgres)) {
        if let Some(postgres) = &self.postgres {
            let postgres = postgres.write();
            let mut postgres = postgres.unwrap_or_else(std::sync::PoisonError::into_inner);
            change(Arc::make_mut(&mut postgres));
        }
    }
}

/// A list is written with a blank after each comma, as PostgreSQL shows it.
fn listed(value: &SetValue) -> String {
    match value {
        SetValue::List(values) => values
            .iter()
            .map(SetValue::text)
            .collect::<Vec<_>>()
            .join(", "),
        other => other.text(),
    }
}

fn checked(known: &Known, value: &str, access: Access) -> Result<String, Diagnostic> {
    if access == Access::ReadOnly
        && known.name.ends_with("read_only")
        && boolean(value) == Some(false)
    {
        let problem = Diagnostic::new("R0320", "this session may only read");
        return Err(problem.help("`restable serve --allow-writes` lets its clients write"));
    }
    let value = value.trim();
    let taken = match &known.takes {
        Takes::Fixed => {
            let problem = format!("`{}` cannot be changed", known.name);
            return Err(Diagnostic::new("R0404", problem));
        }
        Takes::Any => Some(value.to_owned()),
        Takes::One(values) => values
            .iter()
            .find(|one| one.eq_ignore_ascii_case(value))
            .map(|one| (*one).to_owned()),
        Takes::Own(rule) => rule(value),
    };
    taken.ok_or_else(|| wrong(known.name, value))
}

fn wrong(name: &str, value: &str) -> Diagnostic {
    Diagnostic::new("R0402", format!("`{name}` does not take `{value}` here"))
}

fn unknown(name: &str) -> Error {
    Diagnostic::new("R0401", format!("there is no setting `{name}`")).into()
}

fn boolean(value: &str) -> Option<bool> {
    match &*value.to_ascii_lowercase() {
        "on" | "true" | "t" | "yes" | "1" => Some(true),
        "off" | "false" | "f" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// `5000`, `30s`, `500 ms`, `5min`: a number without a unit is of milliseconds, as in PostgreSQL.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let at = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..at].parse().ok()?;
    let factor = match text[at..].trim() {
        "" | "ms" => 1e-3,
        "us" => 1e-6,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let seconds = number * factor;
    // More milliseconds than that are no number of PostgreSQL's.
    let most = f64::from(i32::MAX) / 1e3;
    (seconds.is_finite() && seconds <= most).then(|| Duration::from_secs_f64(seconds))
}

/// As PostgreSQL shows a time: in the largest unit that leaves no rest.
pub(super) fn milliseconds(time: Duration) -> String {
    let all = time.as_millis();
    match all {
        0 => "0".to_owned(),
        _ if all.is_multiple_of(3_600_000) => format!("{}h", all / 3_600_000),
        _ if all.is_multiple_of(60_000) => format!("{}min", all / 60_000),
        _ if all.is_multiple_of(1000) => format!("{}s", all / 1000),
        _ => format!("{all}ms"),
    }
}

/// A zone by its name or as an offset, in the form in which times are written with it.
fn time_zone(value: &str) -> Option<String> {
    if value.eq_ignore_ascii_case("utc")
        || value.eq_ignore_ascii_case("gmt")
        || value.eq_ignore_ascii_case("default")
    {
        return Some("UTC".to_owned());
    }
    value
        .parse::<arrow::array::timezone::Tz>()
        .ok()
        .map(|_| value.to_owned())
}

impl Session {
    /// Gives one of PostgreSQL's settings a value, as SET does.
    pub fn set_postgres(&self, name: &str, value: &str) -> Result<()> {
        if name.eq_ignore_ascii_case("statement_timeout") {
            let time = duration(value).ok_or_else(|| wrong(name, value))?;
            return self.set(
                "statement_timeout",
                &time.as_secs_f64().to_string(),
                Origin::Flag,
            );
        }
        let (variable, _) = self.chosen(name, value)?;
        self.apply_postgres(vec![variable]).map(drop)
    }

    /// Whether a transaction can have these modes.
    pub fn check_modes(&self, modes: &Modes) -> Result<()> {
        let statement = Statement::Connection(Connection::Characteristics {
            session: false,
            modes: modes.clone(),
        });
        self.postgres_set(&statement).map(drop)
    }

    /// Makes the modes of a transaction those of the session; [`Session::recall_one`] takes them back.
    pub fn apply_modes(&self, modes: &Modes) -> Result<()> {
        let statement = Statement::Connection(Connection::Characteristics {
            session: false,
            modes: modes.clone(),
        });
        match self.postgres_set(&statement)? {
            Some(variables) => self.apply_postgres(variables).map(drop),
            None => Ok(()),
        }
    }

    /// Chooses what a client's database means: a provider, or what there is.
    pub fn use_database(&self, database: Option<&str>) -> Result<()> {
        let registry = self.registry();
        let provider = match database {
            None | Some("restable" | "postgres") => {
                let mut providers = registry.providers();
                providers.next().filter(|_| providers.next().is_none())
            }
            Some(name) => Some(registry.provider(name).ok_or_else(|| {
                let known: Vec<&str> = registry
                    .providers()
                    .map(|provider| provider.name.as_str())
                    .collect();
                Diagnostic::new("R0405", format!("there is no database `{name}`"))
                    .help(format!("a database is a provider: {}", known.join(", ")))
            })?),
        };
        // Where few services are, their tables are found by their names alone.
        let services = provider.map(|provider| {
            provider
                .services()
                .map(|entry| entry.name.clone())
                .collect::<Vec<_>>()
        });
        let services = services
            .filter(|all| all.len() <= FEW_SERVICES)
            .unwrap_or_default();
        let path = ["\"$user\"".to_owned(), "public".to_owned()]
            .into_iter()
            .chain(services)
            .collect::<Vec<_>>()
            .join(", ");
        if let Some(postgres) = self.postgres() {
            self.set_zone(postgres.value("TimeZone").unwrap_or("UTC"));
            self.set_intervals(postgres.value("IntervalStyle").unwrap_or_default());
        }
        let current = Current {
            provider: provider.map(|provider| provider.name.clone()),
            service: None,
        };
        self.set_current(current);
        self.write_postgres(|postgres| {
            // What the client asked for in its first message stays.
            if postgres
                .initial
                .get("search_path")
                .is_none_or(|own| own == NO_SERVICES)
            {
                postgres.values.insert("search_path", path.clone());
                postgres.initial.insert("search_path", path);
            }
            self.shared()
                .set_search_path(postgres.value("search_path").unwrap_or_default());
        });
        self.begins();
        Ok(())
    }

    /// Drops what the session created, and sets its settings back to what they were.
    pub fn discard(&self) -> Result<()> {
        self.discard_tables()?;
        *lock(&self.last) = None;
        self.reset(None)
    }
}
