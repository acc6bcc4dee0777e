//! Retry, `Retry-After`, deadlines, the budget (H01-H18, H30, faults 39-47 of the table).

use super::scene::{Outcome, Scene, call, config, page};
use crate::error::ErrorKind;
use crate::retry::RetryPolicy;
use crate::scripted::Reply;
use crate::transport::Breakage;
use crate::{ClientConfig, VirtualClock};
use restable_spec::{CallClass, HttpMethod};
use std::time::{Duration, SystemTime};

fn error(status: u16) -> Reply {
    Reply::json(status, r#"{"error":{"code":"Busy","message":"try later"}}"#)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn transient_failures_are_tried_again() {
    let broken_body = || page("a b", None).then_broken();
    let short = |announced: &str| page("a b", None).header("content-length", announced);
    for first in [
        error(408),
        error(500),
        error(502),
        error(503),
        error(504),
        error(429),
        Reply::plain(502, "<html><title>Bad Gateway</title>").header("content-type", "text/html"),
        Reply::plain(503, ""),
        Reply::breakage(Breakage::NotConnected),
        Reply::breakage(Breakage::Interrupted),
        Reply::breakage(Breakage::RefusedStream),
        Reply::silence(),
        broken_body(),
        page("a b", None).then_silent(),
        Reply::json(200, "").then_broken(),
        short("1000"),
        short("3"),
    ] {
        let scene = Scene::of([first.clone(), page("a b", None)]);
        let (items, failed) = scene.list();
        assert_eq!(
            (items.join(" "), failed.map(|error| error.to_string())),
            ("a b".to_owned(), None),
            "{first:?}"
        );
        let totals = scene.meter.totals();
        assert_eq!(
            (totals.calls, totals.pages, totals.retries),
            (1, 1, 1),
            "{first:?}"
        );
        assert_eq!(scene.urls().len(), 2);
        let ids = scene.header("x-ms-client-request-id");
        assert_eq!(ids[0], ids[1], "one id for all attempts");
        assert_eq!(ids[0].len(), 36);
    }
}

#[test]
fn final_answers_are_not_tried_again() -> Outcome {
    for status in [
        400, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 417, 422, 444,
        499, 501, 505, 304, 300, 599,
    ] {
        let scene = Scene::of([error(status), page("a", None)]);
        let failed = scene.failure()?;
        assert_eq!(
            (failed.kind, failed.status, failed.attempts),
            (ErrorKind::Status, Some(status), 1)
        );
        assert_eq!(
            failed.to_string(),
            format!("`things`: {status} Busy: try later")
        );
    }
    for (breakage, kind) in [
        (Breakage::Untrusted, ErrorKind::Tls),
        (Breakage::Unsendable, ErrorKind::Config),
    ] {
        let scene = Scene::of([Reply::breakage(breakage), page("a", None)]);
        let failed = scene.failure()?;
        assert_eq!((failed.kind, failed.attempts), (kind, 1));
    }
    Ok(())
}

#[test]
fn attempts_have_an_end() -> Outcome {
    let scene = Scene::answering(config(), |_, _| error(503));
    let failed = scene.failure()?;
    assert_eq!(
        (failed.status, failed.attempts, scene.urls().len()),
        (Some(503), 8, 8)
    );
    assert_eq!(
        failed.to_string(),
        "`things`: 503 Busy: try later, after 8 attempts"
    );
    assert!(failed.waited > seconds(3) && failed.waited <= seconds(7 * 30));

    let scene = Scene::answering(config(), |_, _| Reply::breakage(Breakage::NotConnected));
    let failed = scene.failure()?;
    assert_eq!(
        (failed.kind, failed.status, failed.attempts),
        (ErrorKind::Connect, None, 8)
    );
    Ok(())
}

#[test]
fn the_service_names_the_wait() {
    let wall = {
        use crate::clock::Clock;
        VirtualClock::default().wall()
    };
    let date = |offset: i64| {
        let at = if offset < 0 {
            wall - seconds(offset.unsigned_abs())
        } else {
            wall + seconds(offset.unsigned_abs())
        };
        httpdate::fmt_http_date(SystemTime::max(at, SystemTime::UNIX_EPOCH))
    };
    for (status, headers, expected) in [
        (429, vec![("retry-after", "2".to_owned())], Some(seconds(2))),
        (503, vec![("retry-after", "7".to_owned())], Some(seconds(7))),
        (429, vec![("retry-after", date(10))], Some(seconds(10))),
        (429, vec![("retry-after", date(-10))], Some(seconds(0))),
        (
            429,
            vec![
                ("retry-after", "60".to_owned()),
                ("x-ms-retry-after-ms", "500".to_owned()),
            ],
            Some(Duration::from_millis(500)),
        ),
        (
            429,
            vec![("retry-after", "-5".to_owned())],
            Some(seconds(0)),
        ),
        (429, vec![("retry-after", "/bar".to_owned())], None),
        (429, vec![("retry-after", "1e9".to_owned())], None),
        (429, vec![("retry-after", "9".repeat(40))], None),
        (429, vec![], None),
    ] {
        let first = headers.iter().fold(error(status), |reply, (name, value)| {
            reply.header(name, value)
        });
        let scene = Scene::of([first, page("a", None)]);
        let (items, failed) = scene.list();
        assert_eq!((items.len(), failed.is_none()), (1, true), "{headers:?}");
        let waited = scene.clock.elapsed();
        match expected {
            Some(expected) => assert_eq!(waited, expected, "{headers:?}"),
            // Throttling without a time waits at least a second.
            None => assert!(
                waited >= seconds(1) && waited <= seconds(2),
                "{headers:?} {waited:?}"
            ),
        }
        let throttled = if status == 429 {
            waited
        } else {
            Duration::ZERO
        };
        assert_eq!(scene.meter.totals().throttle_wait, throttled, "{headers:?}");
    }
}

#[test]
fn a_wait_beyond_the_deadline_fails_at_once() -> Outcome {
    for (status, kind) in [(429, ErrorKind::Throttled), (503, ErrorKind::Deadline)] {
        let scene = Scene::of([error(status).header("retry-after", "120"), page("a", None)])
            .within(seconds(30));
        let failed = scene.failure()?;
        assert_eq!(
            (failed.kind, failed.status, scene.clock.elapsed()),
            (kind, Some(status), Duration::ZERO)
        );
        assert_eq!(failed.retry_after, Some(seconds(120)));
        assert!(
            failed
                .to_string()
                .contains("the next attempt would be in 120 s, but the statement has 30 s left"),
            "{failed}"
        );
    }
    Ok(())
}

#[test]
fn throttling_is_waited_for_until_the_deadline() -> Outcome {
    let scene = Scene::answering(config(), |_, _| error(429).header("retry-after", "5"))
        .within(seconds(301));
    let failed = scene.failure()?;
    assert_eq!((failed.kind, failed.attempts), (ErrorKind::Throttled, 61));
    assert_eq!(scene.clock.elapsed(), seconds(300));

    // Without a deadline the patience is the limit.
    let scene = Scene::answering(config(), |_, _| error(429).header("retry-after", "60"));
    let failed = scene.failure()?;
    assert_eq!(
        (failed.kind, failed.attempts, scene.clock.elapsed()),
        (ErrorKind::Throttled, 11, seconds(600))
    );
    assert!(failed.to_string().contains("a wait of 60 s"), "{failed}");

    // A service that says "at once" for ever is not asked without a pause.
    let scene = Scene::answering(config(), |_, _| error(429).header("retry-after", "0"))
        .within(seconds(100));
    scene.failure()?;
    assert!(
        scene.urls().len() < 100,
        "{} requests in 100 s",
        scene.urls().len()
    );
    Ok(())
}

#[test]
fn every_third_request_throttled_completes() {
    let scene = Scene::answering(config(), |request, count| {
        if count % 3 == 2 {
            return error(429).header("retry-after", "1");
        }
        let number: usize = request
            .url
            .query()
            .and_then(|query| query.split("p=").nth(1))
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        page(
            "x",
            (number < 2_000)
                .then(|| format!("/list?p={}", number + 1))
                .as_deref(),
        )
    });
    let (items, failed) = scene.list();
    assert_eq!(
        (items.len(), failed.map(|error| error.to_string())),
        (2_001, None)
    );
}

#[test]
fn the_budget_stops_retries_when_a_service_is_down() {
    let scene = Scene::answering(config(), |_, _| error(503));
    let lists = (0..50).map(|_| scene.listing(call("/list")));
    let failed = scene
        .clock
        .run(futures::future::join_all(lists))
        .unwrap_or_default();
    assert!(failed.iter().all(|(_, error)| error.is_some()));
    assert_eq!(
        scene.urls().len(),
        50 + 500 / 14,
        "50 first attempts, and what the budget paid for"
    );
    let before = scene.clock.elapsed();
    assert!(
        scene
            .list()
            .1
            .is_some_and(|error| error.to_string().contains("too many calls fail"))
    );
    assert_eq!(
        scene.clock.elapsed(),
        before,
        "later failures are told at once"
    );
}

#[test]
fn the_deadline_ends_every_kind_of_wait() -> Outcome {
    let slow = ClientConfig {
        page_timeout: seconds(3600),
        read_timeout: seconds(3600),
        ..config()
    };
    let limit = Duration::from_millis(1500);
    for replies in [
        vec![Reply::silence()],
        vec![page("a", None).then_silent()],
        vec![error(503), Reply::silence()],
        vec![error(503), error(503), error(503), error(503), error(503)],
    ] {
        let scene = Scene::with(slow.clone(), replies.clone()).within(limit);
        let failed = scene.failure()?;
        assert_eq!(failed.kind, ErrorKind::Deadline, "{replies:?}");
        assert!(scene.clock.elapsed() <= limit, "{replies:?}");
    }
    Ok(())
}

#[test]
fn silence_ends_at_the_read_timeout_and_dripping_at_the_page_timeout() -> Outcome {
    let once = RetryPolicy {
        max_attempts: 1,
        ..RetryPolicy::default()
    };
    let limits = ClientConfig {
        retry: once,
        read_timeout: seconds(10),
        page_timeout: seconds(30),
        ..config()
    };
    for silent in [Reply::silence(), page("a", None).then_silent()] {
        let scene = Scene::with(limits.clone(), [silent]);
        let failed = scene.failure()?;
        assert_eq!(
            (failed.kind, failed.status, scene.clock.elapsed()),
            (ErrorKind::Timeout, None, seconds(10))
        );
    }
    let scene = Scene::with(
        ClientConfig {
            read_timeout: seconds(60),
            ..limits
        },
        [Reply::silence()],
    );
    let failed = scene.failure()?;
    assert_eq!(
        failed.to_string(),
        "`things`: the page did not come within 30 s"
    );
    Ok(())
}

#[test]
fn a_post_that_reads_is_tried_again_and_an_action_is_not() {
    let post = |class| {
        let mut call = call("/find");
        call.http = HttpMethod::Post;
        call.class = class;
        call.body = Some("{}".to_owned());
        call
    };
    for (class, first, sent) in [
        (CallClass::Read, error(503), 2),
        (CallClass::Read, Reply::breakage(Breakage::Interrupted), 2),
        (CallClass::Action, error(503), 1),
        (CallClass::Action, error(504), 1),
        (CallClass::Action, Reply::breakage(Breakage::Interrupted), 1),
        (CallClass::Action, Reply::silence(), 1),
        (CallClass::Action, error(429).header("retry-after", "2"), 2),
        (
            CallClass::Action,
            Reply::breakage(Breakage::NotConnected),
            2,
        ),
        (
            CallClass::Action,
            Reply::breakage(Breakage::RefusedStream),
            2,
        ),
        (CallClass::Conditional, error(500), 1),
        (CallClass::IdempotentWrite, error(500), 2),
    ] {
        let scene = Scene::of([first.clone(), page("a", None)]);
        scene.list_of(post(class));
        assert_eq!(scene.urls().len(), sent, "{class:?} {first:?}");
        let seen = scene.script.seen();
        assert!(
            seen.iter().all(|request| request.body == "{}"
                && request.headers["content-type"] == "application/json")
        );
    }
}
