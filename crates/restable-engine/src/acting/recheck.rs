//! Reading a target again before it is destroyed: much may happen between the read of a set and the last of its calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::sql::sqlparser::ast::{self, BinaryOperator, Expr, Ident, Value};
use futures::TryStreamExt;

use super::plan::{Acting, Target};
use super::rows::Targeted;
use super::source::again;
use crate::Result;
use crate::ground::Planning;
use crate::planning::plan_given;
use crate::shared::Shared;
use crate::statement::{Running, Statement};

/// What is needed to ask for one row of the source again.
pub(super) struct Recheck {
    pub acting: Arc<Acting>,
    pub shared: Arc<Shared>,
    /// What planned its source: `now()` is the same time for both.
    pub planning: Planning,
    pub statement: Arc<Statement>,
    /// When the source had been read.
    pub read_at: Instant,
    /// So long the source's word is good.
    pub after: Duration,
}

impl Recheck {
    /// Whether the source still answers the row of this target; it is not asked before its word is old.
    pub(super) async fn still_matches(&self, target: &Targeted) -> Result<bool> {
        if self.read_at.elapsed() < self.after {
            return Ok(true);
        }
        let acting = &self.acting;
        let mut condition: Option<Expr> = None;
        for (at, column) in acting.columns.iter().enumerate() {
            let is_key = match &column.target {
                Target::Parameter(name) => acting
                    .method
                    .parameter(name)
                    .is_some_and(|it| it.location == restable_spec::Location::Path),
                Target::Id(_) => true,
                Target::Attribute(_) | Target::Body => false,
            };
            let Some(Some(text)) = target.row.get(at).filter(|_| is_key) else {
                continue;
            };
            let equal = Expr::BinaryOp {
                left: Box::new(Expr::CompoundIdentifier(vec![
                    Ident::with_quote('"', "again"),
                    Ident::with_quote('"', format!("argument{at}")),
                ])),
                op: BinaryOperator::Eq,
                right: Box::new(Expr::Value(Value::SingleQuotedString(text.clone()).into())),
            };
            condition = Some(match condition {
                None => equal,
                Some(before) => Expr::BinaryOp {
                    left: Box::new(before),
                    op: BinaryOperator::And,
                    right: Box::new(equal),
                },
            });
        }
        let ast::Statement::Query(query) = acting.query.clone() else {
            return Ok(true);
        };
        let statement = again(query, condition);
        let (plan, _) = plan_given(&self.shared, &self.acting.values, statement).await?;
        let own = Arc::new(self.statement.again());
        // Whichever way this is left, what was read for it ends with it.
        let _running = Running(Arc::clone(&own));
        let planning = self.planning.of(&own);
        let physical = planning.physical(&plan).await?;
        let rows = datafusion::physical_plan::execute_stream(physical, planning.task())?;
        let batches: Vec<arrow::array::RecordBatch> = rows.try_collect().await?;
        Ok(batches.iter().any(|batch| batch.num_rows() > 0))
    }
}
