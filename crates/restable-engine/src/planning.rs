//! From a statement of DataFusion's to its plan: values for placeholders, names, the dialect; on a thread whose stack is deep enough for
//! deep statements. And what is said of a statement that creates or drops something.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::sqlparser::ast;

use crate::names::{self, Names, Resolver};
use crate::own_rows::with_marks;
use crate::own_views::{Expanding, expanded};
use crate::parameters::{self, Given};
use crate::shared::Shared;
use crate::{Error, Result, dialect, largeness, placeholders};

/// The plan of a statement, with the values of placeholders in it.
pub(crate) async fn plan_given(
    shared: &Shared,
    given: &Given,
    statement: ast::Statement,
) -> Result<(LogicalPlan, Names)> {
    let mut expanding = Expanding::default();
    // On the heap: who waits for it has little of a stack, and keeps what a statement is planned with.
    Box::pin(plan_within(
        shared,
        given,
        statement,
        shared,
        &mut expanding,
    ))
    .await
}

/// The same for a statement whose names mean what `meant` says, and which is a part of another if it is the text of a view.
pub(crate) async fn plan_within(
    shared: &Shared,
    given: &Given,
    mut statement: ast::Statement,
    meant: &(dyn Resolver + Sync),
    expanding: &mut Expanding,
) -> Result<(LogicalPlan, Names)> {
    largeness::of_text(&statement)?;
    placeholders::bind(&mut statement, given)?;
    dialect::typed_rows(&mut statement);
    dialect::made_rows(&mut statement);
    dialect::json_casts(&mut statement)?;
    dialect::rows_in(&mut statement);
    let names = names::rewrite(&mut statement, meant)?;
    let marks = dialect::marks_of(&statement);
    dialect::put_words(&mut statement)?;
    parameters::tell_apart(&mut statement);
    let views = expanded(shared, &statement, expanding).await?;
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(statement));
    let plan = shared
        .ground
        .plan(statement, &views)
        .await
        .and_then(dialect::prepared)
        .map_err(|problem| Error::planned(problem, &names))?;
    largeness::of_plan(&plan)?;
    Ok((with_marks(plan, &marks)?, names))
}

/// The stack that a thread should have on which statements are planned: deep ones go deep. One that has less gets it for each
/// statement, which costs more than planning a short one does.
pub const STACK: usize = 64 << 20;

/// Runs a future that does no I/O on a deep stack.
pub(crate) async fn on_deep_stack<T: Send>(work: impl Future<Output = T> + Send) -> Result<T> {
    // The stack that this begins on may be no deep one, and each step below would hold the whole of it.
    let mut work = Box::pin(work);
    std::future::poll_fn(|context| {
        let step = || work.as_mut().poll(context);
        let step = || stacker::maybe_grow(STACK / 2, STACK, step);
        // A fault of the planner ends its statement only.
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Err(_) => Poll::Ready(Err(Error::internal("planning broke off"))),
        }
    })
    .await
}

pub(crate) fn describe_ddl(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
            format!("view `{}` created", view.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) if table.if_not_exists => {
            format!("table `{}` exists", table.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => {
            format!("table `{}` created", table.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::DropTable(table)) if table.if_exists => {
            format!("table `{}` is gone", table.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::DropView(view)) if view.if_exists => {
            format!("view `{}` is gone", view.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::DropTable(table)) => {
            format!("table `{}` dropped", table.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::DropView(view)) => {
            format!("view `{}` dropped", view.name.table())
        }
        LogicalPlan::Ddl(ddl) => spaced(ddl.name()),
        _ => "done".to_owned(),
    }
}

/// `CreateCatalogSchema` as words.
pub(crate) fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
