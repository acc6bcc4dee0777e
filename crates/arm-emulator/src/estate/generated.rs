//! Owns estates of any size: every resource is a pure function of the seed and its number, written as text when it is
//! asked for and never stored. Names carry their number, so that a name leads back to it.

use chrono::{DateTime, Utc};

use super::policies;
use crate::bodies::Source;
use crate::ids::{guid_with_tail, mix, tail};
use crate::store::{Key, Kind};
use crate::subscriptions::Subscription;

/// Vaults in one resource group.
const GROUP_SIZE: u64 = 4;
/// Recovery points of one instance, one a day.
pub(super) const POINTS: u64 = 3;
pub(super) const REGIONS: [&str; 4] =
    ["westeurope", "northeurope", "eastus2", "germanywestcentral"];
const WORDS: [&str; 16] = [
    "sap", "crm", "web", "sql", "mail", "erp", "hr", "pay", "shop", "wiki", "ci", "auth", "log",
    "cache", "etl", "bi",
];

/// Where resources lie: below what, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Subscription(u64),
    /// Subscription, and number of the group in it.
    Group(u64, u64),
    Vault(u64),
    /// Vault, and number of the instance in it.
    Instance(u64, u64),
}

/// Whether a resource is written alone or in a list: jobs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    One,
    Listed,
}

/// An estate that is computed.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(super) seed: u64,
    pub(super) subscriptions: u64,
    pub(super) vaults: u64,
    pub(super) instances: u64,
    pub(super) now: DateTime<Utc>,
    pub(super) tenant: String,
}

impl Generated {
    pub(crate) fn new(
        seed: u64,
        subscriptions: u64,
        vaults: u64,
        instances: u64,
        now: DateTime<Utc>,
    ) -> Generated {
        let tenant = guid_with_tail(mix(seed, 1, 0), mix(seed, 2, 0));
        Generated {
            seed,
            subscriptions: subscriptions.max(1),
            vaults,
            instances,
            now,
            tenant,
        }
    }

    pub(crate) fn tenant(&self) -> &str {
        &self.tenant
    }

    pub(crate) fn subscription(&self, index: u64) -> Subscription {
        let name = format!("Generated {index:04}");
        Subscription {
            id: self.subscription_guid(index),
            name,
            state: "Enabled".to_owned(),
            tags: None,
        }
    }

    /// What a folded parent id stands for, if it is of this estate.
    pub(crate) fn place(&self, parent: &str) -> Option<Place> {
        let segments: Vec<&str> = parent.split('/').collect();
        let ["", "subscriptions", subscription, rest @ ..] = segments.as_slice() else {
            return None;
        };
        let subscription_index = tail(subscription)?;
        if subscription_index >= self.subscriptions
            || self.subscription_guid(subscription_index) != *subscription
        {
            return None;
        }
        let ["resourcegroups", group, rest @ ..] = rest else {
            return rest
                .is_empty()
                .then_some(Place::Subscription(subscription_index));
        };
        let place = Place::Subscription(subscription_index);
        let group = self.find(Kind::Group, place, group)?;
        let place = Place::Group(subscription_index, group);
        let [
            "providers",
            "microsoft.dataprotection",
            "backupvaults",
            vault,
            rest @ ..,
        ] = rest
        else {
            return rest.is_empty().then_some(place);
        };
        let vault = self.first(place) + self.find(Kind::Vault, place, vault)?;
        let ["backupinstances", instance] = rest else {
            return rest.is_empty().then_some(Place::Vault(vault));
        };
        Some(Place::Instance(
            vault,
            self.find(Kind::Instance, Place::Vault(vault), instance)?,
        ))
    }

    /// How many resources of a kind lie in a place.
    pub(crate) fn count(&self, kind: Kind, place: Place) -> u64 {
        match (kind, place) {
            (Kind::Group, Place::Subscription(index)) => self.groups_of(index),
            (Kind::Vault, Place::Subscription(index)) => {
                share(self.vaults, self.subscriptions, index)
            }
            (Kind::Vault, Place::Group(subscription, group)) => {
                let vaults = share(self.vaults, self.subscriptions, subscription);
                vaults.saturating_sub(group * GROUP_SIZE).min(GROUP_SIZE)
            }
            (Kind::Instance | Kind::Job, Place::Vault(vault)) => {
                share(self.instances, self.vaults, vault)
            }
            (Kind::Policy, Place::Vault(_)) => Source::ALL.len() as u64,
            (Kind::RecoveryPoint, Place::Instance(..)) => POINTS,
            _ => 0,
        }
    }

    /// The name of a resource, by its number in a place.
    pub(super) fn name(&self, kind: Kind, place: Place, index: u64) -> String {
        match (kind, place) {
            (Kind::Group, _) => format!("rg-backup-{index:04}"),
            (Kind::Vault, _) => self.vault_name(self.first(place) + index),
            (Kind::Policy, _) => policies::name(Source::ALL[(index % 4) as usize]).to_owned(),
            (Kind::Instance, Place::Vault(vault)) => self.instance_name(vault, index).0,
            (Kind::Job, Place::Vault(vault)) => {
                guid_with_tail(mix(self.seed, 31, vault << 24 | index), index)
            }
            (Kind::RecoveryPoint, Place::Instance(vault, instance)) => guid_with_tail(
                mix(self.seed, 32, (vault << 24 | instance) * POINTS + index),
                index,
            )
            .replace('-', ""),
            _ => String::new(),
        }
    }

    /// The number of a resource in a place, by its folded name.
    pub(crate) fn find(&self, kind: Kind, place: Place, name: &str) -> Option<u64> {
        let index = match kind {
            Kind::Group => number(name)?,
            Kind::Vault => number(name)?.checked_sub(self.first(place))?,
            Kind::Policy => {
                let found = |source: &Source| policies::name(*source).eq_ignore_ascii_case(name);
                Source::ALL.iter().position(found)? as u64
            }
            Kind::Instance | Kind::Job | Kind::RecoveryPoint => tail(name)?,
            _ => return None,
        };
        let known = index < self.count(kind, place)
            && self.name(kind, place, index).eq_ignore_ascii_case(name);
        known.then_some(index)
    }

    /// The key of a resource, by its number in a place.
    pub(crate) fn key(&self, kind: Kind, place: Place, index: u64) -> Key {
        let parent = match (kind, place) {
            (Kind::Vault, _) => self.group_id(self.first(place) + index),
            (_, Place::Subscription(subscription)) => {
                format!("/subscriptions/{}", self.subscription_guid(subscription))
            }
            (_, Place::Group(subscription, group)) => {
                let group = self.name(Kind::Group, Place::Subscription(subscription), group);
                format!(
                    "/subscriptions/{}/resourceGroups/{group}",
                    self.subscription_guid(subscription)
                )
            }
            (_, Place::Vault(vault)) => self.vault_id(vault),
            (_, Place::Instance(vault, instance)) => {
                format!(
                    "{}/backupInstances/{}",
                    self.vault_id(vault),
                    self.instance_name(vault, instance).0
                )
            }
        };
        Key::new(kind, &parent, &self.name(kind, place, index))
    }

    pub(super) fn unhealthy(&self, vault: u64, index: u64) -> bool {
        mix(self.seed, 22, vault << 24 | index).is_multiple_of(97)
    }

    /// Name, friendly name and type of an instance.
    pub(super) fn instance_name(&self, vault: u64, index: u64) -> (String, String, Source) {
        let random = mix(self.seed, 21, vault << 24 | index);
        let word = WORDS[(random >> 8) as usize % WORDS.len()];
        let (source, friendly) = match random % 10 {
            0..=6 => (Source::Disk, format!("disk-{word}-{index:06}")),
            7 => (Source::Blob, format!("st{word}{index:06}")),
            8 => (Source::Postgres, format!("pg-{word}-{index:06}/{word}")),
            _ => (Source::Kubernetes, format!("aks-{word}-{index:06}")),
        };
        let (set, short) = friendly.split_once('/').unwrap_or((&friendly, &friendly));
        let name = format!("{set}-{short}-{}", guid_with_tail(random, index));
        (name, friendly, source)
    }

    pub(super) fn subscription_guid(&self, index: u64) -> String {
        guid_with_tail(mix(self.seed, 3, index), index)
    }

    fn groups_of(&self, subscription: u64) -> u64 {
        share(self.vaults, self.subscriptions, subscription)
            .div_ceil(GROUP_SIZE)
            .max(1)
    }

    /// The number of the first vault in a place.
    pub(super) fn first(&self, place: Place) -> u64 {
        let start = |subscription| start(self.vaults, self.subscriptions, subscription);
        match place {
            Place::Subscription(subscription) => start(subscription),
            Place::Group(subscription, group) => start(subscription) + group * GROUP_SIZE,
            Place::Vault(vault) | Place::Instance(vault, _) => vault,
        }
    }

    pub(super) fn subscription_of(&self, vault: u64) -> u64 {
        let (each, more) = (
            self.vaults / self.subscriptions,
            self.vaults % self.subscriptions,
        );
        let boundary = more * (each + 1);
        if vault < boundary {
            vault / (each + 1)
        } else {
            more + (vault - boundary) / each.max(1)
        }
    }

    pub(super) fn group_id(&self, vault: u64) -> String {
        let subscription = self.subscription_of(vault);
        let group = (vault - start(self.vaults, self.subscriptions, subscription)) / GROUP_SIZE;
        format!(
            "/subscriptions/{}/resourceGroups/rg-backup-{group:04}",
            self.subscription_guid(subscription)
        )
    }

    pub(super) fn vault_id(&self, vault: u64) -> String {
        let group = self.group_id(vault);
        format!(
            "{group}/providers/Microsoft.DataProtection/backupVaults/{}",
            self.vault_name(vault)
        )
    }

    pub(super) fn vault_name(&self, vault: u64) -> String {
        format!("bv-{}-{vault:05}", self.region(vault))
    }

    pub(super) fn region(&self, vault: u64) -> &'static str {
        REGIONS[(mix(self.seed, 12, vault) % 4) as usize]
    }
}

/// How many of `total` things the `index`-th of `parts` has: evenly, the remainder to the first ones.
fn share(total: u64, parts: u64, index: u64) -> u64 {
    total
        .checked_div(parts)
        .map_or(0, |each| each + u64::from(index < total % parts))
}

/// The number of the first thing of the `index`-th part.
fn start(total: u64, parts: u64, index: u64) -> u64 {
    index * (total / parts) + index.min(total % parts)
}

/// The number at the end of a name.
fn number(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::bodies;

    fn estate(seed: u64) -> Generated {
        Generated::new(
            seed,
            3,
            14,
            1_000_003,
            crate::clock::parse("2026-01-02T03:04:05Z").unwrap(),
        )
    }

    fn text(estate: &Generated, kind: Kind, place: Place, index: u64) -> String {
        let mut text = Vec::new();
        estate.write(kind, place, index, Form::One, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn totals_are_spread_evenly_and_every_name_leads_back() {
        let estate = estate(7);
        let mut vaults = 0;
        let mut instances = 0;
        for subscription in 0..3 {
            let place = Place::Subscription(subscription);
            let in_groups: u64 = (0..estate.count(Kind::Group, place))
                .map(|group| estate.count(Kind::Vault, Place::Group(subscription, group)))
                .sum();
            assert_eq!(in_groups, estate.count(Kind::Vault, place));
            for index in 0..in_groups {
                let key = estate.key(Kind::Vault, place, index);
                let Some(Place::Vault(vault)) = estate.place(&key.id()) else {
                    unreachable!("{key:?}")
                };
                assert_eq!(vault, vaults);
                let count = estate.count(Kind::Instance, Place::Vault(vault));
                instances += count;
                for index in [0, 1, count / 2, count - 1] {
                    let key = estate.key(Kind::Instance, Place::Vault(vault), index);
                    assert_eq!(estate.place(&key.id()), Some(Place::Instance(vault, index)));
                }
                vaults += 1;
            }
        }
        assert_eq!((vaults, instances), (14, 1_000_003));
    }

    #[test]
    fn the_same_seed_gives_the_same_text_and_another_seed_another() {
        for (kind, place) in [
            (Kind::Instance, Place::Vault(3)),
            (Kind::Vault, Place::Subscription(1)),
            (Kind::Job, Place::Vault(3)),
            (Kind::RecoveryPoint, Place::Instance(3, 5)),
        ] {
            let first = text(&estate(7), kind, place, 2);
            assert_eq!(first, text(&estate(7), kind, place, 2));
            assert_ne!(first, text(&estate(8), kind, place, 2));
        }
    }

    #[test]
    fn the_quick_form_of_a_disk_equals_the_slow_one() {
        let estate = estate(7);
        let disk = (0..100).find(|index| {
            estate.instance_name(0, *index).2 == Source::Disk && !estate.unhealthy(0, *index)
        });
        let quick = text(&estate, Kind::Instance, Place::Vault(0), disk.unwrap());
        let value: Value = serde_json::from_str(&quick).unwrap();
        let field = |name: &str| value["properties"][name].clone();
        let group = field("dataSourceInfo")["resourceID"]
            .as_str()
            .unwrap()
            .split("/providers/")
            .next()
            .unwrap()
            .to_owned();
        let slow = bodies::instance(&bodies::InstanceParts {
            vault_id: value["id"]
                .as_str()
                .unwrap()
                .split("/backupInstances/")
                .next()
                .unwrap(),
            name: value["name"].as_str().unwrap(),
            source: Source::Disk,
            friendly: field("friendlyName").as_str().unwrap(),
            source_group: &group,
            location: field("dataSourceInfo")["resourceLocation"]
                .as_str()
                .unwrap(),
            policy: policies::name(Source::Disk),
            state: "ProtectionConfigured",
            error: None,
            tags: None,
        });
        assert_eq!(quick, slow.to_string());
    }
}
