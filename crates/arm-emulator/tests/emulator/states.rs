//! The protection state machine: every arrow of it, read back by `GET`.

use std::time::Duration;

use arm_emulator::{Action, ClockKind, Emulator, Fault, Match, Options};
use serde_json::json;

use crate::client::{VAULT, VERSION, demo, get, instance, options, send, wait};

async fn state(emulator: &Emulator, name: &str) -> String {
    let body = get(
        emulator,
        &format!("{VAULT}/backupInstances/{name}?{VERSION}"),
    )
    .await
    .json();
    let properties = &body["properties"];
    assert_eq!(
        properties["protectionStatus"]["status"],
        properties["currentProtectionState"]
    );
    properties["currentProtectionState"]
        .as_str()
        .unwrap_or("absent")
        .to_owned()
}

fn new_disk(name: &str) -> String {
    let id = format!(
        "/subscriptions/8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001/resourceGroups/rg-sap-prod/providers/Microsoft.Compute/disks/{name}"
    );
    json!({"properties": {
        "friendlyName": name,
        "dataSourceInfo": {"datasourceType": "Microsoft.Compute/disks", "resourceID": id, "resourceName": name, "objectType": "Datasource"},
        "policyInfo": {"policyId": format!("{VAULT}/backupPolicies/disk-gold")},
        "objectType": "BackupInstance",
    }})
    .to_string()
}

#[tokio::test]
async fn actions_move_the_state_when_they_have_ended() {
    let emulator = demo().await;
    let name = instance(&emulator, "disk-sap-hana-log").await;
    for (action, status, after) in [
        ("resumeProtection", 200, "ProtectionConfigured"),
        ("suspendBackups", 202, "BackupsSuspended"),
        ("resumeBackups", 202, "ProtectionConfigured"),
        ("suspendBackups", 202, "BackupsSuspended"),
        ("resumeProtection", 202, "ProtectionConfigured"),
        ("stopProtection", 202, "ProtectionStopped"),
        ("resumeBackups", 400, "ProtectionStopped"),
        ("suspendBackups", 400, "ProtectionStopped"),
        ("resumeProtection", 202, "ProtectionConfigured"),
    ] {
        let before = state(&emulator, &name).await;
        let reply = send(
            &emulator,
            "POST",
            &format!("{VAULT}/backupInstances/{name}/{action}?{VERSION}"),
            None,
        )
        .await;
        assert_eq!(reply.status, status, "{action}");
        assert_eq!(state(&emulator, &name).await, before, "{action}");
        if status == 202 {
            assert_eq!(wait(&emulator, &reply).await["status"], "Succeeded");
        } else if status == 200 {
            assert_eq!(reply.raw.len(), 0);
            assert!(reply.header("azure-asyncoperation").is_none());
        }
        assert_eq!(state(&emulator, &name).await, after, "{action}");
    }
}

#[tokio::test]
async fn an_instance_is_configured_after_its_operation_and_deleted_softly() {
    let emulator = demo().await;
    let target = format!("{VAULT}/backupInstances/disk-new?{VERSION}");
    let created = send(&emulator, "PUT", &target, Some(&new_disk("disk-new"))).await;
    assert_eq!(
        created.json()["properties"]["provisioningState"],
        "Provisioning"
    );
    assert_eq!(wait(&emulator, &created).await["status"], "Succeeded");
    let body = get(&emulator, &target).await.json();
    assert_eq!(body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        body["properties"]["currentProtectionState"],
        "ConfiguringProtection"
    );
    emulator.advance(Duration::from_secs(1));
    assert_eq!(state(&emulator, "disk-new").await, "ProtectionConfigured");

    // The same data source under another name is refused.
    let other = format!("{VAULT}/backupInstances/disk-other?{VERSION}");
    let reply = send(&emulator, "PUT", &other, Some(&new_disk("disk-new"))).await;
    assert_eq!(
        reply.code(),
        "UserErrorDppDatasourceAlreadyHasBackupInstance"
    );

    let deleted = send(&emulator, "DELETE", &target, None).await;
    assert_eq!((deleted.status, deleted.raw.len()), (202, 0));
    assert_eq!(wait(&emulator, &deleted).await["status"], "Succeeded");
    assert_eq!(get(&emulator, &target).await.status, 404);
    assert_eq!(send(&emulator, "DELETE", &target, None).await.status, 204);
    let soft = get(
        &emulator,
        &format!("{VAULT}/deletedBackupInstances/disk-new?{VERSION}"),
    )
    .await
    .json();
    assert_eq!(soft["properties"]["objectType"], "DeletedBackupInstance");
    assert_eq!(soft["properties"]["currentProtectionState"], "SoftDeleted");
    assert!(soft["properties"]["deletionInfo"]["scheduledPurgeTime"].is_string());
    let undelete = format!("{VAULT}/deletedBackupInstances/disk-new/undelete?{VERSION}");
    let reply = send(&emulator, "POST", &undelete, None).await;
    assert_eq!((reply.status, reply.raw.len()), (200, 0));
    assert_eq!(state(&emulator, "disk-new").await, "ProtectionStopped");
}

#[tokio::test]
async fn what_was_ordered_to_fail_fails() {
    let emulator = demo().await;
    let fail = |path: &str, action| Fault {
        matches: Match {
            path: Some(path.to_owned()),
            ..Match::default()
        },
        action,
    };
    let action = Action::FailOperation {
        code: "UserErrorNoSpace".to_owned(),
        message: "no space".to_owned(),
    };
    emulator.inject(fail("/backupInstances/disk-new", action));
    let target = format!("{VAULT}/backupInstances/disk-new?{VERSION}");
    let created = send(&emulator, "PUT", &target, Some(&new_disk("disk-new"))).await;
    assert_eq!(created.status, 201);
    let status = wait(&emulator, &created).await;
    assert_eq!(
        (status["status"].as_str(), status["error"]["code"].as_str()),
        (Some("Failed"), Some("UserErrorNoSpace"))
    );
    assert_eq!(
        state(&emulator, "disk-new").await,
        "ConfiguringProtectionFailed"
    );
    let body = get(&emulator, &target).await.json();
    assert_eq!(
        body["properties"]["protectionErrorDetails"]["code"],
        "UserErrorNoSpace"
    );
    let sync = send(
        &emulator,
        "POST",
        &format!("{VAULT}/backupInstances/disk-new/sync?{VERSION}"),
        Some(r#"{"syncType":"ForceResync"}"#),
    )
    .await;
    assert_eq!(wait(&emulator, &sync).await["status"], "Succeeded");
    assert_eq!(state(&emulator, "disk-new").await, "ProtectionConfigured");

    let action = Action::FailJob {
        code: "UserErrorSnapshot".to_owned(),
        message: "too many".to_owned(),
    };
    emulator.inject(fail("/backup?", action));
    let body = r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{}}}"#;
    let backup = send(
        &emulator,
        "POST",
        &format!("{VAULT}/backupInstances/disk-new/backup?{VERSION}"),
        Some(body),
    )
    .await;
    let status = wait(&emulator, &backup).await;
    assert_eq!(status["status"], "Succeeded");
    emulator.advance(Duration::from_secs(3));
    let job = get(
        &emulator,
        &format!(
            "{}?{VERSION}",
            status["properties"]["jobId"].as_str().unwrap()
        ),
    )
    .await
    .json();
    assert_eq!(job["properties"]["status"], "Failed");
    assert_eq!(
        job["properties"]["errorDetails"][0]["code"],
        "UserErrorSnapshot"
    );
}

#[tokio::test]
async fn a_fast_clock_goes_to_the_end_of_what_was_asked_about() {
    let emulator = Emulator::start(Options {
        clock: ClockKind::Fast,
        realistic: true,
        ..options()
    })
    .await
    .unwrap();
    let name = instance(&emulator, "disk-dc01").await;
    let body = r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{}}}"#;
    let target = format!("{VAULT}/backupInstances/{name}/backup?{VERSION}");
    let started = send(&emulator, "POST", &target, Some(body)).await;
    let link = started.header("azure-asyncoperation").unwrap().to_owned();
    assert_eq!(get(&emulator, &link).await.json()["status"], "Inprogress");
    let done = get(&emulator, &link).await.json();
    assert_eq!(done["status"], "Succeeded");
    let job = format!(
        "{}?{VERSION}",
        done["properties"]["jobId"].as_str().unwrap()
    );
    assert_eq!(
        get(&emulator, &job).await.json()["properties"]["status"],
        "InProgress"
    );
    let job = get(&emulator, &job).await.json();
    assert_eq!(job["properties"]["status"], "Completed");
    assert_eq!(job["properties"]["duration"], "PT3M6S");
}

#[tokio::test]
async fn a_request_id_is_kept_unless_the_service_is_not_to() {
    let emulator = Emulator::start(Options {
        keep_request_id: false,
        ..options()
    })
    .await
    .unwrap();
    let name = instance(&emulator, "disk-dc01").await;
    let body = r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{}}}"#;
    let headers = [
        ("authorization", "Bearer x"),
        ("x-ms-client-request-id", "mine"),
    ];
    let target = format!("{VAULT}/backupInstances/{name}/backup?{VERSION}");
    crate::client::exchange(&emulator, "POST", &target, &headers, Some(body))
        .await
        .unwrap();
    let jobs = get(&emulator, &format!("{VAULT}/backupJobs?{VERSION}"))
        .await
        .json();
    assert_eq!(jobs["value"][0]["properties"]["status"], "InProgress");
    assert_ne!(jobs["value"][0]["properties"]["activityID"], "mine");
}
