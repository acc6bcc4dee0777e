//! Paging (P01-P26) and hostile links (section 6.1 of the table).

use super::scene::{ARM, Counting, Outcome, Scene, call, config, page, read};
use crate::clock::VirtualClock;
use crate::credential::{AzureCredential, Credential};
use crate::error::ErrorKind;
use crate::origin::tests::HOSTILE;
use crate::scripted::{Reply, Script};
use futures::StreamExt;
use restable_spec::{CallClass, HttpMethod};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn links_are_followed_as_they_are() {
    for (link, url) in [
        (
            "https://management.azure.com/list?$skiptoken=a%2Bb%3D&api-version=1",
            "https://management.azure.com/list?$skiptoken=a%2Bb%3D&api-version=1",
        ),
        (
            "https://management.azure.com:443/List?Api-Version=notMe&t=10:00:00+00:00",
            "https://management.azure.com/List?Api-Version=notMe&t=10:00:00+00:00",
        ),
        (
            "https://MANAGEMENT.azure.com/x",
            "https://management.azure.com/x",
        ),
        ("/paging/next", "https://management.azure.com/paging/next"),
        ("next?page=2", "https://management.azure.com/next?page=2"),
        (
            "?%24skiptoken=a%2Bb",
            "https://management.azure.com/list?%24skiptoken=a%2Bb",
        ),
    ] {
        let scene = Scene::of([page("a b", Some(link)), page("c", None)]);
        let (items, failed) = scene.list();
        assert_eq!(
            (items.join(" "), failed.is_none()),
            ("a b c".to_owned(), true),
            "{link}"
        );
        assert_eq!(
            scene.urls(),
            ["https://management.azure.com/list?api-version=1", url]
        );
        let ids = scene.header("x-ms-client-request-id");
        assert_ne!(ids[0], ids[1], "each page is a request of its own");
        assert!(
            scene
                .header("accept")
                .iter()
                .all(|accept| accept == "application/json")
        );
    }
}

#[test]
fn the_end_of_a_list() {
    for end in [
        r#"{"value":["a"]}"#,
        r#"{"value":["a"],"nextLink":null}"#,
        r#"{"value":["a"],"nextLink":""}"#,
        r#"{"value":["a"],"nextLink":" "}"#,
    ] {
        let scene = Scene::of([Reply::json(200, end)]);
        let (items, failed) = scene.list();
        assert_eq!(
            (items.len(), failed.is_none(), scene.urls().len()),
            (1, true, 1),
            "{end}"
        );
    }
    let scene = Scene::of([page("", Some("/2")), page("", Some("/3")), page("a", None)]);
    assert_eq!(scene.list().0, ["a"], "an empty page is not the end");
}

#[test]
fn a_failed_page_fails_the_list() -> Outcome {
    for second in [
        Reply::json(
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#,
        ),
        Reply::json(404, "{}"),
        Reply::json(410, "{}"),
        Reply::json(200, "{}"),
        Reply::json(200, r#"{"value":["b"#),
        Reply::json(204, ""),
    ] {
        let scene = Scene::of([page("a", Some("/2")), second]);
        let (items, failed) = scene.list();
        let failed = failed.ok_or("a short success")?;
        assert_eq!((items.len(), failed.page), (1, 2));
        assert!(failed.to_string().ends_with(", on page 2"), "{failed}");
    }
    Ok(())
}

#[test]
fn a_page_that_is_tried_again_comes_once() {
    let busy = || Reply::json(500, "{}");
    let scene = Scene::of([
        busy(),
        page("a", Some("/2")),
        busy(),
        page("b", Some("/3")).then_broken(),
        page("b", Some("/3")),
        page("c", None),
    ]);
    let (items, failed) = scene.list();
    assert_eq!(
        (items.join(" "), failed.is_none()),
        ("a b c".to_owned(), true)
    );
    assert_eq!(scene.meter.totals().retries, 3);
    assert_eq!(scene.meter.totals().calls, 3);
}

#[test]
fn cycles() -> Outcome {
    for (links, at) in [
        (vec!["https://management.azure.com/list?api-version=1"], 1),
        (vec!["/2", "/list?api-version=1"], 2),
        (vec!["/2", "/3", "/2"], 3),
    ] {
        let scene = Scene::of(links.iter().map(|link| page("a", Some(link))));
        let (items, failed) = scene.list();
        let failed = failed.ok_or("an endless list")?;
        assert_eq!(
            (items.len(), failed.kind, scene.urls().len()),
            (at, ErrorKind::Paging, at)
        );
        assert!(
            failed.to_string().contains(&format!("page {at} links")),
            "{failed}"
        );
    }
    let scene = Scene::answering(config(), |_, count| {
        page("a", Some(&format!("/{}", (count + 1) % 1_000)))
    });
    assert_eq!(scene.failure()?.kind, ErrorKind::Paging);
    assert_eq!(scene.urls().len(), 1_001);
    let scene = Scene::answering(config(), |_, count| page("", Some(&format!("/{count}"))));
    assert_eq!(scene.failure()?.kind, ErrorKind::Paging);
    assert_eq!(scene.urls().len(), 1_000);
    Ok(())
}

#[test]
fn hostile_links_open_no_socket_and_ask_for_no_token() -> Outcome {
    let huge = "a".repeat(20 * 1024);
    for link in HOSTILE.iter().copied().chain([huge.as_str()]) {
        for redirect in [false, true] {
            // Each needs a token that has already ended, so that any further request would ask for a new one.
            let clock = VirtualClock::default();
            let source = Counting::new(&clock, Duration::from_secs(1));
            let (first, text) = if redirect {
                let reply = Reply::plain(307, "").header("location", link);
                (reply, "redirect")
            } else {
                (
                    page("a", Some(link)).after(Duration::from_secs(2)),
                    "link to the next page",
                )
            };
            let script = Script::of(Arc::new(clock.clone()), [first, page("stolen", None)]);
            let azure = crate::ClientConfig {
                credential: Credential::Azure(AzureCredential::default()),
                ..config()
            };
            let scene = Scene::over(azure, Some(Arc::clone(&source) as _), clock, script);
            let (items, failed) = scene.list();
            let failed = failed.ok_or_else(|| format!("{link:?} was followed"))?;
            assert!(!items.contains(&"stolen".to_owned()));
            assert_eq!(
                (scene.urls().len(), source.asked()),
                (1, 1),
                "{link:?} redirect {redirect}"
            );
            // A header cannot hold every one of these; without a target a redirect is no answer.
            let kinds = if redirect {
                &[ErrorKind::Refused, ErrorKind::Body][..]
            } else {
                &[ErrorKind::Refused]
            };
            assert!(
                kinds.contains(&failed.kind) && failed.to_string().contains(text),
                "{link:?}: {failed}"
            );
            assert!(
                !failed.to_string().contains("pw@")
                    && !failed.to_string().contains(char::is_control)
            );
        }
    }
    Ok(())
}

#[test]
fn redirects() -> Outcome {
    let to = |status: u16, target: &str| Reply::plain(status, "").header("location", target);
    for status in [301, 302, 303, 307, 308] {
        let scene = Scene::of([to(status, "/moved"), page("a", None)]);
        assert_eq!(scene.list().0, ["a"]);
        assert_eq!(scene.urls()[1], format!("{ARM}/moved"));
        let scene = Scene::of([to(status, "/moved"), page("a", None)]);
        let mut post = call("/find");
        (post.http, post.class) = (HttpMethod::Post, CallClass::Read);
        let failed = scene.list_of(post).1.ok_or("a POST was redirected")?;
        assert_eq!((failed.kind, scene.urls().len()), (ErrorKind::Refused, 1));
        assert!(
            failed
                .to_string()
                .contains("to `https://management.azure.com` is not followed"),
            "{failed}"
        );
    }
    let scene = Scene::answering(config(), move |_, count| to(302, &format!("/{count}")));
    assert_eq!(scene.failure()?.kind, ErrorKind::Refused);
    assert_eq!(scene.urls().len(), 4, "three are followed");
    let scene = Scene::of([Reply::plain(302, "")]);
    assert_eq!(
        scene.failure()?.to_string(),
        "`things`: 302 a redirect (302) without a target"
    );
    let failed = Scene::of([to(302, "https://evil.example/?token=secret")]).failure()?;
    assert!(
        failed.to_string().contains("`https://evil.example`")
            && !failed.to_string().contains("secret"),
        "{failed}"
    );
    // A relative link of a page that was redirected is relative to where the page came from.
    let scene = Scene::of([to(302, "/b/list"), page("a", Some("?p=2")), page("b", None)]);
    assert_eq!(scene.list().0, ["a", "b"]);
    assert_eq!(scene.urls()[2], format!("{ARM}/b/list?p=2"));
    Ok(())
}

#[test]
fn pages_are_lazy() {
    let scene = Scene::answering(config(), |_, count| {
        page("a b c", Some(&format!("/{}", count + 1)))
    });
    let stream = scene.client.pages(call("/list"), scene.context(), read);
    assert_eq!(
        scene.urls().len(),
        0,
        "nothing is sent before the first poll"
    );
    let taken = scene.clock.run(stream.take(3).collect::<Vec<_>>());
    assert_eq!(taken.map(|pages| pages.len()), Some(3));
    assert_eq!(scene.urls().len(), 3);
    // A bad link on a page that was enough is never told.
    let scene = Scene::of([page("a", Some("https://evil.example/"))]);
    let first = scene.clock.run(
        scene
            .client
            .pages(call("/list"), scene.context(), read)
            .take(1)
            .collect::<Vec<_>>(),
    );
    assert!(first.is_some_and(|pages| pages.iter().all(Result::is_ok)));
}

#[test]
fn a_list_by_post_goes_on_with_get() {
    let scene = Scene::of([page("a", Some("/2")), page("b", None)]);
    let mut post = call("/find");
    (post.http, post.class, post.body) = (
        HttpMethod::Post,
        CallClass::Read,
        Some(r#"{"a":1}"#.to_owned()),
    );
    assert_eq!(scene.list_of(post).0, ["a", "b"]);
    let seen = scene.script.seen();
    assert_eq!(
        (seen[0].method.as_str(), &seen[0].body[..]),
        ("POST", &br#"{"a":1}"#[..])
    );
    assert_eq!((seen[1].method.as_str(), seen[1].body.len()), ("GET", 0));
    assert!(!seen[1].headers.contains_key("content-type"));
}

#[test]
fn dropping_the_stream_ends_the_request() {
    let scene = Scene::of([page("a", Some("/2")), Reply::silence()]);
    let ended = scene.clock.run(async {
        let mut pages = Box::pin(scene.client.pages(call("/list"), scene.context(), read));
        let first = pages.next().await;
        let second =
            crate::clock::within(&scene.clock, Duration::from_millis(50), pages.next()).await;
        drop(pages);
        (
            first.is_some(),
            second.is_none(),
            scene.client.shared.scheduler.under_way(),
        )
    });
    assert_eq!(ended, Some((true, true, 0)));
}
