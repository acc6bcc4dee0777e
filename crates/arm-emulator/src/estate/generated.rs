//! Owns estates of any size: every resource is a pure function of the seed and its number, written as text when it is
//! asked for and never stored. Names carry their number, so that a name leads back to it.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::policies;
use super::templates::{Filling, Template};
use crate::bodies::{self, Source, VaultParts};
use crate::ids::{guid_with_tail, mix, tail};
use crate::runs::{self, JobEnd, JobParts, PointParts};
use crate::store::{Key, Kind};
use crate::subscriptions::{Subscription, group_body};

/// Vaults in one resource group.
const GROUP_SIZE: u64 = 4;
/// Recovery points of one instance, one a day.
const POINTS: u64 = 3;
const REGIONS: [&str; 4] = ["westeurope", "northeurope", "eastus2", "germanywestcentral"];
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
    seed: u64,
    subscriptions: u64,
    vaults: u64,
    instances: u64,
    now: DateTime<Utc>,
    tenant: String,
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
    fn name(&self, kind: Kind, place: Place, index: u64) -> String {
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

    /// Writes a resource as JSON.
    pub(crate) fn write(
        &self,
        kind: Kind,
        place: Place,
        index: u64,
        form: Form,
        text: &mut Vec<u8>,
    ) {
        let value = match (kind, place) {
            (Kind::Instance, Place::Vault(vault)) => {
                return self.write_instances(vault, index..index + 1, text);
            }
            (Kind::Group, Place::Subscription(subscription)) => {
                let parent = format!("/subscriptions/{}", self.subscription_guid(subscription));
                let region = REGIONS[(mix(self.seed, 11, subscription) % 4) as usize];
                group_body(&parent, &self.name(kind, place, index), region, None)
            }
            (Kind::Vault, _) => self.vault(self.first(place) + index),
            (Kind::Policy, Place::Vault(vault)) => {
                let source = Source::ALL[(index % 4) as usize];
                policies::policy(&self.vault_id(vault), policies::name(source), source)
            }
            (Kind::Job, Place::Vault(vault)) => {
                let job = self.job(vault, index);
                if form == Form::Listed {
                    crate::jobs::list_form(&job)
                } else {
                    job
                }
            }
            (Kind::RecoveryPoint, Place::Instance(vault, instance)) => {
                self.point(vault, instance, index, form)
            }
            _ => Value::Null,
        };
        // Writing to a vector does not fail.
        let _ = serde_json::to_writer(text, &value);
    }

    /// Writes instances of a vault one after another, separated by commas.
    pub(crate) fn write_instances(&self, vault: u64, range: Range<u64>, text: &mut Vec<u8>) {
        let vault_id = self.vault_id(vault);
        let subscription = self.subscription_guid(self.subscription_of(vault));
        let mut templates: [Option<Template>; 4] = [const { None }; 4];
        for index in range.clone() {
            if index > range.start {
                text.push(b',');
            }
            let (name, friendly, source) = self.instance_name(vault, index);
            let (first, second) = friendly.split_once('/').unwrap_or((&friendly, ""));
            let group = format!("rg-app-{:03}", index % 40);
            let filling = Filling {
                name: &name,
                first,
                second,
                group: &group,
            };
            let template = templates[source as usize].get_or_insert_with(|| {
                let policy = policies::name(source);
                Template::new(&vault_id, &subscription, self.region(vault), policy, source)
            });
            if self.unhealthy(vault, index) {
                self.write_unhealthy(vault, index, template, &filling, text);
            } else {
                template.fill(&filling, text);
            }
        }
    }

    fn write_unhealthy(
        &self,
        vault: u64,
        index: u64,
        template: &Template,
        filling: &Filling<'_>,
        text: &mut Vec<u8>,
    ) {
        let mut healthy = Vec::new();
        template.fill(filling, &mut healthy);
        let mut value: Value = serde_json::from_slice(&healthy).unwrap_or_default();
        let error = bodies::user_facing_error(
            "UserErrorMissingRequiredPermissions",
            "Appropriate permissions to perform the operation is missing.",
            "Grant the vault's managed identity the roles that the data source needs, then retry.",
            &guid_with_tail(mix(self.seed, 33, vault), index),
        );
        if let Some(properties) = value["properties"].as_object_mut() {
            bodies::protect(properties, "ConfiguringProtectionFailed", Some(&error));
        }
        // Writing to a vector does not fail.
        let _ = serde_json::to_writer(text, &value);
    }

    fn vault(&self, vault: u64) -> Value {
        let principal = guid_with_tail(mix(self.seed, 13, vault), vault);
        bodies::vault(&VaultParts {
            group_id: &self.group_id(vault),
            name: &self.vault_name(vault),
            location: self.region(vault),
            redundancy: if mix(self.seed, 14, vault) % 3 == 0 {
                "GeoRedundant"
            } else {
                "LocallyRedundant"
            },
            soft_delete: "On",
            immutability: "Disabled",
            guarded: false,
            identity: Some((&principal, &self.tenant)),
            tags: None,
        })
    }

    fn stored_instance(&self, vault: u64, index: u64) -> Value {
        let mut text = Vec::new();
        self.write_instances(vault, index..index + 1, &mut text);
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The last scheduled backup of an instance; one in five hundred failed.
    fn job(&self, vault: u64, index: u64) -> Value {
        let number = vault << 24 | index;
        let random = mix(self.seed, 34, number);
        let started = self.now
            - TimeDelta::minutes(30 + (random % 1400) as i64)
            - TimeDelta::microseconds(4_756_385);
        let instance = self.stored_instance(vault, index);
        let activity = guid_with_tail(random, index);
        let mut job = runs::job(&JobParts {
            vault_id: &self.vault_id(vault),
            name: &self.name(Kind::Job, Place::Vault(vault), index),
            instance: &instance,
            activity: &activity,
            started,
            operation: "Backup",
            user_triggered: false,
            tag: Some("Default"),
        });
        let ended = started + TimeDelta::microseconds(180_000_000 + (random % 90_000_000) as i64);
        let point = self.name(Kind::RecoveryPoint, Place::Instance(vault, index), 0);
        let end = if random % 500 == 0 {
            let error = bodies::user_facing_error(
                "UserErrorDiskSnapshotLimitReached",
                "The number of snapshots of the disk reached its limit.",
                "Delete older snapshots of the disk, then retry.",
                &activity,
            );
            JobEnd::Failed { error }
        } else {
            JobEnd::Completed {
                recovery_point: Some(&point),
            }
        };
        runs::end_job(&mut job, ended, &end);
        job
    }

    fn point(&self, vault: u64, instance: u64, index: u64, form: Form) -> Value {
        let number = (vault << 24 | instance) * POINTS + index;
        let stored = self.stored_instance(vault, instance);
        let time = self.now
            - TimeDelta::days(index as i64)
            - TimeDelta::minutes(40)
            - TimeDelta::milliseconds((mix(self.seed, 35, number) % 600_000) as i64);
        let mut point = runs::recovery_point(&PointParts {
            instance: &stored,
            name: &self.name(Kind::RecoveryPoint, Place::Instance(vault, instance), index),
            store_id: &guid_with_tail(mix(self.seed, 36, number), mix(self.seed, 37, vault)),
            time,
            retention: TimeDelta::days(7),
            tag: "Default",
        });
        if form == Form::Listed {
            point["properties"]["recoveryPointDataStoresDetails"][0]["metaData"] = Value::Null;
        }
        point
    }

    fn unhealthy(&self, vault: u64, index: u64) -> bool {
        mix(self.seed, 22, vault << 24 | index) % 97 == 0
    }

    /// Name, friendly name and type of an instance.
    fn instance_name(&self, vault: u64, index: u64) -> (String, String, Source) {
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

    fn subscription_guid(&self, index: u64) -> String {
        guid_with_tail(mix(self.seed, 3, index), index)
    }

    fn groups_of(&self, subscription: u64) -> u64 {
        share(self.vaults, self.subscriptions, subscription)
            .div_ceil(GROUP_SIZE)
            .max(1)
    }

    /// The number of the first vault in a place.
    fn first(&self, place: Place) -> u64 {
        let start = |subscription| start(self.vaults, self.subscriptions, subscription);
        match place {
            Place::Subscription(subscription) => start(subscription),
            Place::Group(subscription, group) => start(subscription) + group * GROUP_SIZE,
            Place::Vault(vault) | Place::Instance(vault, _) => vault,
        }
    }

    fn subscription_of(&self, vault: u64) -> u64 {
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

    fn group_id(&self, vault: u64) -> String {
        let subscription = self.subscription_of(vault);
        let group = (vault - start(self.vaults, self.subscriptions, subscription)) / GROUP_SIZE;
        format!(
            "/subscriptions/{}/resourceGroups/rg-backup-{group:04}",
            self.subscription_guid(subscription)
        )
    }

    fn vault_id(&self, vault: u64) -> String {
        let group = self.group_id(vault);
        format!(
            "{group}/providers/Microsoft.DataProtection/backupVaults/{}",
            self.vault_name(vault)
        )
    }

    fn vault_name(&self, vault: u64) -> String {
        format!("bv-{}-{vault:05}", self.region(vault))
    }

    fn region(&self, vault: u64) -> &'static str {
        REGIONS[(mix(self.seed, 12, vault) % 4) as usize]
    }
}

/// How many of `total` things the `index`-th of `parts` has: evenly, the remainder to the first ones.
fn share(total: u64, parts: u64, index: u64) -> u64 {
    if parts == 0 {
        0
    } else {
        total / parts + u64::from(index < total % parts)
    }
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
    use super::*;

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
