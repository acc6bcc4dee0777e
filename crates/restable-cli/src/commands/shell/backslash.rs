//! What begins with a backslash in the shell: short forms of statements, and what concerns the shell alone.

use std::path::Path;

use clap::ValueEnum as _;

use crate::error::{Error, Result};
use crate::output::{Format, Records};
use crate::runner::{OnFailure, Runner, Timing};
use crate::script_file;

/// What the shell does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It reads on.
    Stay,
    /// It ends.
    Leave,
}

/// Each command: its name, what it takes, what it does.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("\\?", "", "this help"),
    ("\\q", "", "leave; so do `exit`, `quit` and Ctrl-D"),
    ("\\l", "", "providers"),
    ("\\dn", "[PROVIDER]", "services"),
    (
        "\\d",
        "[TABLE]",
        "tables after `USE`, or the columns of a table",
    ),
    ("\\d+", "TABLE", "columns and parameters of a table"),
    ("\\dm", "TABLE", "methods of a table"),
    (
        "\\o",
        "[FORMAT]",
        "format: table, json, jsonl, csv, tsv, markdown",
    ),
    ("\\operations", "", "actions that were started from here"),
    (
        "\\wait",
        "ID",
        "wait for an operation, by its number or Azure's id",
    ),
    (
        "\\resume",
        "[STATEMENT]",
        "go on with a statement that was stopped",
    ),
    ("\\x", "", "records below each other, or as lines again"),
    (
        "\\timing",
        "",
        "tell the time of each statement, or no longer",
    ),
    ("\\set", "NAME VALUE", "a value for the placeholder `:NAME`"),
    ("\\i", "FILE", "run the statements of a file"),
    ("\\r", "", "forget what was typed of a statement"),
];

const STATEMENTS: &str = "\
A statement ends with `;` and may have several lines. Ctrl-C cancels it, whether
it is still typed or running.

  SHOW PROVIDERS;  SHOW SERVICES IN azure;  SHOW TABLES;
  USE azure.data_protection;            short names from now on
  DESCRIBE EXTENDED backup_instances;   columns and parameters
  SELECT … FROM vw_backup_instances;    views have flat columns
  EXEC t.m @name = …;  DELETE FROM t WHERE …;    change something
  PREVIEW EXEC …;                       what would be sent, and nothing is
  SHOW CALLS;  SHOW WARNINGS;           what the last statement did
  SHOW SETTINGS;                        with their values and meanings
  SET partial_results = on;             list what cannot be read, do not fail
";

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, ..)| *name)
}

/// Runs a command. `typed` is what stands before it of a statement.
pub async fn run(runner: &mut Runner<'_>, line: &str, typed: &mut String) -> Result<Next> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    // A `;` is typed out of habit.
    let (name, rest) = (
        name.trim_end_matches(';'),
        rest.trim().trim_end_matches(';').trim(),
    );
    match (name, rest) {
        ("\\q" | "\\quit", _) => return Ok(Next::Leave),
        ("\\?" | "\\h" | "\\help", _) => help(runner),
        ("\\r", _) => typed.clear(),
        ("\\l", _) => sql(runner, "SHOW PROVIDERS").await?,
        ("\\dn", "") => services(runner).await?,
        ("\\dn", provider) => sql(runner, &format!("SHOW SERVICES IN {provider}")).await?,
        ("\\d" | "\\dt" | "\\d+", "") => sql(runner, "SHOW TABLES").await?,
        ("\\d", table) => sql(runner, &format!("DESCRIBE {table}")).await?,
        ("\\d+", table) => sql(runner, &format!("DESCRIBE EXTENDED {table}")).await?,
        ("\\dm", table) if !table.is_empty() => {
            sql(runner, &format!("SHOW METHODS IN {table}")).await?
        }
        ("\\operations", _) => sql(runner, "SHOW OPERATIONS").await?,
        ("\\wait", reference) if !reference.is_empty() => {
            let session = runner.session();
            runner.begin();
            runner.request(line, session.wait_for(reference)).await?
        }
        ("\\resume", statement) => {
            let session = runner.session();
            let statement = Some(statement).filter(|statement| !statement.is_empty());
            runner.begin();
            runner.request(line, session.resume(statement)).await?
        }
        ("\\o", "") => runner.console.say(&format!("format: {}", runner.format)),
        ("\\o", format) => match Format::from_str(format, true) {
            Ok(format) if format.is_binary() => refuse(
                runner,
                format!(
                    "`{format}` is not for a session: it takes one result, and a file or a pipe"
                ),
                "`restable exec -o … --outfile FILE` writes it",
            ),
            Ok(format) => runner.format = format,
            Err(_) => refuse(
                runner,
                format!("there is no format `{format}`"),
                "`\\?` lists them",
            ),
        },
        ("\\x", _) => {
            runner.records = if runner.records == Records::Expanded {
                Records::Auto
            } else {
                Records::Expanded
            };
            let told = if runner.records == Records::Expanded {
                "records below each other"
            } else {
                "records as lines"
            };
            runner.console.say(told);
        }
        ("\\timing", _) => {
            runner.timing = if runner.timing == Timing::On {
                Timing::Off
            } else {
                Timing::On
            };
            runner.console.say(if runner.timing == Timing::On {
                "timing on"
            } else {
                "timing off"
            });
        }
        ("\\set", pair) if pair.contains(char::is_whitespace) => {
            let (name, value) = pair.split_once(char::is_whitespace).unwrap_or((pair, ""));
            runner.session().set_variable(name, value.trim());
        }
        ("\\i", file) if !file.is_empty() => match script_file::read(Path::new(file)) {
            Ok(script) => {
                runner
                    .script(&script.text, &script.name, OnFailure::Stop)
                    .await?
            }
            Err(failure) => runner.fail(&failure, ""),
        },
        (name, _) => match COMMANDS.iter().find(|(known, ..)| *known == name) {
            Some((name, takes, _)) => refuse(
                runner,
                format!("`{name}` takes `{takes}`"),
                "`\\?` lists the commands",
            ),
            None => {
                let nearest =
                    restable_sql::closest(name, names()).map(|near| format!("is `{near}` meant?"));
                refuse(
                    runner,
                    format!("there is no command `{name}`"),
                    &nearest.unwrap_or_else(|| "`\\?` lists them".to_owned()),
                );
            }
        },
    }
    Ok(Next::Stay)
}

fn help(runner: &mut Runner<'_>) {
    runner.console.warn(STATEMENTS);
    for (name, takes, meaning) in COMMANDS {
        runner
            .console
            .warn(&format!("  {:<22}{meaning}", format!("{name} {takes}")));
    }
}

fn refuse(runner: &mut Runner<'_>, message: String, hint: &str) {
    runner.fail(
        &Error::Command {
            message,
            hint: hint.to_owned(),
        },
        "",
    );
}

async fn sql(runner: &mut Runner<'_>, statement: &str) -> Result<()> {
    runner.begin();
    runner
        .script(statement, "the statement", OnFailure::Stop)
        .await
}

/// The services of the provider that `USE` named, or of each.
async fn services(runner: &mut Runner<'_>) -> Result<()> {
    let providers: Vec<String> = match runner.session().current().provider {
        Some(provider) => vec![provider],
        None => runner
            .session()
            .registry()
            .providers()
            .map(|provider| provider.name.clone())
            .collect(),
    };
    let statements: Vec<String> = providers
        .iter()
        .map(|provider| format!("SHOW SERVICES IN {provider}"))
        .collect();
    sql(runner, &statements.join("; ")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_listed() {
        let (_, _, meaning) = COMMANDS
            .iter()
            .find(|(name, ..)| *name == "\\o")
            .copied()
            .unwrap_or_default();
        let text = |format: &&Format| !format.is_binary();
        for format in Format::value_variants().iter().filter(text) {
            assert!(meaning.contains(&format.to_string()), "{format}");
        }
    }
}
