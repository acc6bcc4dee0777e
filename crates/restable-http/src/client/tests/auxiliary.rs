//! The second credential of a call: which requests show it, where it goes, when it is renewed, and what is written down of it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::super::Sources;
use super::scene::{
    ARM, Counting, Outcome, Scene, binding, call, config, intent, page, read, write,
};
use crate::act::Effect;
use crate::clock::VirtualClock;
use crate::credential::{AzureCredential, Credential};
use crate::error::ErrorKind;
use crate::journal::{Filter, Journal, State, Supplement};
use crate::scripted::{Reply, Script};
use crate::secret::Secret;
use crate::transport::Request;
use crate::watch::PollInterval;
use crate::{Client, ClientConfig, Cloud, Trust};
use restable_spec::HttpMethod::{Delete, Post, Put};
use restable_spec::{AUXILIARY_HEADER, BoundCall, FinalState};

const HOUR: Duration = Duration::from_secs(3600);

fn bearer(token: &str) -> Credential {
    Credential::Bearer(Secret::new(token))
}

/// Two fixed tokens.
fn two() -> ClientConfig {
    ClientConfig {
        credential: bearer("own"),
        auxiliary: Some(bearer("hunter2")),
        ..config()
    }
}

fn taking(call: BoundCall) -> BoundCall {
    BoundCall {
        auxiliary: true,
        ..call
    }
}

/// The two credentials of each request.
fn shown(scene: &Scene) -> Vec<(String, String)> {
    let bare = |name: &str| -> Vec<String> {
        let values = scene.header(name).into_iter();
        values.map(|value| value.replace("Bearer ", "")).collect()
    };
    bare("authorization")
        .into_iter()
        .zip(bare(AUXILIARY_HEADER))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(own, second)| ((*own).to_owned(), (*second).to_owned()))
        .collect()
}

/// A client whose tokens are counted: its own lives an hour, and so does the second.
fn counted(
    config: ClientConfig,
    answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> (Scene, Arc<Counting>, Arc<Counting>) {
    let clock = VirtualClock::default();
    let script = Script::answering(Arc::new(clock.clone()), answer);
    let mut scene = Scene::over(config.clone(), None, clock.clone(), script.clone());
    let (own, second) = (Counting::new(&clock, HOUR), Counting::new(&clock, HOUR));
    let sources = Sources {
        own: Some(Arc::clone(&own) as _),
        auxiliary: Some(Arc::clone(&second) as _),
    };
    scene.client = Client::with_sources(config, sources, Arc::new(script), Arc::new(clock));
    (scene, own, second)
}

#[test]
fn only_calls_that_take_it_show_it_on_every_attempt_and_page() -> Outcome {
    let busy = || Reply::json(503, r#"{"error":{"code":"Busy","message":"later"}}"#);
    let scene = Scene::with(two(), [busy(), page("a", Some("/list?2")), page("b", None)]);
    let (items, failed) = scene.list_of(taking(call("/list")));
    assert_eq!((items.len(), failed.is_none()), (2, true));
    assert_eq!(shown(&scene), pairs(&[("own", "hunter2"); 3]));

    let scene = Scene::with(two(), [page("a", None)]);
    assert!(scene.list().1.is_none());
    assert_eq!(shown(&scene), pairs(&[("own", "")]));

    for nobody in [None, Some(Credential::None)] {
        let config = ClientConfig {
            auxiliary: nobody,
            ..two()
        };
        let scene = Scene::with(config, [page("a", None)]);
        assert!(scene.list_of(taking(call("/list"))).1.is_none());
        assert_eq!(shown(&scene), pairs(&[("own", "")]));
    }
    // Without a credential of its own the client has a second one all the same.
    let config = ClientConfig {
        credential: Credential::None,
        ..two()
    };
    let scene = Scene::with(config, [page("a", None)]);
    assert!(scene.list_of(taking(call("/list"))).1.is_none());
    assert_eq!(shown(&scene), pairs(&[("", "hunter2")]));
    Ok(())
}

#[test]
fn the_questions_after_an_operation_go_without_it() -> Outcome {
    let scene = Scene::with(
        two(),
        [
            Reply::json(429, "{}").header("retry-after", "1"),
            Reply::plain(202, "")
                .header("azure-asyncoperation", &format!("{ARM}/status"))
                .header("location", &format!("{ARM}/result")),
            Reply::json(200, r#"{"status":"Succeeded"}"#),
            Reply::json(200, "{}"),
        ],
    );
    let intent = intent(taking(write(Post)), Some(FinalState::Location));
    let (end, sent) = scene.end_of(intent)?;
    assert_eq!(
        (end.as_str(), sent.as_str()),
        ("Location {}", "POST /x, POST /x, GET /status, GET /result")
    );
    assert_eq!(
        shown(&scene),
        pairs(&[
            ("own", "hunter2"),
            ("own", "hunter2"),
            ("own", ""),
            ("own", "")
        ])
    );
    Ok(())
}

#[test]
fn both_are_replaced_when_one_was_refused() -> Outcome {
    let refusing = |times: usize| {
        move |_: &Request, count: usize| match count < times {
            true => Reply::json(401, r#"{"error":{"code":"Expired","message":"no"}}"#),
            false => Reply::json(200, "{}"),
        }
    };
    let (scene, own, second) = counted(config(), refusing(1));
    let (end, _) = scene.end_of(intent(taking(write(Delete)), None))?;
    assert_eq!(end, "Done 200 {}");
    assert_eq!(
        shown(&scene),
        pairs(&[("token-1", "token-1"), ("token-2", "token-2")])
    );
    // The tokens are kept: a later call asks for none.
    assert!(scene.list_of(taking(call("/list"))).1.is_some());
    assert_eq!((own.asked(), second.asked()), (2, 2));

    // A call that takes none leaves the second alone.
    let (scene, own, second) = counted(config(), refusing(1));
    let (end, _) = scene.end_of(intent(write(Delete), None))?;
    assert_eq!(
        (end.as_str(), own.asked(), second.asked()),
        ("Done 200 {}", 2, 0)
    );

    // Refused for ever: two attempts, no loop.
    let (scene, own, second) = counted(config(), refusing(usize::MAX));
    let (end, _) = scene.end_of(intent(taking(write(Post)), None))?;
    assert!(end.starts_with("Failed 401 Expired"), "{end}");
    assert_eq!((scene.urls().len(), own.asked(), second.asked()), (2, 2, 2));

    // One of the two that can be renewed is reason enough; two that cannot are none.
    let clock = VirtualClock::default();
    let script = Script::answering(Arc::new(clock.clone()), refusing(1));
    let mut scene = Scene::over(two(), None, clock.clone(), script.clone());
    let (end, _) = scene.end_of(intent(taking(write(Put)), None))?;
    assert!(end.starts_with("Failed 401"), "{end}");
    let sources = Sources {
        own: Some(Arc::new(crate::credential::Fixed(Secret::new("own")))),
        auxiliary: Some(Counting::new(&clock, HOUR) as _),
    };
    let script = Script::answering(Arc::new(clock.clone()), refusing(1));
    scene.script = script.clone();
    scene.client = Client::with_sources(two(), sources, Arc::new(script), Arc::new(clock));
    let (end, _) = scene.end_of(intent(taking(write(Put)), None))?;
    assert_eq!(end, "Done 200 {}");
    assert_eq!(
        shown(&scene),
        pairs(&[("own", "token-1"), ("own", "token-2")])
    );
    Ok(())
}

/// The rule of the first credential holds for the second, whatever the first is.
#[test]
fn where_the_second_goes() -> Outcome {
    let azure = |cloud| {
        Credential::Azure(AzureCredential {
            cloud,
            tenant: Some("t-2".to_owned()),
        })
    };
    let (public, china) = (azure(Cloud::Public), azure(Cloud::China));
    let proxy = Some("https://proxy.example");
    for (second, trust, endpoint, goes) in [
        (public.clone(), Trust::Cloud, None, true),
        (china, Trust::Cloud, None, false),
        (public.clone(), Trust::Cloud, proxy, false),
        (public.clone(), Trust::Endpoint, proxy, true),
        (
            public,
            Trust::Endpoint,
            Some("http://127.0.0.1:8420"),
            false,
        ),
        (bearer("x"), Trust::Cloud, None, true),
        (bearer("x"), Trust::Cloud, proxy, true),
        (
            bearer("x"),
            Trust::Cloud,
            Some("http://localhost:8420"),
            false,
        ),
        (
            bearer("x"),
            Trust::Endpoint,
            Some("http://[::1]:8420"),
            false,
        ),
    ] {
        let config = ClientConfig {
            auxiliary: Some(second),
            trust,
            endpoint: endpoint.map(Url::parse).transpose()?,
            ..config()
        };
        let told = format!("{config:?}");
        let clock = VirtualClock::default();
        let script = Script::answering(Arc::new(clock.clone()), |_, _| page("a", None));
        let mut scene = Scene::over(config.clone(), None, clock.clone(), script.clone());
        let source = Counting::new(&clock, HOUR);
        let sources = Sources {
            own: None,
            auxiliary: Some(Arc::clone(&source) as _),
        };
        scene.client = Client::with_sources(config, sources, Arc::new(script), Arc::new(clock));
        let failed = scene.list_of(taking(call("/list"))).1;
        if goes {
            assert!(failed.is_none(), "{told}: {failed:?}");
            assert_eq!(shown(&scene), pairs(&[("", "token-1")]), "{told}");
        } else {
            let failed = failed.ok_or("it was sent")?;
            assert_eq!(failed.kind, ErrorKind::Refused, "{told}");
            let message = &failed.message;
            assert!(
                message.starts_with("the auxiliary credential: nothing is sent: "),
                "{message}"
            );
            assert_eq!((scene.urls().len(), source.asked()), (0, 0), "{told}");
        }
        // What takes none goes, wherever that is.
        assert!(scene.list().1.is_none(), "{told}");
    }
    Ok(())
}

#[test]
fn a_link_does_not_lead_it_elsewhere() {
    for link in [
        "https://evil.example/list",
        "http://management.azure.com/list",
        "https://management.azure.com:444/list",
    ] {
        let scene = Scene::with(two(), [page("a", Some(link)), page("b", None)]);
        let (items, failed) = scene.list_of(taking(call("/list")));
        assert_eq!(items, ["a"]);
        assert_eq!(failed.map(|error| error.kind), Some(ErrorKind::Refused));
        let redirected = Reply::plain(307, "").header("location", link);
        let scene = Scene::with(two(), [redirected, page("b", None)]);
        let (_, failed) = scene.list_of(taking(call("/list")));
        assert_eq!(failed.map(|error| error.kind), Some(ErrorKind::Refused));
        assert_eq!(scene.urls().len(), 1);
    }
}

#[test]
fn without_its_token_nothing_is_sent() -> Outcome {
    // Nothing is configured for Azure, and no metadata service answers.
    let clock = VirtualClock::default();
    let script = Script::answering(Arc::new(clock.clone()), |_, _| Reply::silence());
    let config = ClientConfig {
        auxiliary: Some(Credential::Azure(AzureCredential {
            tenant: Some("t-2".to_owned()),
            ..AzureCredential::default()
        })),
        ..two()
    };
    let scene = Scene::over(config, None, clock, script);
    let deed = scene.deed(intent(taking(write(Delete)), None), PollInterval::default());
    let (acted, _, entry) = scene.clock.run(deed).ok_or("the test hangs")??;
    let Effect::NotSent(error) = acted.effect else {
        return Err(format!("{acted:?}").into());
    };
    let told = "the auxiliary credential: there is no token: managed identity: ";
    assert!(error.message.starts_with(told), "{error}");
    assert_eq!(entry.state, State::NotSent);
    assert!(!scene.urls().iter().any(|url| url.starts_with(ARM)));
    let steps = scene.client.explain_auxiliary();
    assert_eq!(steps.len(), 5);
    assert_eq!(scene.client.explain_credential().len(), 1);
    let probed = scene.clock.run(scene.client.probe_auxiliary());
    let failed = probed.and_then(|(_, outcome)| outcome.err());
    assert!(failed.is_some_and(|error| error.message.starts_with("the auxiliary credential: ")));
    Ok(())
}

#[test]
fn a_call_cannot_bring_its_own() -> Outcome {
    for name in [AUXILIARY_HEADER, "X-Ms-Authorization-Auxiliary"] {
        let brought = BoundCall {
            headers: vec![(name.to_owned(), "Bearer x".to_owned())],
            ..taking(call("/list"))
        };
        let scene = Scene::with(two(), [page("a", None)]);
        let failed = scene.list_of(brought).1.ok_or("it was sent")?;
        assert_eq!(failed.kind, ErrorKind::Config);
        assert_eq!(scene.urls().len(), 0);
    }
    Ok(())
}

#[test]
fn the_token_is_nowhere_and_comes_again_on_resume() -> Outcome {
    let answers = || {
        [
            Reply::breakage(crate::transport::Breakage::Untrusted),
            Reply::json(200, "{}"),
        ]
    };
    let scene = Scene::with(two(), answers());
    let run = async {
        let journal = Journal::in_memory(Arc::new(scene.clock.clone()))?;
        let run = journal.begin(binding()).await?;
        let intent = intent(taking(write(Delete)), None);
        let permit = run.intend(vec![intent]).await?.pop().ok_or("no permit")?;
        let acted = scene.client.act(permit, scene.context()).await;
        assert!(matches!(acted.effect, Effect::NotSent(_)), "{acted:?}");
        assert!(!format!("{acted:?}").contains("hunter"));

        // The journal knows that the call takes a second credential, and supplies none.
        let entries = journal.entries(Filter::default()).await?;
        let entry = entries.first().ok_or("no entry")?;
        assert!(
            entry
                .call()
                .is_some_and(|call| call.auxiliary && call.headers.is_empty())
        );
        assert!(!format!("{entries:?}").contains("hunter"), "{entries:?}");
        let permit = run.again(entry.number, Supplement::default()).await?;
        assert!(permit.call().auxiliary);
        let acted = scene.client.act(permit, scene.context()).await;
        assert!(matches!(acted.effect, Effect::Done(_)), "{acted:?}");
        Outcome::Ok(())
    };
    scene.clock.run(run).ok_or("the test hangs")??;
    assert_eq!(shown(&scene), pairs(&[("own", "hunter2"); 2]));
    for told in [
        format!("{:?}", scene.script.seen()),
        format!("{:?}", scene.client),
        format!("{:?}", scene.meter),
        format!("{:?}", two()),
    ] {
        assert!(!told.contains("hunter"), "{told}");
    }

    // Nor in what is read.
    let scene = Scene::with(two(), [page("a", None)]);
    let one = scene
        .client
        .read_one(taking(call("/list")), scene.context(), read);
    assert!(scene.clock.run(one).is_some_and(|outcome| outcome.is_ok()));
    assert_eq!(shown(&scene), pairs(&[("own", "hunter2")]));
    Ok(())
}
