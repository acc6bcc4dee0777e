//! Tokens: where they go, when they are renewed, and how often they are asked for (H25, H26, faults 48, 49, 71-73).

use super::scene::{ARM, Counting, Outcome, Scene, call, config, page};
use crate::clock::VirtualClock;
use crate::credential::{AzureCredential, Credential};
use crate::error::ErrorKind;
use crate::scripted::{Reply, Script};
use crate::secret::Secret;
use crate::transport::Request;
use crate::{ClientConfig, Cloud, Trust};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const HOUR: Duration = Duration::from_secs(3600);

fn azure() -> ClientConfig {
    ClientConfig {
        credential: Credential::Azure(AzureCredential::default()),
        ..config()
    }
}

fn scene(
    life: Duration,
    answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> (Scene, Arc<Counting>) {
    scene_of(azure(), life, answer)
}

fn scene_of(
    config: ClientConfig,
    life: Duration,
    answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> (Scene, Arc<Counting>) {
    let clock = VirtualClock::default();
    let source = Counting::new(&clock, life);
    let script = Script::answering(Arc::new(clock.clone()), answer);
    (
        Scene::over(config, Some(Arc::clone(&source) as _), clock, script),
        source,
    )
}

fn token_of(request: &Request) -> String {
    request
        .headers
        .get("authorization")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}

#[test]
fn a_hundred_calls_share_one_token() {
    let (scene, source) = scene(HOUR, |_, _| page("a", None));
    let done = scene.clock.run(futures::future::join_all(
        (0..100).map(|_| scene.listing(call("/list"))),
    ));
    assert!(done.is_some_and(|lists| lists.iter().all(|(_, failed)| failed.is_none())));
    assert_eq!((source.asked(), scene.urls().len()), (1, 100));
    assert!(
        scene
            .script
            .seen()
            .iter()
            .all(|request| token_of(request) == "Bearer token-1")
    );
    assert!(
        !format!("{:?}", scene.script.seen()).contains("token-1"),
        "debug output shows a token"
    );
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let (scene, source) = scene(HOUR, |_, _| page("a", None));
    for (advance, asked) in [(0, 1), (3_000, 1), (200, 1), (101, 2), (10, 2), (4_000, 3)] {
        scene.clock.advance(Duration::from_secs(advance));
        assert!(scene.list().1.is_none());
        assert_eq!(source.asked(), asked, "after {:?}", scene.clock.elapsed());
    }
    // A token that lives for a second is not asked for at each call.
    let (scene, source) = self::scene(Duration::from_secs(1), |_, _| {
        page("a", None).after(Duration::from_millis(10))
    });
    for _ in 0..100 {
        assert!(scene.list().1.is_none());
    }
    assert!(source.asked() <= 3, "{} tokens", source.asked());
}

#[test]
fn a_refused_token_is_replaced_once() -> Outcome {
    // Page 7 finds the token refused: it comes again with a new one, and nothing comes twice.
    let (scene, source) = scene(HOUR, |request, count| {
        if count >= 6 && token_of(request) == "Bearer token-1" {
            return Reply::json(
                401,
                r#"{"error":{"code":"ExpiredAuthenticationToken","message":"expired"}}"#,
            );
        }
        let number: usize = request
            .url
            .path()
            .trim_start_matches('/')
            .parse()
            .unwrap_or(1);
        page(
            &format!("p{number}"),
            (number < 10).then(|| format!("/{}", number + 1)).as_deref(),
        )
    });
    let (items, failed) = scene.list();
    assert_eq!(
        (items.len(), failed.is_none(), source.asked()),
        (10, true, 2)
    );
    assert_eq!((scene.urls().len(), scene.meter.totals().retries), (11, 1));

    // Many calls refused at once: one new token for all of them.
    let (scene, source) = self::scene(HOUR, |request, _| match token_of(request).as_str() {
        "Bearer token-1" => Reply::json(401, "{}").after(Duration::from_millis(20)),
        _ => page("a", None),
    });
    let done = scene.clock.run(futures::future::join_all(
        (0..30).map(|_| scene.listing(call("/list"))),
    ));
    assert!(done.is_some_and(|lists| lists.iter().all(|(_, failed)| failed.is_none())));
    assert_eq!(source.asked(), 2);

    // Refused for ever: two attempts, no loop.
    let (scene, source) = self::scene(HOUR, |_, _| {
        Reply::json(
            401,
            r#"{"error":{"code":"InvalidAuthenticationToken","message":"no"}}"#,
        )
    });
    let failed = scene.failure()?;
    assert_eq!(
        (failed.kind, failed.status, failed.attempts, source.asked()),
        (ErrorKind::Credential, Some(401), 2, 2)
    );
    assert!(
        failed
            .hint()
            .is_some_and(|hint| hint.contains("restable auth status"))
    );
    Ok(())
}

#[test]
fn a_token_that_cannot_be_renewed_is_not_tried_twice() -> Outcome {
    for (credential, sent) in [
        (Credential::None, ""),
        (Credential::Bearer(Secret::new("fixed")), "Bearer fixed"),
    ] {
        let clock = VirtualClock::default();
        let script = Script::answering(Arc::new(clock.clone()), |_, _| Reply::json(401, "{}"));
        let scene = Scene::over(
            ClientConfig {
                credential,
                ..config()
            },
            None,
            clock,
            script,
        );
        let failed = scene.failure()?;
        assert_eq!((failed.kind, failed.attempts), (ErrorKind::Credential, 1));
        assert_eq!(token_of(&scene.script.seen()[0]), sent);
    }
    Ok(())
}

#[test]
fn where_a_token_goes() -> Outcome {
    let own = |cloud| {
        Credential::Azure(AzureCredential {
            cloud,
            tenant: None,
        })
    };
    let bearer = || Credential::Bearer(Secret::new("fixed"));
    let china = Cloud::China.resource_manager();
    // `+` sent with a token, `-` refused without a token being asked for.
    for (credential, trust, endpoint, expected) in [
        (own(Cloud::Public), Trust::Cloud, None, '+'),
        (own(Cloud::Public), Trust::Cloud, Some(ARM), '+'),
        (own(Cloud::China), Trust::Cloud, None, '-'),
        (own(Cloud::China), Trust::Cloud, Some(china), '+'),
        (own(Cloud::Public), Trust::Cloud, Some(china), '-'),
        (
            own(Cloud::Public),
            Trust::Cloud,
            Some("https://proxy.example"),
            '-',
        ),
        (
            own(Cloud::Public),
            Trust::Endpoint,
            Some("https://proxy.example"),
            '+',
        ),
        (own(Cloud::Public), Trust::Endpoint, None, '+'),
        (
            own(Cloud::Public),
            Trust::Endpoint,
            Some("http://127.0.0.1:8420"),
            '-',
        ),
        (
            own(Cloud::Public),
            Trust::Endpoint,
            Some("http://proxy.example"),
            '-',
        ),
        (
            own(Cloud::Public),
            Trust::Cloud,
            Some("http://management.azure.com"),
            '-',
        ),
        (bearer(), Trust::Cloud, None, '+'),
        (bearer(), Trust::Cloud, Some("https://proxy.example"), '+'),
        (bearer(), Trust::Cloud, Some("http://localhost:8420"), '-'),
        (
            bearer(),
            Trust::Endpoint,
            Some("http://localhost:8420"),
            '-',
        ),
    ] {
        let endpoint = endpoint.map(Url::parse).transpose()?;
        let shown = format!("{credential:?} {trust:?} {endpoint:?}");
        let (scene, source) = scene_of(
            ClientConfig {
                credential,
                trust,
                endpoint,
                ..config()
            },
            HOUR,
            |_, _| page("a", None),
        );
        let failed = scene.list().1;
        let sent = scene.script.seen();
        match expected {
            '+' => {
                assert!(failed.is_none(), "{shown}: {failed:?}");
                assert_eq!(token_of(&sent[0]), "Bearer token-1", "{shown}");
            }
            _ => {
                assert_eq!(
                    failed.map(|error| error.kind),
                    Some(ErrorKind::Refused),
                    "{shown}"
                );
                assert_eq!((sent.len(), source.asked()), (0, 0), "{shown}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_failure_is_not_asked_for_again_at_once() {
    // Nothing is configured and the metadata service does not answer: one probe for all of the calls.
    let clock = VirtualClock::default();
    let script = Script::answering(Arc::new(clock.clone()), |_, _| Reply::silence());
    let scene = Scene::over(azure(), None, clock, script);
    let done = scene.clock.run(futures::future::join_all(
        (0..50).map(|_| scene.listing(call("/list"))),
    ));
    let failed: Vec<_> = done
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(_, failed)| failed)
        .collect();
    assert_eq!(
        (failed.len(), scene.urls().len(), scene.clock.elapsed()),
        (50, 1, Duration::from_secs(1))
    );
    assert!(scene.urls()[0].starts_with("http://169.254.169.254/"));
    let text = failed[0].to_string();
    assert_eq!(
        text,
        "`things`: there is no token: managed identity: no metadata service answers at `http://169.254.169.254` within 1 s"
    );
    assert_eq!(failed[0].kind, ErrorKind::Credential);
}

#[test]
fn the_deadline_covers_the_token() -> Outcome {
    let clock = VirtualClock::default();
    let script = Script::answering(Arc::new(clock.clone()), |_, _| Reply::silence());
    let scene = Scene::over(azure(), None, clock, script).within(Duration::from_millis(200));
    assert_eq!(scene.failure()?.kind, ErrorKind::Deadline);
    assert_eq!(scene.clock.elapsed(), Duration::from_millis(200));
    Ok(())
}

#[test]
fn who_a_client_acts_as() -> Outcome {
    let alone = |credential| {
        let clock = VirtualClock::default();
        let script = Script::answering(Arc::new(clock.clone()), |_, _| Reply::silence());
        Scene::over(
            ClientConfig {
                credential,
                ..config()
            },
            None,
            clock,
            script,
        )
    };
    let who = |scene: &Scene| {
        let identity = scene.clock.run(scene.client.identity());
        identity.ok_or("the test hangs")
    };
    // The claims are `{"tid":"t-1","oid":"o-1"}`.
    let token = "e30.eyJ0aWQiOiJ0LTEiLCJvaWQiOiJvLTEifQ.sig";
    let named = alone(Credential::Bearer(Secret::new(token)));
    let identity = who(&named)??;
    assert_eq!(
        (identity.tenant.as_deref(), identity.principal.as_deref()),
        (Some("t-1"), Some("o-1"))
    );
    assert!(!format!("{identity:?} {:?}", named.client).contains("eyJ"));
    let identity = who(&alone(Credential::None))??;
    assert_eq!((identity.tenant, identity.principal), (None, None));

    // The token of the calls, asked for once.
    let (scene, source) = scene(HOUR, |_, _| page("a", None));
    let (first, second) = (who(&scene)??, who(&scene)??);
    assert!(scene.list().1.is_none());
    assert_eq!((first == second, source.asked()), (true, 1));

    // No token, no identity: not that of nobody.
    let failed = who(&alone(Credential::Azure(AzureCredential::default())))?;
    assert_eq!(
        failed.err().map(|error| error.kind),
        Some(ErrorKind::Credential)
    );
    Ok(())
}
