//! `FOR SYSTEM_TIME`: which refresh a time means. The time is worked out while names are, so that a plan has the very rows
//! that the statement named: `name@file` is the table of one refresh, `name@` that of all.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr as SqlExpr, Ident, SelectItem, SetExpr, Statement,
    TableVersion, TimezoneInfo, Value, Visit, Visitor,
};
use futures::FutureExt as _;
use restable_sql::{ALL_REFRESHES, Diagnostic};

use super::moment::Moment;
use super::table::Shown;
use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::names::{KnownTable, Resolver as _};
use crate::parameters::Given;
use crate::planning::plan_given;
use crate::shared::Shared;
use crate::{Error, Result};

/// What stands between the name of a snapshot and what is meant of it. No snapshot's name has it.
const MARK: char = '@';

/// The name of a snapshot, and which of its refreshes a name in a plan means.
pub fn split(name: &str) -> (&str, Shown) {
    match name.split_once(MARK) {
        None => (name, Shown::Newest),
        Some((name, "")) => (name, Shown::All),
        Some((name, file)) => (name, Shown::One(file.to_owned())),
    }
}

/// The table that a written name with a time stands for.
pub fn resolve(shared: &Shared, parts: &[String], version: &TableVersion) -> Result<KnownTable> {
    let TableVersion::ForSystemTimeAsOf(time) = version else {
        return Err(refused(
            parts,
            "is asked for in a way that only `FOR SYSTEM_TIME` has",
        ));
    };
    let Some(found) = shared.resolve(parts)? else {
        return Err(refused(parts, "is none that is kept"));
    };
    let [catalog, schema, name] = &found.full;
    let is_own = catalog == OWN_CATALOG && schema == OWN_SCHEMA && !shared.own.is_of_session(name);
    let store = shared.own.store().filter(|_| is_own);
    let manifest = match store {
        Some(store) => store.load(name)?,
        None => None,
    };
    let Some(manifest) = manifest else {
        return Err(refused(parts, "has no past"));
    };
    let is_all = matches!(time, SqlExpr::Identifier(ident) if ident.value == ALL_REFRESHES);
    if is_all {
        return shared.own_table(marked(name, ""));
    }
    // To describe a statement, any time will do.
    if has_placeholder(time) {
        return Ok(found);
    }
    let moment = moment(shared, time)?;
    match manifest.as_of(moment) {
        Some(refresh) => shared.own_table(marked(name, &refresh.file)),
        None => {
            let oldest = manifest.refreshes.first().map(|one| one.at.to_string());
            let problem = format!(
                "nothing is kept of `{name}` at {moment}: its oldest refresh is of {}",
                oldest.unwrap_or_default()
            );
            let help = "`SELECT refreshed_at FROM information_schema.restable_refreshes` lists them; `keep_refreshes` says how long they stay";
            Err(Diagnostic::new("R0344", problem).help(help).into())
        }
    }
}

fn marked(name: &str, file: &str) -> [String; 3] {
    [
        OWN_CATALOG.to_owned(),
        OWN_SCHEMA.to_owned(),
        format!("{name}{MARK}{file}"),
    ]
}

fn refused(parts: &[String], why: &str) -> Error {
    let problem = format!("`{}` {why}", parts.join("."));
    let help = "`FOR SYSTEM_TIME AS OF` and `FOR SYSTEM_TIME ALL` stand after the name of a materialized view, or of a table in the data directory";
    Diagnostic::new("R0347", problem).help(help).into()
}

fn has_placeholder(expr: &SqlExpr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();
        fn pre_visit_value(
            &mut self,
            value: &datafusion::sql::sqlparser::ast::ValueWithSpan,
        ) -> std::ops::ControlFlow<()> {
            match value.value {
                Value::Placeholder(_) => std::ops::ControlFlow::Break(()),
                _ => std::ops::ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Finder).is_break()
}

/// The moment of an expression without columns: a text, a timestamp, `now() - INTERVAL '7 days'`. Where it says no zone, the session's
/// is meant, as everywhere in a statement.
fn moment(shared: &Shared, time: &SqlExpr) -> Result<Moment> {
    let wrong = |why: &str| -> Error {
        let shown = time.to_string();
        let shown = shown.replace(&format!("AS OF {ALL_REFRESHES}"), "ALL");
        let problem = format!("`{shown}` is no time: {why}");
        let help = "a time is a constant such as '2026-11-22T05:00:00Z', TIMESTAMP '2026-11-22 05:00' or now() - INTERVAL '7 days'";
        Diagnostic::new("R0348", problem).help(help).into()
    };
    let written = constant(shared, time.clone()).map_err(|problem| wrong(&said(problem)))?;
    let written = match written {
        Some(value) if value.data_type().is_numeric() => return Err(wrong("it is a number")),
        Some(value) => value,
        None => return Err(wrong("it is not the same for every row")),
    };
    let instant = SqlExpr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(SqlExpr::Nested(Box::new(time.clone()))),
        data_type: SqlType::Timestamp(None, TimezoneInfo::WithTimeZone),
        array: false,
        format: None,
    };
    let value = constant(shared, instant).map_err(|problem| wrong(&said(problem)))?;
    // A time that no timestamp can be, such as one of the year 9999, is so far away that its zone does not matter.
    let value = value.unwrap_or(written);
    if value.is_null() {
        return Err(wrong("it is NULL"));
    }
    let kind = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let value = value
        .cast_to(&kind)
        .map_err(|problem| wrong(&said(problem.into())))?;
    match value {
        ScalarValue::TimestampMicrosecond(Some(micros), _) => Ok(Moment(micros)),
        _ => Err(wrong("it is none of this calendar")),
    }
}

fn said(problem: Error) -> String {
    problem.diagnostic().message
}

/// The value of an expression, if it is the same for every row: it is planned as in any statement.
fn constant(shared: &Shared, expr: SqlExpr) -> Result<Option<ScalarValue>> {
    let select = restable_sql::parse("SELECT NULL")?.pop();
    let Some(restable_sql::Statement::Query(mut statement)) = select.map(|one| one.statement)
    else {
        return Err(Error::internal("a query is none"));
    };
    if let Statement::Query(query) = &mut *statement
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        select.projection = vec![SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', "time"),
        }];
    }
    // Nothing is read, so that nothing is waited for.
    let given = Given::default();
    let planned = plan_given(shared, &given, *statement).now_or_never();
    let (plan, _) = planned.ok_or_else(|| Error::internal("a time was waited for"))??;
    let LogicalPlan::Projection(projection) = shared.ground.planning().optimized(&plan)? else {
        return Ok(None);
    };
    Ok(
        match projection.expr.into_iter().next().map(Expr::unalias) {
            Some(Expr::Literal(value, _)) => Some(value),
            _ => None,
        },
    )
}
