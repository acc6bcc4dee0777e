//! Settings of a session: what `SET`, `--set`, the environment and `config.toml` may say, each with its default, its
//! meaning and where its value came from. A name that is not listed here is an error, never accepted and ignored.

use std::fmt::Write as _;
use std::time::Duration;

use restable_http::Throttle;
use restable_sql::Diagnostic;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// `config.toml`.
    File,
    /// A variable `RESTABLE_…`.
    Environment,
    /// A flag of the command line.
    Flag,
    /// A statement `SET`.
    Statement,
}

impl Origin {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::File => "file",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
            Origin::Statement => "SET",
        }
    }
}

/// One setting as it is listed.
#[derive(Debug, Clone)]
pub struct Documented {
    /// The name.
    pub name: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Every setting, in the order in which `SHOW SETTINGS` lists them.
pub const ALL: &[Documented] = &[
    Documented {
        name: "max_concurrency",
        meaning: "ceiling of calls in flight",
    },
    Documented {
        name: "throttle",
        meaning: "adaptive: calls are held back before the service refuses them; off: only `Retry-After` does",
    },
    Documented {
        name: "max_calls",
        meaning: "calls of one statement, which stops before it makes more; 0: any number",
    },
    Documented {
        name: "max_calls_per_hour",
        meaning: "calls of a session within an hour; 0: any number. It can be lowered in a session",
    },
    Documented {
        name: "cache_ttl",
        meaning: "seconds for which a list that was read may be used again; 0: every list is read anew",
    },
    Documented {
        name: "page_timeout",
        meaning: "seconds for one page, retries not counted",
    },
    Documented {
        name: "statement_timeout",
        meaning: "seconds for a statement; 0: none",
    },
    Documented {
        name: "partial_results",
        meaning: "on: scopes that cannot be read are listed instead of failing the statement",
    },
    Documented {
        name: "default_subscription",
        meaning: "the subscription of statements that write none",
    },
    Documented {
        name: "subscriptions",
        meaning: "subscriptions, separated by commas, that a walk is confined to",
    },
    Documented {
        name: "confirm",
        meaning: "`auto`: several targets, and calls that destroy, need consent; `always`; `never`",
    },
    Documented {
        name: "on_error",
        meaning: "`continue`: a target that fails stops no other; `stop`: those after it are not sent",
    },
    Documented {
        name: "wait",
        meaning: "on: operations are waited for; off: rows come as soon as the service has taken the calls",
    },
    Documented {
        name: "poll_interval",
        meaning: "seconds between questions how far an operation is, where the service names none; rises to 30",
    },
    Documented {
        name: "unknown_grace",
        meaning: "seconds after which a call without an answer, and without a sign of it, counts as not received",
    },
    Documented {
        name: "recheck_after",
        meaning: "seconds after which a row of a set is read again before it is destroyed",
    },
    Documented {
        name: "partial_refresh",
        meaning: "on: a refresh is kept although scopes could not be read, and marked with them",
    },
    Documented {
        name: "keep_refreshes",
        meaning: "how long (`31d`, `12h`) or how many (`100`) refreshes are kept; the newest always; `all`",
    },
    Documented {
        name: "memory_limit",
        meaning: "memory for sorting and grouping, like `512MB`; 0: none",
    },
];

/// Which refreshes of a snapshot stay when a new one comes. The newest always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Those of so long.
    For(Duration),
    /// So many.
    Newest(usize),
    /// All.
    All,
}

/// How long refreshes are kept if nobody says otherwise: a month, so that a month can be looked back.
const KEPT: Duration = Duration::from_hours(31 * 24);

impl Kept {
    fn read(text: &str) -> Option<Kept> {
        if text.eq_ignore_ascii_case("all") {
            return Some(Kept::All);
        }
        let at = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let number: u64 = number.parse().ok()?;
        let seconds = match unit.trim().to_ascii_lowercase().as_str() {
            "" => {
                return usize::try_from(number)
                    .ok()
                    .filter(|it| *it > 0)
                    .map(Kept::Newest);
            }
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        number
            .checked_mul(seconds)
            .map(|time| Kept::For(Duration::from_secs(time)))
    }

    fn text(self) -> String {
        match self {
            Kept::All => "all".to_owned(),
            Kept::Newest(count) => count.to_string(),
            Kept::For(time) => {
                let seconds = time.as_secs();
                let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
                let whole = units
                    .iter()
                    .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
                let (unit, word) = whole.copied().unwrap_or((1, "s"));
                format!("{}{word}", seconds / unit)
            }
        }
    }
}

/// When a statement that acts asks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// For more than one target, and for calls that destroy.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a target that fails means for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing.
    Continue,
    /// They are not sent.
    Stop,
}

/// The values of a session.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Ceiling of calls in flight of one statement.
    pub max_concurrency: usize,
    /// Whether calls are held back before the service refuses them.
    pub throttle: Throttle,
    /// Calls of one statement.
    pub max_calls: Option<u64>,
    /// Calls of the session within an hour.
    pub max_calls_per_hour: Option<u64>,
    /// How long a list that was read may be used again.
    pub cache_ttl: Duration,
    /// Time for one page.
    pub page_timeout: Duration,
    /// Time for a statement.
    pub statement_timeout: Option<Duration>,
    /// Whether partial results are allowed.
    pub partial_results: bool,
    /// The default subscription of mutating statements.
    pub default_subscription: Option<String>,
    /// Subscriptions that a walk is confined to.
    pub subscriptions: Vec<String>,
    /// When a statement that acts asks first.
    pub confirm: Confirm,
    /// What a target that fails means for those after it.
    pub on_error: OnError,
    /// Whether operations are waited for.
    pub wait: bool,
    /// The first wait between questions how far an operation is.
    pub poll_interval: Duration,
    /// How long a call without an answer may still turn out to have been received.
    pub unknown_grace: Duration,
    /// How long the word of a set's source is good.
    pub recheck_after: Duration,
    /// Whether a refresh is kept although scopes could not be read.
    pub partial_refresh: bool,
    /// Which refreshes stay.
    pub keep_refreshes: Kept,
    /// Memory for sorting and grouping, in bytes.
    pub memory_limit: Option<usize>,
    origins: Vec<(String, Origin)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_concurrency: 64,
            throttle: Throttle::Adaptive,
            max_calls: None,
            max_calls_per_hour: None,
            cache_ttl: Duration::ZERO,
            page_timeout: Duration::from_secs(120),
            statement_timeout: None,
            partial_results: false,
            default_subscription: None,
            subscriptions: Vec::new(),
            confirm: Confirm::Auto,
            on_error: OnError::Continue,
            wait: true,
            poll_interval: Duration::from_secs(1),
            unknown_grace: Duration::from_secs(600),
            recheck_after: Duration::from_secs(30),
            partial_refresh: false,
            keep_refreshes: Kept::For(KEPT),
            memory_limit: None,
            origins: Vec::new(),
        }
    }
}

impl Settings {
    /// Gives `name` the value `value`. The error names the setting and what it takes.
    pub fn set(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), Diagnostic> {
        let known = ALL
            .iter()
            .find(|setting| restable_spec::names::same(setting.name, name))
            .ok_or_else(|| unknown(name))?;
        let wrong = |takes: &str| Diagnostic {
            code: "R0402",
            message: format!("`{}` takes {takes}, not `{value}`", known.name),
            span: None,
            notes: Vec::new(),
            help: Some("`SHOW SETTINGS` lists every setting with its value".to_owned()),
        };
        let value_text = value.trim();
        match known.name {
            "max_concurrency" => {
                self.max_concurrency = value_text
                    .parse()
                    .ok()
                    .filter(|n| (1..=1024).contains(n))
                    .ok_or_else(|| wrong("a whole number from 1 to 1024"))?;
            }
            "throttle" => {
                self.throttle = match &*value_text.to_ascii_lowercase() {
                    "adaptive" => Throttle::Adaptive,
                    "off" => Throttle::Off,
                    _ => return Err(wrong("`adaptive` or `off`")),
                };
            }
            "max_calls" | "max_calls_per_hour" => {
                let calls: u64 = value_text
                    .parse()
                    .map_err(|_| wrong("a whole number; 0: any number"))?;
                let calls = (calls > 0).then_some(calls);
                match known.name {
                    "max_calls" => self.max_calls = calls,
                    _ => self.max_calls_per_hour = calls,
                }
            }
            "cache_ttl" => {
                self.cache_ttl =
                    seconds(value_text).ok_or_else(|| wrong("seconds, like `30` or `1.5`"))?;
            }
            "page_timeout" => {
                self.page_timeout = seconds(value_text)
                    .filter(|time| !time.is_zero())
                    .ok_or_else(|| wrong("seconds above 0"))?
            }
            "statement_timeout" => {
                let time =
                    seconds(value_text).ok_or_else(|| wrong("seconds, like `30` or `1.5`"))?;
                self.statement_timeout = (!time.is_zero()).then_some(time);
            }
            "partial_results" => {
                self.partial_results = switch(value_text).ok_or_else(|| wrong("`on` or `off`"))?;
            }
            "partial_refresh" => {
                self.partial_refresh = switch(value_text).ok_or_else(|| wrong("`on` or `off`"))?;
            }
            "keep_refreshes" => {
                self.keep_refreshes = Kept::read(value_text).ok_or_else(|| {
                    wrong("a time like `31d`, `12h` or `90min`, a number of refreshes, or `all`")
                })?;
            }
            "wait" => self.wait = switch(value_text).ok_or_else(|| wrong("`on` or `off`"))?,
            "confirm" => {
                self.confirm = match &*value_text.to_ascii_lowercase() {
                    "auto" => Confirm::Auto,
                    "always" => Confirm::Always,
                    "never" => Confirm::Never,
                    _ => return Err(wrong("`auto`, `always` or `never`")),
                }
            }
            "on_error" => {
                self.on_error = match &*value_text.to_ascii_lowercase() {
                    "continue" => OnError::Continue,
                    "stop" => OnError::Stop,
                    _ => return Err(wrong("`continue` or `stop`")),
                }
            }
            "poll_interval" | "unknown_grace" | "recheck_after" => {
                let time =
                    seconds(value_text).ok_or_else(|| wrong("seconds, like `30` or `1.5`"))?;
                match known.name {
                    "poll_interval" => self.poll_interval = time,
                    "unknown_grace" => self.unknown_grace = time,
                    _ => self.recheck_after = time,
                }
            }
            "default_subscription" => {
                if !value_text.is_empty() && !is_uuid(value_text) {
                    return Err(wrong("the id of a subscription, a UUID"));
                }
                self.default_subscription = (!value_text.is_empty()).then(|| value_text.to_owned());
            }
            "subscriptions" => {
                let ids: Vec<String> = value_text
                    .split(',')
                    .map(|id| id.trim().to_owned())
                    .filter(|id| !id.is_empty())
                    .collect();
                if !ids.iter().all(|id| is_uuid(id)) {
                    return Err(wrong("ids of subscriptions (UUIDs), separated by commas"));
                }
                self.subscriptions = ids;
            }
            "memory_limit" => {
                let bytes =
                    bytes(value_text).ok_or_else(|| wrong("a size, like `512MB` or `2GB`"))?;
                self.memory_limit = (bytes > 0).then_some(bytes);
            }
            other => return Err(unknown(other)),
        }
        self.origins.retain(|(name, _)| name != known.name);
        self.origins.push((known.name.to_owned(), origin));
        Ok(())
    }

    /// The value of a setting as text, by its name.
    pub fn value(&self, name: &str) -> Result<String, Diagnostic> {
        let known = ALL
            .iter()
            .find(|setting| restable_spec::names::same(setting.name, name))
            .ok_or_else(|| unknown(name))?;
        Ok(match known.name {
            "max_concurrency" => self.max_concurrency.to_string(),
            "throttle" => match self.throttle {
                Throttle::Adaptive => "adaptive",
                Throttle::Off => "off",
            }
            .to_owned(),
            "max_calls" => self.max_calls.unwrap_or_default().to_string(),
            "max_calls_per_hour" => self.max_calls_per_hour.unwrap_or_default().to_string(),
            "cache_ttl" => self.cache_ttl.as_secs_f64().to_string(),
            "page_timeout" => self.page_timeout.as_secs_f64().to_string(),
            "statement_timeout" => self
                .statement_timeout
                .map_or_else(|| "0".to_owned(), |time| time.as_secs_f64().to_string()),
            "partial_results" => on_or_off(self.partial_results),
            "partial_refresh" => on_or_off(self.partial_refresh),
            "keep_refreshes" => self.keep_refreshes.text(),
            "wait" => on_or_off(self.wait),
            "confirm" => match self.confirm {
                Confirm::Auto => "auto",
                Confirm::Always => "always",
                Confirm::Never => "never",
            }
            .to_owned(),
            "on_error" => match self.on_error {
                OnError::Continue => "continue",
                OnError::Stop => "stop",
            }
            .to_owned(),
            "poll_interval" => self.poll_interval.as_secs_f64().to_string(),
            "unknown_grace" => self.unknown_grace.as_secs_f64().to_string(),
            "recheck_after" => self.recheck_after.as_secs_f64().to_string(),
            "default_subscription" => self.default_subscription.clone().unwrap_or_default(),
            "subscriptions" => self.subscriptions.join(","),
            _ => self
                .memory_limit
                .map_or_else(|| "0".to_owned(), |bytes| bytes.to_string()),
        })
    }

    /// Where the value of a setting came from.
    pub fn origin(&self, name: &str) -> Origin {
        self.origins
            .iter()
            .find(|(known, _)| known == name)
            .map_or(Origin::Default, |(_, origin)| *origin)
    }
}

fn unknown(name: &str) -> Diagnostic {
    let mut help = String::from("`SHOW SETTINGS` lists every setting");
    if let Some(nearest) =
        restable_spec::names::nearest(name, ALL.iter().map(|setting| setting.name))
    {
        let _ = write!(help, "; did you mean `{nearest}`?");
    }
    Diagnostic {
        code: "R0401",
        message: format!("there is no setting `{name}`"),
        span: None,
        notes: Vec::new(),
        help: Some(help),
    }
}

fn switch(text: &str) -> Option<bool> {
    match &*text.to_ascii_lowercase() {
        "on" | "true" | "1" | "yes" => Some(true),
        "off" | "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn on_or_off(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

fn seconds(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s').unwrap_or(text);
    let seconds: f64 = text.trim().parse().ok()?;
    (seconds.is_finite() && (0.0..=31_536_000.0).contains(&seconds))
        .then(|| Duration::from_secs_f64(seconds))
}

fn bytes(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let (number, factor) = [
        ("gb", 1_000_000_000_f64),
        ("mb", 1e6),
        ("kb", 1e3),
        ("gib", 1_073_741_824.0),
        ("mib", 1_048_576.0),
    ]
    .iter()
    .find_map(|(unit, factor)| {
        lower
            .strip_suffix(unit)
            .map(|number| (number.to_owned(), *factor))
    })
    .unwrap_or((lower, 1.0));
    let value: f64 = number.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range"
    )]
    (value >= 0.0 && value * factor < 1e15).then_some((value * factor) as usize)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .chars()
            .all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}
