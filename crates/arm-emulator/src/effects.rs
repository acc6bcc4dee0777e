//! Owns what happens later: the ends of operations and jobs, and the moves of the protection state machine. An effect
//! that no longer fits, because something else happened in between, does nothing.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::bodies::{self, soft_delete};
use crate::clock;
use crate::policies;
use crate::runs::{self, JobEnd, PointParts};
use crate::state::World;
use crate::store::{Key, Kind, Listing};

/// What happens when time has come.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// `provisioningState` becomes `Succeeded`.
    Provisioned(Key),
    /// An instance becomes what an update asked for.
    Updated(Key, Box<Value>),
    /// The state of an instance moves, if it still is one of those.
    Moves {
        key: Key,
        from: &'static [&'static str],
        to: &'static str,
    },
    /// What was to be provisioned or configured failed, with this error.
    Failed(Key, Box<Value>),
    /// A deleted instance is gone, or soft-deleted; with the activity that did it.
    InstanceDeleted(Key, String),
    /// A deleted vault is gone, with all that is in it.
    VaultDeleted(Key),
    /// A job ends, and what it made appears; or it fails with code and message.
    JobEnds(Key, Option<(String, String)>),
}

impl Effect {
    /// The resource that it happens to.
    pub(crate) fn key(&self) -> &Key {
        match self {
            Effect::Provisioned(key)
            | Effect::Updated(key, _)
            | Effect::Moves { key, .. }
            | Effect::Failed(key, _)
            | Effect::InstanceDeleted(key, _)
            | Effect::VaultDeleted(key)
            | Effect::JobEnds(key, _) => key,
        }
    }
}

/// The protection state of an instance.
pub(crate) fn state_of(instance: &Value) -> &str {
    instance["properties"]["currentProtectionState"]
        .as_str()
        .unwrap_or_default()
}

/// Writes a protection state into an instance.
pub(crate) fn set_state(instance: &mut Value, state: &str, error: Option<&Value>) {
    if let Some(properties) = instance["properties"].as_object_mut() {
        bodies::protect(properties, state, error);
    }
}

impl World {
    /// Lets an effect happen now.
    pub(crate) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Provisioned(key) => {
                self.change(&key, |resource| {
                    resource["properties"]["provisioningState"] = json!("Succeeded")
                });
            }
            Effect::Updated(key, body) => {
                if self.store.holds(&key) {
                    self.store.put(key, *body);
                }
            }
            Effect::Moves { key, from, to } => self.change(&key, |instance| {
                if from.contains(&state_of(instance)) {
                    set_state(instance, to, None);
                }
            }),
            Effect::Failed(key, error) => self.change(&key, |resource| {
                resource["properties"]["provisioningState"] = json!("Failed");
                if key.kind == Kind::Instance {
                    set_state(resource, "ConfiguringProtectionFailed", Some(&error));
                }
            }),
            Effect::InstanceDeleted(key, activity) => self.delete_instance(&key, &activity),
            Effect::VaultDeleted(key) => self.delete_vault(&key),
            Effect::JobEnds(key, failure) => self.end_job(&key, failure),
        }
    }

    fn change(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        if let Some(mut resource) = self.store.read(key) {
            change(&mut resource);
            self.store.put(key.clone(), resource);
        }
    }

    fn delete_instance(&mut self, key: &Key, activity: &str) {
        let Some(mut instance) = self.store.remove(key) else {
            return;
        };
        let vault = Key::of_id(&key.parent)
            .and_then(|vault| self.store.read(&vault))
            .unwrap_or_default();
        let setting = &vault["properties"]["securitySettings"]["softDeleteSettings"]["state"];
        let points = Listing {
            kind: Kind::RecoveryPoint,
            parent: key.id(),
            deep: false,
        };
        if setting != "Off" {
            soft_delete(&mut instance, self.clock.now(), activity);
            let deleted = Key::new(Kind::DeletedInstance, &key.parent, &key.name);
            self.store.put(deleted, instance);
            return;
        }
        self.remove_all(&points);
    }

    fn delete_vault(&mut self, key: &Key) {
        let Some(vault) = self.store.remove(key) else {
            return;
        };
        for kind in [
            Kind::Policy,
            Kind::Instance,
            Kind::DeletedInstance,
            Kind::Job,
            Kind::Proxy,
        ] {
            self.remove_all(&Listing {
                kind,
                parent: key.id(),
                deep: false,
            });
        }
        if vault["properties"]["securitySettings"]["softDeleteSettings"]["state"] != "Off" {
            let (key, deleted) = self.deleted_vault(vault);
            self.store.put(key, deleted);
        }
    }

    /// What `deletedVaults` shows of a vault.
    fn deleted_vault(&mut self, vault: Value) -> (Key, Value) {
        let name = self.ids.guid();
        let now = self.clock.now();
        let id = vault["id"].as_str().unwrap_or_default().to_owned();
        let subscription = id.split('/').nth(2).unwrap_or_default();
        let location = vault["location"].as_str().unwrap_or_default();
        let parent = format!("/subscriptions/{subscription}/locations/{location}");
        let mut properties = vault["properties"].clone();
        properties["originalBackupVaultId"] = json!(id);
        properties["originalBackupVaultName"] = vault["name"].clone();
        properties["originalBackupVaultResourcePath"] = json!(id);
        properties["resourceDeletionInfo"] = json!({
            "deletionTime": clock::instant(now),
            "scheduledPurgeTime": clock::instant(now + TimeDelta::days(14)),
            "deleteActivityID": self.ids.guid(),
        });
        let provider = format!("/subscriptions/{subscription}/providers/Microsoft.DataProtection");
        let body = json!({
            "properties": properties,
            "id": format!("{provider}/locations/{location}/deletedVaults/{name}"),
            "name": name,
            "type": "Microsoft.DataProtection/locations/deletedVaults",
        });
        (Key::new(Kind::DeletedVault, &parent, &name), body)
    }

    fn remove_all(&mut self, listing: &Listing) {
        let inside: Vec<Key> = self
            .store
            .stored_in(listing)
            .map(|(key, _)| key.clone())
            .collect();
        for key in inside {
            self.store.remove(&key);
        }
    }

    fn end_job(&mut self, key: &Key, failure: Option<(String, String)>) {
        let Some(mut job) = self.store.read(key) else {
            return;
        };
        let now = self.clock.now();
        let properties = &job["properties"];
        let backup = properties["operationCategory"] == "Backup";
        let instance_key = properties["backupInstanceId"].as_str().and_then(Key::of_id);
        let instance = instance_key.as_ref().and_then(|key| self.store.read(key));
        if let Some((code, message)) = failure {
            let activity = properties["activityID"].as_str().unwrap_or_default();
            let error = bodies::user_facing_error(
                &code,
                &message,
                "Remove the cause and try again.",
                activity,
            );
            runs::end_job(&mut job, now, &JobEnd::Failed { error });
        } else if let (true, Some(instance_key), Some(instance)) = (backup, instance_key, instance)
        {
            let (point, store_id) = (self.ids.digits(), self.ids.guid());
            let tag = properties["extendedInfo"]["additionalDetails"]["RetentionTag"]
                .as_str()
                .unwrap_or("Default");
            let tag = policies::stored_tag(self, &instance, tag);
            let body = runs::recovery_point(&PointParts {
                instance: &instance,
                name: &point,
                store_id: &store_id,
                time: now,
                retention: TimeDelta::days(7),
                tag: &tag,
            });
            self.store
                .put(instance_key.child(Kind::RecoveryPoint, &point), body);
            runs::end_job(
                &mut job,
                now,
                &JobEnd::Completed {
                    recovery_point: Some(&point),
                },
            );
        } else {
            runs::end_job(
                &mut job,
                now,
                &JobEnd::Completed {
                    recovery_point: None,
                },
            );
        }
        self.store.put(key.clone(), job);
    }
}
