//! Many runs, each with a few faults at random places: no result is short without an error, or without a report that names every scope that is
//! missing. 60 runs, or 1,000 with `RESTABLE_TEST_LONG`; the seed of a run that fails is in its message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arm_emulator::Options;
use restable_engine::Origin;
use serde_json::{Value, json};

use crate::rig::{Rig, ask, options, report, run};

/// 3 subscriptions, 6 vaults, 240 instances, 15 on a page.
const ESTATE: &str = "3,6,240";

/// Splitmix64: the same runs everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

fn status(status: u16, code: &str) -> Value {
    let body = json!({"error": {"code": code, "message": format!("{code} as ordered")}});
    json!({"kind": "status", "status": status, "headers": {}, "body": body})
}

/// Where each vault of the estate is, and its instances.
struct Truth {
    /// Name of the vault: its subscription, and the ids of its instances.
    vaults: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Truth {
    async fn of(rig: &Rig) -> Truth {
        let answer = rig
            .rows(
                "SELECT vaultName, subscriptionId, id FROM azure.data_protection.backup_instances",
            )
            .await;
        let mut vaults: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
        for row in &answer.rows {
            let text = |at: usize| row[at].clone().unwrap();
            let vault = vaults
                .entry(text(0))
                .or_insert_with(|| (text(1), BTreeSet::new()));
            vault.1.insert(text(2));
        }
        assert_eq!((vaults.len(), answer.rows.len()), (6, 240));
        Truth { vaults }
    }

    fn of_id(&self, id: &str) -> &str {
        let vault = id.split('/').nth(8).unwrap();
        self.vaults.get_key_value(vault).unwrap().0
    }
}

/// Faults of one run, and the vaults, or subscriptions of vaults, that may be told to be absent.
fn faults(dice: &mut Dice, truth: &Truth) -> (Vec<Value>, BTreeSet<String>) {
    let names: Vec<&String> = truth.vaults.keys().collect();
    let mut absent = BTreeSet::new();
    let mut faults = Vec::new();
    for _ in 0..dice.below(5) {
        let vault = (*dice.of(&names)).clone();
        let subscription = truth.vaults[&vault].0.clone();
        let places = [
            format!("/backupVaults/{vault}/backupInstances?"),
            format!("/backupVaults/{vault}/backupInstances?*skipToken"),
            "/backupInstances?".to_owned(),
            format!(
                "/subscriptions/{subscription}/providers/Microsoft.DataProtection/backupVaults?"
            ),
            "/subscriptions?".to_owned(),
        ];
        let place = dice.of(&places).clone();
        let (times, every) = (
            *dice.of(&[Some(1), Some(2), Some(6), None]),
            *dice.of(&[1, 1, 2, 3]),
        );
        let action = match dice.below(14) {
            0 => status(500, "InternalServerError"),
            1 => status(503, "ServiceUnavailable"),
            2 => status(502, "BadGateway"),
            3 | 4 => status(403, "AuthorizationFailed"),
            5 => {
                // The service says that there is no such thing: no rows, and no failure.
                absent.extend(match place.contains("/backupVaults?") {
                    true => truth
                        .vaults
                        .iter()
                        .filter(|(_, (of, _))| *of == subscription)
                        .map(|(name, _)| name.clone())
                        .collect(),
                    false if place.contains(&vault) => vec![vault.clone()],
                    false => names.iter().map(|name| (*name).clone()).collect(),
                });
                status(404, "ResourceNotFound")
            }
            6 => status(404, "SomethingElse"),
            7 => {
                let mut action = status(429, "TooManyRequests");
                action["headers"] = json!({"retry-after": (*dice.of(&["0", "1", "5"]))});
                action
            }
            8 => json!({"kind": "reset"}),
            9 => json!({"kind": "close"}),
            10 => json!({"kind": "close_mid_body"}),
            11 | 12 => json!({"kind": "truncate"}),
            _ => json!({"kind": "html"}),
        };
        let nth = 1 + dice.below(3);
        faults.push(json!({
            "match": {"path": place, "times": times, "every": every, "nth": nth},
            "action": action,
        }));
    }
    (faults, absent)
}

const QUERIES: [&str; 4] = [
    "SELECT id FROM azure.data_protection.backup_instances",
    "SELECT id FROM azure.data_protection.backup_instances WHERE vaultName LIKE '%' ORDER BY id DESC",
    "SELECT i.id FROM azure.data_protection.backup_vaults v JOIN azure.data_protection.backup_instances i \
     ON i.vaultName = v.name AND i.subscriptionId = v.subscriptionId",
    "SELECT id FROM azure.data_protection.backup_instances UNION SELECT id FROM azure.data_protection.backup_instances",
];

#[derive(Debug, Default)]
struct Ends {
    whole: u32,
    failed: u32,
    incomplete: u32,
    absent: u32,
}

#[test]
fn no_result_is_short_and_says_nothing() {
    let long = std::env::var("RESTABLE_TEST_LONG").is_ok_and(|value| !value.is_empty());
    let runs: u64 = if long { 1000 } else { 60 };
    run(async {
        let emulated = Options {
            page_size: 15,
            ..options(ESTATE)
        };
        let rig = Rig::with(emulated, vec![Arc::new(restable_spec::Builtin)]).await;
        let truth = Truth::of(&rig).await;
        let mut ends = Ends::default();
        for seed in 0..runs {
            one(seed, &rig, &truth, &mut ends).await;
        }
        report(&format!(
            "{runs} runs with random faults: {} whole, {} failed, {} incomplete and told so, {} without what is absent",
            ends.whole, ends.failed, ends.incomplete, ends.absent
        ));
        assert!(
            ends.whole > 0 && ends.failed > 0 && ends.incomplete > 0,
            "{ends:?}"
        );
    });
}

async fn one(seed: u64, rig: &Rig, truth: &Truth, ends: &mut Ends) {
    let mut dice = Dice(seed);
    let (faults, absent) = faults(&mut dice, truth);
    let sql = *dice.of(&QUERIES);
    let partial = dice.below(2) == 1;
    let told = format!("seed {seed}, partial {partial}: {sql}\n{faults:#?}");
    // A client of its own: the budget of retries of one run is not spent by another.
    let engine = crate::rig::engine(&rig.emulator.url(), vec![Arc::new(restable_spec::Builtin)]);
    let session = engine.session(crate::rig::settings()).unwrap();
    session
        .set(
            "partial_results",
            if partial { "on" } else { "off" },
            Origin::Flag,
        )
        .unwrap();
    rig.emulator.clear_faults();
    for fault in &faults {
        rig.emulator
            .inject(serde_json::from_value(fault.clone()).unwrap());
    }
    let answer = ask(&session, sql).await;
    rig.emulator.clear_faults();
    let answer = match answer {
        Ok(answer) => answer,
        Err(problem) => {
            ends.failed += 1;
            assert!(
                !faults.is_empty() && !problem.to_string().is_empty(),
                "{told}\n{problem}"
            );
            return;
        }
    };
    assert!(partial || answer.report.is_complete(), "{told}");
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &answer.rows {
        let id = row[0].as_deref().unwrap();
        let first = found.entry(truth.of_id(id)).or_default().insert(id);
        assert!(first, "{told}\n{id} twice");
    }
    let named: Vec<String> = answer
        .report
        .missing
        .iter()
        .map(|missing| missing.scope.to_ascii_lowercase())
        .collect();
    let mut without = 0;
    for (vault, (subscription, ids)) in &truth.vaults {
        let here = found.remove(&**vault).unwrap_or_default();
        assert!(here.iter().all(|id| ids.contains(*id)), "{told}");
        if here.len() == ids.len() {
            continue;
        }
        let vault_path = format!("/backupvaults/{}", vault.to_ascii_lowercase());
        let is_named = named.iter().any(|scope| {
            scope.contains(&vault_path)
                || scope.contains(&subscription.to_ascii_lowercase())
                    && !scope.contains("/backupvaults/")
        });
        let is_absent = absent.contains(vault) && here.is_empty() && answer.report.absent > 0;
        without += u32::from(is_absent && !is_named);
        assert!(
            is_named || is_absent,
            "{told}\n{} of {} rows of {vault}, missing: {named:?}, {} absent",
            here.len(),
            ids.len(),
            answer.report.absent
        );
    }
    assert!(found.is_empty(), "{told}\n{found:?}");
    match (answer.report.is_complete(), without) {
        (false, _) => {
            ends.incomplete += 1;
            assert!(answer.report.line().contains("INCOMPLETE: "), "{told}");
        }
        (true, 0) => ends.whole += 1,
        (true, _) => ends.absent += 1,
    }
}
