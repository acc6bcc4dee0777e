//! `restable auth status`: which credential would be used for what, in which order, and why. Nothing is sent unless a token is asked for.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use restable_http::{ChainStep, Environment, StepState};

use crate::arguments::{Auth, StatusArguments};
use crate::auxiliary::Auxiliary;
use crate::configuration::{self, ConfigurationFile};
use crate::connection::{self, Connection, Route};
use crate::console::Console;
use crate::error::{Error, Exit, Result};
use crate::output::{self, Format, Look, Place, Records, Target};

const HEADINGS: [&str; 5] = ["provider", "credential", "state", "reason", "endpoint"];

/// The texts under the headings.
type Row = [Option<String>; 5];

/// Runs the command.
pub async fn status(arguments: &StatusArguments, environment: &Environment) -> Result<Exit> {
    let file = ConfigurationFile::find(environment)?;
    let mut configuration =
        configuration::resolve(&arguments.connection.settings(), environment, file.as_ref())?;
    configuration.output = arguments.output.or(configuration.output);
    crate::log::start(configuration.log);
    let connection = connection::open(&arguments.connection, &configuration, environment).await?;
    let mut rows = Vec::new();
    let mut failure = None;
    for route in &connection.routes {
        let (own, outcome) = steps(&connection, route, arguments.probe).await;
        rows.extend(described(route, own));
        failure = failure.or(outcome);
        let (second, outcome) = auxiliary_steps(&connection, route, arguments.probe).await;
        rows.extend(auxiliary(route, second));
        failure = failure.or(outcome);
    }
    let mut console = Console::standard(environment);
    print(&rows, configuration.output, &mut console)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Exit::Done),
    }
}

async fn steps(
    connection: &Connection,
    route: &Route,
    probe: bool,
) -> (Vec<ChainStep>, Option<Error>) {
    match connection.clients.get(&route.provider) {
        None => (Vec::new(), None),
        Some(client) if probe => {
            let (steps, outcome) = client.probe_credential().await;
            (steps, outcome.err().map(Error::from))
        }
        Some(client) => (client.explain_credential(), None),
    }
}

/// As [`steps`], of the second credential.
async fn auxiliary_steps(
    connection: &Connection,
    route: &Route,
    probe: bool,
) -> (Vec<ChainStep>, Option<Error>) {
    match connection.clients.get(&route.provider) {
        None => (Vec::new(), None),
        Some(client) if probe => {
            let (steps, outcome) = client.probe_auxiliary().await;
            (steps, outcome.err().map(Error::from))
        }
        Some(client) => (client.explain_auxiliary(), None),
    }
}

/// The rows of the second credential; none if there is none.
fn auxiliary(route: &Route, steps: Vec<ChainStep>) -> Vec<Row> {
    let endpoint = route.endpoint.as_ref().map(restable_http::redact_url);
    let row = |credential: String, state: StepState, reason: String| {
        [
            Some(route.provider.clone()),
            Some(format!("auxiliary: {credential}")),
            Some(word(state).to_owned()),
            Some(reason),
            endpoint.clone(),
        ]
    };
    match &route.auxiliary {
        None | Some(Auxiliary::None) => Vec::new(),
        Some(bearer @ Auxiliary::Bearer(_)) => vec![row(
            bearer.to_string(),
            StepState::Ready,
            "given by `--auth`".to_owned(),
        )],
        Some(Auxiliary::Azure(tenant)) => steps
            .into_iter()
            .map(|step| {
                let name = format!("{} for `{tenant}`", step.name);
                row(name, step.state, step.reason)
            })
            .collect(),
    }
}

fn word(state: StepState) -> &'static str {
    match state {
        StepState::Ready => "ready",
        StepState::Skipped => "skipped",
        StepState::Used => "used",
        StepState::Failed => "failed",
    }
}

/// The rows of a provider: one for each member of the Azure credential, else one.
fn described(route: &Route, steps: Vec<ChainStep>) -> Vec<Row> {
    let endpoint = route.endpoint.as_ref().map(restable_http::redact_url);
    let row = |credential: Option<String>, state: Option<&str>, reason: String| {
        [
            Some(route.provider.clone()),
            credential,
            state.map(str::to_owned),
            Some(reason),
            endpoint.clone(),
        ]
    };
    match &route.auth {
        None => vec![row(None, None, route.reason.to_owned())],
        Some(Auth::None) => vec![row(
            Some("none".to_owned()),
            Some("ready"),
            route.reason.to_owned(),
        )],
        Some(Auth::Bearer(variable)) => vec![row(
            Some(format!("bearer:{variable}")),
            Some("ready"),
            route.reason.to_owned(),
        )],
        Some(Auth::Azure) => steps
            .into_iter()
            .map(|step| {
                row(
                    Some(step.name.to_owned()),
                    Some(word(step.state)),
                    step.reason,
                )
            })
            .collect(),
    }
}

fn print(rows: &[Row], format: Option<Format>, console: &mut Console) -> Result<()> {
    let schema = Arc::new(Schema::new(
        HEADINGS
            .map(|name| Field::new(name, DataType::Utf8, true))
            .to_vec(),
    ));
    let column = |at: usize| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row[at].as_deref())
                .collect::<StringArray>(),
        )
    };
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        (0..HEADINGS.len()).map(column).collect(),
    )?;
    let target = console.target();
    let format = format.unwrap_or(if target == Target::Stream {
        Format::Json
    } else {
        Format::Table
    });
    format.refuse_terminal(target)?;
    let mut printer = output::printer(
        Look {
            format,
            target,
            records: Records::Auto,
        },
        Place::Only,
        &schema,
    );
    printer.rows(&batch, console.rows())?;
    printer.end(console.rows())?;
    console.flush()
}
