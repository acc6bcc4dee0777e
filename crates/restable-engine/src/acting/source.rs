//! The source of a statement that acts: which value goes where, and a query that computes the values. A column of the query belongs
//! to the [`Column`] at the same position.

mod build;
mod changes;
mod keys;

use datafusion::sql::sqlparser::ast::{self, Expr, Ident};
use restable_spec::names::{fold, same};
use restable_spec::{Location, Method, Resource, Verb};
use restable_sql::{Attribute, Diagnostic, ExecBody, ForEach, Insert, Span};

use super::plan::{
    Draft, Rows, Target, is_subscription, path_parameters, resource_of, takes_default,
};
use crate::names::{self, Heading};
use crate::parameters::Given;
use crate::session::Session;
use crate::{Error, Result};
use build::{item, query};

pub(super) use changes::{delete, update};

/// A column of the source.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Where its values go.
    pub target: Target,
    /// As it is called in messages, with backticks.
    pub shown: String,
    /// Where it is written.
    pub span: Option<Span>,
}

/// EXEC.
pub(super) async fn exec(
    session: &Session,
    exec: &restable_sql::Exec,
    values: &Given,
) -> Result<Draft> {
    let directory = session.shared().directory();
    let (service, resource, method) =
        directory.method(&names::written(&exec.table), &exec.method.value)?;
    let mut columns = Vec::new();
    let mut items = Vec::new();
    for argument in &exec.arguments {
        columns.push(Column {
            target: target(&resource, &method, &argument.name),
            shown: format!("`@{}`", argument.name.dotted()),
            span: Some(argument.span),
        });
        items.push(item(argument.value.clone(), items.len()));
    }
    if let Some(body) = &exec.body {
        if columns
            .iter()
            .any(|column| matches!(column.target, Target::Attribute(_)))
        {
            let problem = Diagnostic::new(
                "R0311",
                "the whole body and attributes of it cannot both be given",
            );
            return Err(problem
                .at(exec.span)
                .help("write `@@json`, or an argument for each attribute")
                .into());
        }
        let (value, shown, span) = match body {
            ExecBody::Json(value, span) => (value.clone(), "`@@json`", *span),
            ExecBody::JsonFile(value, span) => {
                (file(session, value, *span)?, "`@@json_file`", *span)
            }
        };
        items.push(item(value, items.len()));
        columns.push(Column {
            target: Target::Body,
            shown: shown.to_owned(),
            span: Some(span),
        });
    }
    let alias = exec
        .for_each
        .as_ref()
        .map(|each| each.alias.clone().unwrap_or_else(|| Ident::new("each")));
    if let (Some(each), Some(alias)) = (&exec.for_each, &alias) {
        for (name, target) in implied(session, each, &resource, &method, &columns, values).await? {
            let column = Ident::with_quote('"', name.clone());
            let value = Expr::CompoundIdentifier(vec![alias.clone(), column]);
            items.push(item(value, items.len()));
            let shown = match &target {
                Target::Parameter(name) => name,
                _ => &name,
            };
            columns.push(Column {
                shown: format!("`{shown}` of FOR EACH"),
                target,
                span: Some(each.span),
            });
        }
    }
    if items.is_empty() {
        items.push(item(Expr::Value(ast::Value::Null.into()), 0));
    }
    let from = exec.for_each.as_ref().zip(alias);
    let from = from.map(|(each, alias)| build::derived(each.query.clone(), alias));
    Ok(Draft {
        verb: Verb::Exec,
        service,
        resource,
        method,
        columns,
        query: query(items, from.into_iter().collect(), None),
        rows: match exec.for_each {
            Some(_) => Rows::Read,
            None => Rows::Named,
        },
        hints: exec.hints,
        keeps_existing: false,
        returning: None,
        span: exec.span,
    })
}

/// INSERT INTO, and REPLACE INTO.
pub(super) async fn insert(
    session: &Session,
    insert: &Insert,
    verb: Verb,
    values: &Given,
) -> Result<Draft> {
    let (service, resource) = resource_of(session, &insert.table, insert.table_span)?;
    let is_values = matches!(*insert.source.body, ast::SetExpr::Values(_));
    let statement = ast::Statement::Query(insert.source.clone());
    let (plan, headings) = session.plan_statement(values, statement.clone()).await?;
    let width = plan.schema().fields().len();
    let attributes: Vec<Attribute> = if !insert.columns.is_empty() {
        insert.columns.clone()
    } else if is_values {
        let problem = Diagnostic::new("R0323", "the columns of the INSERT must be named");
        return Err(problem
            .at(insert.table_span)
            .help(format!(
                "`SHOW INSERT INTO {}` prints a statement to fill in",
                resource.full_name()
            ))
            .into());
    } else {
        headed(&plan, &headings.headings, insert.span)
    };
    if attributes.len() != width {
        let problem = Diagnostic::new(
            "R0323",
            format!(
                "{} columns are named, and the source has {width}",
                attributes.len()
            ),
        );
        return Err(problem.at(insert.span).into());
    }
    let method = inserting(session, &resource, &attributes, verb, insert.table_span)?;
    let columns = attributes
        .iter()
        .map(|attribute| Column {
            target: target(&resource, &method, attribute),
            shown: format!("`{}`", attribute.dotted()),
            span: Some(attribute.span),
        })
        .collect();
    Ok(Draft {
        verb,
        service,
        resource,
        method,
        columns,
        query: statement,
        rows: if is_values {
            Rows::Named
        } else {
            Rows::Selected
        },
        hints: insert.hints,
        keeps_existing: insert.on_conflict_do_nothing,
        returning: insert.returning.clone(),
        span: insert.span,
    })
}

/// The columns of a SELECT as columns of the INSERT.
fn headed(
    plan: &datafusion::logical_expr::LogicalPlan,
    headings: &[Heading],
    span: Span,
) -> Vec<Attribute> {
    let fields = plan.schema().fields().iter().enumerate();
    fields
        .map(|(at, field)| Attribute {
            path: match headings.get(at) {
                Some(Heading::Written(name)) => name.split('.').map(str::to_owned).collect(),
                _ => vec![field.name().clone()],
            },
            data_prefix: false,
            span,
        })
        .collect()
}

/// The method of an INSERT or REPLACE that takes these columns.
fn inserting(
    session: &Session,
    resource: &Resource,
    attributes: &[Attribute],
    verb: Verb,
    span: Span,
) -> Result<std::sync::Arc<Method>> {
    let bare = attributes
        .iter()
        .filter(|attribute| !attribute.data_prefix && attribute.path.len() == 1)
        .filter_map(|attribute| attribute.path.first().cloned());
    let mut given: Vec<String> = bare.collect();
    for method in resource.methods.values() {
        let forms = given
            .iter()
            .filter_map(|name| method.id_form(resource, name));
        let filled: Vec<String> = forms
            .flat_map(|form| form.parameters().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        given.extend(filled);
    }
    if takes_default(verb) && session.settings().default_subscription.is_some() {
        given.push("subscriptionId".to_owned());
    }
    choose(resource, verb, &given, span)
}

/// The method that a verb calls when these parameters are given.
fn choose(
    resource: &Resource,
    verb: Verb,
    given: &[String],
    span: Span,
) -> Result<std::sync::Arc<Method>> {
    match resource.method_for(verb, given) {
        Ok(method) => Ok(std::sync::Arc::clone(method)),
        Err(problem) => {
            let message = problem.to_string();
            let help = if message.contains("subscriptionId") && takes_default(verb) {
                "`--subscription ID` gives every statement a default for `subscriptionId`"
                    .to_owned()
            } else {
                format!(
                    "`SHOW METHODS IN {}` lists what it can do",
                    resource.full_name()
                )
            };
            Err(Diagnostic::new("R0304", message).at(span).help(help).into())
        }
    }
}

/// A bare name is a parameter first, an id next, an attribute of the body last.
fn target(resource: &Resource, method: &Method, name: &Attribute) -> Target {
    if let ([only], false) = (name.path.as_slice(), name.data_prefix) {
        if let Some(parameter) = method.parameter(only) {
            return Target::Parameter(parameter.name.clone());
        }
        if let Some(form) = method.id_form(resource, only) {
            return Target::Id(form);
        }
    }
    Target::Attribute(name.path.clone())
}

/// Columns of FOR EACH that bind parameters which are not written; `id` where no path parameter is.
async fn implied(
    session: &Session,
    each: &ForEach,
    resource: &Resource,
    method: &Method,
    written: &[Column],
    values: &Given,
) -> Result<Vec<(String, Target)>> {
    let (plan, _) = session
        .plan_statement(values, ast::Statement::Query(each.query.clone()))
        .await?;
    let names: Vec<String> = plan
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let writes = |name: &str| {
        written
            .iter()
            .any(|column| matches!(&column.target, Target::Parameter(known) if same(known, name)))
    };
    let writes_id = written
        .iter()
        .any(|column| matches!(column.target, Target::Id(_)));
    let filled = |name: &str| {
        written.iter().any(|column| {
            matches!(&column.target, Target::Id(form) if form.parameters().any(|it| same(it, name)))
        })
    };
    let mut found: Vec<(String, Target)> = Vec::new();
    let mut binds_path = writes_id;
    let mut written_path = writes_id;
    for parameter in &method.parameters {
        let in_path = parameter.location == Location::Path;
        if writes(&parameter.name) {
            let counts = in_path && !is_subscription(&parameter.name);
            binds_path |= counts;
            written_path |= counts;
            continue;
        }
        let can = matches!(parameter.location, Location::Path | Location::Query);
        if !can || filled(&parameter.name) {
            continue;
        }
        if let Some(name) = names
            .iter()
            .find(|name| fold(name) == fold(&parameter.name))
        {
            binds_path |= in_path;
            found.push((name.clone(), Target::Parameter(parameter.name.clone())));
        }
    }
    let is_bound = |name: &str| {
        writes(name)
            || filled(name)
            || found
                .iter()
                .any(|(_, target)| matches!(target, Target::Parameter(known) if same(known, name)))
    };
    // Columns that bind some parts of the path leave the rest to the id beside them, never to a default.
    let is_part =
        binds_path && !written_path && path_parameters(method).any(|name| !is_bound(name));
    if (!binds_path || is_part)
        && let Some(name) = names.iter().find(|name| *name == "id")
        && let Some(form) = method.id_form(resource, "id")
    {
        found.push((name.clone(), Target::Id(form)));
    }
    Ok(found)
}

/// The text of a body's file, as a literal. Only a session that may read files of its machine has them.
fn file(session: &Session, value: &Expr, span: Span) -> Result<Expr> {
    let path = match value {
        Expr::Value(literal) => match &literal.value {
            ast::Value::Placeholder(name) => {
                Some(session.variable(name.trim_start_matches([':', '$']))?)
            }
            other => other.clone().into_string(),
        },
        _ => None,
    };
    let Some(path) = path else {
        let problem = Diagnostic::new(
            "R0313",
            "`@@json_file` takes the name of a file, as a literal or a placeholder",
        );
        return Err(problem.at(span).into());
    };
    let text = session
        .read_file(&path)
        .map_err(|problem| Error::from(problem.at(span)))?;
    Ok(Expr::Value(ast::Value::SingleQuotedString(text).into()))
}

/// `SELECT 1 FROM (query) AS again WHERE condition`: whether the source still has a row.
pub(super) fn again(source: Box<ast::Query>, condition: Option<Expr>) -> ast::Statement {
    let one = Expr::Value(ast::Value::Number("1".to_owned(), false).into());
    let from = build::derived(source, Ident::with_quote('"', "again"));
    query(vec![item(one, 0)], vec![from], condition)
}

/// `SELECT items FROM "name" AS alias`.
pub(super) fn returning(items: Vec<ast::SelectItem>, name: &str, alias: Ident) -> ast::Statement {
    let table = ast::ObjectName::from(vec![Ident::with_quote('"', name)]);
    query(
        items,
        vec![changes::table_factor(&table, Some(&alias))],
        None,
    )
}
