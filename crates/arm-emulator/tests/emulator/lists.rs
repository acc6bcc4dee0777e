//! Lists: what is in the estates, pages, links, spelling.

use arm_emulator::{Emulator, Options};

use crate::client::{
    PRODUCTION, VAULT, VERSION, demo, exchange, generated, get, options, send, walk,
};

#[tokio::test]
async fn the_demo_estate_is_small_and_varied() {
    let emulator = demo().await;
    let subscriptions = get(&emulator, "/subscriptions?api-version=2022-12-01")
        .await
        .json();
    let states: Vec<&str> = subscriptions["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["state"].as_str())
        .collect();
    assert_eq!(
        states,
        ["Enabled", "Enabled", "Enabled", "Disabled", "Deleted"]
    );
    assert_eq!(subscriptions["count"]["value"], 5);
    let (mut vaults, mut instances, mut unhealthy, mut failed_jobs, mut points) = (0, 0, 0, 0, 0);
    for subscription in subscriptions["value"].as_array().unwrap() {
        let id = subscription["id"].as_str().unwrap();
        let list = format!("{id}/providers/Microsoft.DataProtection/backupVaults?{VERSION}");
        if subscription["state"] == "Deleted" {
            assert_eq!(get(&emulator, &list).await.code(), "SubscriptionNotFound");
            continue;
        }
        for vault in walk(&emulator, &list).await.0 {
            vaults += 1;
            let vault = vault["id"].as_str().unwrap().to_owned();
            for instance in walk(&emulator, &format!("{vault}/backupInstances?{VERSION}"))
                .await
                .0
            {
                instances += 1;
                let properties = &instance["properties"];
                let state = properties["currentProtectionState"].as_str().unwrap();
                unhealthy += u32::from(state != "ProtectionConfigured");
                let broken = state == "ConfiguringProtectionFailed";
                assert_eq!(properties["protectionErrorDetails"].is_object(), broken);
                let policy = properties["policyInfo"]["policyId"].as_str().unwrap();
                assert_eq!(
                    get(&emulator, &format!("{policy}?{VERSION}")).await.status,
                    200
                );
                let id = instance["id"].as_str().unwrap();
                points += walk(&emulator, &format!("{id}/recoveryPoints?{VERSION}"))
                    .await
                    .0
                    .len();
            }
            for job in walk(&emulator, &format!("{vault}/backupJobs?{VERSION}"))
                .await
                .0
            {
                if job["properties"]["status"] == "Failed" {
                    failed_jobs += 1;
                    assert!(job["properties"]["errorDetails"][0]["code"].is_string());
                }
            }
        }
    }
    assert_eq!((vaults, instances, unhealthy, failed_jobs), (7, 31, 8, 2));
    assert!(points > 50, "{points}");
}

#[tokio::test]
async fn pages_join_to_the_whole_list_by_absolute_links() {
    let emulator = Emulator::start(Options {
        page_size: 3,
        ..options()
    })
    .await
    .unwrap();
    let whole = demo().await;
    for list in ["backupInstances", "backupJobs", "backupPolicies"] {
        let target = format!("{VAULT}/{list}?{VERSION}");
        let (paged, pages) = walk(&emulator, &target).await;
        let (expected, one) = walk(&whole, &target).await;
        assert_eq!((paged.len().div_ceil(3), 1), (pages, one), "{list}");
        assert_eq!(paged, expected, "{list}");
    }
    let first = get(&emulator, &format!("{VAULT}/backupInstances?{VERSION}"))
        .await
        .json();
    let link = first["nextLink"].as_str().unwrap();
    assert!(
        link.starts_with(&format!(
            "{}{VAULT}/backupInstances?{VERSION}&$skipToken=",
            emulator.url()
        )),
        "{link}"
    );
    let last = get(&whole, &format!("{VAULT}/backupInstances?{VERSION}"))
        .await
        .json();
    assert!(last.as_object().unwrap().get("nextLink").is_none());
    let jobs = get(&whole, &format!("{VAULT}/backupJobs?{VERSION}"))
        .await
        .json();
    assert!(jobs.as_object().unwrap()["nextLink"].is_null());
    let groups = format!("/subscriptions/{PRODUCTION}/resourceGroups?api-version=2022-12-01");
    assert_eq!(walk(&emulator, &groups).await.0.len(), 4);
    let (subscriptions, pages) = walk(&emulator, "/subscriptions?api-version=2022-12-01").await;
    assert_eq!((subscriptions.len(), pages), (5, 2));
    let strange = format!("{VAULT}/backupInstances?{VERSION}&$skipToken=mine");
    assert_eq!(
        get(&emulator, &strange).await.json()["value"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn ids_compare_without_case_and_keep_their_spelling() {
    let emulator = demo().await;
    let odd = VAULT
        .to_ascii_uppercase()
        .replace("/SUBSCRIPTIONS", "/subscriptions");
    let reply = get(&emulator, &format!("{odd}?{VERSION}")).await.json();
    assert_eq!(reply["id"], VAULT);
    let vaults = format!(
        "/subscriptions/{PRODUCTION}/providers/microsoft.dataprotection/BACKUPVAULTS?API-VERSION=2024-04-01"
    );
    let (vaults, _) = walk(&emulator, &vaults).await;
    let names: Vec<&str> = vaults
        .iter()
        .filter_map(|vault| vault["name"].as_str())
        .collect();
    assert_eq!(names, ["BV-Prod-NEU", "bv-prod-weu"]);
}

#[tokio::test]
async fn a_computed_estate_is_walked_whole_and_never_stored() {
    let emulator = generated(2, 3, 10_001, 200).await;
    let (subscriptions, _) = walk(&emulator, "/subscriptions?api-version=2022-12-01").await;
    let mut names = std::collections::HashSet::new();
    let mut pages = 0;
    let mut first_vault = String::new();
    for subscription in &subscriptions {
        let id = subscription["id"].as_str().unwrap();
        let list = format!("{id}/providers/Microsoft.DataProtection/backupVaults?{VERSION}");
        for vault in walk(&emulator, &list).await.0 {
            let vault = vault["id"].as_str().unwrap();
            if first_vault.is_empty() {
                first_vault = vault.to_owned();
            }
            let (instances, count) =
                walk(&emulator, &format!("{vault}/backupInstances?{VERSION}")).await;
            pages += count;
            names.extend(
                instances
                    .iter()
                    .map(|instance| instance["id"].as_str().unwrap().to_owned()),
            );
        }
    }
    assert_eq!((names.len(), pages), (10_001, 51));
    assert_eq!(emulator.stored(), 0);

    // What is touched is stored, and the list shows it in its place.
    let list = format!("{first_vault}/backupInstances?{VERSION}");
    let before = walk(&emulator, &list).await.0;
    let instance = &before[7];
    let id = instance["id"].as_str().unwrap();
    let stopped = send(
        &emulator,
        "POST",
        &format!("{id}/stopProtection?{VERSION}"),
        None,
    )
    .await;
    assert_eq!(stopped.status, 202);
    emulator.advance(std::time::Duration::from_secs(1));
    let after = walk(&emulator, &list).await.0;
    assert_eq!(
        after[7]["properties"]["currentProtectionState"],
        "ProtectionStopped"
    );
    assert_eq!(after[8], before[8]);
    assert_eq!(emulator.stored(), 1);
    send(&emulator, "DELETE", &format!("{id}?{VERSION}"), None).await;
    emulator.advance(std::time::Duration::from_secs(1));
    let after = walk(&emulator, &list).await.0;
    assert_eq!(after.len() + 1, before.len());
    assert_eq!(after[7], before[8]);
}

#[tokio::test]
async fn a_computed_instance_has_policy_job_and_recovery_points() {
    let emulator = generated(1, 1, 50, 200).await;
    let (subscriptions, _) = walk(&emulator, "/subscriptions?api-version=2022-12-01").await;
    let id = subscriptions[0]["id"].as_str().unwrap();
    let (vaults, _) = walk(
        &emulator,
        &format!("{id}/providers/Microsoft.DataProtection/backupVaults?{VERSION}"),
    )
    .await;
    let vault = vaults[0]["id"].as_str().unwrap();
    for instance in walk(&emulator, &format!("{vault}/backupInstances?{VERSION}"))
        .await
        .0
    {
        let id = instance["id"].as_str().unwrap();
        assert_eq!(
            get(&emulator, &format!("{id}?{VERSION}")).await.json(),
            instance
        );
        let policy = instance["properties"]["policyInfo"]["policyId"]
            .as_str()
            .unwrap();
        assert_eq!(
            get(&emulator, &format!("{policy}?{VERSION}")).await.json()["id"],
            policy
        );
        let points = walk(&emulator, &format!("{id}/recoveryPoints?{VERSION}"))
            .await
            .0;
        assert_eq!(points.len(), 3);
        let point = points[1]["id"].as_str().unwrap();
        assert_eq!(
            get(&emulator, &format!("{point}?{VERSION}")).await.json()["id"],
            point
        );
    }
    let jobs = walk(&emulator, &format!("{vault}/backupJobs?{VERSION}"))
        .await
        .0;
    assert_eq!(jobs.len(), 50);
    let job = get(
        &emulator,
        &format!("{}?{VERSION}", jobs[3]["id"].as_str().unwrap()),
    )
    .await
    .json();
    assert!(
        job["properties"]["duration"]
            .as_str()
            .unwrap()
            .starts_with("PT")
    );
    assert!(job["properties"]["extendedInfo"].is_object());
    assert!(
        jobs[3]["properties"]["duration"]
            .as_str()
            .unwrap()
            .starts_with("00:0")
    );
    assert!(jobs[3]["properties"]["extendedInfo"].is_null());
}

#[tokio::test]
async fn bodies_are_compressed_for_whoever_asks() {
    let emulator = demo().await;
    let target = format!("{VAULT}/backupInstances?{VERSION}");
    let headers = [
        ("authorization", "Bearer x"),
        ("accept-encoding", "gzip, deflate"),
    ];
    let reply = exchange(&emulator, "GET", &target, &headers, None)
        .await
        .unwrap();
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&reply.raw[..]), &mut text)
        .unwrap();
    assert_eq!(text.as_bytes(), get(&emulator, &target).await.raw);
}
