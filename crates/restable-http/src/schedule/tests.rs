//! The scheduler against a service with token buckets, in virtual time (T01-T08), and whose turn it is.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{join, join_all};
use restable_spec::{BoundCall, CallClass, HttpMethod};

use crate::clock::Clock as _;
use crate::scripted::{Reply, Script};
use crate::transport::{Breakage, Request};
use crate::{
    BodyError, CallContext, Client, ClientConfig, Error, Lane, Meter, PageRead, RetryPolicy,
    Throttle, VirtualClock,
};

const ARM: &str = "https://management.azure.com";

/// What a service of these tests is like.
#[derive(Debug, Clone, Copy)]
struct Kind {
    size: f64,
    rate: f64,
    tells: bool,
    latency: Duration,
}

const READS: Kind = Kind {
    size: 250.0,
    rate: 25.0,
    tells: true,
    latency: Duration::from_millis(150),
};

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Duration,
    /// From when to when nothing may be sent: from the arrival of a refusal on.
    closed: (Duration, Duration),
}

/// A service with a token bucket for each subscription.
#[derive(Debug)]
struct Service {
    kind: Kind,
    buckets: HashMap<String, Bucket>,
    answered: Vec<Duration>,
    refused: Vec<Duration>,
    early: usize,
}

type Shared = Arc<Mutex<Service>>;

fn service(kind: Kind) -> Shared {
    Arc::new(Mutex::new(Service {
        kind,
        buckets: HashMap::new(),
        answered: Vec::new(),
        refused: Vec::new(),
        early: 0,
    }))
}

fn lock(service: &Shared) -> std::sync::MutexGuard<'_, Service> {
    service.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        let kind = self.kind;
        let scope = request.url.path().to_owned();
        let bucket = self.buckets.entry(scope).or_insert(Bucket {
            tokens: kind.size,
            filled: now,
            closed: (Duration::ZERO, Duration::ZERO),
        });
        if now > bucket.closed.0 && now < bucket.closed.1 {
            self.early += 1;
        }
        let passed = now.saturating_sub(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * kind.rate).min(kind.size);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            let seconds = ((1.0 - bucket.tokens) / kind.rate).ceil().max(1.0);
            let told = now + kind.latency;
            let end = told + Duration::from_secs_f64(seconds);
            bucket.closed = (told, bucket.closed.1.max(end));
            self.refused.push(now);
            let body = r#"{"error":{"code":"SubscriptionRequestsThrottled","message":"slow"}}"#;
            return Reply::json(429, body)
                .header("retry-after", &format!("{seconds}"))
                .after(kind.latency);
        }
        bucket.tokens -= 1.0;
        self.answered.push(now);
        let page = Reply::json(200, r#"{"value":[]}"#).after(kind.latency);
        if kind.tells {
            let left = format!("{}", bucket.tokens.floor());
            return page.header("x-ms-ratelimit-remaining-subscription-reads", &left);
        }
        page
    }

    /// Answers in each second of this span, on average.
    fn rate(&self, from: u64, to: u64) -> f64 {
        let (from_at, to_at) = (Duration::from_secs(from), Duration::from_secs(to));
        let within = |at: &&Duration| **at >= from_at && **at < to_at;
        let within = self.answered.iter().filter(within).count();
        within as f64 / (to - from) as f64
    }

    fn refused_share(&self) -> f64 {
        self.refused.len() as f64 / (self.answered.len() + self.refused.len()) as f64
    }
}

#[derive(Debug)]
struct Scene {
    clock: VirtualClock,
    script: Script,
    client: Client,
}

fn config() -> ClientConfig {
    ClientConfig {
        retry: RetryPolicy {
            seed: Some(7),
            ..RetryPolicy::default()
        },
        ..ClientConfig::default()
    }
}

fn scene(
    clock: &VirtualClock,
    config: ClientConfig,
    answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> Scene {
    let script = Script::answering(Arc::new(clock.clone()), answer);
    let client = Client::with_transport(config, Arc::new(script.clone()), Arc::new(clock.clone()));
    Scene {
        clock: clock.clone(),
        script,
        client,
    }
}

/// A client of this service.
fn client_of(clock: &VirtualClock, service: &Shared) -> Scene {
    let (service, time) = (Arc::clone(service), clock.clone());
    scene(clock, config(), move |request, _| {
        lock(&service).answer(request, time.elapsed())
    })
}

fn call(path: &str, http: HttpMethod) -> BoundCall {
    BoundCall {
        provider: "azure".to_owned(),
        operation_id: "Things_Do".to_owned(),
        http,
        class: match http {
            HttpMethod::Get | HttpMethod::Head => CallClass::Read,
            HttpMethod::Post => CallClass::Action,
            _ => CallClass::IdempotentWrite,
        },
        server: ARM.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        auxiliary: false,
        scope: "things".to_owned(),
    }
}

fn read(_: Bytes) -> Result<PageRead<()>, BodyError> {
    Ok(PageRead {
        rows: (),
        row_count: 1,
        next: None,
    })
}

impl Scene {
    fn context(&self, lane: &Lane) -> CallContext {
        CallContext {
            lane: lane.clone(),
            allowance: Arc::default(),
            ..CallContext::new(Arc::new(Meter::starting_at(self.clock.now())))
        }
    }

    async fn one(&self, lane: &Lane, http: HttpMethod, path: &str) -> Result<(), Error> {
        let context = self.context(lane);
        self.client.read_one(call(path, http), context, read).await
    }

    /// So many calls of a statement, which are all asked for at once; how many failed.
    async fn many(&self, count: usize, http: HttpMethod, path: &str) -> usize {
        let lane = Lane::default();
        // As a statement does it: some at once, the next as each ends.
        let calls = (0..count).map(|_| self.one(&lane, http, path));
        let mut calls = pin!(futures::stream::iter(calls).buffer_unordered(200));
        let mut failed = 0;
        while let Some(outcome) = calls.next().await {
            failed += usize::from(outcome.is_err());
        }
        failed
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[test]
fn reads_come_as_fast_as_the_bucket_allows() {
    // T01, with a service that tells what is left and with one that only refuses.
    for (tells, most) in [(true, 0.005), (false, 0.01)] {
        let service = service(Kind { tells, ..READS });
        let clock = VirtualClock::default();
        let scene = client_of(&clock, &service);
        let failed = clock.run(scene.many(10_000, HttpMethod::Get, "/subscriptions/a/x"));
        assert_eq!(failed, Some(0));
        let service = lock(&service);
        let share = service.refused_share();
        assert!(
            seconds(clock.elapsed()) <= 390.0 * 1.05,
            "{tells} {:?}",
            clock.elapsed()
        );
        assert!(share <= most, "{tells} {share} {:?}", clock.elapsed());
        assert_eq!(service.early, 0);
    }
}

#[test]
fn deletes_have_a_bucket_of_their_own() {
    // T02, while reads go on beside them.
    let deletes = service(Kind {
        size: 200.0,
        rate: 10.0,
        ..READS
    });
    let clock = VirtualClock::default();
    let (reads, of_deletes, time) = (service(READS), Arc::clone(&deletes), clock.clone());
    let scene = scene(&clock, config(), move |request, _| {
        let service = if request.method == http::Method::DELETE {
            &of_deletes
        } else {
            &reads
        };
        lock(service).answer(request, time.elapsed())
    });
    let reading = async {
        let failed = scene.many(500, HttpMethod::Get, "/subscriptions/a/x").await;
        (failed, clock.elapsed())
    };
    let deleting = scene.many(1_000, HttpMethod::Delete, "/subscriptions/a/x");
    let done = clock.run(join(reading, deleting));
    let Some(((0, read_at), 0)) = done else {
        unreachable!("{done:?}")
    };
    assert!(seconds(read_at) <= 10.0 * 1.2, "{read_at:?}");
    assert!(
        seconds(clock.elapsed()) <= 80.0 * 1.05,
        "{:?}",
        clock.elapsed()
    );
    assert!(lock(&deletes).refused_share() <= 0.005);
}

#[test]
fn nothing_is_sent_before_retry_after_has_passed() {
    // T03: every eleventh request is refused, for one to five seconds.
    let clock = VirtualClock::default();
    let closed: Arc<Mutex<HashMap<String, (Duration, Duration)>>> = Arc::default();
    let early = Arc::new(Mutex::new(0));
    let (time, seen) = (clock.clone(), Arc::clone(&early));
    let scene = scene(&clock, config(), move |request, count| {
        let mut closed = closed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = time.elapsed();
        let own = closed.entry(request.url.path().to_owned()).or_default();
        if now > own.0 && now < own.1 {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        let latency = Duration::from_millis(20 + 13 * (count as u64 % 17));
        if count % 11 == 5 {
            let after = Duration::from_secs(1 + count as u64 % 5);
            *own = (now + latency, own.1.max(now + latency + after));
            return Reply::json(429, "{}")
                .header("retry-after", &after.as_secs().to_string())
                .after(latency);
        }
        Reply::json(200, "{}").after(latency)
    });
    let paths: Vec<String> = (0..20).map(|at| format!("/subscriptions/{at}/x")).collect();
    let lists = paths
        .iter()
        .map(|path| scene.many(250, HttpMethod::Get, path));
    let failed = clock.run(join_all(lists)).map(|failed| failed.iter().sum());
    assert_eq!(failed, Some(0_usize));
    assert_eq!(*early.lock().unwrap_or_else(PoisonError::into_inner), 0);
}

#[test]
fn it_slows_down_before_the_first_refusal() {
    // T04: somebody else used up most of the bucket before.
    let service = service(READS);
    lock(&service).buckets.insert(
        "/subscriptions/a/x".to_owned(),
        Bucket {
            tokens: 22.0,
            filled: Duration::ZERO,
            closed: (Duration::ZERO, Duration::ZERO),
        },
    );
    let clock = VirtualClock::default();
    let scene = client_of(&clock, &service);
    let failed = clock.run(scene.many(300, HttpMethod::Get, "/subscriptions/a/x"));
    assert_eq!(failed, Some(0));
    let service = lock(&service);
    assert_eq!(service.refused, Vec::<Duration>::new());
    assert!(
        seconds(clock.elapsed()) <= 278.0 / 25.0 * 1.05,
        "{:?}",
        clock.elapsed()
    );
}

#[test]
fn a_busy_resource_holds_up_nobody_else() {
    // T05.
    let clock = VirtualClock::default();
    let scene = scene(&clock, config(), |request, count| {
        match (request.url.path().ends_with("busy"), count) {
            (true, 0) => {
                let code = "RetryableErrorDueToAnotherOperation";
                let body = format!(r#"{{"error":{{"code":"{code}","message":"wait"}}}}"#);
                Reply::json(429, body).header("retry-after", "30")
            }
            _ => Reply::json(200, "{}").after(Duration::from_millis(100)),
        }
    });
    let lane = Lane::default();
    let busy = scene.one(&lane, HttpMethod::Get, "/subscriptions/a/busy");
    let others = async {
        let failed = scene.many(10, HttpMethod::Get, "/subscriptions/a/x").await;
        (failed, clock.elapsed())
    };
    let done = clock.run(join(busy, others));
    let Some((Ok(()), (0, at))) = done else {
        unreachable!("{done:?}")
    };
    assert!(at < Duration::from_secs(1), "{at:?}");
    assert!(clock.elapsed() >= Duration::from_secs(30));
}

#[test]
fn two_processes_share_a_bucket() {
    // T06.
    let service = service(READS);
    let clock = VirtualClock::default();
    let (one, other) = (client_of(&clock, &service), client_of(&clock, &service));
    let path = "/subscriptions/a/x";
    let timed = |scene: Scene| {
        let clock = clock.clone();
        async move {
            let failed = scene.many(2_000, HttpMethod::Get, path).await;
            (failed, clock.elapsed())
        }
    };
    let done = clock.run(join(timed(one), timed(other)));
    let Some(((0, first), (0, second))) = done else {
        unreachable!("{done:?}")
    };
    let service = lock(&service);
    let (sooner, later) = (first.min(second), first.max(second));
    assert!(
        seconds(sooner) > 0.7 * seconds(later),
        "{sooner:?} {later:?}"
    );
    assert!(seconds(later) <= 150.0 * 1.1, "{later:?}");
    assert!(
        service.refused_share() <= 0.02,
        "{}",
        service.refused_share()
    );
}

#[test]
fn the_rate_follows_the_service() {
    // T07: it halves after a minute, and doubles after another.
    let service = service(READS);
    let clock = VirtualClock::default();
    let scene = client_of(&clock, &service);
    let changes = async {
        clock.sleep(Duration::from_secs(60)).await;
        lock(&service).kind.rate = 12.5;
        clock.sleep(Duration::from_secs(60)).await;
        lock(&service).kind.rate = 25.0;
    };
    let calls = scene.many(3_900, HttpMethod::Get, "/subscriptions/a/x");
    let done = clock.run(join(calls, changes)).map(|(failed, ())| failed);
    assert_eq!(done, Some(0));
    let service = lock(&service);
    for (from, to, rate) in [(20, 60, 25.0), (70, 120, 12.5), (130, 160, 25.0)] {
        let measured = service.rate(from, to);
        assert!(
            (0.93 * rate..=1.03 * rate).contains(&measured),
            "{from} s to {to} s: {measured}, not {rate}"
        );
    }
    assert!(
        service.refused_share() <= 0.02,
        "{}",
        service.refused_share()
    );
}

#[test]
fn each_subscription_has_its_bucket() {
    // T08.
    let service = service(READS);
    let clock = VirtualClock::default();
    let scene = client_of(&clock, &service);
    let paths: Vec<String> = (0..12).map(|at| format!("/subscriptions/{at}/x")).collect();
    let lane = Lane::default();
    let calls = (0..500).flat_map(|_| {
        paths
            .iter()
            .map(|path| scene.one(&lane, HttpMethod::Get, path))
    });
    let calls = futures::stream::iter(calls).buffer_unordered(1_200);
    let failed = clock.run(
        calls
            .filter(|done| std::future::ready(done.is_err()))
            .count(),
    );
    assert_eq!(failed, Some(0));
    // 64 calls at 150 ms are 427 a second: 6,000 take 14 s, in which each bucket gives 250 and 25 a second.
    assert!(seconds(clock.elapsed()) <= 15.5, "{:?}", clock.elapsed());
    assert_eq!(lock(&service).refused.len(), 0);
}

fn quick(_: &Request, _: usize) -> Reply {
    Reply::json(200, "{}").after(Duration::from_millis(100))
}

#[test]
fn the_number_of_calls_under_way_adapts() {
    let clock = VirtualClock::default();
    let scene = scene(&clock, config(), quick);
    clock.run(scene.many(16, HttpMethod::Get, "/x"));
    assert_eq!(
        (scene.script.peak(), clock.elapsed()),
        (16, Duration::from_millis(100))
    );
    clock.run(scene.many(500, HttpMethod::Get, "/x"));
    assert_eq!(scene.script.peak(), 64);

    // A service that breaks down at more than 20 at once is not asked for more for long.
    let failing: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let (times, time) = (Arc::clone(&failing), clock.clone());
    let patient = ClientConfig {
        retry: RetryPolicy {
            budget: 5_000,
            ..config().retry
        },
        ..config()
    };
    let scene = self::scene(&clock, patient, move |request, count| {
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let now = time.now();
        times.retain(|end| *end > now);
        times.push(now + Duration::from_millis(100));
        match times.len() {
            0..=20 => quick(request, count),
            _ => Reply::json(503, "{}").after(Duration::from_millis(100)),
        }
    });
    let failed = clock.run(scene.many(2_000, HttpMethod::Get, "/x"));
    assert_eq!(failed, Some(0));
    let sent = scene.script.seen().len();
    assert!(sent <= 2_200, "{sent} requests for 2,000 answers");
}

#[test]
fn what_answers_at_once_has_few_calls_under_way() {
    for (milliseconds, most) in [(1, 16), (20, 48), (40, 64)] {
        let clock = VirtualClock::default();
        let scene = scene(&clock, config(), move |request, _| {
            // A row is there at once, lists take their time: neither says anything of the other.
            let is_row = request.url.path().ends_with("/row");
            let time = if is_row { 0 } else { milliseconds };
            Reply::json(200, "{}").after(Duration::from_millis(time))
        });
        assert_eq!(
            clock.run(scene.many(64, HttpMethod::Get, "/x/row")),
            Some(0)
        );
        assert_eq!(clock.run(scene.many(1_000, HttpMethod::Get, "/x")), Some(0));
        assert_eq!(scene.script.peak(), most, "{milliseconds} ms");
        let times = clock.elapsed().as_millis();
        assert!(times <= u128::from(milliseconds) * 130, "{times}");
    }
}

#[test]
fn without_throttling_only_the_ceilings_count() {
    let clock = VirtualClock::default();
    let scene = scene(&clock, config(), quick);
    let off = Lane::new(40, Throttle::Off);
    let calls = (0..80).map(|_| scene.one(&off, HttpMethod::Get, "/x"));
    let done = clock.run(join_all(calls)).unwrap_or_default();
    assert!(done.len() == 80 && done.iter().all(Result::is_ok));
    assert_eq!(
        (scene.script.peak(), clock.elapsed()),
        (40, Duration::from_millis(200))
    );
}

#[test]
fn statements_take_turns() {
    let clock = VirtualClock::default();
    let narrow = ClientConfig {
        max_concurrency: 4,
        ..config()
    };
    let scene = scene(&clock, narrow, quick);
    let large = scene.many(400, HttpMethod::Get, "/x");
    let small = async {
        clock.sleep(Duration::from_millis(350)).await;
        let failed = scene.many(10, HttpMethod::Get, "/x").await;
        (failed, clock.elapsed())
    };
    let done = clock.run(join(large, small));
    let Some((0, (0, at))) = done else {
        unreachable!("{done:?}")
    };
    // Half of the four are its: ten calls in five rounds.
    assert!(at <= Duration::from_millis(900), "{at:?}");
    assert_eq!(clock.elapsed(), Duration::from_millis(10_300));
}

#[test]
fn a_statement_that_ends_frees_its_slots_at_once() {
    let clock = VirtualClock::default();
    let scene = scene(&clock, config(), |_, count| match count {
        0..16 => Reply::silence(),
        _ => quick_reply(),
    });
    let lane = Lane::default();
    let mut stuck = Box::pin(join_all(
        (0..100).map(|_| scene.one(&lane, HttpMethod::Get, "/x")),
    ));
    let done = clock.run(async {
        let waited = crate::clock::within(&clock, Duration::from_secs(1), &mut stuck).await;
        assert!(waited.is_none());
        assert_eq!(scene.script.seen().len(), 16);
        drop(stuck);
        scene.many(1, HttpMethod::Get, "/x").await
    });
    assert_eq!(done, Some(0));
    assert_eq!(clock.elapsed(), Duration::from_millis(1_100));
    assert_eq!(scene.script.seen().len(), 17, "what waited was not sent");
}

fn quick_reply() -> Reply {
    Reply::json(200, "{}").after(Duration::from_millis(100))
}

#[test]
fn a_wait_beyond_the_deadline_is_told_before_it_begins() {
    let clock = VirtualClock::default();
    let scene = scene(&clock, config(), |_, count| match count {
        0 => Reply::json(429, "{}").header("retry-after", "60"),
        _ => quick_reply(),
    });
    let lane = Lane::default();
    let first = scene.one(&lane, HttpMethod::Get, "/subscriptions/a/x");
    let late = async {
        clock.sleep(Duration::from_secs(1)).await;
        let context = CallContext {
            deadline: Some(clock.now() + Duration::from_secs(10)),
            ..scene.context(&lane)
        };
        let call = call("/subscriptions/A/y", HttpMethod::Get);
        (
            scene.client.read_one(call, context, read).await,
            clock.elapsed(),
        )
    };
    let done = clock.run(join(first, late));
    let Some((Ok(()), (Err(told), at))) = done else {
        unreachable!("{done:?}")
    };
    assert_eq!(
        told.to_string(),
        "`things`: the service refuses calls of this kind for now; the next attempt would be in 59 s, but the statement has 10 s left"
    );
    assert_eq!(at, Duration::from_secs(1));
}

#[test]
fn an_action_waits_for_its_bucket_and_is_sent_once() {
    let clock = VirtualClock::default();
    let scene = scene(&clock, config(), |request, _| {
        match request.method.as_str() {
            "PUT" => Reply::json(429, "{}").header("retry-after", "20"),
            "POST" => Reply::breakage(Breakage::Interrupted),
            _ => quick_reply(),
        }
    });
    let lane = Lane::default();
    let put = scene.one(&lane, HttpMethod::Put, "/subscriptions/a/x");
    let later = async {
        clock.sleep(Duration::from_secs(1)).await;
        // Resource Manager counts both as writes; reads have another bucket.
        let read = scene
            .one(&lane, HttpMethod::Get, "/subscriptions/a/x")
            .await;
        let read_at = clock.elapsed();
        let acted = scene
            .one(&lane, HttpMethod::Post, "/subscriptions/a/x/do")
            .await;
        (read.is_ok(), read_at, acted.is_err(), clock.elapsed())
    };
    let race = futures::future::select(Box::pin(put), Box::pin(later));
    let Some(futures::future::Either::Right(((true, read_at, true, acted_at), _))) =
        clock.run(race)
    else {
        unreachable!("the write that is refused for ever ended first")
    };
    assert_eq!(read_at, Duration::from_millis(1_100));
    assert!(acted_at >= Duration::from_secs(20), "{acted_at:?}");
    let posts = scene
        .script
        .seen()
        .iter()
        .filter(|request| request.method == "POST")
        .count();
    assert_eq!(posts, 1);
}
