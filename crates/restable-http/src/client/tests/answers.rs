//! What counts as an answer (H18, H23, H24, faults 16-23 and 55-60) and what goes out.

use std::io::Write;

use super::scene::{Outcome, Scene, call, config, page, page_text};
use crate::ClientConfig;
use crate::error::ErrorKind;
use crate::scripted::Reply;
use flate2::Compression;
use flate2::write::GzEncoder;
use url::Url;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).ok();
    encoder.finish().unwrap_or_default()
}

#[test]
fn answers_that_are_no_page() -> Outcome {
    for (reply, kind, text) in [
        (
            Reply::json(200, ""),
            ErrorKind::Body,
            "200 the answer is empty where JSON is due",
        ),
        (
            Reply::json(200, " \n"),
            ErrorKind::Body,
            "200 the answer is empty where JSON is due",
        ),
        (
            Reply::json(204, ""),
            ErrorKind::Body,
            "204 no page where one is due",
        ),
        (
            Reply::json(202, ""),
            ErrorKind::Body,
            "202 no page where one is due",
        ),
        (
            Reply::json(206, page_text("a", None)),
            ErrorKind::Body,
            r#"206 {"value":["a"]}"#,
        ),
        (
            Reply::json(200, "{}"),
            ErrorKind::Body,
            "200 there is no array `value`",
        ),
        (
            Reply::json(200, "[]"),
            ErrorKind::Body,
            "200 there is no array `value`",
        ),
        (
            Reply::json(
                200,
                r#"{"error":{"code":"Throttled","message":"not today"}}"#,
            ),
            ErrorKind::Body,
            "200 Throttled: not today",
        ),
        (
            Reply::plain(200, "<html>log in</html>")
                .header("content-type", "text/html; charset=utf-8"),
            ErrorKind::Body,
            "200 the answer is `text/html` where JSON is due",
        ),
        (
            page("a", None).header("content-encoding", "br"),
            ErrorKind::Body,
            "200 the answer is compressed with `br`, which was not asked for",
        ),
        (Reply::plain(400, ""), ErrorKind::Status, "400 Bad Request"),
        (
            Reply::plain(444, ""),
            ErrorKind::Status,
            "444 no reason given",
        ),
        (
            Reply::plain(400, "<html><title>Nope</title>"),
            ErrorKind::Status,
            "400 a page titled `Nope`",
        ),
        (
            Reply::json(400, r#"{"error":{"code":"X","message":"m"}}"#).then_broken(),
            ErrorKind::Status,
            "400 Bad Request",
        ),
        (
            Reply::plain(400, gzip(r#"{"error":{"code":"X","message":"m"}}"#))
                .header("content-encoding", "gzip"),
            ErrorKind::Status,
            "400 X: m",
        ),
    ] {
        let failed = Scene::of([reply]).failure()?;
        assert_eq!(
            (failed.kind, failed.to_string()),
            (kind, format!("`things`: {text}"))
        );
        assert_eq!(failed.attempts, 1);
    }
    Ok(())
}

#[test]
fn compressed_pages() -> Outcome {
    let text = page_text("a b", None);
    let packed = gzip(&text);
    let reply = |bytes: &[u8]| Reply::json(200, bytes.to_vec()).header("content-encoding", "gzip");
    for size in [1, 7, packed.len()] {
        let scene = Scene::of([reply(&packed).sliced(size)]);
        assert_eq!(scene.list().0, ["a", "b"]);
        let totals = scene.meter.totals();
        assert_eq!(
            (totals.bytes, totals.wire_bytes),
            (text.len() as u64, packed.len() as u64)
        );
    }
    // Cut anywhere, with a wrong checksum, or not compressed at all: tried again, never read.
    let mut wrong = packed.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    let cut = (0..packed.len())
        .step_by(5)
        .map(|length| packed[..length].to_vec());
    for bytes in cut.chain([wrong, text.clone().into_bytes()]) {
        let scene = Scene::of([reply(&bytes), reply(&packed)]);
        let (items, failed) = scene.list();
        assert_eq!(
            (
                items.len(),
                failed.map(|error| error.to_string()),
                scene.urls().len()
            ),
            (2, None, 2),
            "{} bytes",
            bytes.len()
        );
    }
    let scene = Scene::answering(config(), move |_, _| reply(b"no gzip"));
    let failed = scene.failure()?;
    assert_eq!((failed.kind, failed.attempts), (ErrorKind::Connect, 8));
    assert!(
        failed.to_string().contains("the compressed body is broken"),
        "{failed}"
    );
    Ok(())
}

#[test]
fn the_cap_counts_decompressed_bytes() -> Outcome {
    let small = || ClientConfig {
        page_bytes: 10_000,
        ..config()
    };
    let bomb = gzip(&" ".repeat(50 << 20));
    assert!(bomb.len() < 100_000);
    let fits = format!(
        "{}{}",
        page_text("a", None),
        " ".repeat(10_000 - page_text("a", None).len())
    );
    assert_eq!(
        Scene::with(small(), [Reply::json(200, fits.clone())])
            .list()
            .0,
        ["a"]
    );
    assert_eq!(
        Scene::with(
            small(),
            [Reply::json(200, gzip(&fits)).header("content-encoding", "gzip")]
        )
        .list()
        .0,
        ["a"]
    );
    for reply in [
        Reply::json(200, bomb).header("content-encoding", "gzip"),
        Reply::json(200, format!("{fits} ")),
        Reply::json(200, format!("{fits} ")).sliced(999),
    ] {
        let failed = Scene::with(small(), [reply]).failure()?;
        assert_eq!((failed.kind, failed.attempts), (ErrorKind::TooLarge, 1));
        assert_eq!(
            failed.to_string(),
            "`things`: 200 the page is larger than 10000 bytes"
        );
    }
    Ok(())
}

#[test]
fn error_bodies_are_cut_masked_and_named() -> Outcome {
    let body = format!(
        r#"{{"error":{{"code":"AuthorizationFailed","message":"The client 'a' lacks it\u001b[31m. AccountKey=abc; Bearer xyz {}"}}}}"#,
        "x".repeat(10_000)
    );
    let reply = Reply::json(403, body)
        .header("x-ms-request-id", "req-1")
        .header("x-ms-correlation-request-id", "cor-1");
    let failed = Scene::of([reply]).failure()?;
    assert_eq!(
        (
            failed.request_id.as_deref(),
            failed.correlation_id.as_deref()
        ),
        (Some("req-1"), Some("cor-1"))
    );
    assert!(
        failed.message.len() < 4_300
            && failed
                .message
                .contains("AccountKey=[secret]; Bearer [secret]"),
        "{}",
        failed.message
    );
    assert!(!failed.message.contains('\u{1b}') && failed.is_forbidden());
    assert!(
        failed
            .hint()
            .is_some_and(|hint| hint.contains("Backup Reader"))
    );
    assert_eq!(
        failed.url,
        "https://management.azure.com/list?api-version=1"
    );

    // A megabyte of error is not read to its end.
    let failed = Scene::of([Reply::plain(500, "y".repeat(10 << 20))]);
    assert!(failed.failure()?.message.len() < 4_300);
    assert!(failed.meter.totals().bytes <= 64 * 1024);
    Ok(())
}

#[test]
fn what_does_not_exist() -> Outcome {
    for (status, code, expected) in [
        (404, "ResourceNotFound", true),
        (404, "resourcegroupnotfound", true),
        (404, "ParentResourceNotFound", true),
        (404, "SubscriptionNotFound", true),
        (404, "UserErrorGone", true),
        (404, "InvalidResourceType", false),
        (400, "ResourceNotFound", false),
        (409, "MissingSubscriptionRegistration", true),
        (409, "ResourceNotFound", false),
    ] {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        let failed = Scene::of([Reply::json(status, body)]).failure()?;
        assert_eq!(
            failed.is_not_found(&["UserErrorGone"]),
            expected,
            "{status} {code}"
        );
    }
    let none: [&str; 0] = [];
    assert!(
        !Scene::of([Reply::json(404, "")])
            .failure()?
            .is_not_found(&none),
        "a 404 without a code is an error"
    );
    Ok(())
}

#[test]
fn what_goes_out() -> Outcome {
    let scene = Scene::of([page("a", None)]);
    let mut sent = call("/subscriptions/a%2Fb");
    sent.query = vec![
        ("api-version".to_owned(), "1".to_owned()),
        ("$filter".to_owned(), "a eq 'b' & c+d#é".to_owned()),
    ];
    sent.headers = vec![("X-Extra".to_owned(), "1".to_owned())];
    assert_eq!(scene.list_of(sent).0, ["a"]);
    assert_eq!(
        scene.urls(),
        [
            "https://management.azure.com/subscriptions/a%2Fb?api-version=1&$filter=a%20eq%20%27b%27%20%26%20c%2Bd%23%C3%A9"
        ]
    );
    let headers = &scene.script.seen()[0].headers;
    let names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "x-extra",
            "accept",
            "accept-encoding",
            "user-agent",
            "x-ms-client-request-id"
        ]
    );
    assert_eq!(
        (&headers["accept"], &headers["accept-encoding"]),
        (&"application/json".parse()?, &"gzip".parse()?)
    );
    assert!(headers["user-agent"].to_str()?.starts_with("restable/"));
    Ok(())
}

#[test]
fn calls_that_are_not_sent() -> Outcome {
    let path = |path: &str| call(path);
    let server = |server: &str| {
        let mut call = call("/list");
        call.server = server.to_owned();
        call
    };
    let header = |name: &str, value: &str| {
        let mut call = call("/list");
        call.headers = vec![(name.to_owned(), value.to_owned())];
        call
    };
    for (bad, kind) in [
        (path("/a/../b"), ErrorKind::Config),
        (path("/a/%2e%2e/b"), ErrorKind::Config),
        (path("/a/b?x=1"), ErrorKind::Config),
        (path("/a#b"), ErrorKind::Config),
        (path("/a\\b"), ErrorKind::Config),
        (path("/a\tb"), ErrorKind::Config),
        (path("no-slash"), ErrorKind::Config),
        (path("@evil.example/"), ErrorKind::Config),
        (path(".evil.example/"), ErrorKind::Config),
        (server("not a url"), ErrorKind::Config),
        (server("mailto:x"), ErrorKind::Config),
        (server("https://h/?x=1"), ErrorKind::Config),
        (server("https://user:pw@h"), ErrorKind::Config),
        (server("https://management.azure.com."), ErrorKind::Refused),
        (server("http://h"), ErrorKind::Refused),
        (server("ftp://h"), ErrorKind::Refused),
        (header("Authorization", "Bearer x"), ErrorKind::Config),
        (header("Host", "evil"), ErrorKind::Config),
        (header("x\r\ny", "1"), ErrorKind::Config),
        (header("x", "1\r\nHost: evil"), ErrorKind::Config),
    ] {
        let scene = Scene::of([page("a", None)]);
        let shown = format!("{bad:?}");
        let failed = scene.list_of(bad).1.ok_or_else(|| shown.clone())?;
        assert_eq!((failed.kind, scene.urls().len()), (kind, 0), "{shown}");
        assert!(!failed.to_string().contains(char::is_control), "{failed}");
    }
    Ok(())
}

#[test]
fn an_endpoint_takes_the_place_of_the_server() -> Outcome {
    let endpoint = |text: &str| {
        Ok::<_, url::ParseError>(ClientConfig {
            endpoint: Some(Url::parse(text)?),
            ..config()
        })
    };
    let scene = Scene::with(
        endpoint("http://127.0.0.1:8420")?,
        [page("a", Some("/2")), page("b", None)],
    );
    assert_eq!(scene.list().0, ["a", "b"]);
    assert_eq!(
        scene.urls(),
        [
            "http://127.0.0.1:8420/list?api-version=1",
            "http://127.0.0.1:8420/2"
        ]
    );
    let scene = Scene::with(endpoint("https://proxy.example/arm/")?, [page("a", None)]);
    assert_eq!(scene.list().0, ["a"]);
    assert_eq!(
        scene.urls(),
        ["https://proxy.example/arm/list?api-version=1"]
    );
    // A service behind an endpoint that links to its real host is not followed there.
    let scene = Scene::with(
        endpoint("http://127.0.0.1:8420")?,
        [page("a", Some("https://management.azure.com/2"))],
    );
    assert_eq!(scene.failure()?.kind, ErrorKind::Refused);
    let scene = Scene::with(endpoint("http://10.0.0.1")?, [page("a", None)]);
    assert_eq!(
        (scene.failure()?.kind, scene.urls().len()),
        (ErrorKind::Refused, 0)
    );
    Ok(())
}

#[test]
fn one_answer() -> Outcome {
    let scene = Scene::of([page("a", Some("https://evil.example/"))]);
    let read = scene
        .client
        .read_one(call("/thing"), scene.context(), super::scene::read);
    assert_eq!(scene.clock.run(read).ok_or("it hangs")??, ["a"]);
    assert_eq!(scene.urls().len(), 1);
    Ok(())
}
