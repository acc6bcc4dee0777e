//! The command line as types. Owns names, help texts and the form of each value; what a value means is decided where it is used.

use std::net::SocketAddr;
use std::path::PathBuf;

use arm_emulator::{ClockKind, Estate, Throttle};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use url::Url;

use crate::auxiliary::{self, Auxiliary};
use crate::output::Format;

/// SQL over any REST API that has a description.
#[derive(Debug, Parser)]
#[command(name = "restable", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER: &str = "Exit codes: 0 done, 1 the statement is at fault, 2 the other side is, 3 done but incomplete (--partial), \
    4 a defect of restable, 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A guided tour against the built-in emulator; needs no account.
    Demo(DemoArguments),
    /// The interactive SQL shell.
    Shell(ShellArguments),
    /// Run statements and exit.
    Exec(ExecArguments),
    /// The engine behind Postgres wire, until Ctrl-C.
    Serve(Box<ServeArguments>),
    /// Read materialized views anew, for a scheduler. Each is refreshed whole or stays as it was.
    Refresh(RefreshArguments),
    /// A local Azure Resource Manager, until Ctrl-C.
    Emulator(EmulatorArguments),
    /// Actions that were started from here, across runs.
    Operations(OperationsArguments),
    /// Credentials.
    Auth {
        /// What about them.
        #[command(subcommand)]
        command: AuthCommand,
    },
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Commands on credentials.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Which credential would be used for what, in which order, and why.
    Status(StatusArguments),
}

/// `restable demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {}

/// `restable shell`.
#[derive(Debug, Args)]
pub struct ShellArguments {
    #[command(flatten)]
    pub session: SessionArguments,
}

/// `restable exec`.
#[derive(Debug, Args)]
pub struct ExecArguments {
    /// The statements, separated by `;`.
    #[arg(conflicts_with = "file")]
    pub sql: Option<String>,
    /// Read the statements from a file; `-` is standard input.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub session: SessionArguments,
}

/// `restable serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Where clients of PostgreSQL connect. Port 0 takes a free one. What other machines reach needs `--tls-cert` and
    /// `--users`.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub pg: Option<SocketAddr>,
    /// Let sessions send what changes something. There is nobody to ask: `SET confirm = never` is a session's way to say yes.
    #[arg(long)]
    pub allow_writes: bool,
    /// Where clients of Arrow Flight SQL connect. What other machines reach needs `--tls-cert`, and `--tokens` or `--users`.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub flight: Option<SocketAddr>,
    /// The server's certificate in the form PEM, followed by those that it was signed by.
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in the form PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Users, one a line: `name:password`. The password may stand as PostgreSQL keeps it (`SCRAM-SHA-256$…`). The variable
    /// RESTABLE_SERVE_USERS takes the same lines. Where there are users, only they come in.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub users: Option<PathBuf>,
    /// Tokens that clients of Flight SQL show, one a line: `name:token`. The variable RESTABLE_SERVE_TOKENS takes the same
    /// lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tokens: Option<PathBuf>,
    /// So many clients at once, of each protocol.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_connections: usize,
    /// Memory that all sessions together may use: for sorting, grouping and joining, and for what cannot go to files, such as lists that
    /// aggregates make, windows, rows that clients have not taken yet; like `512MB`; `none`: no limit [default: half of what the machine
    /// or its container has, and 2GB where that cannot be known]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// A setting with which sessions begin; `SHOW SETTINGS` lists them. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Calls that a statement may make; 0: any number [default: 500]
    #[arg(long, value_name = "N")]
    pub max_calls: Option<String>,
    /// Calls that a session may make within an hour; 0: any number [default: 5000]
    #[arg(long, value_name = "N")]
    pub max_calls_per_hour: Option<String>,
    /// Deadline of each statement.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<String>,
    /// Allow partial results: what cannot be read is listed in a warning instead of failing the statement.
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    pub observation: ObservationArguments,
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// What a server tells of itself.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Observation")]
pub struct ObservationArguments {
    /// Answer Prometheus at `http://ADDR/metrics`; loopback only. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics: Option<SocketAddr>,
    /// Write a line of JSON before a statement changes anything, and one when its targets have ended. Nothing is sent where that
    /// cannot be written.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub audit_log: Option<PathBuf>,
    /// Send spans of statements, scans and calls to an OpenTelemetry collector over gRPC; `OTEL_EXPORTER_OTLP_ENDPOINT` does so, too.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<Url>,
}

/// `restable refresh`.
#[derive(Debug, Args)]
pub struct RefreshArguments {
    /// The materialized views, in this order.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub names: Vec<String>,
    /// All materialized views, in the order in which they were made.
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    #[command(flatten)]
    pub session: SessionArguments,
}

/// `restable operations`.
#[derive(Debug, Args)]
pub struct OperationsArguments {
    /// What about them.
    #[command(subcommand)]
    pub command: OperationsCommand,
}

/// Commands on operations.
#[derive(Debug, Subcommand)]
pub enum OperationsCommand {
    /// The actions of the journal, the newest last. Nothing is sent.
    List(ListArguments),
    /// Wait until an operation ends, and answer its result.
    Wait(WaitArguments),
    /// Go on with statements that were broken off: operations are waited for, unknown outcomes are looked up, what was not sent is
    /// sent.
    Resume(ResumeArguments),
}

/// `restable operations list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only those that have not ended, or whose outcome is not known.
    #[arg(long)]
    pub open: bool,
    /// Only the last so many.
    #[arg(long, value_name = "NUMBER")]
    pub last: Option<usize>,
    #[command(flatten)]
    pub session: SessionArguments,
}

/// `restable operations wait`.
#[derive(Debug, Args)]
pub struct WaitArguments {
    /// The journal's number, or Azure's id of the operation.
    #[arg(value_name = "ID")]
    pub reference: String,
    #[command(flatten)]
    pub session: SessionArguments,
}

/// `restable operations resume`.
#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// The statement's id, as `list` shows it [default: every statement that was broken off]
    pub statement: Option<String>,
    /// Write a line of JSON for each statement before anything of it is sent, and one when its targets have ended. Nothing is sent
    /// where that cannot be written.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub audit_log: Option<PathBuf>,
    #[command(flatten)]
    pub session: SessionArguments,
}

/// `restable auth status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Ask for a token, too. Without it nothing is sent and no other program is started.
    #[arg(long)]
    pub probe: bool,
    /// How rows are printed [default: table on a terminal, else json]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Where calls go, and as whom.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArguments {
    /// Start the built-in emulator in this process and use it. ESTATE is `demo` (the default), `empty`, totals like `2,10,1000`
    /// (subscriptions, vaults, instances), or a JSON file.
    #[arg(long, value_name = "ESTATE", num_args = 0..=1, require_equals = true, default_missing_value = "demo")]
    pub emulator: Option<Estate>,
    /// Send that provider's calls to URL; plain http is accepted for loopback only.
    #[arg(long, value_name = "PROVIDER=URL", value_parser = endpoint)]
    pub endpoint: Vec<(String, Url)>,
    /// The credential of a provider: `azure`, `bearer:ENVVAR` or `none` [default: `none` with --emulator or --endpoint, else `azure`
    /// for azure]. `PROVIDER.auxiliary=KIND` adds the credential for another tenant, for the calls that take one: `azure:TENANT`,
    /// `bearer:ENVVAR` or `none`. May be repeated.
    #[arg(long, value_name = "PROVIDER=KIND", value_parser = auth)]
    pub auth: Vec<(String, Grant)>,
    /// The Azure cloud.
    #[arg(long, value_name = "CLOUD", value_parser = ["public", "china", "usgov"])]
    pub cloud: Option<String>,
    /// The tenant of the Azure credential.
    #[arg(long, value_name = "ID")]
    pub tenant: Option<String>,
    /// A registry's `src` tree whose services replace built-in services of the same name.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub provider_specs: Option<String>,
    /// The directory that snapshots are kept in [default: restable/ in the user's data directory; with --emulator one that ends
    /// with the run]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<String>,
    /// Log to stderr.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub log: Option<Level>,
}

/// How statements run, and how their rows are printed.
#[derive(Debug, Default, Args)]
pub struct SessionArguments {
    /// How rows are printed [default: table on a terminal and in the shell, else json]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Write the rows there.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub outfile: Option<PathBuf>,
    /// A value for the placeholder `:NAME`; bound as a value, never as text. May be repeated.
    #[arg(short, long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    pub variables: Vec<(String, String)>,
    /// A setting; `SHOW SETTINGS` lists them. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub settings: Vec<(String, String)>,
    /// The default subscription of statements that change something.
    #[arg(long, value_name = "ID")]
    pub subscription: Option<String>,
    /// Preview every statement that would change something, and send none of them.
    #[arg(long, help_heading = "Acting")]
    pub preview: bool,
    /// Ask nothing before calls that change something, as `--set confirm=never`.
    #[arg(short, long, help_heading = "Acting", overrides_with_all = ["yes", "confirm"])]
    pub yes: bool,
    /// Ask before every call that changes something, as `--set confirm=always`. Of --yes and --confirm the last one wins.
    #[arg(long, help_heading = "Acting", overrides_with_all = ["yes", "confirm"])]
    pub confirm: bool,
    /// Do not wait for long-running operations; `restable operations wait` does so later.
    #[arg(long, help_heading = "Acting")]
    pub no_wait: bool,
    /// Allow partial results: what cannot be read is listed instead of failing the statement, and the exit code is 3.
    #[arg(long)]
    pub partial: bool,
    /// Go on after a failed statement; the exit code is that of the first failure.
    #[arg(long = "continue")]
    pub go_on: bool,
    /// Write a summary of the run as JSON.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub summary: Option<PathBuf>,
    /// Deadline of each statement.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<String>,
    /// Say only what is wrong.
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `restable emulator`.
#[derive(Debug, Args)]
pub struct EmulatorArguments {
    /// Where to listen; loopback only. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8420", value_parser = address)]
    pub listen: SocketAddr,
    /// `demo`, `empty`, totals like `2,10,1000` (subscriptions, vaults, instances), or a JSON file.
    #[arg(long, default_value = "demo")]
    pub estate: Estate,
    /// Items on a page of a list.
    #[arg(long, value_name = "ITEMS", default_value_t = 200, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub page_size: usize,
    /// Added before every answer.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub latency_ms: u64,
    /// Refuse with 429 as Azure Resource Manager does: `arm` or `off`.
    #[arg(long, default_value = "off", value_name = "KIND")]
    pub throttle: Throttle,
    /// How long a long-running operation takes.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub lro_seconds: u64,
    /// How long a backup or restore job takes.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub job_seconds: u64,
    /// `real`, or `fast`: time jumps to the end of what a client waits for.
    #[arg(long, default_value = "real", value_name = "KIND")]
    pub clock: ClockKind,
    /// The same seed gives the same generated estate and the same ids.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Answer requests without a bearer token as well.
    #[arg(long)]
    pub no_auth: bool,
}

/// A kind of credential, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Microsoft Entra.
    Azure,
    /// The token in this environment variable.
    Bearer(String),
    /// Nothing.
    None,
}

/// What `--auth` gives to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The credential of its calls.
    Own(Auth),
    /// The second one of those calls that take one.
    Auxiliary(Auxiliary),
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What may be wrong.
    Warn,
    /// What is done.
    Info,
    /// Each call, and why it is sent again.
    Debug,
    /// Everything.
    Trace,
}

impl ConnectionArguments {
    /// The flags that give a setting its value: the flag, the setting, the value.
    pub fn settings(&self) -> Vec<(&'static str, String, String)> {
        let flags = [
            ("--cloud", "cloud", &self.cloud),
            ("--tenant", "tenant", &self.tenant),
            ("--provider-specs", "provider_specs", &self.provider_specs),
            ("--data-dir", "data_dir", &self.data_dir),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(flag, key, value)| Some((flag, key.to_owned(), value.clone()?)));
        let log = self
            .log
            .and_then(|level| level.to_possible_value())
            .map(|level| ("--log", "log".to_owned(), level.get_name().to_owned()));
        given.chain(log).collect()
    }
}

impl ServeArguments {
    /// As [`SessionArguments::settings`].
    pub fn settings(&self) -> Vec<(&'static str, String, String)> {
        let set = self
            .set
            .iter()
            .map(|(key, value)| ("--set", key.clone(), value.clone()));
        let flags = [
            ("--timeout", "statement_timeout", &self.timeout),
            ("--max-calls", "max_calls", &self.max_calls),
            (
                "--max-calls-per-hour",
                "max_calls_per_hour",
                &self.max_calls_per_hour,
            ),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(flag, key, value)| Some((flag, key.to_owned(), value.clone()?)));
        let partial = self
            .partial
            .then(|| ("--partial", "partial_results".to_owned(), "on".to_owned()));
        set.chain(self.connection.settings())
            .chain(given)
            .chain(partial)
            .collect()
    }
}

impl SessionArguments {
    /// As [`ConnectionArguments::settings`]; a flag of its own wins over `--set`.
    pub fn settings(&self) -> Vec<(&'static str, String, String)> {
        let mut all: Vec<(&'static str, String, String)> = self
            .settings
            .iter()
            .map(|(key, value)| ("--set", key.clone(), value.clone()))
            .collect();
        all.extend(self.connection.settings());
        let flags = [
            (
                "--output",
                "output",
                self.output.map(|format| format.to_string()),
            ),
            (
                "--subscription",
                "default_subscription",
                self.subscription.clone(),
            ),
            ("--timeout", "statement_timeout", self.timeout.clone()),
            (
                "--partial",
                "partial_results",
                self.partial.then(|| "on".to_owned()),
            ),
            ("--yes", "confirm", self.yes.then(|| "never".to_owned())),
            (
                "--confirm",
                "confirm",
                self.confirm.then(|| "always".to_owned()),
            ),
            ("--no-wait", "wait", self.no_wait.then(|| "off".to_owned())),
        ];
        all.extend(
            flags
                .into_iter()
                .filter_map(|(flag, key, value)| Some((flag, key.to_owned(), value?))),
        );
        all
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("it is written `NAME=VALUE`".to_owned()),
    }
}

/// An address with a port. Of names only that of this machine to itself is known: another may be of any address.
fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let own = host.eq_ignore_ascii_case("localhost");
    match (own, port.parse()) {
        (true, Ok(port)) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        _ => text.parse().map_err(|_| {
            "it is written `ADDRESS:PORT`, like `127.0.0.1:5433`, `[::1]:5433` or `localhost:5433`"
                .to_owned()
        }),
    }
}

fn endpoint(text: &str) -> Result<(String, Url), String> {
    let (provider, url) = pair(text).map_err(|_| "it is written `PROVIDER=URL`".to_owned())?;
    let url = Url::parse(&url).map_err(|problem| format!("no URL: {problem}"))?;
    Ok((provider, url))
}

fn auth(text: &str) -> Result<(String, Grant), String> {
    let (provider, kind) = pair(text).map_err(|_| "it is written `PROVIDER=KIND`".to_owned())?;
    if let Some((provider, role)) = provider.rsplit_once('.')
        && role.eq_ignore_ascii_case(auxiliary::ROLE)
    {
        let given = Auxiliary::parse(&kind)?;
        return Ok((provider.to_owned(), Grant::Auxiliary(given)));
    }
    let auth = match kind.split_once(':') {
        None if kind == "azure" => Auth::Azure,
        None if kind == "none" => Auth::None,
        Some(("bearer", variable)) if !variable.is_empty() => Auth::Bearer(variable.to_owned()),
        // The kind is not repeated: who writes a token here by mistake should not see it again in a log.
        _ => return Err("the kinds are `azure`, `bearer:ENVVAR` (the name of an environment variable) and `none`".to_owned()),
    };
    Ok((provider, Grant::Own(auth)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn exec(flags: &[&str]) -> Result<ExecArguments, String> {
        let words = ["restable", "exec"].iter().chain(flags);
        match Arguments::try_parse_from(words)
            .map_err(|problem| problem.to_string())?
            .command
        {
            Some(Command::Exec(arguments)) => Ok(arguments),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn clap_finds_no_fault() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_estate_needs_an_equals_sign() {
        let arguments = exec(&["--emulator", "SELECT 1"]).unwrap();
        assert_eq!(
            (
                arguments.session.connection.emulator,
                arguments.sql.as_deref()
            ),
            (Some(Estate::Demo), Some("SELECT 1"))
        );
        let arguments = exec(&["--emulator=empty", "SELECT 1"]).unwrap();
        assert_eq!(arguments.session.connection.emulator, Some(Estate::Empty));
        assert!(exec(&["--emulator=1,2", "SELECT 1"]).is_err());
    }

    #[test]
    fn pairs() {
        let arguments = exec(&[
            "x",
            "-v",
            "a=b=c",
            "--set",
            "k=",
            "--auth",
            "azure=bearer:TOKEN",
            "--endpoint",
            "azure=https://h/",
        ])
        .unwrap();
        assert_eq!(
            arguments.session.variables,
            [("a".to_owned(), "b=c".to_owned())]
        );
        assert_eq!(
            arguments.session.settings,
            [("k".to_owned(), String::new())]
        );
        assert_eq!(
            arguments.session.connection.auth,
            [(
                "azure".to_owned(),
                Grant::Own(Auth::Bearer("TOKEN".to_owned()))
            )]
        );
        for bad in [
            ["-v", "=x"],
            ["-v", "x"],
            ["--endpoint", "azure"],
            ["--endpoint", "azure=nowhere"],
            ["--auth", "azure=bearer:"],
        ] {
            assert!(exec(&["x", bad[0], bad[1]]).is_err(), "{bad:?}");
        }
        let shown = exec(&["x", "--auth", "azure=secrettoken"]).unwrap_err();
        assert!(shown.contains("bearer:ENVVAR"), "{shown}");
    }

    #[test]
    fn addresses_to_listen_at() {
        for (text, expected) in [
            ("127.0.0.1:5433", "127.0.0.1:5433"),
            ("localhost:0", "127.0.0.1:0"),
            ("LocalHost:5433", "127.0.0.1:5433"),
            ("[::1]:0", "[::1]:0"),
            ("0.0.0.0:1", "0.0.0.0:1"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), expected, "{text}");
        }
        for bad in [
            "5433",
            ":5433",
            "localhost",
            "localhost:",
            "localhost:x",
            "localhost:70000",
            "::1:5433",
            "db.example:5433",
            "127.0.0.1",
            "",
        ] {
            assert!(address(bad).unwrap_err().contains("`[::1]:5433`"), "{bad}");
        }
    }

    #[test]
    fn the_auxiliary_credential() {
        for (text, expected) in [
            (
                "azure.auxiliary=azure:contoso.example",
                Auxiliary::Azure("contoso.example".to_owned()),
            ),
            (
                "azure.Auxiliary=bearer:TOKEN",
                Auxiliary::Bearer("TOKEN".to_owned()),
            ),
            ("azure.auxiliary=none", Auxiliary::None),
        ] {
            let arguments = exec(&["x", "--auth", text]).unwrap();
            let expected = ("azure".to_owned(), Grant::Auxiliary(expected));
            assert_eq!(arguments.session.connection.auth, [expected], "{text}");
        }
        for bad in [
            "azure.auxiliary=azure",
            "azure.auxiliary=azure:",
            "azure.auxiliary=azure:secret_token",
            "azure.auxiliary=azure:a/b",
            "azure.auxiliary=bearer",
            "azure.auxiliary=bearer:",
            "azure.auxiliary=secrettoken",
            "azure.auxiliary=",
            "azure.auxiliary",
        ] {
            let told = exec(&["x", "--auth", bad]).unwrap_err();
            assert!(
                bad.contains('=') != told.contains("PROVIDER=KIND`"),
                "{told}"
            );
            let kinds = told.split("the kinds of an auxiliary").nth(1);
            assert_eq!(kinds.is_some(), bad.contains('='), "{told}");
        }
    }

    #[test]
    fn of_yes_and_confirm_the_last_one_wins() {
        let confirm = |flags: &[&str]| {
            let arguments = exec(&[&["x"], flags].concat()).unwrap();
            let settings = arguments.session.settings();
            let found = settings.into_iter().filter(|(_, key, _)| key == "confirm");
            found.map(|(.., value)| value).collect::<Vec<_>>().join(" ")
        };
        for (flags, expected) in [
            (&["-y"][..], "never"),
            (&["--confirm"], "always"),
            (&["--confirm", "--yes"], "never"),
            (&["-y", "--confirm"], "always"),
            (&["-y", "--confirm", "-y", "-y"], "never"),
            (&["--set", "confirm=always", "-y"], "always never"),
            (&[], ""),
        ] {
            assert_eq!(confirm(flags), expected, "{flags:?}");
        }
    }

    #[test]
    fn a_statement_or_a_file() {
        assert!(exec(&["x", "-f", "y"]).is_err());
        assert_eq!(exec(&["-f", "-"]).unwrap().file, Some(PathBuf::from("-")));
    }
}
