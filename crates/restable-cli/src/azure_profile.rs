//! The Azure CLI's profile, for one thing: the subscription that `az account set` chose. It is the last place where a default subscription is
//! looked for, and only where calls go to Azure itself as one of its identities.

use std::path::PathBuf;

use restable_http::{Cloud, Environment};
use serde::Deserialize;

use crate::environment;

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    subscriptions: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    #[serde(default)]
    is_default: bool,
    #[serde(default)]
    environment_name: String,
    #[serde(default)]
    tenant_id: String,
    #[serde(default)]
    user: User,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    name: String,
}

/// The default subscription in this cloud. A profile that is not there, or cannot be read, has none.
pub fn default_subscription(environment: &Environment, cloud: Cloud) -> Option<String> {
    Some(chosen(&text(environment)?, cloud)?.id)
}

/// Who is signed in, and in which tenant, in words.
pub fn user(environment: &Environment, cloud: Cloud) -> Option<String> {
    let chosen = chosen(&text(environment)?, cloud)?;
    Some(format!("{} {}", chosen.user.name, chosen.tenant_id))
}

fn text(environment: &Environment) -> Option<String> {
    let directory = match environment.var(environment::AZURE_CONFIG_DIR) {
        Some(directory) => PathBuf::from(directory),
        None => environment
            .var(environment::HOME)
            .map(PathBuf::from)
            .or_else(|| etcetera::home_dir().ok())?
            .join(".azure"),
    };
    std::fs::read_to_string(directory.join("azureProfile.json")).ok()
}

fn chosen(text: &str, cloud: Cloud) -> Option<Subscription> {
    // The Azure CLI writes a byte order mark.
    let profile: Profile = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let name = match cloud {
        Cloud::Public => "AzureCloud",
        Cloud::China => "AzureChinaCloud",
        Cloud::UsGovernment => "AzureUSGovernment",
    };
    profile
        .subscriptions
        .into_iter()
        .find(|subscription| subscription.is_default && subscription.environment_name == name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PROFILE: &str = "\u{feff}{\"installationId\": \"x\", \"subscriptions\": [\
        {\"id\": \"s-1\", \"isDefault\": false, \"environmentName\": \"AzureCloud\", \"user\": {}},\
        {\"id\": \"s-2\", \"isDefault\": true, \"environmentName\": \"AzureCloud\"}]}";

    #[test]
    fn the_one_that_was_chosen_in_this_cloud() {
        let id = |text: &str, cloud| chosen(text, cloud).map(|chosen| chosen.id);
        assert_eq!(id(PROFILE, Cloud::Public).as_deref(), Some("s-2"));
        assert_eq!(id(PROFILE, Cloud::China), None);
        for nothing in ["", "{}", "[]", "{\"subscriptions\": [{}]}"] {
            assert_eq!(id(nothing, Cloud::Public), None, "{nothing}");
        }
    }

    #[test]
    fn where_it_is() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().display().to_string();
        let of = |variable: &str| {
            let environment = Environment::of([("HOME", "/nonexistent"), (variable, &*path)]);
            default_subscription(&environment, Cloud::Public)
        };
        assert_eq!(of("HOME"), None);
        std::fs::create_dir(home.path().join(".azure")).unwrap();
        std::fs::write(home.path().join(".azure/azureProfile.json"), PROFILE).unwrap();
        assert_eq!(of("HOME").as_deref(), Some("s-2"));
        assert_eq!(of("AZURE_CONFIG_DIR"), None);
        std::fs::write(home.path().join("azureProfile.json"), PROFILE).unwrap();
        assert_eq!(of("AZURE_CONFIG_DIR").as_deref(), Some("s-2"));
    }
}
