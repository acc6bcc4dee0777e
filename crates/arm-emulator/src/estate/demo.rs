//! Owns the demo estate: the tenant of a company called Contoso, small and varied, with the irregularities that real
//! tenants have. Its times are relative to the clock, all else is fixed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::contoso::{
    DATA, DELETED, DEVELOPMENT, FAILED, HEALTHY, LEGACY, PRODUCTION, SANDBOX, STOPPED, SUSPENDED,
    TENANT, VAULTS, Vault,
};
use super::{Contents, policies};
use crate::bodies::{self, Source, VaultParts};
use crate::guards;
use crate::ids::{Ids, guid_with_tail, mix};
use crate::runs::{self, JobEnd, JobParts, PointParts};
use crate::store::{Key, Kind, Store};
use crate::subscriptions::{Subscription, Subscriptions, group_body};

/// The demo tenant as of `now`.
pub(crate) fn contents(now: DateTime<Utc>, ids: &mut Ids) -> Contents {
    let mut subscriptions = Subscriptions::default();
    for (id, name, state) in [
        (PRODUCTION, "Contoso Production", "Enabled"),
        (DEVELOPMENT, "Contoso Development", "Enabled"),
        (DATA, "Contoso Data Platform", "Enabled"),
        (SANDBOX, "Contoso Sandbox", "Disabled"),
        (LEGACY, "Contoso Legacy", "Deleted"),
    ] {
        let tags = (id == PRODUCTION).then(|| json!({"owner": "platform-team"}));
        subscriptions.add(Subscription {
            id: id.to_owned(),
            name: name.to_owned(),
            state: state.to_owned(),
            tags,
        });
    }
    let mut store = Store::default();
    for (subscription, name, location) in [
        (PRODUCTION, "rg-sap-prod", "westeurope"),
        (PRODUCTION, "rg-security", "westeurope"),
        (DEVELOPMENT, "rg-dev-ci", "westeurope"),
        (DATA, "rg-data-platform", "eastus2"),
        (SANDBOX, "rg-sandbox-2", "westeurope"),
    ] {
        add_group(&mut store, subscription, name, location);
    }
    let group = format!("/subscriptions/{PRODUCTION}/resourceGroups/rg-security");
    let guard = guards::guard_body(
        &group,
        "guard-contoso-backup",
        "westeurope",
        &json!({}),
        None,
    );
    let guard_id = guard["id"].as_str().unwrap_or_default().to_owned();
    store.put(Key::new(Kind::Guard, &group, "guard-contoso-backup"), guard);
    for (number, vault) in VAULTS.iter().enumerate() {
        add_vault(&mut store, vault, number as u64, now, ids, &guard_id);
    }
    Contents {
        tenant: TENANT.to_owned(),
        subscriptions,
        store,
    }
}

fn add_group(store: &mut Store, subscription: &str, name: &str, location: &str) {
    let parent = format!("/subscriptions/{subscription}");
    store.put(
        Key::new(Kind::Group, &parent, name),
        group_body(&parent, name, location, None),
    );
}

fn add_vault(
    store: &mut Store,
    vault: &Vault,
    number: u64,
    now: DateTime<Utc>,
    ids: &mut Ids,
    guard: &str,
) {
    add_group(store, vault.subscription, vault.group, vault.location);
    let group_id = format!(
        "/subscriptions/{}/resourceGroups/{}",
        vault.subscription, vault.group
    );
    let principal = guid_with_tail(mix(1, 201, number), mix(1, 202, number));
    let body = bodies::vault(&VaultParts {
        group_id: &group_id,
        name: vault.name,
        location: vault.location,
        redundancy: vault.redundancy,
        soft_delete: vault.soft_delete,
        immutability: vault.immutability,
        guarded: vault.guarded,
        identity: Some((&principal, TENANT)),
        tags: vault.tags.map(|(name, value)| json!({name: value})),
    });
    let vault_id = body["id"].as_str().unwrap_or_default().to_owned();
    let key = Key::new(Kind::Vault, &group_id, vault.name);
    store.put(key.clone(), body);
    if vault.guarded {
        let proxy = guards::proxy_body(
            &vault_id,
            "DppResourceGuardProxy",
            guard,
            now - TimeDelta::days(90),
        );
        store.put(key.child(Kind::Proxy, "DppResourceGuardProxy"), proxy);
    }
    for (name, source) in vault.policies {
        store.put(
            key.child(Kind::Policy, name),
            policies::policy(&vault_id, name, *source),
        );
    }
    for (index, (source, friendly, group, state)) in vault.instances.iter().enumerate() {
        let number = number * 100 + index as u64;
        add_instance(
            store,
            vault,
            &key,
            &vault_id,
            number,
            (*source, friendly, group, state),
            now,
            ids,
        );
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one line of the table above, and what it is put into"
)]
fn add_instance(
    store: &mut Store,
    vault: &Vault,
    vault_key: &Key,
    vault_id: &str,
    number: u64,
    (source, friendly, group, state): (Source, &str, &str, &str),
    now: DateTime<Utc>,
    ids: &mut Ids,
) {
    let (set, short) = friendly.split_once('/').unwrap_or((friendly, friendly));
    let name = format!(
        "{set}-{short}-{}",
        guid_with_tail(mix(1, 203, number), mix(1, 204, number))
    );
    let gold = friendly.starts_with("disk-sap");
    let mut policies = vault
        .policies
        .iter()
        .filter(|(_, candidate)| *candidate == source);
    let policy = if gold {
        policies.next_back()
    } else {
        policies.next()
    };
    let policy = policy.map_or("none", |(name, _)| *name);
    // The portal writes `resourcegroups`, the command line `resourceGroups`.
    let segment = if number.is_multiple_of(3) {
        "resourcegroups"
    } else {
        "resourceGroups"
    };
    let error = (state == FAILED).then(|| error_of(source, number));
    let mut body = bodies::instance(&bodies::InstanceParts {
        vault_id,
        name: &name,
        source,
        friendly,
        source_group: &format!("/subscriptions/{}/{segment}/{group}", vault.subscription),
        location: vault.location,
        policy,
        state,
        error,
        tags: number
            .is_multiple_of(4)
            .then(|| json!({"owner": group.trim_start_matches("rg-"), "tier": "1"})),
    });
    add_history(store, vault_key, vault_id, &body, number, state, now, ids);
    if state == DELETED {
        bodies::soft_delete(
            &mut body,
            now - TimeDelta::days(2),
            &guid_with_tail(mix(1, 205, number), number),
        );
        store.put(vault_key.child(Kind::DeletedInstance, &name), body);
    } else {
        store.put(vault_key.child(Kind::Instance, &name), body);
    }
}

fn error_of(source: Source, number: u64) -> Value {
    let activity = guid_with_tail(mix(1, 206, number), number);
    let (code, message, action) = match source {
        Source::Postgres => (
            "UserErrorDBUserAuthFailed",
            "The database user could not be authenticated with the credentials in the key vault.",
            "Check the secret in the key vault and the user's privileges on the server, then retry.",
        ),
        Source::Disk | Source::Blob | Source::Kubernetes => (
            "UserErrorMissingRequiredPermissions",
            "Appropriate permissions to perform the operation is missing.",
            "Grant the vault's managed identity the `Disk Backup Reader` role on the disk, then retry.",
        ),
    };
    bodies::user_facing_error(code, message, action, &activity)
}

/// Jobs and recovery points of the last days.
#[expect(
    clippy::too_many_arguments,
    reason = "the instance, its number and what its history is put into"
)]
fn add_history(
    store: &mut Store,
    vault_key: &Key,
    vault_id: &str,
    instance: &Value,
    number: u64,
    state: &str,
    now: DateTime<Utc>,
    ids: &mut Ids,
) {
    let days = match state {
        HEALTHY => 0..3,
        STOPPED | SUSPENDED => 5..7,
        DELETED => 3..4,
        _ => return,
    };
    let instance_name = instance["name"].as_str().unwrap_or_default();
    let instance_key = vault_key.child(Kind::Instance, instance_name);
    for day in days {
        let random = mix(1, 207, number * 10 + day);
        let started = now
            - TimeDelta::days(day as i64)
            - TimeDelta::minutes(70 + (random % 300) as i64)
            - TimeDelta::microseconds((random % 999_983) as i64);
        let ended = started + TimeDelta::microseconds(150_000_000 + (random % 60_000_000) as i64);
        let (name, activity) = (ids.guid(), ids.guid());
        let mut job = runs::job(&JobParts {
            vault_id,
            name: &name,
            instance,
            activity: &activity,
            started,
            operation: "Backup",
            user_triggered: false,
            tag: Some("Default"),
        });
        // Last night went wrong for two instances.
        if day == 0 && matches!(number, 3 | 400) {
            let error = bodies::user_facing_error(
                if number == 3 {
                    "UserErrorDiskSnapshotLimitReached"
                } else {
                    "UserErrorDBServerNotReachable"
                },
                if number == 3 {
                    "The number of snapshots of the disk reached its limit."
                } else {
                    "The database server cannot be reached from the backup service."
                },
                "Remove the cause, then run an on-demand backup.",
                &activity,
            );
            runs::end_job(&mut job, ended, &JobEnd::Failed { error });
            store.put(vault_key.child(Kind::Job, &name), job);
            continue;
        }
        let point = ids.digits();
        runs::end_job(
            &mut job,
            ended,
            &JobEnd::Completed {
                recovery_point: Some(&point),
            },
        );
        store.put(vault_key.child(Kind::Job, &name), job);
        let body = runs::recovery_point(&PointParts {
            instance,
            name: &point,
            store_id: &ids.guid(),
            time: ended - TimeDelta::seconds(20),
            retention: TimeDelta::days(7),
            tag: "Default",
        });
        store.put(instance_key.child(Kind::RecoveryPoint, &point), body);
    }
}
