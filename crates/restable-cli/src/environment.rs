//! Every environment variable that the command reads, each a documented constant, and which setting it gives a value.
//! Credentials and proxies have variables of their own in restable-http. Nothing is read here: the process's environment is copied
//! once, in `main.rs`.

/// Another configuration file than the one in the user's configuration directory.
pub const CONFIG: &str = "RESTABLE_CONFIG";
/// `off`, or the file in which the shell keeps what was typed.
pub const HISTORY: &str = "RESTABLE_HISTORY";
/// What is logged to stderr: `off`, `error`, `warn`, `info`, `debug` or `trace`.
pub const LOG: &str = "RESTABLE_LOG";
/// The format of rows, as `--output`.
pub const OUTPUT: &str = "RESTABLE_OUTPUT";
/// The Azure cloud, as `--cloud`.
pub const CLOUD: &str = "RESTABLE_CLOUD";
/// The tenant of the Azure credential, as `--tenant`.
pub const TENANT: &str = "RESTABLE_TENANT";
/// A tree of provider documents, as `--provider-specs`.
pub const PROVIDER_SPECS: &str = "RESTABLE_PROVIDER_SPECS";
/// Ceiling of calls in flight.
pub const MAX_CONCURRENCY: &str = "RESTABLE_MAX_CONCURRENCY";
/// Calls of one statement; 0: any number.
pub const MAX_CALLS: &str = "RESTABLE_MAX_CALLS";
/// Calls of a session within an hour; 0: any number.
pub const MAX_CALLS_PER_HOUR: &str = "RESTABLE_MAX_CALLS_PER_HOUR";
/// Seconds for which a list that was read may be used again.
pub const CACHE_TTL: &str = "RESTABLE_CACHE_TTL";
/// Seconds for one page.
pub const PAGE_TIMEOUT: &str = "RESTABLE_PAGE_TIMEOUT";
/// Seconds for a statement.
pub const STATEMENT_TIMEOUT: &str = "RESTABLE_STATEMENT_TIMEOUT";
/// Whether partial results are allowed.
pub const PARTIAL_RESULTS: &str = "RESTABLE_PARTIAL_RESULTS";
/// The subscription of statements that write none.
pub const DEFAULT_SUBSCRIPTION: &str = "RESTABLE_DEFAULT_SUBSCRIPTION";
/// The subscriptions that a walk is confined to.
pub const SUBSCRIPTIONS: &str = "RESTABLE_SUBSCRIPTIONS";
/// `adaptive` or `off`: whether calls are held back before the service refuses them.
pub const THROTTLE: &str = "RESTABLE_THROTTLE";
/// Memory for sorting and grouping.
pub const MEMORY_LIMIT: &str = "RESTABLE_MEMORY_LIMIT";
/// The file that actions are journaled in; `--emulator` journals in memory.
pub const JOURNAL: &str = "RESTABLE_JOURNAL";
/// The directory that snapshots are kept in, as `--data-dir`; `--emulator` keeps them for as long as it runs.
pub const DATA_DIR: &str = "RESTABLE_DATA_DIR";
/// Whether a refresh is kept although scopes could not be read.
pub const PARTIAL_REFRESH: &str = "RESTABLE_PARTIAL_REFRESH";
/// How long, or how many, refreshes of a snapshot are kept.
pub const KEEP_REFRESHES: &str = "RESTABLE_KEEP_REFRESHES";
/// When to ask before calls that change something: `auto`, `always` or `never`.
pub const CONFIRM: &str = "RESTABLE_CONFIRM";
/// Whether long-running operations are waited for.
pub const WAIT: &str = "RESTABLE_WAIT";
/// Seconds between two looks at an operation that does not say when to look again.
pub const POLL_INTERVAL: &str = "RESTABLE_POLL_INTERVAL";
/// Whether a failed target stops those after it: `continue` or `stop`.
pub const ON_ERROR: &str = "RESTABLE_ON_ERROR";
/// Seconds after which a call of which the service knows nothing counts as not sent.
pub const UNKNOWN_GRACE: &str = "RESTABLE_UNKNOWN_GRACE";
/// Seconds after which a target is read again before a destructive call.
pub const RECHECK_AFTER: &str = "RESTABLE_RECHECK_AFTER";
/// glibc's own: free memory above so many bytes goes back to the system. `serve`, `exec` and `refresh` set it for themselves, unless it is set.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub const MALLOC_TRIM_THRESHOLD: &str = "MALLOC_TRIM_THRESHOLD_";
/// glibc's own: blocks of so many bytes go back to the system whenever they are free. Set with the one before.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub const MALLOC_MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
/// glibc's own: where it is set, memory is left to what it says.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub const GLIBC_TUNABLES: &str = "GLIBC_TUNABLES";
/// Users of `restable serve`: lines `name:password`, as in the file of `--users`.
pub const SERVE_USERS: &str = "RESTABLE_SERVE_USERS";
/// Tokens of `restable serve`: lines `name:token`, as in the file of `--tokens`.
pub const SERVE_TOKENS: &str = "RESTABLE_SERVE_TOKENS";
/// Where `restable/config.toml` is looked for, an absolute path; `~/.config` if it is not set.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where `restable/journal.db`, `restable/history` and `restable/walks` are kept, an absolute path; `~/.local/state` if it is not set.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// Where `restable/snapshots/` is kept, an absolute path; `~/.local/share` if it is not set.
pub const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// The user's home directory; the one of the user database if it is not set.
pub const HOME: &str = "HOME";
/// The default subscription of Azure's own tools; [`DEFAULT_SUBSCRIPTION`] wins over it.
pub const AZURE_SUBSCRIPTION_ID: &str = "AZURE_SUBSCRIPTION_ID";
/// Where the Azure CLI keeps its profile; `~/.azure` if it is not set. The subscription chosen there is the last choice.
pub const AZURE_CONFIG_DIR: &str = "AZURE_CONFIG_DIR";
/// The OpenTelemetry collector of a server's spans, as `--otlp`: a variable of its specification.
pub const OTEL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The same for spans alone; it wins.
pub const OTEL_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Set to anything: no bold or dim text on terminals (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// `dumb`: a terminal that knows no lines and no colours.
pub const TERM: &str = "TERM";

/// The variables that give a setting its value; a later one wins over an earlier one.
pub const SETTINGS: &[(&str, &str)] = &[
    (OUTPUT, "output"),
    (CLOUD, "cloud"),
    (TENANT, "tenant"),
    (PROVIDER_SPECS, "provider_specs"),
    (LOG, "log"),
    (HISTORY, "history"),
    (MAX_CONCURRENCY, "max_concurrency"),
    (THROTTLE, "throttle"),
    (MAX_CALLS, "max_calls"),
    (MAX_CALLS_PER_HOUR, "max_calls_per_hour"),
    (CACHE_TTL, "cache_ttl"),
    (PAGE_TIMEOUT, "page_timeout"),
    (STATEMENT_TIMEOUT, "statement_timeout"),
    (PARTIAL_RESULTS, "partial_results"),
    (AZURE_SUBSCRIPTION_ID, "default_subscription"),
    (DEFAULT_SUBSCRIPTION, "default_subscription"),
    (SUBSCRIPTIONS, "subscriptions"),
    (MEMORY_LIMIT, "memory_limit"),
    (JOURNAL, "journal"),
    (DATA_DIR, "data_dir"),
    (PARTIAL_REFRESH, "partial_refresh"),
    (KEEP_REFRESHES, "keep_refreshes"),
    (CONFIRM, "confirm"),
    (WAIT, "wait"),
    (POLL_INTERVAL, "poll_interval"),
    (ON_ERROR, "on_error"),
    (UNKNOWN_GRACE, "unknown_grace"),
    (RECHECK_AFTER, "recheck_after"),
];

#[cfg(test)]
mod tests {
    use super::SETTINGS;

    #[test]
    fn every_setting_of_the_engine_has_a_variable() {
        for setting in restable_engine::settings::ALL {
            let name = format!("RESTABLE_{}", setting.name.to_ascii_uppercase());
            assert!(
                SETTINGS.contains(&(name.as_str(), setting.name)),
                "{name} is missing"
            );
        }
    }
}
