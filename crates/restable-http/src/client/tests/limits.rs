//! Concurrency, the meter, and what does not hold a slot.

use super::scene::{Outcome, Scene, call, config, page};
use crate::scripted::Reply;
use crate::{ClientConfig, Lane, Throttle};
use std::time::Duration;

#[test]
fn no_more_than_the_limit_at_once() {
    for (limit, expected) in [(1, 1), (7, 7), (64, 50), (0, 1)] {
        let narrow = ClientConfig {
            max_concurrency: limit,
            ..config()
        };
        let mut scene = Scene::answering(narrow, |_, _| {
            page("a", None).after(Duration::from_millis(100))
        });
        scene.lane = Lane::new(usize::MAX, Throttle::Off);
        let done = scene.clock.run(futures::future::join_all(
            (0..50).map(|_| scene.listing(call("/list"))),
        ));
        assert_eq!(done.map(|lists| lists.len()), Some(50));
        assert_eq!(scene.script.peak(), expected);
        let turns = u32::try_from(50_usize.div_ceil(expected)).unwrap_or(0);
        assert_eq!(scene.clock.elapsed(), Duration::from_millis(100) * turns);
    }
}

#[test]
fn a_call_that_waits_lets_others_through() {
    let one = ClientConfig {
        max_concurrency: 1,
        ..config()
    };
    let scene = Scene::answering(one, |request, count| match (request.url.path(), count) {
        ("/subscriptions/a/slow", 0) => Reply::json(429, "{}").header("retry-after", "60"),
        _ => page("a", None).after(Duration::from_millis(100)),
    });
    let slow = scene.listing(call("/subscriptions/a/slow"));
    let quick = async {
        let read = scene.listing(call("/subscriptions/b/quick")).await;
        (read.1.is_none(), scene.clock.elapsed())
    };
    let done = scene.clock.run(futures::future::join(slow, quick));
    let Some(((_, failed), (read, at))) = done else {
        unreachable!("the test hangs")
    };
    assert!(
        failed.is_none() && read && at < Duration::from_secs(1),
        "{at:?}"
    );
}

#[test]
fn the_meter() -> Outcome {
    let slow = |reply: Reply| reply.after(Duration::from_millis(250));
    let scene = Scene::of([
        slow(page("a", Some("/2?sig=abc"))),
        slow(Reply::json(429, "{}").header("retry-after", "3")),
        slow(page("b", None).header("x-ms-request-id", "r-2")),
    ]);
    assert_eq!(scene.list().0, ["a", "b"]);
    let totals = scene.meter.totals();
    assert_eq!((totals.calls, totals.pages, totals.retries), (2, 2, 1));
    assert_eq!(totals.throttle_wait, Duration::from_secs(3));
    assert_eq!(totals.first_page, Some(Duration::from_millis(250)));
    assert_eq!(totals.bytes, totals.wire_bytes);
    let records = scene.meter.records();
    assert_eq!(records.len(), 2);
    let second = &records[1];
    assert_eq!(
        (
            second.operation_id.as_str(),
            second.scope.as_str(),
            second.page
        ),
        ("Things_List", "things", 2)
    );
    assert_eq!(
        (second.status, second.attempts, second.milliseconds),
        (Some(200), 2, 3_500)
    );
    assert_eq!(second.url, "https://management.azure.com/2?sig=REDACTED");
    assert_eq!(second.request_id.as_deref(), Some("r-2"));
    Ok(())
}

#[test]
fn what_is_given_up_unsent_is_no_call() {
    let narrow = ClientConfig {
        max_concurrency: 2,
        ..config()
    };
    let scene = Scene::answering(narrow, |_, _| {
        page("a", None).after(Duration::from_millis(100))
    });
    // Ten begin, two are sent, and none of the others is wanted once one has its answer.
    let race = (0..10).map(|_| Box::pin(scene.listing(call("/list"))));
    let first = scene.clock.run(futures::future::select_all(race));
    let failed = first.map(|((_, failed), ..)| failed.is_some());
    assert_eq!((failed, scene.urls().len()), (Some(false), 2));
    assert_eq!(scene.meter.totals().calls, 2);
    // Time is up while one is on its way and another waits for its turn: the first is a call, the second is none.
    let single = ClientConfig {
        max_concurrency: 1,
        ..config()
    };
    let slow = |_: &_, _| page("a", None).after(Duration::from_secs(2));
    let scene = Scene::answering(single, slow).within(Duration::from_secs(1));
    let both = futures::future::join(scene.listing(call("/1")), scene.listing(call("/2")));
    let failed = scene.clock.run(both);
    let failed = failed.map(|(one, other)| one.1.is_some() && other.1.is_some());
    assert_eq!((failed, scene.urls().len()), (Some(true), 1));
    let records = scene.meter.records().len();
    assert_eq!((scene.meter.totals().calls, records), (1, 1));
}

#[test]
fn records_have_a_limit_and_counters_have_none() {
    let scene = Scene::answering(config(), |_, count| {
        page(
            "x",
            (count < 10_004).then(|| format!("/{count}")).as_deref(),
        )
    });
    assert_eq!(scene.list().0.len(), 10_005);
    let totals = scene.meter.totals();
    assert_eq!(
        (
            totals.calls,
            totals.records_dropped,
            scene.meter.records().len()
        ),
        (10_005, 5, crate::RECORDS)
    );
}
