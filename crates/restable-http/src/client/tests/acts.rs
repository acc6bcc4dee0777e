//! Writes: when they are sent again, what is said of each outcome, and what goes out.

use std::sync::Arc;
use std::time::Duration;

use super::scene::{Counting, Outcome, Scene, binding, config, intent, write};
use crate::ClientConfig;
use crate::act::Effect;
use crate::clock::VirtualClock;
use crate::journal::{Journal, State};
use crate::scripted::{Reply, Script};
use crate::transport::Breakage::{self, Interrupted, NotConnected, RefusedStream, Untrusted};
use restable_spec::HttpMethod::{Delete, Patch, Post, Put};
use restable_spec::{CallClass, HttpMethod};

fn error(status: u16) -> Reply {
    Reply::json(status, r#"{"error":{"code":"Busy","message":"later"}}"#)
}

fn lost(breakage: Breakage) -> Reply {
    Reply::breakage(breakage)
}

/// The word for the outcome and the number of requests.
fn play(http: HttpMethod, replies: Vec<Reply>) -> Outcome<(String, usize)> {
    let scene = Scene::of(replies);
    let (end, _) = scene.end_of(intent(write(http), None))?;
    let words: Vec<&str> = end.splitn(3, ' ').take(2).collect();
    Ok((words.join(" "), scene.urls().len()))
}

#[test]
fn an_action_is_not_sent_twice_when_it_may_have_been_received() -> Outcome {
    for doubtful in [
        error(408),
        error(500),
        error(502),
        error(503),
        error(503).header("retry-after", "1"),
        error(504),
        error(599),
        lost(Interrupted),
        Reply::silence(),
        Reply::json(200, "{}").then_broken(),
        Reply::json(200, "{}").then_silent(),
        Reply::plain(200, "<html>").header("content-type", "text/html"),
    ] {
        let ok = || Reply::json(200, "{}");
        let (end, sent) = play(Post, vec![doubtful.clone(), ok()])?;
        assert_eq!(
            (end.starts_with("Unknown"), sent),
            (true, 1),
            "{doubtful:?}: {end}"
        );
        let (end, sent) = play(Patch, vec![doubtful.clone(), ok()])?;
        assert_eq!(
            (end.starts_with("Unknown"), sent),
            (true, 1),
            "{doubtful:?}: {end}"
        );
    }
    Ok(())
}

#[test]
fn what_was_surely_not_done_is_sent_again() -> Outcome {
    for harmless in [
        error(429),
        error(429).header("retry-after", "3"),
        lost(NotConnected),
        lost(RefusedStream),
    ] {
        for http in [Post, Put, Patch, Delete] {
            let played = play(http, vec![harmless.clone(), Reply::json(200, "{}")])?;
            assert_eq!(played, ("Done 200".to_owned(), 2), "{http} {harmless:?}");
        }
    }
    Ok(())
}

#[test]
fn an_idempotent_write_is_sent_again() -> Outcome {
    let ok = || Reply::json(200, "{}");
    for transient in [
        error(500),
        error(503),
        error(408),
        lost(Interrupted),
        Reply::silence(),
    ] {
        for http in [Put, Delete] {
            let played = play(http, vec![transient.clone(), ok()])?;
            assert_eq!(played, ("Done 200".to_owned(), 2), "{http} {transient:?}");
        }
    }
    let gone = || {
        Reply::json(
            404,
            r#"{"error":{"code":"ResourceNotFound","message":"gone"}}"#,
        )
    };
    for (http, replies, end) in [
        // What the lost attempt deleted is not there any more.
        (Delete, vec![lost(Interrupted), gone()], "Done 404"),
        (
            Delete,
            vec![lost(Interrupted), Reply::plain(204, "")],
            "Done 204",
        ),
        (Delete, vec![gone()], "Failed 404"),
        (Delete, vec![lost(NotConnected), gone()], "Failed 404"),
        (
            Delete,
            vec![lost(NotConnected), Reply::plain(204, "")],
            "Absent",
        ),
        // The conflict may be with the lost attempt.
        (Put, vec![lost(Interrupted), error(409)], "Unknown 409"),
        (Put, vec![error(409)], "Failed 409"),
        // What is refused may be what the lost attempt has made.
        (Put, vec![lost(Interrupted), error(400)], "Unknown 400"),
        (
            Put,
            vec![lost(Interrupted), lost(Untrusted)],
            "Unknown scripted,",
        ),
        (Put, vec![error(500); 9], "Unknown 500"),
        (Put, vec![lost(NotConnected); 9], "NotSent scripted,"),
        (Post, vec![lost(NotConnected); 9], "NotSent scripted,"),
        (Post, vec![lost(Untrusted)], "NotSent scripted"),
        (Post, vec![error(429), lost(Untrusted)], "NotSent scripted,"),
        (Post, vec![error(501)], "Failed 501"),
        (Post, vec![error(403)], "Failed 403"),
        (Post, vec![error(409)], "Failed 409"),
        (
            Post,
            vec![Reply::plain(307, "").header("location", "/y")],
            "Failed 307",
        ),
        (Delete, vec![Reply::plain(204, "")], "Absent"),
        (Post, vec![Reply::plain(202, "")], "Done 202"),
    ] {
        let shown = format!("{replies:?}");
        assert_eq!(play(http, replies)?.0, end, "{http} {shown}");
    }
    Ok(())
}

#[test]
fn a_condition_lets_a_patch_go_again() -> Outcome {
    let scene = Scene::of([error(500), Reply::json(200, "{}")]);
    let mut call = write(Patch);
    call.headers = vec![("If-Match".to_owned(), "\"1\"".to_owned())];
    assert_eq!(scene.end_of(intent(call.clone(), None))?.0, "Done 200 {}");
    // The first one may have changed what the second one is compared with.
    let scene = Scene::of([error(500), error(412)]);
    assert_eq!(
        scene.end_of(intent(call, None))?.0,
        "Unknown 412 Busy: later, after 2 attempts"
    );
    Ok(())
}

#[test]
fn a_deadline_before_the_answer_leaves_it_unknown() -> Outcome {
    let scene = Scene::of([Reply::silence()]).within(Duration::from_secs(5));
    let (end, _) = scene.end_of(intent(write(Post), None))?;
    assert_eq!(end, "Unknown the statement's time is up");
    let scene = Scene::of([error(429).header("retry-after", "60")]).within(Duration::from_secs(5));
    let (end, _) = scene.end_of(intent(write(Post), None))?;
    assert!(
        end.starts_with("Failed 429 Busy: later; the next attempt"),
        "{end}"
    );
    Ok(())
}

#[test]
fn a_refused_token_is_replaced_once() -> Outcome {
    for (replies, expected) in [
        (vec![error(401), Reply::json(200, "{}")], "Done 200 {}"),
        (
            vec![error(401), error(401)],
            "Failed 401 Busy: later, after 2 attempts",
        ),
    ] {
        let clock = VirtualClock::default();
        let source = Counting::new(&clock, Duration::from_secs(3600));
        let script = Script::of(Arc::new(clock.clone()), replies);
        let scene = Scene::over(config(), Some(source), clock, script);
        let (end, _) = scene.end_of(intent(write(Post), None))?;
        assert_eq!(end, expected);
        assert_eq!(scene.urls().len(), 2);
    }
    Ok(())
}

#[test]
fn what_goes_out() -> Outcome {
    for (http, body, length, media) in [
        (Post, None, "0", ""),
        (Delete, None, "0", ""),
        (Put, Some("{}"), "", "application/json"),
        (Post, Some(r#"{"b":2}"#), "", "application/json"),
    ] {
        let scene = Scene::of([Reply::json(200, "{}")]);
        let mut call = write(http);
        call.body = body.map(str::to_owned);
        scene.end_of(intent(call, None))?;
        assert_eq!(scene.header("content-length"), [length]);
        assert_eq!(scene.header("content-type"), [media]);
        assert_eq!(scene.header("accept"), ["application/json"]);
        let seen = scene.script.seen();
        assert_eq!(seen[0].body.as_ref(), body.unwrap_or_default().as_bytes());
    }
    Ok(())
}

#[test]
fn the_service_says_why() -> Outcome {
    let body = r#"{"error":{"additionalInfo":[{"type":"UserFacingError","info":{"message":"m","recommendedAction":["Ask."],"details":null}}],
        "code":"UserErrorX","message":"Not so","target":"t","details":[{"code":"Inner","message":"why"}]}}"#;
    let reply = Reply::json(400, body)
        .header("x-ms-correlation-request-id", "c-1")
        .header("x-ms-request-id", "r-1");
    let scene = Scene::of([reply]);
    let (acted, _, entry) = scene
        .clock
        .run(scene.deed(intent(write(Post), None), Default::default()))
        .ok_or("the test hangs")??;
    let Effect::Failed(error) = acted.effect else {
        return Err("it did not fail".into());
    };
    let report = r#"{"code":"UserErrorX","message":"Not so","target":"t","details":[{"code":"Inner","message":"why"}],"recommendedAction":"Ask.","status":400,"clientRequestId":"8f2c","requestId":"r-1","correlationId":"c-1"}"#;
    assert_eq!(error.report().to_string(), report);
    assert_eq!(entry.error.as_deref(), Some(report));
    assert_eq!(entry.error_code.as_deref(), Some("UserErrorX"));
    assert_eq!(
        entry.error_message.as_deref(),
        Some("`things`: 400 UserErrorX: Not so")
    );
    Ok(())
}

#[test]
fn nothing_is_sent_to_another_endpoint_than_the_journals() -> Outcome {
    let elsewhere = ClientConfig {
        endpoint: Some("https://elsewhere.example".parse()?),
        ..config()
    };
    let scene = Scene::with(elsewhere, [Reply::json(200, "{}")]);
    let (end, sent) = scene.end_of(intent(write(Post), None))?;
    assert_eq!(
        (end.as_str(), sent.as_str()),
        (
            "NotSent nothing is sent: the call goes to `https://elsewhere.example`, \
             and its entry in the journal is for `https://management.azure.com`",
            ""
        )
    );
    Ok(())
}

#[test]
fn a_dropped_call_stays_on_its_way() -> Outcome {
    let scene = Scene::of([Reply::silence()]);
    let entry = scene.clock.run(async {
        let journal = Journal::in_memory(Arc::new(scene.clock.clone()))?;
        let run = journal.begin(binding()).await?;
        let permit = run
            .intend(vec![intent(write(Post), None)])
            .await?
            .pop()
            .ok_or("no permit")?;
        let number = permit.number();
        let act = Box::pin(scene.client.act(permit, scene.context()));
        let time = Box::pin(crate::Clock::sleep(&scene.clock, Duration::from_secs(1)));
        futures::future::select(act, time).await;
        assert_eq!(
            journal.find(&number.to_string()).await?.state,
            State::Sending
        );
        let statement = run.statement().to_owned();
        drop(run);
        let run = journal.resume(&statement, binding()).await?;
        let refused = run.again(number, Default::default()).await.err();
        assert_eq!(
            refused.map(|error| error.to_string()).as_deref(),
            Some("entry 1 is `Unknown`, not `Intended` or `NotSent`")
        );
        Outcome::Ok(journal.find("1").await?)
    });
    let entry = entry.ok_or("the test hangs")??;
    assert_eq!(entry.state, State::Unknown);
    assert_eq!(entry.sent, Some(entry.created));
    Ok(())
}

#[test]
fn reads_marked_so_are_no_writes() -> Outcome {
    // A POST that only asks goes through the same table as a GET.
    let scene = Scene::of([error(500), Reply::json(200, "{}")]);
    let mut call = write(Post);
    call.class = CallClass::Read;
    assert_eq!(scene.end_of(intent(call, None))?.0, "Done 200 {}");
    Ok(())
}

#[test]
fn the_futures_can_be_spawned() {
    fn sendable<T: Send>(_: impl FnOnce() -> T) {}
    async fn all(client: crate::Client, journal: Journal, run: crate::journal::Run) {
        let context = crate::CallContext::new(Arc::default());
        let permits = run.intend(Vec::new()).await;
        for permit in permits.into_iter().flatten() {
            let acted = client.act(permit, context.clone()).await;
            if let Effect::Started(started) = acted.effect {
                client
                    .follow(started, &crate::Watch::new(context.clone()))
                    .await;
            }
        }
        drop(journal.started(1, run.binding()).await);
        drop(journal.resume("x", binding()).await);
    }
    let journal = Journal::in_memory(Arc::new(VirtualClock::default()));
    let run = journal
        .clone()
        .and_then(|journal| futures::executor::block_on(journal.begin(binding())));
    let scene = Scene::of([]);
    if let (Ok(journal), Ok(run)) = (journal, run) {
        sendable(move || all(scene.client, journal, run));
    }
}
