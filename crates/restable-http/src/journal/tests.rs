//! The journal: what is durable when, who may go on with what, and which files are refused.

mod once;
#[cfg(unix)]
mod places;

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use futures::executor::block_on;
use restable_spec::HttpMethod::Post;
use restable_spec::{BoundCall, FinalState, LongRunning};

use super::desk::Desk;
use super::{
    Binding, Entry, Filter, Intent, Journal, JournaledBody, Permit, Settlement, State, Supplement,
};
use crate::clock::{Clock, VirtualClock};
use crate::error::JournalError;
use crate::scripted::{Reply, Script};
use crate::{CallContext, Client, ClientConfig, Effect, Meter};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const ARM: &str = "https://management.azure.com";

fn binding() -> Binding {
    Binding {
        provider: "azure".to_owned(),
        endpoint: ARM.to_owned(),
        cloud: Some("AzureCloud".to_owned()),
        tenant: Some("T1".to_owned()),
        principal: Some("me".to_owned()),
    }
}

fn call(path: &str) -> BoundCall {
    BoundCall {
        provider: "azure".to_owned(),
        operation_id: "Things_Backup".to_owned(),
        http: Post,
        class: restable_spec::CallClass::Action,
        server: ARM.to_owned(),
        path: path.to_owned(),
        query: vec![("api-version".to_owned(), "1".to_owned())],
        headers: Vec::new(),
        auxiliary: false,
        body: Some(r#"{"rule":"Daily"}"#.to_owned()),
        scope: format!("thing {path}"),
    }
}

fn intent(path: &str) -> Intent {
    Intent {
        call: call(path),
        long_running: Some(LongRunning {
            final_state: FinalState::Location,
        }),
        body: JournaledBody::AsSent,
        client_request_id: None,
    }
}

async fn one(journal: &Journal, intent: Intent) -> Outcome<(super::Run, Permit)> {
    let run = journal.begin(binding()).await?;
    let permit = run.intend(vec![intent]).await?.pop().ok_or("no permit")?;
    Ok((run, permit))
}

async fn entry(journal: &Journal, number: i64) -> Outcome<Entry> {
    Ok(journal.find(&number.to_string()).await?)
}

fn text(error: Option<JournalError>) -> String {
    error.map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

fn client(clock: &VirtualClock, script: &Script) -> Client {
    Client::with_transport(
        ClientConfig::default(),
        Arc::new(script.clone()),
        Arc::new(clock.clone()),
    )
}

fn context(clock: &VirtualClock) -> CallContext {
    CallContext::new(Arc::new(Meter::starting_at(clock.now())))
}

#[test]
fn an_entry_outlives_its_process() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("state/deep/journal.db");
    let (statement, number, id) = block_on(async {
        let journal = Journal::open(&path)?;
        let (run, permit) = one(&journal, intent("/a")).await?;
        assert_eq!(permit.call(), &call("/a"));
        let id = permit.client_request_id().to_owned();
        Outcome::Ok((run.statement().to_owned(), permit.number(), id))
    })?;
    block_on(async {
        let journal = Journal::open(&path)?;
        let found = entry(&journal, number).await?;
        assert_eq!(found.binding, binding());
        assert_eq!(found.statement, statement);
        assert_eq!(found.client_request_id, id);
        assert_eq!(found.method_id, "Things_Backup");
        assert_eq!(found.url, "/a?api-version=1");
        assert_eq!(found.scope, "thing /a");
        assert_eq!(found.body.as_deref(), Some(r#"{"rule":"Daily"}"#));
        assert_eq!(
            (found.state, found.sent, found.http),
            (State::Intended, None, Post)
        );
        assert_eq!(found.handle()?, None);
        // Another number follows, whatever becomes of the entries before.
        let (_, permit) = one(&journal, intent("/b")).await?;
        assert_eq!(permit.number(), number + 1);
        permit
            .withdraw(Settlement::of(State::Skipped).because("it no longer matches"))
            .await?;
        let skipped = entry(&journal, number + 1).await?;
        assert_eq!(skipped.state, State::Skipped);
        assert_eq!(
            skipped.error_message.as_deref(),
            Some("it no longer matches")
        );
        Outcome::Ok(())
    })
}

#[test]
fn nothing_is_sent_that_is_not_durable() -> Outcome {
    let clock = VirtualClock::default();
    let journal = Journal::in_memory(Arc::new(clock.clone()))?;
    let seen: Arc<Mutex<Vec<State>>> = Arc::default();
    let (witness, book) = (Arc::clone(&seen), journal.clone());
    let script = Script::answering(Arc::new(clock.clone()), move |_, _| {
        let states = block_on(book.entries(Filter::default())).unwrap_or_default();
        witness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(states.iter().map(|entry| entry.state));
        Reply::json(
            200,
            r#"{"jobId":"J","password":"p","keys":[{"secret":"s"}]}"#,
        )
    });
    let outcome = clock.run(async {
        let (_run, permit) = one(&journal, intent("/a")).await?;
        let acted = client(&clock, &script).act(permit, context(&clock)).await;
        assert_eq!(acted.unrecorded, None);
        let found = entry(&journal, acted.number).await?;
        assert_eq!(found.state, State::Succeeded);
        assert_eq!(
            found.result.as_deref(),
            Some(r#"{"jobId":"J","password":"[secret]","keys":[{"secret":"[secret]"}]}"#)
        );
        Outcome::Ok(())
    });
    outcome.ok_or("the test hangs")??;
    assert_eq!(
        *seen.lock().unwrap_or_else(PoisonError::into_inner),
        [State::Sending]
    );
    Ok(())
}

/// Lets the database grow no further, as on a full disk.
async fn fill(journal: &Journal) -> Outcome {
    journal
        .shared
        .desk
        .run(|connection| {
            let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok(())
        })
        .await?;
    Ok(())
}

#[test]
fn a_full_disk_refuses_before_anything_is_sent() -> Outcome {
    let place = tempfile::tempdir()?;
    for journal in [
        Journal::open(&place.path().join("journal.db"))?,
        Journal::in_memory(Arc::new(VirtualClock::default()))?,
    ] {
        block_on(async {
            let (run, _permit) = one(&journal, intent("/a")).await?;
            fill(&journal).await?;
            let many = (0..500).map(|n| intent(&format!("/{n}"))).collect();
            let refused = run.intend(many).await.err();
            assert_eq!(
                text(refused),
                "the journal cannot be read or written: database or disk is full"
            );
            // All or none.
            assert_eq!(journal.entries(Filter::default()).await?.len(), 1);
            Outcome::Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_journal_that_stops_working_stops_the_actions() -> Outcome {
    let clock = VirtualClock::default();
    let journal = Journal::in_memory(Arc::new(clock.clone()))?;
    let script = Script::of(Arc::new(clock.clone()), [Reply::json(200, "{}")]);
    let outcome = clock.run(async {
        let (_run, permit) = one(&journal, intent("/a")).await?;
        let read_only = |on: &str| match &journal.shared.desk {
            Desk::Inline(connection) => connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pragma_update(None, "query_only", on),
            Desk::Thread { .. } => Ok(()),
        };
        read_only("ON")?;
        let acted = client(&clock, &script).act(permit, context(&clock)).await;
        let Effect::NotSent(error) = &acted.effect else {
            return Err(format!("{acted:?}").into());
        };
        assert!(
            error
                .to_string()
                .contains("nothing is sent: the journal cannot be read or written"),
            "{error}"
        );
        assert!(acted.unrecorded.is_some());
        read_only("OFF")?;
        assert_eq!(entry(&journal, 1).await?.state, State::Intended);
        Outcome::Ok(())
    });
    outcome.ok_or("the test hangs")??;
    assert_eq!(script.seen().len(), 0);
    Ok(())
}

#[test]
fn a_running_statement_belongs_to_its_process() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("journal.db");
    block_on(async {
        let here = Journal::open(&path)?;
        // Its own file handle, as a second process has it.
        let there = Journal::open(&path)?;
        let (run, permit) = one(&here, intent("/a")).await?;
        let statement = run.statement().to_owned();
        permit.ticket.sending().await?;
        assert!(here.is_running(&statement) && there.is_running(&statement));
        let running = format!("statement `{statement}` is running");
        assert_eq!(
            text(there.resume(&statement, binding()).await.err()),
            running
        );
        assert_eq!(
            text(here.resume(&statement, binding()).await.err()),
            running
        );
        // The permit alone keeps it running.
        drop(run);
        assert!(there.is_running(&statement));
        drop(permit);
        assert!(!there.is_running(&statement));

        for (field, other) in [
            (
                "provider",
                Binding {
                    provider: "x".to_owned(),
                    ..binding()
                },
            ),
            (
                "endpoint",
                Binding {
                    endpoint: "x".to_owned(),
                    ..binding()
                },
            ),
            (
                "cloud",
                Binding {
                    cloud: None,
                    ..binding()
                },
            ),
            (
                "tenant",
                Binding {
                    tenant: Some("x".to_owned()),
                    ..binding()
                },
            ),
            (
                "principal",
                Binding {
                    principal: Some("x".to_owned()),
                    ..binding()
                },
            ),
        ] {
            let refused = text(there.resume(&statement, other).await.err());
            assert!(
                refused.starts_with(&format!("the entry is bound to the {field} ")),
                "{refused}"
            );
        }
        let resumed = there.resume(&statement, binding()).await?;
        assert_eq!(entry(&there, 1).await?.state, State::Unknown);
        assert!(here.is_running(&statement));
        drop(resumed);
        for unknown in ["nothing", "../../etc/passwd", ""] {
            assert_eq!(
                text(there.resume(unknown, binding()).await.err()),
                format!("the journal has no entry `{unknown}`")
            );
        }
        let left: Vec<_> = fs::read_dir(place.path())?
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".lock"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        Outcome::Ok(())
    })
}

#[test]
fn what_may_be_sent_from_the_journal() -> Outcome {
    let clock = VirtualClock::default();
    let journal = Journal::in_memory(Arc::new(clock))?;
    let run = block_on(journal.begin(binding()))?;
    let mut secret = intent("/s");
    secret.call.body = Some(r#"{"password":"hunter2"}"#.to_owned());
    secret.body = JournaledBody::Redacted(r#"{"password":"[secret]"}"#.to_owned());
    secret.call.headers = vec![
        ("x-registry-token".to_owned(), "Bearer hunter3".to_owned()),
        ("If-Match".to_owned(), "\"1\"".to_owned()),
    ];
    secret
        .call
        .query
        .push(("sig".to_owned(), "hunter4".to_owned()));
    block_on(async {
        let mut permits = run
            .intend(vec![intent("/a"), secret.clone()])
            .await?
            .into_iter();
        let (first, second) = (permits.next().ok_or("one")?, permits.next().ok_or("two")?);
        // The intents were permits already; a process that ended before it used them starts here.
        let id = first.client_request_id().to_owned();
        drop(first);
        let again = run.again(1, Supplement::default()).await?;
        assert_eq!(
            (again.call(), again.client_request_id()),
            (&call("/a"), id.as_str())
        );
        assert_eq!(
            again.long_running,
            Some(LongRunning {
                final_state: FinalState::Location
            })
        );
        // Of two permits of one entry, one sends.
        let twin = run.again(1, Supplement::default()).await?;
        again.ticket.sending().await?;
        assert_eq!(
            text(twin.ticket.sending().await.err()),
            "entry 1 is `Sending`, not `Intended`"
        );
        run.settle(1, Settlement::of(State::Unknown).because("lost"))
            .await?;
        let refused = "entry 1 is `Unknown`, not `Intended` or `NotSent`";
        assert_eq!(
            text(run.again(1, Supplement::default()).await.err()),
            refused
        );
        // A question to the service said so.
        run.settle(1, Settlement::of(State::NotSent)).await?;
        let _permit = run.again(1, Supplement::default()).await?;
        run.settle(1, Settlement::of(State::Failed)).await?;
        assert_eq!(
            text(run.settle(1, Settlement::of(State::Succeeded)).await.err()),
            "entry 1 is `Failed`, not an entry that has not ended"
        );

        drop(second);
        let found = entry(&journal, 2).await?;
        assert_eq!(found.url, "/s?api-version=1");
        let stored = format!("{found:?}");
        assert!(!stored.contains("hunter"), "{stored}");
        let body = || secret.call.body.clone();
        let headers = || secret.call.headers[..1].to_vec();
        for (supplement, missing) in [
            (Supplement::default(), "secret attributes of the body"),
            (
                Supplement {
                    body: Some("{}".to_owned()),
                    headers: headers(),
                },
                "secret attributes of the body",
            ),
            (
                Supplement {
                    body: body(),
                    headers: Vec::new(),
                },
                "`sig`",
            ),
            (
                Supplement {
                    body: body(),
                    headers: headers(),
                },
                "`sig`",
            ),
        ] {
            assert_eq!(
                text(run.again(2, supplement).await.err()),
                format!("entry 2 cannot be sent from the journal, which does not hold {missing}")
            );
        }
        let mut open = secret.clone();
        open.call.query.pop();
        let number = run
            .intend(vec![open])
            .await?
            .pop()
            .ok_or("no permit")?
            .number();
        let permit = run
            .again(
                number,
                Supplement {
                    body: body(),
                    headers: headers(),
                },
            )
            .await?;
        assert_eq!(permit.call().body, body());
        assert_eq!(permit.call().headers.len(), 2);
        let other = journal.begin(binding()).await?;
        assert_eq!(
            text(other.again(number, Supplement::default()).await.err()),
            "the journal has no entry `3`"
        );
        Outcome::Ok(())
    })
}

#[test]
fn entries_are_found_by_what_is_known_of_them() -> Outcome {
    let journal = Journal::in_memory(Arc::new(VirtualClock::default()))?;
    block_on(async {
        let run = journal.begin(binding()).await?;
        let permits = run
            .intend((0..6).map(|n| intent(&format!("/{n}"))).collect())
            .await?;
        run.settle(2, Settlement::of(State::Failed)).await?;
        run.settle(4, Settlement::of(State::Unknown)).await?;
        let numbers = async |filter: Filter| -> Outcome<Vec<i64>> {
            let entries = journal.entries(filter).await?;
            Ok(entries.iter().map(|entry| entry.number).collect())
        };
        let all = Filter::default();
        assert_eq!(numbers(all.clone()).await?, [1, 2, 3, 4, 5, 6]);
        assert_eq!(
            numbers(Filter {
                last: Some(2),
                ..all.clone()
            })
            .await?,
            [5, 6]
        );
        assert_eq!(
            numbers(Filter {
                numbers: vec![6, 1, 9],
                ..all.clone()
            })
            .await?,
            [1, 6]
        );
        let states = vec![State::Failed, State::Unknown];
        assert_eq!(numbers(Filter { states, ..all }).await?, [2, 4]);
        assert_eq!(numbers(Filter::statement(run.statement())).await?.len(), 6);
        assert_eq!(numbers(Filter::statement("x")).await?.len(), 0);
        for word in ["failed", "NotSent", "NOTSENT"] {
            assert!(State::of(word).is_some(), "{word}");
        }
        for unknown in ["0", "99", "x'; DROP TABLE entry; --", ""] {
            assert_eq!(
                text(journal.find(unknown).await.err()),
                format!("the journal has no entry `{unknown}`")
            );
        }
        drop(permits);
        Outcome::Ok(())
    })
}

#[test]
fn many_actions_share_a_write() -> Outcome {
    let place = tempfile::tempdir()?;
    let journal = Journal::open(&place.path().join("journal.db"))?;
    block_on(async {
        let run = journal.begin(binding()).await?;
        let permits = run
            .intend((0..500).map(|n| intent(&format!("/{n}"))).collect())
            .await?;
        let sent =
            futures::future::join_all(permits.iter().map(|permit| permit.ticket.sending())).await;
        assert!(sent.iter().all(Result::is_ok));
        let states = vec![State::Sending];
        let filter = Filter {
            states,
            ..Filter::default()
        };
        assert_eq!(journal.entries(filter).await?.len(), 500);
        Outcome::Ok(())
    })
}

#[test]
fn who_asked_is_kept_beside_the_entries() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("journal.db");
    block_on(async {
        let journal = Journal::open(&path)?;
        for client in [Some("ann"), None] {
            let run = journal.begin(binding()).await?;
            let run = run.asked_by(client.map(str::to_owned));
            let _permits = run.intend(vec![intent("/a"), intent("/b")]).await?;
        }
        Outcome::Ok(())
    })?;
    let entries = block_on(Journal::open(&path)?.entries(Filter::default()))?;
    let owners: Vec<Option<&str>> = entries.iter().map(|one| one.asked_by.as_deref()).collect();
    assert_eq!(owners, [Some("ann"), Some("ann"), None, None]);
    Ok(())
}

/// A journal of a program that did not know who asked: it is read, and written from then on.
#[test]
fn a_journal_without_owners_gets_them() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("journal.db");
    let _permit = block_on(one(&Journal::open(&path)?, intent("/old")))?;
    let before = rusqlite::Connection::open(&path)?;
    before.execute_batch("ALTER TABLE entry DROP COLUMN asked_by")?;
    drop(before);
    block_on(async {
        let journal = Journal::open(&path)?;
        let run = journal.begin(binding()).await?;
        let run = run.asked_by(Some("ann".to_owned()));
        let _permits = run.intend(vec![intent("/new")]).await?;
        let entries = journal.entries(Filter::default()).await?;
        let owners: Vec<Option<&str>> = entries.iter().map(|one| one.asked_by.as_deref()).collect();
        assert_eq!(owners, [None, Some("ann")]);
        Outcome::Ok(())
    })
}
