//! The question before a statement that acts: what is asked, and what counts as yes. It is asked on stderr and answered on stdin, where
//! both are terminals; elsewhere nobody is asked, and the statement is refused. The end of the input and Ctrl-C are no.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use restable_engine::acting::{Attendant, Consent, Question};

use crate::console::Console;
use crate::interrupt::Interrupt;
use crate::output::value::printable;
use crate::status_line::{Above, StatusLine};

/// Scopes that are named before the rest is only counted.
const SCOPES: usize = 10;
/// Milliseconds after which an answer that nobody wants any more is noticed.
#[cfg(unix)]
const PATIENCE: u16 = 50;

/// Whoever sits at the terminal, if somebody does.
pub fn attendant(console: &Console, interrupt: &Interrupt) -> Attendant {
    let line = console.status_line().clone();
    let mut attendant = Attendant::default();
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        let (line, interrupt) = (line.clone(), interrupt.clone());
        attendant.asker = Some(Arc::new(move |question| {
            let (line, interrupt) = (line.clone(), interrupt.clone());
            Box::pin(async move { ask(&question, &line, &interrupt).await })
        }));
    }
    if line.is_visible() {
        attendant.progress = Some(Arc::new(move |progress| line.tell(progress)));
    }
    attendant
}

async fn ask(question: &Question, line: &StatusLine, interrupt: &Interrupt) -> Consent {
    let mut asked = Asked {
        screen: Above::new(line, io::stderr()),
        entered: false,
    };
    if write!(asked.screen, "{}", text(question)).is_err() {
        return Consent::Refused;
    }
    let answer = tokio::select! {
        biased;
        () = interrupt.pressed() => None,
        answer = read_line() => answer,
    };
    match answer {
        Some(answer) => {
            line.entered();
            asked.entered = true;
            consent(&answer)
        }
        None => Consent::Refused,
    }
}

/// A question on the screen. If nobody presses Enter, it still stands on its line when it is dropped.
struct Asked {
    screen: Above<io::Stderr>,
    entered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.entered {
            let _ = writeln!(self.screen);
        }
    }
}

fn consent(answer: &str) -> Consent {
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Consent::Given,
        _ => Consent::Refused,
    }
}

fn text(question: &Question) -> String {
    let Question {
        action,
        count,
        destructive,
        scopes,
        first,
    } = question;
    let targets = if *count == 1 {
        "1 target".to_owned()
    } else {
        format!("{count} targets")
    };
    let mut text = format!("{}: {targets}", printable(action));
    if *destructive {
        text.push_str("; data or protection may be lost");
    }
    text.push('\n');
    let list = |text: &mut String, items: &[String], of: usize| {
        for item in items {
            let _ = writeln!(text, "  {}", printable(item));
        }
        if of > items.len() {
            let _ = writeln!(text, "  … and {} more", of - items.len());
        }
    };
    if !scopes.is_empty() {
        text.push_str("in\n");
        list(&mut text, &scopes[..scopes.len().min(SCOPES)], scopes.len());
    }
    if !first.is_empty() {
        text.push_str(if *count == 1 {
            "the target\n"
        } else {
            "the targets\n"
        });
        list(&mut text, first, *count);
    }
    text.push_str("go on? [y/N] ");
    text
}

/// A line of the terminal; `None` at the end of the input. Whoever does not want it any more drops the future, and the next line is the
/// shell's again.
async fn read_line() -> Option<String> {
    let unwanted = Unwanted::default();
    let told = Arc::clone(&unwanted.0);
    let read = tokio::task::spawn_blocking(move || {
        let stdin = io::stdin();
        let mut line = Vec::new();
        while !told.load(Ordering::Acquire) {
            // Once more, since what is there now may be meant for the shell.
            if !is_ready(&stdin) || told.load(Ordering::Acquire) {
                continue;
            }
            let mut bytes = [0; 1024];
            // One read, of what is there: a terminal gives a line at a time.
            match stdin.lock().read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => line.extend_from_slice(bytes.get(..count)?),
                Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
            if line.ends_with(b"\n") {
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
        }
        None
    });
    read.await.ok()?
}

/// Set when it is dropped.
#[derive(Default)]
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Waits a moment for something to read. Reading at once would hold on to the terminal until the next line, wanted or not.
#[cfg(unix)]
fn is_ready(stdin: &io::Stdin) -> bool {
    use std::os::fd::AsFd as _;

    use nix::poll::{PollFd, PollFlags, poll};

    let mut waited = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut waited, PATIENCE) {
        Ok(count) => count > 0,
        // A signal; any other refusal is told by the read.
        Err(problem) => problem != nix::errno::Errno::EINTR,
    }
}

#[cfg(not(unix))]
fn is_ready(_: &io::Stdin) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let names = |count: usize, prefix: &str| -> Vec<String> {
            (1..=count).map(|n| format!("{prefix}-{n}")).collect()
        };
        let one = Question {
            action: "DELETE FROM backup_instances".to_owned(),
            count: 1,
            destructive: true,
            scopes: names(1, "vault"),
            first: vec!["disk\u{1b}[2K".to_owned()],
        };
        assert_eq!(
            text(&one),
            "DELETE FROM backup_instances: 1 target; data or protection may be lost\nin\n  vault-1\nthe target\n  disk\\u{1b}[2K\n\
             go on? [y/N] "
        );
        let many = Question {
            action: "EXEC backup_instances.adhoc_backup".to_owned(),
            count: 500,
            destructive: false,
            scopes: names(12, "vault"),
            first: names(10, "disk"),
        };
        let text = text(&many);
        assert!(
            text.starts_with("EXEC backup_instances.adhoc_backup: 500 targets\nin\n  vault-1\n"),
            "{text}"
        );
        assert!(
            text.contains("  vault-10\n  … and 2 more\nthe targets\n  disk-1\n"),
            "{text}"
        );
        assert!(
            text.ends_with("  disk-10\n  … and 490 more\ngo on? [y/N] "),
            "{text}"
        );
    }

    #[test]
    fn yes_is_written_out() {
        for yes in ["y\n", "Y\r\n", " yes \n", "YES\n"] {
            assert_eq!(consent(yes), Consent::Given, "{yes:?}");
        }
        for no in [
            "\n",
            "n\n",
            "no\n",
            "yy\n",
            "j\n",
            "",
            "yes please\n",
            "\u{4}",
        ] {
            assert_eq!(consent(no), Consent::Refused, "{no:?}");
        }
    }
}
