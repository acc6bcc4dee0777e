//! What is refused, with which status, code and headers, and in which order the checks are made.

use arm_emulator::{Emulator, Options, Throttle};

use crate::client::{PRODUCTION, VAULT, VERSION, demo, exchange, get, instance, options, send};

#[tokio::test]
async fn arm_refuses_in_its_order_and_words() {
    let emulator = demo().await;
    let provider = format!("/subscriptions/{PRODUCTION}/providers/Microsoft.DataProtection");
    let group = format!("/subscriptions/{PRODUCTION}/resourceGroups");
    let unknown = "/subscriptions/00000000-0000-0000-0000-00000000abcd";
    for (method, target, status, code) in [
        (
            "GET",
            "/subscriptions".to_owned(),
            400,
            "MissingApiVersionParameter",
        ),
        (
            "GET",
            "/subscriptions?api-version=".to_owned(),
            400,
            "MissingApiVersionParameter",
        ),
        (
            "GET",
            "/subscriptions?api-version=new".to_owned(),
            400,
            "InvalidApiVersionParameter",
        ),
        (
            "GET",
            format!("{group}//x?{VERSION}"),
            400,
            "InvalidApiVersionParameter",
        ),
        (
            "GET",
            "/nothing?api-version=2022-12-01".to_owned(),
            404,
            "NotFound",
        ),
        (
            "GET",
            format!("{provider}/nothing?{VERSION}"),
            404,
            "InvalidResourceType",
        ),
        (
            "PATCH",
            format!("{provider}/backupVaults?{VERSION}"),
            405,
            "HttpMethodNotSupported",
        ),
        (
            "GET",
            format!("/subscriptions/mine/resourceGroups?{VERSION}"),
            400,
            "InvalidSubscriptionId",
        ),
        (
            "GET",
            format!("{unknown}/resourceGroups?{VERSION}"),
            404,
            "SubscriptionNotFound",
        ),
        (
            "GET",
            format!("{group}/none?{VERSION}"),
            404,
            "ResourceGroupNotFound",
        ),
        (
            "GET",
            format!("{provider}/backupVaults?api-version=2019-01-01"),
            400,
            "NoRegisteredProviderFound",
        ),
        (
            "GET",
            format!("{provider}/locations/westeurope/deletedVaults?api-version=2024-04-01"),
            404,
            "InvalidResourceType",
        ),
        (
            "GET",
            format!("{VAULT}x?{VERSION}"),
            404,
            "ResourceNotFound",
        ),
        (
            "GET",
            format!("{VAULT}x/backupInstances?{VERSION}"),
            404,
            "ResourceNotFound",
        ),
        (
            "PUT",
            format!("{VAULT}x/backupInstances/i?{VERSION}"),
            404,
            "ParentResourceNotFound",
        ),
        (
            "GET",
            format!("{VAULT}/backupInstances/none?{VERSION}"),
            404,
            "UserErrorGenericResourceNotFound",
        ),
        (
            "GET",
            format!("{VAULT}/backupInstances/none/recoveryPoints?{VERSION}"),
            404,
            "UserErrorGenericResourceNotFound",
        ),
        (
            "POST",
            format!("{VAULT}/deletedBackupInstances/none/undelete?{VERSION}"),
            404,
            "UserErrorGenericResourceNotFound",
        ),
        (
            "PUT",
            format!("{VAULT}/backupInstances/i?{VERSION}"),
            400,
            "BMSUserErrorInvalidInput",
        ),
        (
            "DELETE",
            format!("{VAULT}?{VERSION}"),
            400,
            "UserErrorEmulatorVaultNotEmpty",
        ),
    ] {
        let reply = send(&emulator, method, &target, None).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{method} {target}"
        );
        assert!(reply.header("x-ms-request-id").is_some(), "{target}");
        assert!(
            reply
                .header("x-ms-routing-request-id")
                .unwrap()
                .starts_with("WESTEUROPE:20260301T120000Z:")
        );
    }
    let reply = get(&emulator, &format!("{group}/none?{VERSION}")).await;
    let text = String::from_utf8(reply.raw.clone()).unwrap();
    assert_eq!(
        text,
        r#"{"error":{"code":"ResourceGroupNotFound","message":"Resource group 'none' could not be found."}}"#
    );
    assert_eq!(reply.header("x-ms-failure-cause"), Some("gateway"));
    let reply = get(
        &emulator,
        &format!("{VAULT}/backupInstances/none?{VERSION}"),
    )
    .await;
    assert_eq!(
        reply.header("x-ms-error-code"),
        Some("UserErrorGenericResourceNotFound")
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_token_is_asked_for_after_the_subscription_was_found() {
    let emulator = demo().await;
    let good = format!("{VAULT}?{VERSION}");
    let unknown =
        format!("/subscriptions/00000000-0000-0000-0000-00000000abcd/resourceGroups?{VERSION}");
    assert_eq!(
        exchange(&emulator, "GET", &unknown, &[], None)
            .await
            .unwrap()
            .status,
        404
    );
    let reply = exchange(&emulator, "GET", &good, &[], None).await.unwrap();
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "AuthenticationFailed")
    );
    assert!(
        reply
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer authorization_uri=\"https://login.windows.net/")
    );
    let reply = exchange(
        &emulator,
        "GET",
        &good,
        &[("authorization", "Basic abc")],
        None,
    )
    .await
    .unwrap();
    assert_eq!(reply.code(), "AuthenticationFailedInvalidHeader");
    assert_eq!(get(&emulator, &good).await.status, 200);
    emulator.expire_tokens();
    let reply = get(&emulator, &good).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "ExpiredAuthenticationToken")
    );
    let fresh = exchange(
        &emulator,
        "GET",
        &good,
        &[("authorization", "Bearer fresh")],
        None,
    )
    .await
    .unwrap();
    assert_eq!(fresh.status, 200);
    let open = Emulator::start(Options {
        require_token: false,
        ..options()
    })
    .await
    .unwrap();
    assert_eq!(
        exchange(&open, "GET", &good, &[], None)
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn a_bad_body_is_refused_in_the_service_s_form() {
    let emulator = demo().await;
    let target = format!("{VAULT}/backupInstances/new?{VERSION}");
    let body = r#"{"properties":{"objectType":"BackupInstance"}}"#;
    let headers = [
        ("authorization", "Bearer x"),
        ("x-ms-client-request-id", "my-activity"),
    ];
    let reply = exchange(&emulator, "PUT", &target, &headers, Some(body))
        .await
        .unwrap();
    let error = &reply.json()["error"];
    let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["additionalInfo", "code", "message", "target", "details"]
    );
    let info = &error["additionalInfo"][0]["info"];
    assert_eq!(info["properties"]["ActivityId"], "my-activity");
    assert_eq!(
        (info["target"].as_str(), error["target"].as_str()),
        (Some(""), None)
    );
    assert_eq!(error["code"], "BMSUserErrorInvalidInput");
    // The same with parameters in `Accept`: no body to say why.
    let headers = [
        ("authorization", "Bearer x"),
        (
            "accept",
            "application/json;charset=utf-8;IEEE754Compatible=false",
        ),
    ];
    let reply = exchange(&emulator, "PUT", &target, &headers, Some(body))
        .await
        .unwrap();
    assert_eq!((reply.status, reply.raw.len()), (406, 0));
}

#[tokio::test]
async fn what_a_backup_needs_is_checked() {
    let emulator = demo().await;
    let healthy = instance(&emulator, "disk-sap-hana-data-01").await;
    let stopped = instance(&emulator, "stcontosoarchive2019").await;
    for (name, body, code) in [
        (&healthy, r#"{}"#, "BMSUserErrorInvalidInput"),
        (
            &healthy,
            r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":7}}"#,
            "BMSUserErrorInvalidInput",
        ),
        (
            &healthy,
            r#"{"backupRuleOptions":{"ruleName":"Default","triggerOption":{}}}"#,
            "UserErrorEmulatorBackupRuleNotFound",
        ),
        (
            &healthy,
            r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{"retentionTagOverride":"x"}}}"#,
            "UserErrorEmulatorRetentionTagNotFound",
        ),
        (
            &stopped,
            r#"{"backupRuleOptions":{"ruleName":"BackupDaily","triggerOption":{}}}"#,
            "UserErrorEmulatorInstanceNotProtected",
        ),
    ] {
        let reply = send(
            &emulator,
            "POST",
            &format!("{VAULT}/backupInstances/{name}/backup?{VERSION}"),
            Some(body),
        )
        .await;
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
    }
    assert!(emulator.ledger().is_empty());
}

#[tokio::test]
async fn a_disabled_subscription_is_read_only() {
    let emulator = demo().await;
    let vault = "/subscriptions/5e07b9f3-41cd-47d2-b86e-9a3c2f74c004/resourceGroups/rg-sandbox/providers/Microsoft.DataProtection/backupVaults/bv-sandbox";
    assert_eq!(
        get(&emulator, &format!("{vault}?{VERSION}")).await.status,
        200
    );
    let reply = send(&emulator, "DELETE", &format!("{vault}?{VERSION}"), None).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (409, "ReadOnlyDisabledSubscription")
    );
}

#[tokio::test]
async fn requests_are_throttled_by_the_emulated_clock() {
    let emulator = Emulator::start(Options {
        throttle: Throttle::Arm,
        ..options()
    })
    .await
    .unwrap();
    let target = format!("{VAULT}?{VERSION}");
    for left in (0..250).rev() {
        let reply = get(&emulator, &target).await;
        assert_eq!(reply.status, 200);
        let counter = reply
            .header("x-ms-ratelimit-remaining-subscription-resource-requests")
            .unwrap();
        assert_eq!(counter, left.to_string());
    }
    let reply = get(&emulator, &target).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (429, "SubscriptionRequestsThrottled")
    );
    assert_eq!(reply.header("retry-after"), Some("1"));
    let other =
        "/subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups?api-version=2022-12-01";
    assert_eq!(get(&emulator, other).await.status, 200);
    emulator.advance(std::time::Duration::from_secs(1));
    assert_eq!(get(&emulator, &target).await.status, 200);
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let error = Emulator::start(Options {
        listen,
        ..options()
    })
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`0.0.0.0:0` is not a loopback address, and the emulator checks no credentials"
    );
}

#[tokio::test]
async fn a_vault_is_not_loosened_and_may_have_to_be_strict() {
    let emulator = demo().await;
    let mut vault = get(&emulator, &format!("{VAULT}?{VERSION}")).await.json();
    vault["properties"]["securitySettings"]["softDeleteSettings"]["state"] = "On".into();
    let text = vault.to_string();
    let reply = send(&emulator, "PUT", &format!("{VAULT}?{VERSION}"), Some(&text)).await;
    assert_eq!(reply.code(), "UserErrorDisableSoftDeleteNotAllowed");
    let new = format!("{}-2", VAULT);
    assert_eq!(
        send(&emulator, "PUT", &format!("{new}?{VERSION}"), Some(&text))
            .await
            .status,
        201
    );
    let strict = Emulator::start(Options {
        always_on_soft_delete: true,
        ..options()
    })
    .await
    .unwrap();
    let reply = send(&strict, "PUT", &format!("{new}?{VERSION}"), Some(&text)).await;
    assert_eq!(reply.code(), "UserErrorAlwaysOnSoftDeleteRequired");
    assert!(
        reply.json()["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("This API version requires")
    );
    assert_eq!(
        send(
            &strict,
            "PUT",
            &format!("{new}?api-version=2025-07-01"),
            Some(&text)
        )
        .await
        .status,
        201
    );
}

#[tokio::test]
async fn a_policy_of_the_wrong_shape_is_refused_not_fatal() {
    let emulator = demo().await;
    let target = format!("{VAULT}/backupPolicies/new?{VERSION}");
    for rule in [
        r#"1"#,
        r#"{"name":"a","objectType":"Other"}"#,
        r#"{"name":"a","objectType":"AzureBackupRule"}"#,
        r#"{"name":"a","objectType":"AzureBackupRule","trigger":{"taggingCriteria":[1]},"dataStore":{}}"#,
        r#"{"name":"a","objectType":"AzureRetentionRule","lifecycles":[1]}"#,
    ] {
        let body = format!(
            r#"{{"properties":{{"objectType":"BackupPolicy","datasourceTypes":["Microsoft.Compute/disks"],"policyRules":[{rule}]}}}}"#
        );
        let reply = send(&emulator, "PUT", &target, Some(&body)).await;
        assert_eq!(reply.code(), "BMSUserErrorInvalidInput", "{rule}");
    }
    let used = send(
        &emulator,
        "DELETE",
        &format!("{VAULT}/backupPolicies/disk-gold?{VERSION}"),
        None,
    )
    .await;
    assert_eq!(used.code(), "UserErrorEmulatorPolicyInUse");
}
