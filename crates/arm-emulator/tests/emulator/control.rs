//! The control plane, and what the emulator remembers.

use arm_emulator::{Emulator, Estate, Options};
use serde_json::Value;

use crate::client::{PRODUCTION, VAULT, VERSION, demo, exchange, get, options, send, walk};

#[tokio::test]
async fn the_journal_tells_everything_but_the_token() {
    let emulator = demo().await;
    let headers = [
        ("authorization", "Bearer very-secret"),
        ("x-ms-client-request-id", "c1"),
        ("x-ms-correlation-request-id", "c2"),
        ("x-ms-return-client-request-id", "true"),
        ("user-agent", "test/1"),
        ("accept", "application/json"),
    ];
    let target = format!("{VAULT}/backupInstances?{VERSION}");
    let reply = exchange(&emulator, "GET", &target, &headers, None)
        .await
        .unwrap();
    assert_eq!(reply.header("x-ms-client-request-id"), Some("c1"));
    assert_eq!(reply.header("x-ms-correlation-request-id"), Some("c2"));
    let text = String::from_utf8(get(&emulator, "/_emulator/journal").await.raw).unwrap();
    assert!(!text.contains("very-secret"));
    let journal: Value = serde_json::from_str(&text).unwrap();
    let entry = &journal[0];
    assert_eq!(entry["n"], 1);
    assert_eq!(entry["method"], "GET");
    assert_eq!(entry["path"], format!("{VAULT}/backupInstances"));
    assert_eq!(entry["query"], VERSION);
    assert_eq!(entry["status"], 200);
    assert_eq!(entry["operation"], "BackupInstances_List");
    assert_eq!(entry["subscription"], PRODUCTION);
    assert_eq!(entry["bytes"], reply.raw.len());
    assert_eq!(entry["clientRequestId"], "c1");
    assert_eq!(entry["requestId"], reply.header("x-ms-request-id").unwrap());
    assert_eq!(entry["authorization"], true);
    assert_eq!(entry["userAgent"], "test/1");
    assert_eq!(emulator.journal().len(), 1);
    send(&emulator, "DELETE", "/_emulator/journal", None).await;
    assert!(emulator.journal().is_empty());
}

#[tokio::test]
async fn the_journal_is_capped_or_off() {
    let capped = Emulator::start(Options {
        journal_capacity: 3,
        ..options()
    })
    .await
    .unwrap();
    let off = Emulator::start(Options {
        journal_capacity: 0,
        ..options()
    })
    .await
    .unwrap();
    for _ in 0..5 {
        get(&capped, &format!("{VAULT}?{VERSION}")).await;
        get(&off, &format!("{VAULT}?{VERSION}")).await;
    }
    let numbers: Vec<u64> = capped.journal().iter().map(|entry| entry.n).collect();
    assert_eq!(numbers, [3, 4, 5]);
    assert!(capped.journal().iter().all(|entry| entry.status == 200));
    assert!(off.journal().is_empty());
}

#[tokio::test]
async fn faults_clock_and_estate_are_steered_from_outside() {
    let emulator = demo().await;
    let rule = r#"{"match":{"method":"GET","path":"/backupVaults","nth":2},"action":{"kind":"status","status":500}}"#;
    let rules = send(&emulator, "POST", "/_emulator/faults", Some(rule)).await;
    assert_eq!(rules.json()[0]["struck"], 0);
    let target = format!("{VAULT}?{VERSION}");
    assert_eq!(get(&emulator, &target).await.status, 200);
    assert_eq!(get(&emulator, &target).await.status, 500);
    assert_eq!(get(&emulator, &target).await.status, 200);
    assert_eq!(
        get(&emulator, "/_emulator/faults").await.json()[0]["matched"],
        3
    );
    assert_eq!(
        send(&emulator, "POST", "/_emulator/faults", Some("{}"))
            .await
            .status,
        400
    );
    send(&emulator, "DELETE", "/_emulator/faults", None).await;
    assert_eq!(
        get(&emulator, "/_emulator/faults")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        0
    );

    let moved = send(
        &emulator,
        "POST",
        "/_emulator/clock/advance",
        Some(r#"{"seconds":60.5}"#),
    )
    .await
    .json();
    assert_eq!(moved["now"], "2026-03-01T12:01:00.6234567Z");
    assert_eq!(
        send(&emulator, "POST", "/_emulator/clock/advance", Some("{}"))
            .await
            .status,
        400
    );

    let group = format!("/subscriptions/{PRODUCTION}/resourceGroups/rg-new?api-version=2022-12-01");
    assert_eq!(
        send(
            &emulator,
            "PUT",
            &group,
            Some(r#"{"location":"westeurope"}"#)
        )
        .await
        .status,
        201
    );
    assert_eq!(
        send(
            &emulator,
            "PUT",
            &group,
            Some(r#"{"location":"westeurope"}"#)
        )
        .await
        .status,
        200
    );
    let ledger = get(&emulator, "/_emulator/ledger").await.json();
    assert_eq!(ledger[0]["operation"], "ResourceGroups_CreateOrUpdate");
    send(&emulator, "POST", "/_emulator/reset", None).await;
    assert_eq!(get(&emulator, &group).await.code(), "ResourceGroupNotFound");
    assert!(emulator.ledger().is_empty());
    assert_eq!(get(&emulator, "/_emulator/nothing").await.status, 404);
}

#[tokio::test]
async fn the_state_can_be_written_and_read_again() {
    let emulator = demo().await;
    let state = get(&emulator, "/_emulator/state").await;
    let path =
        std::env::temp_dir().join(format!("arm-emulator-{}.json", emulator.address().port()));
    std::fs::write(&path, &state.raw).unwrap();
    let copy = Emulator::start(Options {
        estate: Estate::File(path.clone()),
        ..options()
    })
    .await;
    std::fs::remove_file(&path).unwrap();
    let copy = copy.unwrap();
    for list in [
        "backupInstances",
        "backupJobs",
        "deletedBackupInstances",
        "backupResourceGuardProxies",
    ] {
        let target = format!("{VAULT}/{list}?{VERSION}");
        let (items, _) = walk(&copy, &target).await;
        assert_eq!(items, walk(&emulator, &target).await.0, "{list}");
        assert!(!items.is_empty(), "{list}");
    }
    let missing = Emulator::start(Options {
        estate: Estate::File("no/such.json".into()),
        ..options()
    })
    .await;
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .starts_with("cannot read the estate `no/such.json`")
    );
}

#[tokio::test]
async fn a_stopped_emulator_listens_no_more() {
    let emulator = demo().await;
    let address = emulator.address();
    emulator.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
