//! Owns what computed resources look like: the body of each kind, written from its number. Which numbers there are and
//! how they are named is in `generated.rs`.

use std::ops::Range;

use chrono::TimeDelta;
use serde_json::Value;

use super::generated::{Form, Generated, POINTS, Place, REGIONS};
use super::policies;
use super::templates::{Filling, Template};
use crate::bodies::{self, Source, VaultParts};
use crate::ids::{guid_with_tail, mix};
use crate::runs::{self, JobEnd, JobParts, PointParts};
use crate::store::Kind;
use crate::subscriptions::group_body;

impl Generated {
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
            redundancy: if mix(self.seed, 14, vault).is_multiple_of(3) {
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
        let end = if random.is_multiple_of(500) {
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
}
