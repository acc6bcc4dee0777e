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
/// The default subscription of Azure's own tools; [`DEFAULT_SUBSCRIPTION`] wins over it.
pub const AZURE_SUBSCRIPTION_ID: &str = "AZURE_SUBSCRIPTION_ID";
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
    (PAGE_TIMEOUT, "page_timeout"),
    (STATEMENT_TIMEOUT, "statement_timeout"),
    (PARTIAL_RESULTS, "partial_results"),
    (AZURE_SUBSCRIPTION_ID, "default_subscription"),
    (DEFAULT_SUBSCRIPTION, "default_subscription"),
    (SUBSCRIPTIONS, "subscriptions"),
    (MEMORY_LIMIT, "memory_limit"),
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
