//! Source rows to calls. Every row is bound and checked before the first call is made; a row that cannot be sent stops the statement
//! and is named.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use restable_spec::names::same;
use restable_spec::{Arguments, BodyArgument, BodyValue, BoundCall, Verb, id_conflict};
use restable_sql::{Diagnostic, Span};

use super::plan::{Acting, Rows, Target, is_subscription, path_parameters, takes_default};
use super::values;
use crate::{Error, Result};

/// One call, with what it is about.
#[derive(Debug, Clone)]
pub(super) struct Targeted {
    /// The call.
    pub call: BoundCall,
    /// Values of the method's path parameters.
    pub parameters: Vec<(String, String)>,
    /// The body without secrets; `None` if it has none.
    pub redacted: Option<String>,
    /// The values of the row, to ask for it again.
    pub row: Vec<Option<String>>,
}

/// The calls of all rows, or an error; and what is worth a warning.
pub(super) fn calls(
    acting: &Acting,
    batches: &[RecordBatch],
    default_subscription: Option<&str>,
) -> Result<(Vec<Targeted>, Vec<String>)> {
    let mut calls: Vec<Targeted> = Vec::new();
    let mut warnings = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let has_key = acting
        .resource
        .key
        .iter()
        .all(|key| path_parameters(&acting.method).any(|name| same(name, key)));
    let total = batches.iter().map(RecordBatch::num_rows).sum();
    let mut number = 0;
    for batch in batches {
        for row in 0..batch.num_rows() {
            number += 1;
            let targeted = call(acting, batch, row, default_subscription, &mut warnings)
                .map_err(|problem| of_row(problem, number, total, acting.rows))?;
            // Names of Azure compare without regard to case: two spellings are one target.
            let mut key = format!("{}{}", targeted.call.server, targeted.call.path);
            key.make_ascii_lowercase();
            // A call whose path has no key of the resource, such as a validation, is about its body.
            if !has_key && let Some(body) = &targeted.call.body {
                key.push('\n');
                key.push_str(body);
            }
            match seen.insert(key, number) {
                None => calls.push(targeted),
                // `IN ('a', 'A')` names one row, as everywhere in SQL.
                Some(_) if acting.rows == Rows::Keyed => {}
                // Asking twice does nothing twice.
                Some(_) if acting.only_asks() => calls.push(targeted),
                Some(first) => return Err(same_target(&targeted, first, number)),
            }
        }
    }
    Ok((calls, warnings))
}

fn same_target(targeted: &Targeted, first: usize, number: usize) -> Error {
    let problem = Diagnostic::new(
        "R0318",
        format!(
            "rows {first} and {number} of the source are one target: `{}`",
            targeted.call.scope
        ),
    );
    problem
        .note("nothing was sent")
        .help("`SELECT DISTINCT`, or a predicate, leaves each target once")
        .into()
}

fn call(
    acting: &Acting,
    batch: &RecordBatch,
    row: usize,
    default_subscription: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<Targeted> {
    let method = &acting.method;
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut filled: Vec<(String, String)> = Vec::new();
    let mut attributes = Vec::new();
    let mut whole = None;
    let mut texts = Vec::with_capacity(acting.columns.len());
    for (at, column) in acting.columns.iter().enumerate() {
        let text = values::text(batch, at, row)?;
        texts.push(text.clone());
        let problem = |what: String| {
            let problem = Diagnostic::new("R0319", format!("{} {what}", column.shown));
            Error::from(at_span(problem, column.span))
        };
        match (&column.target, text) {
            (Target::Parameter(name), Some(text)) => parameters.push((name.clone(), text)),
            // NULL never means "not given": a call without its place would be another call.
            (Target::Parameter(name), None) => {
                return Err(problem(format!("is NULL: it names no `{name}`")));
            }
            (Target::Id(_), None) => return Err(problem("is NULL: it names nothing".to_owned())),
            (Target::Id(form), Some(text)) => {
                let found = form.fill(&text).map_err(|wrong| {
                    Error::from(at_span(
                        Diagnostic::new("R0305", wrong.to_string()),
                        column.span,
                    ))
                })?;
                if let Some(conflict) = id_conflict(&found, &filled) {
                    return Err(problem(format!("disagrees with another id: {conflict}")));
                }
                filled.extend(found);
            }
            (Target::Attribute(path), _) => {
                let value = match values::attribute(batch, at, row)? {
                    // An UPDATE says NULL to take a value away.
                    BodyValue::Null if acting.verb == Verb::Update => BodyValue::JsonNull,
                    BodyValue::Json(text) if text.trim() == "null" => BodyValue::JsonNull,
                    value => value,
                };
                attributes.push(BodyArgument {
                    path: path.clone(),
                    value,
                    origin: at,
                });
            }
            (Target::Body, Some(text)) => whole = Some(text),
            (Target::Body, None) => return Err(problem("is NULL: it is no body".to_owned())),
        }
    }
    if let Some(conflict) = id_conflict(&filled, &parameters) {
        return Err(Diagnostic::new("R0305", conflict.to_string()).into());
    }
    for (name, value) in filled {
        if !parameters.iter().any(|(known, _)| same(known, &name)) {
            parameters.push((name, value));
        }
    }
    if takes_default(acting.verb)
        && let (Some(parameter), Some(default)) =
            (method.parameter("subscriptionId"), default_subscription)
        && !parameters.iter().any(|(known, _)| is_subscription(known))
    {
        parameters.push((parameter.name.clone(), default.to_owned()));
    }
    let body = body(acting, &parameters, &attributes, whole, warnings)?;
    let redacted = body
        .as_deref()
        .map(|text| method.redact_body(&acting.service, text));
    let shown = path_parameters(method).filter_map(|name| {
        let value = parameters.iter().find(|(known, _)| same(known, name))?;
        Some((name.to_owned(), value.1.clone()))
    });
    let shown: Vec<(String, String)> = shown.collect();
    let call = method
        .bind(&acting.service, &Arguments { parameters, body })
        .map_err(|problem| {
            let parameter = problem.parameter().map(str::to_owned);
            let span = acting
                .columns
                .iter()
                .find_map(|column| match &column.target {
                    Target::Parameter(name) if Some(name) == parameter.as_ref() => column.span,
                    _ => None,
                });
            Error::from(at_span(Diagnostic::new("R0305", problem.to_string()), span))
        })?;
    Ok(Targeted {
        call,
        parameters: shown,
        redacted,
        row: texts,
    })
}

/// The body, made of attributes or given whole, and checked against its schema.
fn body(
    acting: &Acting,
    parameters: &[(String, String)],
    attributes: &[BodyArgument],
    whole: Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Option<String>> {
    let (method, service) = (&acting.method, &acting.service);
    let version = parameters
        .iter()
        .find(|(name, _)| same(name, "api-version"))
        .map(|(_, value)| value.as_str());
    let strictness = method.strictness(version);
    let span_of = |origin: usize| acting.columns.get(origin).and_then(|column| column.span);
    let (text, made) = match whole {
        Some(text) => (text, None),
        None => {
            let made = method
                .body(service, attributes, strictness)
                .map_err(|problem| {
                    let mut diagnostic = Diagnostic::new("R0301", problem.to_string());
                    diagnostic.help = problem.hint();
                    Error::from(at_span(diagnostic, problem.origin().and_then(span_of)))
                })?;
            match made {
                Some(body) => (body.text.clone(), Some(body)),
                None => return Ok(None),
            }
        }
    };
    if text.trim() == "null" && method.request.is_some() {
        let problem = Diagnostic::new(
            "R0301",
            format!(
                "the body of `{}` is null, which is no body",
                method.full_name()
            ),
        );
        return Err(problem.into());
    }
    for problem in method.check_body(service, &text, strictness) {
        if !problem.is_error() {
            let warning = problem.to_string();
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
            continue;
        }
        let mut diagnostic = Diagnostic::new("R0301", problem.to_string());
        diagnostic.notes.extend(problem.note.clone());
        diagnostic.help = problem.hint();
        let origin = made.as_ref().and_then(|body| body.origin(&problem.place));
        return Err(at_span(diagnostic, origin.and_then(span_of)).into());
    }
    Ok(Some(text))
}

fn at_span(problem: Diagnostic, span: Option<Span>) -> Diagnostic {
    match span {
        Some(span) => problem.at(span),
        None => problem,
    }
}

/// Names the row of the source that cannot be sent.
fn of_row(problem: Error, number: usize, total: usize, rows: Rows) -> Error {
    let mut diagnostic = problem.diagnostic();
    diagnostic.notes.push(match (rows, total) {
        (Rows::Named | Rows::Keyed, 1) => "nothing was sent".to_owned(),
        _ => format!("row {number} of {total}; nothing was sent"),
    });
    diagnostic.into()
}
