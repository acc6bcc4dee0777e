//! Long-running operations: the protocol of each style, byte for byte where a client depends on it, and jobs.

use std::time::Duration;

use serde_json::Value;

use crate::client::{Reply, VAULT, VERSION, demo, exchange, get, instance, send, wait};

const BACKUP: &str = r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{"retentionTagOverride":"Default"}}}"#;

fn shape(reply: &Reply) -> String {
    // Signatures are long and say nothing.
    let cut = |value: &str| value.split("&c=").next().unwrap_or_default().to_owned();
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", cut(value)));
    let body = serde_json::from_slice::<Value>(&reply.raw)
        .map(|body| serde_json::to_string_pretty(&body).unwrap());
    let address = reply.header("x").unwrap_or_default();
    format!(
        "{}\n{}\n{}{address}",
        reply.status,
        headers.collect::<String>(),
        body.unwrap_or_default()
    )
}

#[tokio::test]
async fn a_backup_is_announced_polled_and_followed_as_on_azure() {
    let emulator = demo().await;
    let name = instance(&emulator, "disk-sap-hana-data-01").await;
    let headers = [
        ("authorization", "Bearer x"),
        (
            "x-ms-client-request-id",
            "08676268-1642-467c-939b-be059edb48e1",
        ),
    ];
    let target = format!("{VAULT}/backupInstances/{name}/backup?api-version=2026-03-01");
    let started = exchange(&emulator, "POST", &target, &headers, Some(BACKUP))
        .await
        .unwrap();
    let status_link = started.header("azure-asyncoperation").unwrap().to_owned();
    let result_link = started.header("location").unwrap().to_owned();
    assert!(status_link.len() > 2_000 && status_link.len() < 4_096);
    assert!(status_link.contains("==?api-version=2026-03-01&t="));
    let running = get(&emulator, &status_link).await;
    let early = get(&emulator, &result_link).await;
    assert_eq!((early.status, early.raw.len()), (202, 0));
    emulator.advance(Duration::from_secs(1));
    let done = get(&emulator, &status_link).await;
    let result = get(&emulator, &result_link).await;
    let job_id = result.json()["jobId"].as_str().unwrap().to_owned();
    assert_eq!(done.json()["properties"]["jobId"], job_id.as_str());
    let job_target = format!("{job_id}?{VERSION}");
    let job_running = get(&emulator, &job_target).await;
    emulator.advance(Duration::from_secs(3));
    let job_done = get(&emulator, &job_target).await;
    let conversation = [&started, &running, &done, &result, &job_running, &job_done]
        .map(shape)
        .join("\n----\n");
    let conversation = conversation.replace(&emulator.url(), "http://emulator");
    insta::assert_snapshot!("backup", conversation);

    let job = job_done.json();
    assert_eq!(
        job["properties"]["activityID"],
        "08676268-1642-467c-939b-be059edb48e1"
    );
    let point = job["properties"]["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"]
        .as_str()
        .unwrap();
    let points = get(
        &emulator,
        &format!("{VAULT}/backupInstances/{name}/recoveryPoints?{VERSION}"),
    )
    .await
    .json();
    assert_eq!(points["value"][0]["name"], point);
    let jobs = get(&emulator, &format!("{VAULT}/backupJobs?{VERSION}"))
        .await
        .json();
    assert_eq!(jobs["value"][0]["id"], job_id.as_str());
    assert_eq!(jobs["value"][0]["properties"]["duration"], "00:00:04");
    let ledger = emulator.ledger();
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0].operation, "BackupInstances_AdhocBackup");
    assert_eq!(ledger[0].target, format!("{VAULT}/backupInstances/{name}"));
    assert_eq!(
        ledger[0].client_request_id.as_deref(),
        Some("08676268-1642-467c-939b-be059edb48e1")
    );
}

#[tokio::test]
async fn a_poll_link_is_sent_back_as_it_was_or_refused() {
    let emulator = demo().await;
    let name = instance(&emulator, "disk-dc01").await;
    let target = format!("{VAULT}/backupInstances/{name}/backup?{VERSION}");
    let started = send(&emulator, "POST", &target, Some(BACKUP)).await;
    let link = started.header("azure-asyncoperation").unwrap().to_owned();
    assert_eq!(get(&emulator, &link).await.status, 200);
    let reply = get(
        &emulator,
        &link
            .to_ascii_lowercase()
            .replace("/operationstatus/", "/operationStatus/"),
    )
    .await;
    assert_ne!(reply.status, 200);
    let reply = get(&emulator, &format!("{link}0")).await;
    assert_eq!(reply.code(), "EmulatorPollLinkAltered");
    // The SDK's own call has no signature.
    assert_eq!(
        get(
            &emulator,
            &format!("{}?{VERSION}", link.split('?').next().unwrap())
        )
        .await
        .status,
        200
    );
    // The older api-versions did not sign.
    let target = format!("{VAULT}/backupInstances/{name}/backup?api-version=2023-01-01");
    let started = send(&emulator, "POST", &target, Some(BACKUP)).await;
    assert!(
        started
            .header("azure-asyncoperation")
            .unwrap()
            .ends_with("==?api-version=2023-01-01")
    );
}

#[tokio::test]
async fn each_style_leads_to_its_own_place() {
    let emulator = demo().await;
    let vaults = VAULT.rsplit_once('/').unwrap().0;
    let body = r#"{"location":"northeurope","identity":{"type":"SystemAssigned"},"properties":{"storageSettings":[{"datastoreType":"VaultStore","type":"LocallyRedundant"}]}}"#;
    let created = send(
        &emulator,
        "PUT",
        &format!("{vaults}/bv-new?{VERSION}"),
        Some(body),
    )
    .await;
    assert_eq!(created.status, 201);
    assert_eq!(
        created.json()["properties"]["provisioningState"],
        "Provisioning"
    );
    assert_eq!(created.json()["properties"]["securitySettings"]["softDeleteSettings"]["retentionDurationInDays"].to_string(), "14.0");
    assert!(created.header("location").is_none());
    assert!(created.header("x-ms-arm-resource-system-data").is_some());
    assert!(
        created
            .header("azure-asyncoperation")
            .unwrap()
            .contains("/backupVaults/bv-new/operationStatus/")
    );
    assert_eq!(wait(&emulator, &created).await["status"], "Succeeded");
    let vault = get(&emulator, &format!("{vaults}/bv-new?{VERSION}"))
        .await
        .json();
    assert_eq!(vault["properties"]["provisioningState"], "Succeeded");

    let again = send(
        &emulator,
        "PUT",
        &format!("{vaults}/bv-new?{VERSION}"),
        Some(body),
    )
    .await;
    assert_eq!(again.json()["properties"]["provisioningState"], "Updating");

    let deleted = send(
        &emulator,
        "DELETE",
        &format!("{vaults}/bv-new?{VERSION}"),
        None,
    )
    .await;
    assert_eq!((deleted.status, deleted.raw.len()), (202, 0));
    let link = deleted.header("azure-asyncoperation").unwrap();
    assert!(link.contains("/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/locations/northeurope/operationStatus/"));
    assert!(
        deleted.header("location").unwrap().contains(
            "/providers/Microsoft.DataProtection/locations/northeurope/operationResults/"
        )
    );
    let status = wait(&emulator, &deleted).await;
    assert_eq!(status["status"], "Succeeded");
    assert!(
        status["id"]
            .as_str()
            .unwrap()
            .contains("/locations/northeurope/operationStatus/")
    );
    assert_eq!(
        send(
            &emulator,
            "DELETE",
            &format!("{vaults}/bv-new?{VERSION}"),
            None
        )
        .await
        .status,
        204
    );

    let export = send(
        &emulator,
        "POST",
        &format!("{VAULT}/exportBackupJobs?{VERSION}"),
        None,
    )
    .await;
    assert!(export.header("azure-asyncoperation").is_none());
    assert!(
        export
            .header("location")
            .unwrap()
            .contains("/backupJobs/operations/")
    );
}

#[tokio::test]
async fn a_validation_tells_nothing_or_why() {
    let emulator = demo().await;
    let name = instance(&emulator, "disk-dc01").await;
    let stored = get(
        &emulator,
        &format!("{VAULT}/backupInstances/{name}?{VERSION}"),
    )
    .await
    .json();
    let good = serde_json::json!({"backupInstance": stored["properties"]});
    let target = format!("{VAULT}/validateForBackup?{VERSION}");
    let started = send(&emulator, "POST", &target, Some(&good.to_string())).await;
    let status = wait(&emulator, &started).await;
    assert_eq!(status["status"], "Succeeded");
    assert!(status.get("properties").is_none());
    let result = get(&emulator, started.header("location").unwrap()).await;
    assert_eq!(
        String::from_utf8(result.raw.clone()).unwrap(),
        r#"{"objectType":"OperationJobExtendedInfo"}"#
    );
    assert!(result.header("azure-asyncoperation").is_some());
    assert!(result.header("retry-after").is_some());

    let mut bad = good.clone();
    bad["backupInstance"]["policyInfo"]["policyId"] = format!("{VAULT}/backupPolicies/none").into();
    let started = send(&emulator, "POST", &target, Some(&bad.to_string())).await;
    assert_eq!(started.status, 202);
    let status = wait(&emulator, &started).await;
    assert_eq!(status["status"], "Failed");
    assert_eq!(status["error"]["code"], "UserErrorEmulatorPolicyNotFound");
    assert!(status["error"]["additionalInfo"][0]["info"]["recommendedAction"].is_array());
}

#[tokio::test]
async fn an_update_shows_when_its_operation_has_ended() {
    let emulator = demo().await;
    let name = instance(&emulator, "disk-dc01").await;
    let target = format!("{VAULT}/backupInstances/{name}?{VERSION}");
    let mut body = get(&emulator, &target).await.json();
    let old = body["properties"]["policyInfo"]["policyId"]
        .as_str()
        .unwrap()
        .to_owned();
    let new = format!("{VAULT}/backupPolicies/disk-gold");
    body["properties"]["policyInfo"]["policyId"] = new.clone().into();
    // Names of input fields are matched without case.
    let text = body.to_string().replace("\"resourceID\"", "\"resourceId\"");
    let updated = send(&emulator, "PUT", &target, Some(&text)).await;
    assert_eq!(updated.status, 201);
    let properties = &updated.json()["properties"];
    assert_eq!(properties["policyInfo"]["policyId"], old.as_str());
    assert_eq!(
        properties["protectionStatus"]["status"],
        "UpdatingProtection"
    );
    assert_eq!(wait(&emulator, &updated).await["status"], "Succeeded");
    let properties = &get(&emulator, &target).await.json()["properties"];
    assert_eq!(properties["policyInfo"]["policyId"], new.as_str());
    assert_eq!(properties["currentProtectionState"], "ProtectionConfigured");
    assert!(properties["dataSourceInfo"]["resourceID"].is_string());
}
