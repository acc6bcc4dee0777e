//! At most once: processes that are killed at any moment, a network that loses answers, and a service that keeps a ledger.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};

use super::{Outcome, binding, client, context, intent};
use crate::clock::{VirtualClock, within};
use crate::journal::{Entry, Filter, Journal, Settlement, State, Supplement};
use crate::scripted::{Reply, Script};
use crate::transport::Breakage;
use crate::{Client, Effect, Watch};

/// A service that keeps a ledger: what it did, by the id of the request.
#[derive(Debug, Clone, Default)]
struct Ledger(Arc<Mutex<HashMap<String, usize>>>);

impl Ledger {
    fn effects(&self, id: &str) -> usize {
        let effects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        effects.get(id).copied().unwrap_or(0)
    }

    /// It fails in all the ways there are, before and after the effect.
    fn service(&self, clock: &VirtualClock, seed: u64) -> Script {
        let (ledger, random) = (self.clone(), Mutex::new(fastrand::Rng::with_seed(seed)));
        Script::answering(Arc::new(clock.clone()), move |request, _| {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            let wait = Duration::from_millis(random.u64(0..3_000));
            if request.method == http::Method::GET {
                return match random.u8(0..4) {
                    0 => Reply::json(200, r#"{"status":"Inprogress"}"#),
                    1 => Reply::plain(503, ""),
                    _ => Reply::json(200, r#"{"status":"Succeeded","properties":{"jobId":"J"}}"#),
                }
                .after(wait);
            }
            let refused = match random.u8(0..20) {
                0 => Some(Reply::plain(429, "").header("retry-after", "1")),
                1 => Some(Reply::breakage(Breakage::NotConnected)),
                2 => Some(Reply::breakage(Breakage::Interrupted)),
                3 => Some(Reply::plain(500, "")),
                _ => None,
            };
            if let Some(reply) = refused {
                return reply.after(wait);
            }
            let id = request.headers.get("x-ms-client-request-id");
            let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
            *ledger
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(id.unwrap_or_default())
                .or_default() += 1;
            match random.u8(0..10) {
                0 => Reply::breakage(Breakage::Interrupted),
                1 => Reply::plain(502, ""),
                _ => Reply::plain(202, "").header("azure-asyncoperation", "/status/1"),
            }
            .after(wait)
        })
    }
}

/// One process that acts on what is left, until it is killed. True if nothing is left.
async fn process(
    client: &Client,
    journal: &Journal,
    statement: &str,
    clock: &VirtualClock,
    ledger: &Ledger,
) -> Outcome<bool> {
    let run = journal.resume(statement, binding()).await?;
    for entry in journal.entries(Filter::statement(statement)).await? {
        // The vault's jobs hold the id of the request, so that the doubt can be settled.
        if entry.state == State::Unknown {
            let found = match ledger.effects(&entry.client_request_id) {
                0 => State::NotSent,
                _ => State::Succeeded,
            };
            run.settle(entry.number, Settlement::of(found)).await?;
        }
    }
    let left = journal.entries(Filter::statement(statement)).await?;
    let left: Vec<Entry> = left
        .into_iter()
        .filter(|entry| !entry.state.has_ended())
        .collect();
    let done = left.is_empty();
    let watch = Watch::new(context(clock));
    let results: Vec<Outcome> = stream::iter(left)
        .map(|entry| {
            let (run, watch) = (&run, &watch);
            async move {
                let started = if entry.state == State::Accepted {
                    journal.started(entry.number, &binding()).await?
                } else {
                    let permit = run.again(entry.number, Supplement::default()).await?;
                    match client.act(permit, context(clock)).await.effect {
                        Effect::Started(started) => started,
                        _ => return Ok(()),
                    }
                };
                client.follow(started, watch).await;
                Ok(())
            }
        })
        .buffer_unordered(16)
        .collect()
        .await;
    results.into_iter().collect::<Outcome<Vec<()>>>()?;
    Ok(done)
}

#[test]
fn killed_at_any_moment_each_target_is_acted_on_once() -> Outcome {
    let mut deaths = 0;
    for seed in 0..20 {
        let clock = VirtualClock::default();
        let mut random = fastrand::Rng::with_seed(seed);
        let journal = Journal::in_memory(Arc::new(clock.clone()))?;
        let ledger = Ledger::default();
        let client = client(&clock, &ledger.service(&clock, seed));
        let outcome = clock.run(async {
            let run = journal.begin(binding()).await?;
            let statement = run.statement().to_owned();
            drop(
                run.intend((0..100).map(|n| intent(&format!("/{n}"))).collect())
                    .await?,
            );
            drop(run);
            let mut kills = 0;
            loop {
                let life = Duration::from_millis(random.u64(0..20_000));
                let work = process(&client, &journal, &statement, &clock, &ledger);
                match within(&clock, life, work).await {
                    Some(Ok(true)) => break,
                    Some(Ok(false)) => {}
                    Some(Err(error)) => return Err(error),
                    None => kills += 1,
                }
            }
            let entries = journal.entries(Filter::statement(&statement)).await?;
            for entry in &entries {
                assert_eq!(entry.state, State::Succeeded, "{seed} {entry:?}");
                assert_eq!(
                    ledger.effects(&entry.client_request_id),
                    1,
                    "{seed} {entry:?}"
                );
            }
            Outcome::Ok((entries.len(), kills))
        });
        let (targets, kills) = outcome.ok_or("the test hangs")??;
        assert_eq!(targets, 100);
        deaths += kills;
    }
    assert!(deaths > 20, "{deaths}");
    Ok(())
}
