//! `restable shell`: reads statements from a terminal or from standard input, runs each as soon as it is whole, and keeps the session. Owns
//! the loop; what stands behind a backslash is in `backslash.rs`.

mod backslash;
mod complete;
mod input;

use restable_engine::catalog::Current;
use restable_http::Environment;
use restable_sql::{Completeness, Open, completeness, split};

use self::backslash::Next;
use self::input::{Input, Line};
use crate::acted::GoingOn;
use crate::arguments::ShellArguments;
use crate::commands::exec;
use crate::connection;
use crate::console::Console;
use crate::error::{Error, Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::output::Format;
use crate::runner::{OnFailure, Runner};

/// Runs the command.
pub async fn run(arguments: &ShellArguments, environment: &Environment) -> Result<Exit> {
    let arguments = &arguments.session;
    let configuration = exec::configure(arguments, environment)?;
    let format = configuration.output.unwrap_or(Format::Table);
    format.refuse_session()?;
    let connection = connection::open(&arguments.connection, &configuration, environment).await?;
    let session = connection
        .session(&configuration, &arguments.variables)
        .await?;
    let mut console = exec::console(arguments, &configuration, environment)?;
    let mut input = Input::open(session.registry(), &configuration.history, environment)?;
    let interrupt = Interrupt::listen(if input.is_terminal() {
        Patience::Long
    } else {
        Patience::Short
    })?;
    if input.is_terminal() {
        greet(&mut console, &connection);
    }
    exec::attend(&session, arguments, &console, &interrupt);
    let mut runner = Runner::new(&session, &mut console, &interrupt, format);
    runner.going_on = GoingOn::Shell;
    // At a terminal a person decides after each failure; a script of lines ends at the first, like one of `exec`.
    let on_failure = if input.is_terminal() {
        OnFailure::GoOn
    } else {
        exec::on_failure(arguments)
    };
    let ended = talk(&mut runner, &mut input, &interrupt, on_failure).await;
    let exit = exec::finish(&runner, arguments.summary.as_deref(), ended)?;
    Ok(if input.is_terminal() {
        Exit::Done
    } else {
        exit
    })
}

fn greet(console: &mut Console, connection: &connection::Connection) {
    console.say(&format!(
        "restable {} · `\\?` for help, `\\q` or Ctrl-D to leave",
        env!("CARGO_PKG_VERSION")
    ));
    for route in connection
        .routes
        .iter()
        .filter(|route| route.auth.is_some())
    {
        let endpoint = route
            .endpoint
            .as_ref()
            .map_or_else(|| "its own server".to_owned(), restable_http::redact_url);
        console.aside(&format!("{}: {endpoint}", route.provider));
    }
}

/// Reads and runs until the end of the input.
async fn talk(
    runner: &mut Runner<'_>,
    input: &mut Input,
    interrupt: &Interrupt,
    on_failure: OnFailure,
) -> Result<()> {
    let mut text = String::new();
    loop {
        let current = runner.session().current();
        let open = match completeness(&text) {
            Completeness::Incomplete { why } => Some(why),
            Completeness::Complete => None,
        };
        match input.line(&prompt(&current, open), &current, &text)? {
            Line::Cancelled => {
                text.clear();
                continue;
            }
            Line::End if input.is_terminal() => return Ok(()),
            Line::End => {
                // What stands without its `;` at the end of a file is meant to be run.
                if !blank(&text) {
                    run_text(runner, input, interrupt, &text, on_failure).await?;
                }
                return Ok(());
            }
            Line::Text(line) => {
                let word = line.trim();
                let between =
                    text.is_empty() || matches!(open, Some(Open::Statement | Open::Parenthesis));
                if between && word.starts_with('\\') {
                    input.remember(&line);
                    interrupt.clear();
                    match survive(backslash::run(runner, word, &mut text).await, runner, input)? {
                        Next::Leave => return Ok(()),
                        Next::Stay => {}
                    }
                } else if text.is_empty()
                    && ["exit", "quit", "exit;", "quit;"]
                        .contains(&word.to_ascii_lowercase().as_str())
                {
                    return Ok(());
                } else {
                    text.push_str(&line);
                    text.push('\n');
                    if completeness(&text) == Completeness::Complete {
                        let script = std::mem::take(&mut text);
                        run_text(runner, input, interrupt, &script, on_failure).await?;
                    }
                }
            }
        }
        if on_failure == OnFailure::Stop && !matches!(runner.exit(), Exit::Done | Exit::Incomplete)
        {
            return Ok(());
        }
    }
}

async fn run_text(
    runner: &mut Runner<'_>,
    input: &mut Input,
    interrupt: &Interrupt,
    script: &str,
    on_failure: OnFailure,
) -> Result<()> {
    if blank(script) {
        return Ok(());
    }
    input.remember(script.trim_end());
    interrupt.clear();
    if input.is_terminal() {
        runner.begin();
    }
    let ended = runner.script(script, "the statement", on_failure).await;
    survive(ended.map(|()| Next::Stay), runner, input).map(|_| ())
}

/// Ctrl-C ends a statement, not the shell of a person.
fn survive(ended: Result<Next>, runner: &mut Runner<'_>, input: &Input) -> Result<Next> {
    match ended {
        Err(Error::Interrupted) if input.is_terminal() => {
            runner.console.warn("interrupted");
            Ok(Next::Stay)
        }
        other => other,
    }
}

/// Whether there is nothing but spaces and comments.
fn blank(text: &str) -> bool {
    split(text).is_ok_and(|pieces| pieces.is_empty())
}

/// What `USE` named, and what is still open.
fn prompt(current: &Current, open: Option<Open>) -> String {
    let name = match (&current.provider, &current.service) {
        (Some(provider), Some(service)) => format!("{provider}.{service}"),
        (Some(provider), None) => provider.clone(),
        _ => "restable".to_owned(),
    };
    let mark = match open {
        None => return format!("{name}> "),
        Some(Open::Text) => '\'',
        Some(Open::QuotedName) => '"',
        Some(Open::Comment) => '*',
        Some(Open::DollarQuote) => '$',
        Some(Open::Parenthesis) => '(',
        Some(Open::Statement) => '-',
    };
    format!("{mark:>width$}> ", width = name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts() {
        let mut current = Current::default();
        assert_eq!(prompt(&current, None), "restable> ");
        assert_eq!(prompt(&current, Some(Open::Text)), "       '> ");
        current.provider = Some("azure".to_owned());
        current.service = Some("data_protection".to_owned());
        assert_eq!(prompt(&current, None), "azure.data_protection> ");
        assert_eq!(
            prompt(&current, Some(Open::Statement)),
            "                    -> "
        );
    }

    #[test]
    fn comments_are_blank() {
        assert!(blank(" -- nothing\n /* at all */ ;"));
        assert!(!blank("SELECT 1"));
        assert!(!blank("'"));
    }
}
