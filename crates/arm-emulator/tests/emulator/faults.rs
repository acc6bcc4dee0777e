//! Faults: what a client sees, and whether the effect happened.

use arm_emulator::{Action, Fault, Match, NextLink};

use crate::client::{VAULT, VERSION, demo, exchange, generated, get, instance, send, walk};

fn fault(action: Action) -> Fault {
    Fault {
        matches: Match::default(),
        action,
    }
}

const TOKEN: [(&str, &str); 1] = [("authorization", "Bearer x")];

#[tokio::test]
async fn answers_are_replaced_cut_and_lost() {
    let emulator = demo().await;
    let target = format!("{VAULT}/backupInstances?{VERSION}");
    let whole = get(&emulator, &target).await;

    let headers = [("retry-after".to_owned(), "7".to_owned())].into();
    let body = serde_json::json!({"error": {"code": "ServerBusy"}});
    emulator.inject(fault(Action::Status {
        status: 503,
        headers,
        body,
    }));
    let reply = get(&emulator, &target).await;
    assert_eq!(
        (
            reply.status,
            reply.code().as_str(),
            reply.header("retry-after")
        ),
        (503, "ServerBusy", Some("7"))
    );
    assert_eq!(get(&emulator, &target).await.status, 200);

    for action in [
        Action::Close,
        Action::Drop,
        Action::Reset,
        Action::CloseMidBody,
    ] {
        emulator.inject(fault(action.clone()));
        let result = exchange(&emulator, "GET", &target, &TOKEN, None).await;
        assert!(result.is_err(), "{action:?}");
        assert_eq!(get(&emulator, &target).await.raw, whole.raw);
    }

    emulator.inject(fault(Action::Truncate { bytes: Some(100) }));
    let reply = get(&emulator, &target).await;
    assert_eq!((reply.status, &reply.raw[..]), (200, &whole.raw[..100]));
    emulator.inject(fault(Action::Html));
    assert_eq!(
        get(&emulator, &target).await.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    emulator.inject(fault(Action::Empty));
    let reply = get(&emulator, &target).await;
    assert_eq!((reply.status, reply.raw.len()), (200, 0));
    emulator.inject(fault(Action::ExpiredToken));
    assert_eq!(
        get(&emulator, &target).await.code(),
        "ExpiredAuthenticationToken"
    );
    emulator.inject(fault(Action::BadGzip));
    assert_eq!(
        get(&emulator, &target).await.header("content-encoding"),
        Some("gzip")
    );
    let struck: Vec<String> = emulator
        .journal()
        .into_iter()
        .filter_map(|entry| entry.fault)
        .collect();
    let expected = [
        "status",
        "close",
        "drop",
        "reset",
        "close_mid_body",
        "truncate",
        "html",
        "empty",
        "expired_token",
        "bad_gzip",
    ];
    assert_eq!(struck, expected);
}

#[tokio::test]
async fn a_lost_answer_leaves_its_effect_and_a_refused_one_does_not() {
    let emulator = demo().await;
    let name = instance(&emulator, "disk-dc01").await;
    let target = format!("{VAULT}/backupInstances/{name}/backup?{VERSION}");
    let body = r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{}}}"#;
    emulator.inject(fault(Action::Close));
    assert!(
        exchange(&emulator, "POST", &target, &TOKEN, Some(body))
            .await
            .is_err()
    );
    assert_eq!(emulator.ledger().len(), 0);
    emulator.inject(fault(Action::Drop));
    assert!(
        exchange(&emulator, "POST", &target, &TOKEN, Some(body))
            .await
            .is_err()
    );
    assert_eq!(emulator.ledger().len(), 1);
    let lost = emulator.journal().pop().unwrap();
    assert_eq!(
        (lost.status, lost.operation.as_deref()),
        (0, Some("BackupInstances_AdhocBackup"))
    );
}

#[tokio::test]
async fn links_to_the_next_page_lead_astray() {
    let emulator = generated(1, 1, 500, 200).await;
    let (subscriptions, _) = walk(&emulator, "/subscriptions?api-version=2022-12-01").await;
    let id = subscriptions[0]["id"].as_str().unwrap();
    let (vaults, _) = walk(
        &emulator,
        &format!("{id}/providers/Microsoft.DataProtection/backupVaults?{VERSION}"),
    )
    .await;
    let target = format!(
        "{}/backupInstances?{VERSION}",
        vaults[0]["id"].as_str().unwrap()
    );
    let link = |reply: crate::client::Reply| reply.json()["nextLink"].as_str().map(str::to_owned);

    emulator.inject(fault(Action::NextLink {
        link: NextLink::Cyclic,
    }));
    assert_eq!(
        link(get(&emulator, &target).await),
        Some(format!("{}{target}", emulator.url()))
    );
    let foreign = "http://169.254.169.254/metadata";
    emulator.inject(fault(Action::NextLink {
        link: NextLink::To(foreign.to_owned()),
    }));
    assert_eq!(
        link(get(&emulator, &target).await).as_deref(),
        Some(foreign)
    );
    let forever = Match {
        times: None,
        path: Some("/backupInstances?".to_owned()),
        ..Match::default()
    };
    emulator.inject(Fault {
        matches: forever,
        action: Action::NextLink {
            link: NextLink::Endless,
        },
    });
    let mut seen = std::collections::HashSet::new();
    let mut next = target.clone();
    for page in 0..20 {
        let reply = get(&emulator, &next).await;
        assert_eq!(
            reply.json()["value"].as_array().unwrap().len(),
            if page == 0 { 200 } else { 0 }
        );
        next = link(reply).unwrap();
        assert!(seen.insert(next.clone()));
    }
    emulator.clear_faults();
    assert_eq!(walk(&emulator, &target).await.0.len(), 500);
}

#[tokio::test]
async fn a_delay_waits_before_and_a_hang_after_the_effect() {
    let emulator = demo().await;
    let target = format!("{VAULT}?{VERSION}");
    for action in [
        Action::Delay { milliseconds: 30 },
        Action::Hang { milliseconds: 30 },
        Action::Slow {
            bytes: 700,
            milliseconds: 20,
        },
    ] {
        emulator.inject(fault(action));
        let before = std::time::Instant::now();
        assert_eq!(send(&emulator, "GET", &target, None).await.status, 200);
        assert!(before.elapsed() >= std::time::Duration::from_millis(30));
    }
}
