//! The corpus of hostile links against [`resolve_link`], and the gate's own table.

use super::*;

const BASE: &str = "https://management.azure.com/subscriptions?api-version=2022-12-01";

/// Links that must not lead anywhere. Shared with the tests of the client, which see that no socket is opened for them.
pub(crate) const HOSTILE: &[&str] = &[
    "http://management.azure.com/x",
    "https://evil.example/x",
    "//evil.example/x",
    "//management.azure.com/x",
    "\\\\evil.example\\x",
    "/\\evil.example/x",
    " https://evil.example/",
    "https://evil.example/ ",
    "https://management.azure.com.evil.example/",
    "https://management.azure.com@evil.example/",
    "https://management.azure.com%40evil.example/",
    "https://management.azure.com:443@evil.example/",
    "https://evil.example@management.azure.com/",
    "https://management.azure.com:8443/",
    "https://management.azure.com./",
    "https://management.azure.com\t.evil.example/",
    "https://management.azure.com%00.evil.example/",
    "https://evilmanagement.azure.com/",
    "https://management.azure.com\u{3002}evil.example/",
    "https://\u{ff4d}anagement.azure.com/",
    "https://xn--mnagement-i4a.azure.com/",
    "https://[::1]/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://169.254.169.254/metadata/identity",
    "https://[fd00:ec2::254]/",
    "https://localhost/",
    "ftp://management.azure.com/",
    "file:///etc/passwd",
    "javascript:1",
    "data:application/json,{}",
    "gopher://management.azure.com/",
    "https://user:pw@management.azure.com/",
    "https://management.azure.us/",
    "https://graph.microsoft.com/v1.0/me",
    "https://management.azure.com/../../x",
    "https://management.azure.com/a/%2e%2E/x",
    "../x",
    "./x",
    "*&*#&$",
    "#",
    "https://management.azure.com/a\0b",
    "https://management.azure.com/a\r\nb",
    "https:///x",
    "https://",
    "https:management.azure.com/x",
    "https:/management.azure.com/x",
    "http:/x",
    "https://management.azure.com:0/",
    "https://management.azure.com:99999/",
    "https://management.azure.com:/@evil.example/\n",
    "HTTPS://EVIL.EXAMPLE/",
    "https://management.azure.com /x",
];

#[test]
fn hostile_links_are_refused() -> Result<(), url::ParseError> {
    let base = Url::parse(BASE)?;
    for link in HOSTILE {
        let refused = resolve_link(link, &base, &base.origin());
        assert!(refused.is_err(), "{link:?} leads to {refused:?}");
    }
    assert_eq!(
        resolve_link(&"a".repeat(20 * 1024), &base, &base.origin()),
        Err(Refusal::TooLong(20 * 1024))
    );
    Ok(())
}

#[test]
fn honest_links_are_followed_as_they_are() -> Result<(), url::ParseError> {
    let base = Url::parse(BASE)?;
    let long = format!(
        "https://management.azure.com/x?$skiptoken={}",
        "a".repeat(4096)
    );
    for (link, expected) in [
        (
            "https://management.azure.com:443/x",
            "https://management.azure.com/x",
        ),
        (
            "https://MANAGEMENT.AZURE.COM/X?Y=Z",
            "https://management.azure.com/X?Y=Z",
        ),
        (
            "/subscriptions/x?y",
            "https://management.azure.com/subscriptions/x?y",
        ),
        ("next?page=2", "https://management.azure.com/next?page=2"),
        (
            "?%24skiptoken=a%2Bb",
            "https://management.azure.com/subscriptions?%24skiptoken=a%2Bb",
        ),
        (
            "https://management.azure.com/a?t=1&$filter=x+y&at=10:00:00+00:00",
            "https://management.azure.com/a?t=1&$filter=x+y&at=10:00:00+00:00",
        ),
        (
            "https://management.azure.com/op/YWJj==?c=MII_-.~",
            "https://management.azure.com/op/YWJj==?c=MII_-.~",
        ),
        (
            "https://management.azure.com/a%2fb%2F%c3%A9?q=%7e%7E",
            "https://management.azure.com/a%2fb%2F%c3%A9?q=%7e%7E",
        ),
        (
            "https://management.azure.com#@evil.example/",
            "https://management.azure.com/",
        ),
        (
            "https://management.azure.com/x?a=..&b=/../c",
            "https://management.azure.com/x?a=..&b=/../c",
        ),
        (long.as_str(), long.as_str()),
    ] {
        assert_eq!(
            resolve_link(link, &base, &base.origin())
                .as_ref()
                .map(Url::as_str),
            Ok(expected),
            "{link}"
        );
    }
    Ok(())
}

#[test]
fn the_gate() -> Result<(), url::ParseError> {
    let arm = Url::parse("https://management.azure.com")?;
    let china = Url::parse("https://management.chinacloudapi.cn")?.origin();
    let own = || Audience::Only(arm.origin());
    // A letter for the outcome: `t` with the token, `a` anonymous, `-` refused.
    for (service, audience, url, expected) in [
        (
            "https://management.azure.com",
            own(),
            "https://management.azure.com/x",
            't',
        ),
        (
            "https://management.azure.com",
            own(),
            "https://management.azure.com:443/x",
            't',
        ),
        (
            "https://management.azure.com",
            own(),
            "http://management.azure.com/x",
            '-',
        ),
        (
            "https://management.azure.com",
            own(),
            "https://evil.example/x",
            '-',
        ),
        (
            "https://management.azure.com",
            own(),
            "https://management.azure.com./x",
            '-',
        ),
        (
            "https://management.azure.com",
            own(),
            "https://a:b@management.azure.com/x",
            '-',
        ),
        (
            "https://management.azure.com",
            Audience::Only(china),
            "https://management.azure.com/x",
            '-',
        ),
        (
            "https://proxy.example",
            own(),
            "https://proxy.example/x",
            '-',
        ),
        (
            "https://proxy.example",
            Audience::Service,
            "https://proxy.example/x",
            't',
        ),
        (
            "https://proxy.example",
            Audience::Nobody,
            "https://proxy.example/x",
            'a',
        ),
        (
            "http://127.0.0.1:8420",
            Audience::Nobody,
            "http://127.0.0.1:8420/x",
            'a',
        ),
        (
            "http://localhost:8420",
            Audience::Nobody,
            "http://localhost:8420/x",
            'a',
        ),
        (
            "http://[::1]:8420",
            Audience::Nobody,
            "http://[::1]:8420/x",
            'a',
        ),
        (
            "http://127.0.0.1:8420",
            Audience::Nobody,
            "http://127.0.0.1:8421/x",
            '-',
        ),
        (
            "http://127.0.0.1:8420",
            Audience::Service,
            "http://127.0.0.1:8420/x",
            '-',
        ),
        (
            "http://127.0.0.1:8420",
            own(),
            "http://127.0.0.1:8420/x",
            '-',
        ),
        (
            "http://10.0.0.1",
            Audience::Nobody,
            "http://10.0.0.1/x",
            '-',
        ),
        (
            "http://localhost.evil.example",
            Audience::Nobody,
            "http://localhost.evil.example/x",
            '-',
        ),
        (
            "ftp://127.0.0.1",
            Audience::Nobody,
            "ftp://127.0.0.1/x",
            '-',
        ),
    ] {
        let gate = Gate::new(&Url::parse(service)?, audience);
        let letter = match gate.authorize(&Url::parse(url)?) {
            Ok(Passage::WithToken) => 't',
            Ok(Passage::Anonymous) => 'a',
            Err(_) => '-',
        };
        assert_eq!(letter, expected, "{url} for {service}");
    }
    Ok(())
}

#[test]
fn no_text_leads_elsewhere() -> Result<(), url::ParseError> {
    let base = Url::parse(BASE)?;
    let pieces = [
        "https://",
        "http://",
        "//",
        "/",
        "\\",
        "management.azure.com",
        "evil.example",
        "@",
        ":",
        "443",
        "?",
        "#",
        "%",
        "%2e",
        "..",
        ".",
        "a",
        "\t",
        " ",
        "\u{3002}",
        "[::1]",
        "&",
        "=",
        "\u{200d}",
        "xn--",
        "\u{ff0f}",
        "x:y",
    ];
    let mut random = fastrand::Rng::with_seed(1);
    let mut followed = 0;
    for _ in 0..200_000 {
        let link: String = (0..random.usize(1..7))
            .map(|_| pieces[random.usize(..pieces.len())])
            .collect();
        if let Ok(url) = resolve_link(&link, &base, &base.origin()) {
            followed += 1;
            assert_eq!(url.origin(), base.origin(), "{link:?}");
            assert!(
                url.username().is_empty() && url.password().is_none() && url.fragment().is_none(),
                "{link:?}"
            );
        }
    }
    assert!(followed > 1_000, "{followed}");
    Ok(())
}
