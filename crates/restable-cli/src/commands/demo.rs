//! `restable demo`: a guided tour against the built-in emulator. Everything is on stdout, in the order in which it is to be read.

use arm_emulator::{ClockKind, Estate};
use restable_engine::Origin;
use restable_http::Environment;

use crate::arguments::{ConnectionArguments, DemoArguments};
use crate::configuration::Configuration;
use crate::connection;
use crate::console::Console;
use crate::error::{Error, Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::output::Format;
use crate::runner::{OnFailure, Runner};

/// A stop of the tour.
struct Stop {
    title: &'static str,
    words: &'static str,
    sql: &'static str,
}

const WELCOME: &str = "\
restable turns REST APIs into SQL tables. This tour runs against a built-in
emulator of Azure Resource Manager: the tenant of a company called Contoso,
whose backups are in Azure Backup vaults. Nothing leaves this machine, and no
account is needed.";

const STOPS: &[Stop] = &[
    Stop {
        title: "What is there",
        words: "\
Providers hold services, services hold tables and views. All of it is read from
documents: asking what there is calls nobody.",
        sql: "\
SHOW SERVICES IN azure;
SHOW VIEWS IN azure.data_protection;
DESCRIBE azure.data_protection.backup_instances;",
    },
    Stop {
        title: "The whole estate",
        words: "\
No subscription and no vault is named, so the table is everything that the
credential can see: subscriptions are walked, then vaults, then instances, every
page of them. The last line says what was covered and what it cost. A scope that
cannot be read fails the statement; there is no silent gap.",
        sql: "\
USE azure.data_protection;
SELECT vaultName,
       properties.friendlyName AS item,
       properties.currentProtectionState AS state
FROM backup_instances
ORDER BY vaultName, item;",
    },
    Stop {
        title: "How well is it protected?",
        words: "\
`vw_backup_instances` has one flat column for each thing that people ask for.",
        sql: "\
SELECT current_protection_state AS state, count(*) AS instances
FROM vw_backup_instances
GROUP BY current_protection_state
ORDER BY instances DESC, state;",
    },
    Stop {
        title: "What is unhealthy, and why?",
        words: "Azure's own codes and words:",
        sql: "\
SELECT friendly_name, error_code, error_message
FROM vw_backup_instances
WHERE error_code IS NOT NULL
ORDER BY friendly_name;",
    },
    Stop {
        title: "What went wrong last night?",
        words: "\
Jobs are a table, too.",
        sql: "\
SELECT friendly_name, start_time::date AS day, error_code
FROM vw_jobs
WHERE status = 'Failed'
ORDER BY friendly_name;",
    },
    Stop {
        title: "Only one vault",
        words: "\
A condition never makes a query possible, it only makes it cheaper: compare the
calls with those above.",
        sql: "\
SELECT friendly_name, datasource_type, policy_name
FROM vw_backup_instances
WHERE vault_name = 'bv-data-disks-eus2';",
    },
    Stop {
        title: "Back up one of them now",
        words: "\
EXEC calls a method, here the on-demand backup, for each row of its source.
PREVIEW before it reads, and shows what would be sent: nothing is.",
        sql: "\
PREVIEW EXEC backup_instances.adhoc_backup
  @backupRuleOptions.ruleName = 'BackupHourly'
FOR EACH (SELECT * FROM vw_backup_instances
          WHERE vault_name = 'bv-data-disks-eus2' AND friendly_name = 'disk-kafka-01');",
    },
    Stop {
        title: "And follow its job",
        words: "\
The call is journaled before it is sent, and sent once. Then its operation is
followed to its end and, with AWAIT_JOB, so is the job that it started. For more
than one target, and for calls that destroy, a question comes first.",
        sql: "\
EXEC /*+ AWAIT_JOB */ backup_instances.adhoc_backup
  @backupRuleOptions.ruleName = 'BackupHourly'
FOR EACH (SELECT * FROM vw_backup_instances
          WHERE vault_name = 'bv-data-disks-eus2' AND friendly_name = 'disk-kafka-01');
SELECT friendly_name, operation_category AS operation, status, duration_seconds AS seconds
FROM vw_jobs
WHERE vault_name = 'bv-data-disks-eus2' AND is_user_triggered
ORDER BY start_time DESC LIMIT 1;",
    },
];

const FAREWELL: &str = "
  restable shell --emulator    go on here: `\\?` lists what the shell knows
  restable exec --emulator -o csv \\
      \"SELECT name, location FROM azure.data_protection.backup_vaults\"
  restable emulator            the emulator alone, for other tools
  restable operations list     what was started from here, across runs
  restable auth status         which credential would be used against Azure
  restable shell               your own estate, for example after `az login`";

/// Runs the command.
pub async fn run(_: &DemoArguments, environment: &Environment) -> Result<Exit> {
    let interrupt = Interrupt::listen(Patience::Short)?;
    // The tour is the same on every machine: no settings but its own.
    let mut configuration = Configuration::default();
    // The emulator's time goes to the end of whatever is waited for.
    let set = configuration
        .settings
        .set("poll_interval", "0", Origin::Default);
    set.map_err(|problem| Error::Internal(problem.message))?;
    let arguments = ConnectionArguments {
        emulator: Some(Estate::Demo),
        ..ConnectionArguments::default()
    };
    let connection =
        connection::open_by(ClockKind::Fast, &arguments, &configuration, environment).await?;
    let session = connection.session(&configuration, &[]).await?;
    let mut console = Console::standard(environment).together();
    console.say(WELCOME);
    let mut runner = Runner::new(&session, &mut console, &interrupt, Format::Table);
    for (at, stop) in STOPS.iter().enumerate() {
        runner
            .console
            .title(&format!("\n{}. {}", at + 1, stop.title));
        runner.console.say(&format!("\n{}\n", stop.words));
        for (number, line) in stop.sql.lines().enumerate() {
            let begins = number == 0
                || stop
                    .sql
                    .lines()
                    .nth(number - 1)
                    .is_some_and(|line| line.ends_with(';'));
            runner.console.say(&format!(
                "{}{line}",
                if begins { "restable> " } else { "       -> " }
            ));
        }
        runner.begin();
        runner.script(stop.sql, stop.title, OnFailure::Stop).await?;
        runner.console.flush()?;
        if runner.exit() != Exit::Done {
            return Ok(runner.exit());
        }
    }
    runner.console.title("\nWhere to go next");
    runner.console.say(FAREWELL);
    runner.console.flush()?;
    Ok(runner.exit())
}
