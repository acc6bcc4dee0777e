//! DELETE, UPDATE and `REPLACE … SET … WHERE`: the rows are a full key that is spelled out, or a set that is read.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, SelectItem, TableAlias, TableFactor, TableWithJoins,
};
use restable_spec::names::same;
use restable_spec::{AUXILIARY_HEADER, Location, Method, Resource, Verb};
use restable_sql::{Assignment, Delete, Diagnostic, Hints, Span, Update};

use super::build::{item, query, values};
use super::keys::{Key, Where};
use super::{Column, choose, target};
use crate::acting::plan::{Draft, Rows, Target, is_constant, path_parameters, resource_of};
use crate::names;
use crate::session::Session;
use crate::table::{self, Role};
use crate::{Error, Result};

/// What DELETE, UPDATE and REPLACE have in common.
struct Change<'a> {
    verb: Verb,
    hints: Hints,
    table: &'a ObjectName,
    table_span: Span,
    alias: Option<&'a Ident>,
    assignments: &'a [Assignment],
    selection: Option<&'a Expr>,
    returning: Option<&'a Vec<SelectItem>>,
    span: Span,
}

/// DELETE FROM.
pub(in crate::acting) fn delete(session: &Session, delete: &Delete) -> Result<Draft> {
    draft(
        session,
        &Change {
            verb: Verb::Delete,
            hints: delete.hints,
            table: &delete.table,
            table_span: delete.table_span,
            alias: delete.alias.as_ref(),
            assignments: &[],
            selection: delete.selection.as_ref(),
            returning: delete.returning.as_ref(),
            span: delete.span,
        },
    )
}

/// UPDATE, and StackQL's REPLACE with SET.
pub(in crate::acting) fn update(session: &Session, update: &Update, verb: Verb) -> Result<Draft> {
    draft(
        session,
        &Change {
            verb,
            hints: update.hints,
            table: &update.table,
            table_span: update.table_span,
            alias: update.alias.as_ref(),
            assignments: &update.assignments,
            selection: update.selection.as_ref(),
            returning: update.returning.as_ref(),
            span: update.span,
        },
    )
}

fn draft(session: &Session, change: &Change<'_>) -> Result<Draft> {
    let (service, resource) = resource_of(session, change.table, change.table_span)?;
    // The table has every parameter of a path that its rows' ids have.
    let known: Vec<String> = resource
        .parameters
        .iter()
        .chain(
            resource
                .methods_of(change.verb)
                .flat_map(|it| &it.parameters),
        )
        .map(|parameter| parameter.name.clone())
        .collect();
    let method = choose(&resource, change.verb, &known, change.table_span)?;
    let mut wheres = Where::of(change.selection, change.table, change.alias);
    if wheres.compares(AUXILIARY_HEADER) {
        let problem = Diagnostic::new("R0305", method.credential_named(&service).to_string());
        return Err(problem.at(change.table_span).into());
    }
    let mut columns = Vec::new();
    let mut items = Vec::new();
    for (name, value) in wheres.take_inputs(&method, &resource) {
        items.push(item(value, items.len()));
        columns.push(Column {
            shown: format!("`{name}`"),
            target: Target::Parameter(name),
            span: None,
        });
    }
    for assignment in change.assignments {
        columns.push(assigned(&resource, &method, assignment)?);
        items.push(item(assignment.value.clone(), items.len()));
    }
    let reads_columns = !change
        .assignments
        .iter()
        .all(|assignment| is_constant(&assignment.value));
    let keys = (!reads_columns)
        .then(|| wheres.keys(&method, &resource))
        .flatten();
    let (rows, from, selection) = match keys {
        Some(keys) => {
            let mut from = Vec::new();
            let mut present = None;
            for (at, (key, expressions)) in keys.path.into_iter().enumerate() {
                let alias = Ident::with_quote('"', format!("key{at}"));
                let column = Ident::with_quote('"', "v");
                let value = Expr::CompoundIdentifier(vec![alias.clone(), column.clone()]);
                from.push(values(expressions, alias, column));
                // NULL equals nothing, so that it names no row.
                let given = Expr::IsNotNull(Box::new(value.clone()));
                present = Some(match present {
                    None => given,
                    Some(before) => and(before, given),
                });
                items.push(item(value, items.len()));
                columns.push(match key {
                    Key::Parameter(name) => Column {
                        shown: format!("`{name}`"),
                        target: Target::Parameter(name),
                        span: None,
                    },
                    Key::Id(form) => Column {
                        shown: "`id`".to_owned(),
                        target: Target::Id(form),
                        span: None,
                    },
                });
            }
            (Rows::Keyed, from, present)
        }
        None => {
            readable(&resource, &method, change.table_span)?;
            for name in path_parameters(&method) {
                let column = Expr::Identifier(Ident::with_quote('"', name));
                items.push(item(column, items.len()));
                columns.push(Column {
                    target: Target::Parameter(name.to_owned()),
                    shown: format!("`{name}`"),
                    span: None,
                });
            }
            let from = vec![table_factor(change.table, change.alias)];
            (Rows::Read, from, wheres.selection())
        }
    };
    Ok(Draft {
        verb: change.verb,
        service,
        resource: Arc::clone(&resource),
        method,
        columns,
        query: query(items, from, selection),
        rows,
        hints: change.hints,
        keeps_existing: false,
        returning: change.returning.cloned(),
        span: change.span,
    })
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op: datafusion::sql::sqlparser::ast::BinaryOperator::And,
        right: Box::new(right),
    }
}

/// Where SET puts a value.
fn assigned(resource: &Resource, method: &Method, assignment: &Assignment) -> Result<Column> {
    let name = &assignment.target;
    let found = target(resource, method, name);
    let is_key = match &found {
        Target::Parameter(name) => method
            .parameter(name)
            .is_some_and(|parameter| parameter.location == Location::Path),
        Target::Id(_) => true,
        Target::Attribute(_) | Target::Body => false,
    };
    if is_key {
        let problem = Diagnostic::new(
            "R0316",
            format!(
                "`{}` is a part of the key, which cannot be changed",
                name.dotted()
            ),
        );
        return Err(problem
            .at(assignment.span)
            .help("WHERE says which rows are meant")
            .into());
    }
    Ok(Column {
        target: found,
        shown: format!("`{}`", name.dotted()),
        span: Some(assignment.span),
    })
}

/// Whether the rows of the table tell every part of the path.
fn readable(resource: &Resource, method: &Method, span: Span) -> Result<()> {
    let columns = table::columns(resource);
    let missing = path_parameters(method).find(|name| {
        !columns
            .iter()
            .any(|column| column.role != Role::Input && same(&column.name, name))
    });
    if resource.readers().is_empty() || missing.is_some() {
        let keys: Vec<String> = path_parameters(method)
            .map(|name| format!("{name} = '…'"))
            .collect();
        let problem = Diagnostic::new(
            "R0316",
            format!(
                "the rows of `{}` cannot be searched for those to change",
                resource.name
            ),
        );
        let help = format!("name the whole key: `WHERE {}`", keys.join(" AND "));
        return Err(Error::from(problem.at(span).help(help)));
    }
    Ok(())
}

pub(super) fn table_factor(table: &ObjectName, alias: Option<&Ident>) -> TableWithJoins {
    let parts = names::written(table);
    let name = ObjectName::from(
        parts
            .into_iter()
            .map(|part| Ident::with_quote('"', part))
            .collect::<Vec<_>>(),
    );
    let alias = alias.map(|alias| TableAlias {
        explicit: true,
        name: alias.clone(),
        columns: Vec::new(),
        at: None,
    });
    TableWithJoins {
        relation: TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        },
        joins: Vec::new(),
    }
}
