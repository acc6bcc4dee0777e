//! The Azure CLI as a member of the chain, with a program that says what the test wants.

use super::*;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// An Azure CLI that always says the same.
#[derive(Debug)]
struct Says {
    code: i32,
    stdout: String,
    stderr: &'static str,
    seen: Mutex<Vec<String>>,
}

#[async_trait]
impl Executor for Says {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let words: Vec<_> = std::iter::once(program)
            .chain(arguments.iter().copied())
            .map(OsStr::to_string_lossy)
            .collect();
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(words.join(" "));
        Ok(Output {
            status: ExitStatus::from_raw(self.code << 8),
            stdout: self.stdout.clone().into(),
            stderr: self.stderr.into(),
        })
    }
}

fn says(code: i32, stdout: impl Into<String>, stderr: &'static str) -> Arc<Says> {
    Arc::new(Says {
        code,
        stdout: stdout.into(),
        stderr,
        seen: Mutex::default(),
    })
}

fn scene(
    tenant: Option<&str>,
    executor: Arc<Says>,
    replies: impl IntoIterator<Item = Reply>,
) -> Result<(Scene, tempfile::TempDir), io::Error> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("az"), "")?;
    let path = directory.path().to_string_lossy().into_owned();
    let mut scene = Scene::of(&[(PATH, path.as_str())], replies);
    scene.chain.credential.tenant = tenant.map(str::to_owned);
    scene.chain = scene.chain.with_executor(executor);
    Ok((scene, directory))
}

#[test]
fn the_azure_cli() -> Outcome {
    let end = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs()
        + 3600;
    let token = format!(
        r#"{{"accessToken":"cli-token","expires_on":{end},"tokenType":"Bearer","tenant":"t"}}"#
    );
    for (tenant, argument) in [(None, ""), (Some("tenant-2"), " --tenant tenant-2")] {
        let az = says(0, token.clone(), "WARNING: something is old");
        let (scene, _directory) = scene(tenant, Arc::clone(&az), [])?;
        assert_eq!(scene.acquire()?.secret.reveal(), "cli-token");
        assert_eq!(
            (scene.states().as_str(), scene.script.seen().len()),
            ("---Ur", 0)
        );
        let seen = az
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let command = format!(
            "az account get-access-token -o json --scope https://management.azure.com/.default{argument}"
        );
        assert!(seen[0].ends_with(&command), "{seen:?}");
    }
    Ok(())
}

#[test]
fn an_azure_cli_that_cannot_leaves_it_to_the_managed_identity() -> Outcome {
    for (az, text) in [
        (
            says(1, "", "ERROR: Please run 'az login' to setup account."),
            "ERROR: Please run 'az login' to setup account",
        ),
        (says(127, "", "sh: az: not found"), "az not found on PATH"),
        (says(0, "not json", ""), "expected ident"),
    ] {
        let (scene, _directory) = scene(None, az, [Reply::breakage(Breakage::NotConnected)])?;
        let denied = scene.denied();
        assert!(
            denied.contains("Azure CLI: ") && denied.contains(text),
            "{denied}"
        );
        assert!(
            denied.contains("managed identity: no metadata service at"),
            "{denied}"
        );
        assert_eq!(scene.states(), "---FF");
    }
    // Nobody can pass a command through the tenant.
    let az = says(0, "", "");
    let (scene, _directory) = scene(Some("x; rm -rf /"), Arc::clone(&az), [])?;
    assert!(scene.denied().contains("invalid tenant ID"));
    assert_eq!(
        az.seen.lock().unwrap_or_else(PoisonError::into_inner).len(),
        0
    );
    Ok(())
}

/// An Azure CLI that is logged in once, and then not any more.
#[derive(Debug)]
struct LoggedOut(Arc<Says>, Mutex<Option<Arc<Says>>>);

#[async_trait]
impl Executor for LoggedOut {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let first = self.1.lock().unwrap_or_else(PoisonError::into_inner).take();
        first
            .as_ref()
            .unwrap_or(&self.0)
            .run(program, arguments)
            .await
    }
}

#[test]
fn after_a_token_of_the_azure_cli_no_other_identity_is_asked() -> Outcome {
    let end = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs()
        + 3600;
    let token = format!(r#"{{"accessToken":"cli-token","expires_on":{end},"tokenType":"Bearer"}}"#);
    let az = LoggedOut(
        says(1, "", "ERROR: logged out"),
        Mutex::new(Some(says(0, token, ""))),
    );
    let (mut scene, _directory) = scene(None, says(0, "", ""), [])?;
    scene.chain = scene.chain.with_executor(Arc::new(az));
    assert_eq!(scene.acquire()?.secret.reveal(), "cli-token");
    assert_eq!(
        scene.denied(),
        "there is no token: Azure CLI: ERROR: logged out"
    );
    assert_eq!(
        (scene.states().as_str(), scene.script.seen().len()),
        ("---Fr", 0)
    );
    Ok(())
}
