//! What is known of a statement that is ready to run.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::{Action, Prepared};
use crate::acting::Commitment;
use crate::catalog::OWN_CATALOG;
use crate::names::Names;
use crate::outcome::headed;
use crate::{Error, Result, parameters};

impl Prepared {
    /// The columns of the rows, headed as they will be; `None` if there are none.
    pub fn columns(&self) -> Option<SchemaRef> {
        match &self.action {
            Action::Plan(plan)
                if matches!(**plan, LogicalPlan::Ddl(_) | LogicalPlan::Statement(_)) =>
            {
                None
            }
            Action::Plan(plan) => Some(headed(plan.schema().inner(), &self.names)),
            Action::Explain(explaining) => Some(headed(&explaining.schema(), &self.names)),
            Action::Rows(batch) => Some(headed(&batch.schema(), &self.names)),
            Action::Append(appending) => Some(SchemaRef::clone(&appending.schema)),
            Action::Act(acting) => Some(match acting.shown() {
                Some(shown) => SchemaRef::clone(shown),
                None => headed(acting.schema(), &self.names),
            }),
            Action::Use(_)
            | Action::Set(..)
            | Action::Reset(_)
            | Action::Postgres(_)
            | Action::Keep(_)
            | Action::View(_)
            | Action::Drop(_)
            | Action::Prepare(..) => None,
        }
    }

    pub(crate) fn of_plan(plan: LogicalPlan) -> Prepared {
        Prepared {
            action: Action::Plan(Box::new(plan)),
            names: Names::default(),
            source: None,
            choices: Vec::new(),
        }
    }

    pub(crate) fn into_plan(self) -> Result<LogicalPlan> {
        match self.action {
            Action::Plan(plan) => Ok(*plan),
            _ => Err(Error::internal("a plan was expected")),
        }
    }

    /// Whether running this sends what changes something.
    pub fn acts(&self) -> bool {
        self.commitment().is_some()
    }

    /// What tells whether it has begun to, if it is one that sends what changes something.
    pub fn commitment(&self) -> Option<Commitment> {
        match &self.action {
            Action::Act(acting) if !acting.only_asks() && !acting.previews() => {
                Some(acting.commitment().clone())
            }
            _ => None,
        }
    }

    /// The settings that running this gives values, and whether for its transaction only: `set_config` does.
    pub fn chosen(&self) -> impl Iterator<Item = (&str, bool)> {
        self.choices.iter().map(|choice| (choice.key, choice.local))
    }

    /// Leaves out what is for a transaction only: there is none.
    pub fn forget_local(&mut self) {
        self.choices.retain(|choice| !choice.local);
    }

    pub(super) fn tag(&self) -> &'static str {
        self.source.as_ref().map_or("", |parsed| parsed.tag())
    }

    /// Whether rows come from tables of restable's own, which may have been filled when scopes could not be read.
    pub fn reads_own_tables(&self) -> bool {
        let Action::Plan(plan) = &self.action else {
            return false;
        };
        let mut reads = false;
        // It visits, and cannot fail.
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                reads |= scan.table_name.catalog() == Some(OWN_CATALOG);
            }
            Ok(match reads {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        });
        reads
    }

    /// Whether running this changes what is kept in the data directory.
    pub fn keeps(&self) -> bool {
        matches!(self.action, Action::Keep(_))
    }

    pub(crate) fn open_types(&self) -> Result<Vec<(usize, DataType)>> {
        match &self.action {
            Action::Plan(plan) => parameters::open_types(plan),
            Action::Explain(explaining) => parameters::open_types(&explaining.plan),
            _ => Ok(Vec::new()),
        }
    }
}
