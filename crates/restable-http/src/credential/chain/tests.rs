//! The chain through azure_identity and the scripted transport: what each member sends, what it gives, and what is said when it cannot.

#[cfg(unix)]
mod cli;

use std::time::SystemTime;

use super::*;
use crate::clock::VirtualClock;
use crate::environment::{AZURE_TENANT_ID, PATH};
use crate::scripted::{Reply, Script};
use crate::transport::Breakage;

const TOKEN: &str =
    r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"the-token"}"#;

struct Scene {
    chain: AzureChain,
    script: Script,
    clock: VirtualClock,
}

impl Scene {
    fn of(variables: &[(&str, &str)], replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::in_cloud(Cloud::Public, variables, replies)
    }

    fn in_cloud(
        cloud: Cloud,
        variables: &[(&str, &str)],
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        // azure_identity reckons with the real calendar.
        let clock = VirtualClock::starting_at(SystemTime::now());
        let script = Script::of(Arc::new(clock.clone()), replies);
        let environment = Environment::of(variables.iter().copied());
        let credential = AzureCredential {
            cloud,
            tenant: None,
        };
        let chain = AzureChain::new(
            credential,
            environment,
            Arc::new(script.clone()),
            Arc::new(clock.clone()),
        );
        Self {
            chain,
            script,
            clock,
        }
    }

    fn acquire(&self) -> Result<Token, Error> {
        self.clock
            .run(self.chain.acquire())
            .unwrap_or_else(|| Err(Error::of(ErrorKind::Timeout, "the test hangs")))
    }

    fn denied(&self) -> String {
        match self.acquire() {
            Ok(_) => "a token".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn states(&self) -> String {
        let letter = |step: ChainStep| match step.state {
            StepState::Ready => 'r',
            StepState::Skipped => '-',
            StepState::Used => 'U',
            StepState::Failed => 'F',
        };
        self.chain.trail().into_iter().map(letter).collect()
    }

    fn form(&self, number: usize) -> Vec<(String, String)> {
        let seen = self.script.seen();
        url::form_urlencoded::parse(&seen[number].body)
            .into_owned()
            .collect()
    }
}

fn principal(own: (&'static str, &'static str)) -> [(&'static str, &'static str); 3] {
    [
        (AZURE_TENANT_ID, "tenant-1"),
        (AZURE_CLIENT_ID, "client-1"),
        own,
    ]
}

fn secret() -> [(&'static str, &'static str); 3] {
    principal((AZURE_CLIENT_SECRET, "hunter2"))
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn a_secret() -> Outcome {
    for (cloud, host, scope) in [
        (
            Cloud::Public,
            "login.microsoftonline.com",
            "https://management.azure.com/.default",
        ),
        (
            Cloud::China,
            "login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
        ),
        (
            Cloud::UsGovernment,
            "login.microsoftonline.us",
            "https://management.core.usgovcloudapi.net/.default",
        ),
    ] {
        let scene = Scene::in_cloud(cloud, &secret(), [Reply::json(200, TOKEN)]);
        assert_eq!(scene.states(), "r---r", "nothing was asked yet");
        let token = scene.acquire()?;
        assert_eq!(token.secret.reveal(), "the-token");
        let life = token
            .expires
            .ok_or("no end")?
            .duration_since(SystemTime::now())?;
        assert!(
            life > Duration::from_secs(3_500) && life < Duration::from_secs(3_601),
            "{life:?}"
        );
        let seen = scene.script.seen();
        assert_eq!(
            seen[0].url.as_str(),
            format!("https://{host}/tenant-1/oauth2/v2.0/token")
        );
        let form = [
            ("client_id", "client-1"),
            ("client_secret", "hunter2"),
            ("grant_type", "client_credentials"),
            ("scope", scope),
        ];
        assert_eq!(
            scene.form(0),
            form.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!((scene.states().as_str(), seen.len()), ("U---r", 1));
        assert!(
            !format!("{:?} {seen:?}", scene.chain).contains("hunter2"),
            "debug output shows the secret"
        );
    }
    Ok(())
}

#[test]
fn each_token_is_asked_for() -> Outcome {
    // azure_identity's own cache must not bring a refused token back.
    let scene = Scene::of(
        &secret(),
        [
            Reply::json(200, TOKEN),
            Reply::json(200, TOKEN.replace("the-token", "another")),
        ],
    );
    assert_eq!(scene.acquire()?.secret.reveal(), "the-token");
    assert_eq!(scene.acquire()?.secret.reveal(), "another");
    Ok(())
}

#[test]
fn a_certificate() -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    let pem = [
        include_str!("../../../tests/keys/key-pkcs8.pem"),
        include_str!("../../../tests/keys/certificate.pem"),
    ]
    .concat();
    std::fs::write(file.path(), pem)?;
    let path = file.path().to_string_lossy().into_owned();
    let variables = [
        (AZURE_TENANT_ID, "tenant-1"),
        (AZURE_CLIENT_ID, "client-1"),
        (AZURE_CLIENT_CERTIFICATE_PATH, path.as_str()),
    ];
    let scene = Scene::of(&variables, [Reply::json(200, TOKEN)]);
    assert_eq!(scene.acquire()?.secret.reveal(), "the-token");
    assert_eq!(scene.states(), "-U--r");
    let form = scene.form(0);
    let value = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    assert_eq!(
        value("client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    // That it verifies is shown where it is made.
    assert_eq!(value("client_assertion").split('.').count(), 3);
    assert_eq!(value("client_secret"), "");

    std::fs::write(file.path(), b"\x30\x82\x01\x02pfx")?;
    let scene = Scene::of(&variables, []);
    let error = scene.acquire().err().ok_or("a token of a PFX file")?;
    assert!(
        error
            .to_string()
            .contains("is a PFX container, which is not supported"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.starts_with("`openssl pkcs12"))
    );
    assert_eq!(scene.script.seen().len(), 0);
    Ok(())
}

#[test]
fn a_workload_identity() -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "kubernetes-token")?;
    let path = file.path().to_string_lossy().into_owned();
    let variables = [
        (AZURE_TENANT_ID, "tenant-1"),
        (AZURE_CLIENT_ID, "client-1"),
        (AZURE_FEDERATED_TOKEN_FILE, path.as_str()),
    ];
    let scene = Scene::of(&variables, [Reply::json(200, TOKEN)]);
    assert_eq!(scene.acquire()?.secret.reveal(), "the-token");
    assert!(
        scene
            .form(0)
            .contains(&("client_assertion".to_owned(), "kubernetes-token".to_owned()))
    );
    assert_eq!(scene.states(), "--U-r");
    Ok(())
}

#[test]
fn a_managed_identity() -> Outcome {
    let answer = format!(
        r#"{{"access_token":"managed","expires_on":"{}","resource":"https://management.azure.com","token_type":"Bearer"}}"#,
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)?
            .as_secs()
            + 3600
    );
    for (variables, identity) in [
        (vec![], ""),
        (
            vec![(AZURE_CLIENT_ID, "user-assigned")],
            "&client_id=user-assigned",
        ),
    ] {
        let scene = Scene::of(
            &variables,
            [
                Reply::plain(400, "no header"),
                Reply::json(200, answer.clone()),
            ],
        );
        assert_eq!(scene.acquire()?.secret.reveal(), "managed");
        let seen = scene.script.seen();
        assert!(
            !seen[0].headers.contains_key("metadata"),
            "the probe asks for no token"
        );
        assert_eq!(seen[1].headers["metadata"], "true");
        let query = seen[1].url.query().unwrap_or_default();
        assert_eq!(seen[1].url.host_str(), Some("169.254.169.254"));
        assert!(
            query.contains("resource=https%3A%2F%2Fmanagement.azure.com")
                && query.ends_with(identity),
            "{query}"
        );
        assert_eq!(scene.states(), "----U");
    }
    // A metadata service that redirects is not followed.
    let elsewhere = Reply::plain(302, "").header("location", "http://evil.example/");
    let scene = Scene::of(&[], [Reply::plain(400, ""), elsewhere]);
    assert!(
        scene
            .denied()
            .starts_with("there is no token: managed identity: ")
    );
    assert_eq!(scene.script.seen().len(), 2);
    Ok(())
}

#[test]
fn the_token_service_fails() {
    let busy = || Reply::json(503, "{}");
    // Three attempts, no more; a `Retry-After` is waited for.
    let scene = Scene::of(
        &secret(),
        [
            busy().header("retry-after", "2"),
            busy(),
            Reply::json(200, TOKEN),
        ],
    );
    assert!(scene.acquire().is_ok() && scene.clock.elapsed() > Duration::from_secs(2));
    let scene = Scene::of(&secret(), [busy(), busy(), busy(), Reply::json(200, TOKEN)]);
    assert!(
        scene
            .denied()
            .starts_with("there is no token: environment secret: ")
    );
    assert_eq!(scene.script.seen().len(), 3);
    let scene = Scene::of(
        &secret(),
        [
            Reply::json(429, "{}").header("retry-after", "600"),
            Reply::json(200, TOKEN),
        ],
    );
    assert!(scene.denied().starts_with("there is no token: "));
    assert_eq!(scene.clock.elapsed(), Duration::ZERO);
    let scene = Scene::of(
        &secret(),
        [Reply::silence(), Reply::silence(), Reply::silence()],
    );
    assert!(
        scene.denied().contains("no answer within 15 s"),
        "{}",
        scene.denied()
    );
    assert!(scene.clock.elapsed() < Duration::from_secs(60));

    // An explicit member that is refused is the end: no other identity takes its place.
    let refused = r#"{"error":"invalid_client","error_codes":[7000215],"error_description":"AADSTS7000215: Invalid client secret provided. client_secret=hunter2"}"#;
    let scene = Scene::of(&secret(), [Reply::json(401, refused)]);
    assert_eq!(
        scene.denied(),
        "there is no token: environment secret: AADSTS7000215: Invalid client secret provided. client_secret=[secret]"
    );
    assert_eq!(
        (scene.states().as_str(), scene.script.seen().len()),
        ("F---r", 1)
    );

    for answer in [
        Reply::plain(200, "<html>"),
        Reply::json(200, "{}"),
        Reply::json(200, r#"{"access_token":"x","expires_in":"soon"}"#),
        Reply::json(307, "").header("location", "https://evil.example/"),
        Reply::json(200, "x".repeat(1 << 20)),
        Reply::breakage(Breakage::Untrusted),
    ] {
        let scene = Scene::of(&secret(), [answer.clone()]);
        let outcome = scene
            .clock
            .run(async { tokens(&scene).current().await.map(|_| ()) });
        assert!(
            matches!(outcome, Some(Err(ref error)) if error.kind == ErrorKind::Credential),
            "{answer:?}: {outcome:?}"
        );
        assert_eq!(scene.script.seen().len(), 1, "{answer:?}");
    }
}

fn tokens(scene: &Scene) -> super::super::Tokens {
    let again = AzureChain::new(
        scene.chain.credential.clone(),
        scene.chain.environment.clone(),
        Arc::new(scene.script.clone()),
        Arc::new(scene.clock.clone()),
    );
    super::super::Tokens::new(Arc::new(again), Arc::new(scene.clock.clone()))
}

#[test]
fn tokens_that_cannot_be_used() {
    for (token, life, text) in [
        ("", 3600, "an empty token"),
        ("a", 0, "a token that has already expired"),
        ("a", -1, "a token that has already expired"),
        ("a b", 3600, "a token with characters that no header holds"),
    ] {
        let body =
            serde_json::json!({"token_type": "Bearer", "expires_in": life, "access_token": token})
                .to_string();
        let scene = Scene::of(&secret(), [Reply::json(200, body)]);
        // The two clocks differ by the time that the test takes.
        scene.clock.advance(Duration::from_millis(500));
        let outcome = scene.clock.run(async {
            tokens(&scene)
                .current()
                .await
                .map(|_| ())
                .map_err(|error| error.to_string())
        });
        let expected =
            format!("the credential gave {text} for https://management.azure.com/.default");
        assert_eq!(outcome, Some(Err(expected)));
    }
    let scene = Scene::of(
        &secret(),
        [Reply::json(
            200,
            TOKEN.replace("the-token", &"a".repeat(100_000)),
        )],
    );
    let outcome = scene.clock.run(async {
        tokens(&scene)
            .current()
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    });
    assert!(
        matches!(outcome, Some(Err(ref error)) if error.contains("larger than 64 KiB")),
        "{outcome:?}"
    );
}

#[test]
fn a_token_is_asked_for_in_one_place_only() {
    let clock = VirtualClock::default();
    let script = Script::of(Arc::new(clock.clone()), [Reply::json(200, TOKEN)]);
    let client = IdentityClient {
        transport: Arc::new(script.clone()),
        clock: Arc::new(clock.clone()),
        place: origin("https://login.microsoftonline.com"),
    };
    use azure_core::http::{HttpClient, Method as AzureMethod, Request as AzureRequest};
    for url in [
        "http://login.microsoftonline.com/",
        "https://login.microsoftonline.us/",
        "https://evil.example/",
    ] {
        let Ok(url) = url.parse() else { continue };
        let asked = clock.run(client.execute_request(&AzureRequest::new(url, AzureMethod::Post)));
        assert!(matches!(asked, Some(Err(_))));
    }
    assert_eq!(script.seen().len(), 0);
}

#[test]
fn an_identity_does_not_change_halfway() -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("token");
    std::fs::write(&file, "kubernetes-token")?;
    let path = file.to_string_lossy().into_owned();
    let mut variables = vec![(AZURE_FEDERATED_TOKEN_FILE, path.as_str())];
    variables.extend([(AZURE_TENANT_ID, "tenant-1"), (AZURE_CLIENT_ID, "client-1")]);
    let scene = Scene::of(&variables, [Reply::json(200, TOKEN)]);
    scene.acquire()?;
    // The file goes away: the error is the workload identity's, and the metadata service is not asked.
    std::fs::remove_file(&file)?;
    assert!(scene.denied().contains("workload identity: "));
    assert_eq!(
        (scene.states().as_str(), scene.script.seen().len()),
        ("--F-r", 1)
    );
    Ok(())
}
