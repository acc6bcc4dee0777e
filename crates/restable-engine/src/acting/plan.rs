//! A statement that acts, planned: its method, where each column of its source goes, and the source itself as a plan. Nothing is sent
//! for it. What is asked of a source before it is run is settled here: every parameter has a value from somewhere, no target has two.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{self, Expr, SelectItem};
use restable_http::Client;
use restable_spec::names::{fold, same};
use restable_spec::{CallClass, IdForm, Location, Method, Resource, Service, Verb};
use restable_sql::{Diagnostic, Hints, Replace, Span, Statement as Sql};

use super::Access;
use super::answer::{self, Columns};
use super::commitment::Commitment;
use super::rows::Targeted;
use super::source::{self, Column};
use super::table::Tables;
use crate::names;
use crate::outcome::headed;
use crate::parameters::Given;
use crate::session::Session;
use crate::{Error, Result};

/// Where the values of a column of the source go.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A parameter of the path, the query or a header.
    Parameter(String),
    /// An attribute of the body, by the names that lead to it.
    Attribute(Vec<String>),
    /// An id that fills parameters of the path.
    Id(IdForm),
    /// The whole body, as JSON text.
    Body,
}

/// For how long a statement waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until the service has taken the call.
    No,
    /// Until the operation has ended.
    Operation,
    /// Until the job that the operation started has ended.
    Job,
}

/// Which rows a statement acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those whose values the statement spells out.
    Named,
    /// Those that have a key which the statement spells out.
    Keyed,
    /// Those that a search for targets finds: a set.
    Read,
    /// Those that the query of an INSERT answers: a set, whose targets are not what was read.
    Selected,
}

/// A statement that acts, ready to run.
#[derive(Debug)]
pub struct Acting {
    pub(super) verb: Verb,
    /// The calls are shown, not sent.
    pub(super) preview: bool,
    pub(super) service: Arc<Service>,
    pub(super) resource: Arc<Resource>,
    pub(super) method: Arc<Method>,
    pub(super) columns: Vec<Column>,
    pub(super) source: LogicalPlan,
    /// The source as a statement, to ask for one of its rows again.
    pub(super) query: ast::Statement,
    pub(super) rows: Rows,
    pub(super) wait: Wait,
    pub(super) shows_status: bool,
    /// What is there already is left alone.
    pub(super) keeps_existing: bool,
    pub(super) returning: Option<Vec<SelectItem>>,
    /// The columns of RETURNING.
    pub(super) shown: Option<SchemaRef>,
    /// What its placeholders stand for.
    pub(super) values: Arc<Given>,
    /// The tables of its EXECs in FROM, which the source may be planned with again.
    pub(super) _tables: Arc<Tables>,
    /// Every column of the result, in the names of the plan where there is a RETURNING.
    pub(super) schema: SchemaRef,
    /// Whether it has begun to act.
    pub(super) commitment: Commitment,
}

/// What is done to a target.
#[derive(Debug)]
pub(super) struct Deed {
    pub service: Arc<Service>,
    pub method: Arc<Method>,
    pub wait: Wait,
    pub client: Client,
}

impl Acting {
    pub(super) fn deed(&self, client: Client) -> Deed {
        Deed {
            client,
            service: Arc::clone(&self.service),
            method: Arc::clone(&self.method),
            wait: self.wait,
        }
    }

    /// Whether it has begun to act.
    pub(crate) fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// Whether it only shows what would be done.
    pub(crate) fn previews(&self) -> bool {
        self.preview
    }

    /// Whether it only asks: then it is a read, whatever it is called.
    pub(crate) fn only_asks(&self) -> bool {
        self.method.class == CallClass::Read
    }

    /// Whether data or protection may be lost by this call: by what it is, or by what its body says.
    pub(super) fn destroys(&self, target: &Targeted) -> bool {
        self.verb == Verb::Replace || self.method.is_destructive(target.call.body.as_deref())
    }

    /// Whether that may be so for any of these.
    pub(super) fn is_destructive(&self, targets: &[Targeted]) -> bool {
        targets.iter().any(|target| self.destroys(target))
    }

    /// What it does, in a few words: `EXEC backup_instances.stop_protection`.
    pub(super) fn title(&self) -> String {
        let resource = &self.resource.name;
        match self.verb {
            Verb::Exec => format!("EXEC {}", self.method.full_name()),
            Verb::Insert => format!("INSERT INTO {resource}"),
            Verb::Replace => format!("REPLACE INTO {resource}"),
            Verb::Update => format!("UPDATE {resource}"),
            Verb::Delete => format!("DELETE FROM {resource}"),
            Verb::Select => format!("SELECT FROM {resource}"),
        }
    }

    /// The columns of what it answers; the names are those of the result, not of a RETURNING.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns that RETURNING makes of them.
    pub(crate) fn shown(&self) -> Option<&SchemaRef> {
        self.shown.as_ref()
    }
}

/// What a statement is made of, before its source is planned.
pub(super) struct Draft {
    pub verb: Verb,
    pub service: Arc<Service>,
    pub resource: Arc<Resource>,
    pub method: Arc<Method>,
    pub columns: Vec<Column>,
    pub query: ast::Statement,
    pub rows: Rows,
    pub hints: Hints,
    pub keeps_existing: bool,
    pub returning: Option<Vec<SelectItem>>,
    pub span: Span,
}

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be run: a session that only reads is told at once that it may not.
    Run,
    /// To be looked at. Whether it may be run is asked where calls are sent, and none is for this.
    Look,
}

/// The plan of a statement that acts. `statement` is one of Insert, Replace, Update, Delete, Exec, or a PREVIEW of one.
pub(crate) async fn plan(
    session: &Session,
    statement: &Sql,
    tables: Arc<Tables>,
    values: &Given,
    purpose: Purpose,
) -> Result<Acting> {
    let values = Arc::new(values.closed());
    let (statement, preview) = match statement {
        Sql::Preview(inner) => (&**inner, true),
        other => (other, false),
    };
    let draft = match statement {
        Sql::Exec(exec) => source::exec(session, exec, &values).await?,
        Sql::Insert(insert) => source::insert(session, insert, Verb::Insert, &values).await?,
        Sql::Replace(Replace::Rows(insert)) => {
            source::insert(session, insert, Verb::Replace, &values).await?
        }
        Sql::Replace(Replace::Set(update)) => source::update(session, update, Verb::Replace)?,
        Sql::Update(update) => source::update(session, update, Verb::Update)?,
        Sql::Delete(delete) => source::delete(session, delete)?,
        _ => return Err(Error::internal("a statement that acts was expected")),
    };
    twice(&draft)?;
    given(session, &draft)?;
    let only_asks = draft.method.class == CallClass::Read;
    let refused = session.access() == Access::ReadOnly && purpose == Purpose::Run;
    if refused && !only_asks && !preview {
        let problem = Diagnostic::new(
            "R0320",
            format!(
                "this session only reads, and `{}` changes something",
                draft.method.full_name()
            ),
        );
        return Err(problem.at(draft.span).into());
    }
    let wait = match (draft.hints, session.settings().wait) {
        (hints, _) if hints.await_job => Wait::Job,
        (hints, _) if hints.nowait => Wait::No,
        (hints, _) if hints.wait => Wait::Operation,
        (_, true) => Wait::Operation,
        (_, false) => Wait::No,
    };
    if wait == Wait::Job && draft.service.jobs.is_none() {
        let problem = Diagnostic::new(
            "R0322",
            format!(
                "`AWAIT_JOB` waits for a job, and the document of `{}` tells of none",
                draft.service.name
            ),
        );
        return Err(problem.at(draft.span).into());
    }
    let (source, _) = session.plan_statement(&values, draft.query.clone()).await?;
    // A session that may only look shows what a statement would do; the word PREVIEW need not be written.
    let preview = preview || (session.access() == Access::Preview && !only_asks);
    let schema = if only_asks && !preview {
        answer::read_schema(&draft.method)
    } else {
        Columns::of(&[&draft.method], wait, preview).schema()
    };
    let mut acting = Acting {
        verb: draft.verb,
        preview,
        service: draft.service,
        resource: draft.resource,
        method: draft.method,
        columns: draft.columns,
        source,
        query: draft.query,
        rows: draft.rows,
        wait,
        shows_status: !draft.hints.no_status,
        keeps_existing: draft.keeps_existing,
        returning: draft.returning,
        values,
        shown: None,
        _tables: tables,
        schema,
        commitment: Commitment::default(),
    };
    if let Some(items) = &acting.returning {
        super::returning::check(items, draft.span)?;
        // Planned once over no rows, so that a wrong name is told before anything is sent.
        let (plan, names) = super::returning::plan(session, &acting, items, None).await?;
        acting.shown = Some(headed(plan.schema().inner(), &names));
    }
    Ok(acting)
}

/// The same target twice is an error, in whatever spelling.
fn twice(draft: &Draft) -> Result<()> {
    let mut seen = HashSet::new();
    for column in &draft.columns {
        let key = match &column.target {
            Target::Parameter(name) => format!("parameter {}", fold(name)),
            Target::Attribute(path) => {
                let parts: Vec<String> = path.iter().map(|part| fold(part)).collect();
                format!("attribute {}", parts.join("."))
            }
            Target::Id(form) => format!("id {form}"),
            Target::Body => "body".to_owned(),
        };
        if !seen.insert(key) {
            let problem = Diagnostic::new("R0312", format!("{} is given twice", column.shown));
            return Err(problem.at(column.span.unwrap_or(draft.span)).into());
        }
    }
    Ok(())
}

/// Every parameter that must be given is: by a column, out of an id, or as the default subscription.
fn given(session: &Session, draft: &Draft) -> Result<()> {
    let is_given = |name: &str| {
        draft.columns.iter().any(|column| match &column.target {
            Target::Parameter(known) => same(known, name),
            Target::Id(form) => form.parameters().any(|known| same(known, name)),
            Target::Attribute(_) | Target::Body => false,
        })
    };
    let missing: Vec<&str> = draft
        .method
        .parameters
        .iter()
        .filter(|parameter| parameter.must_be_given() && !is_given(&parameter.name))
        .map(|parameter| parameter.name.as_str())
        .collect();
    let default = session.settings().default_subscription.clone();
    let missing: Vec<&str> = missing
        .into_iter()
        .filter(|name| !(takes_default(draft.verb) && default.is_some() && is_subscription(name)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let problem = Diagnostic::new(
        "R0301",
        format!(
            "`{}` needs {}",
            draft.method.full_name(),
            shown.join(" and ")
        ),
    );
    let problem = if missing.iter().any(|name| is_subscription(name)) && takes_default(draft.verb) {
        problem.help("`--subscription ID` gives every statement a default for `subscriptionId`")
    } else {
        let full = format!("{}.{}", draft.resource.full_name(), draft.method.key);
        problem.help(format!("`SHOW EXEC {full}` prints a statement to fill in"))
    };
    Err(problem.at(draft.span).into())
}

/// Whether a subscription that is not written is the default one. A search for rows has no default.
pub(super) fn takes_default(verb: Verb) -> bool {
    matches!(verb, Verb::Exec | Verb::Insert | Verb::Replace)
}

pub(super) fn is_subscription(name: &str) -> bool {
    same(name, "subscriptionId")
}

/// The method and its table by a written name.
pub(super) fn resource_of(
    session: &Session,
    table: &ast::ObjectName,
    span: Span,
) -> Result<(Arc<Service>, Arc<Resource>)> {
    let located = |problem: Error| match problem {
        Error::Diagnostic(diagnostic) if diagnostic.span.is_none() => {
            Error::from((*diagnostic).clone().at(span))
        }
        other => other,
    };
    let shared = session.shared();
    shared
        .searched(&names::written(table))
        .and_then(|name| shared.directory().resource(&name))
        .map_err(located)
}

/// The path parameters of a method, in path order.
pub(super) fn path_parameters(method: &Method) -> impl Iterator<Item = &str> {
    method
        .parameters
        .iter()
        .filter(|parameter| parameter.location == Location::Path)
        .map(|parameter| parameter.name.as_str())
}

/// Whether an expression reads nothing: no column, no query.
pub(super) fn is_constant(expr: &Expr) -> bool {
    use datafusion::sql::sqlparser::ast::{Visit, Visitor};
    use std::ops::ControlFlow;
    struct Reads;
    impl Visitor for Reads {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_)
                | Expr::CompoundIdentifier(_)
                | Expr::Subquery(_)
                | Expr::Exists { .. }
                | Expr::InSubquery { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Reads).is_continue()
}
