//! The last look at a plan before it runs: an input of a call, such as `api-version`, was taken by its scan or is in no
//! condition at all. Refuses a condition that would otherwise be judged by the default that the call was made with.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::source_as_provider;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

use crate::Error;
use crate::functions::{INPUT_METADATA, NAME_METADATA};
use crate::table::ResourceTable;

use super::null_keys::null_keys;

/// DataFusion's planner, behind the check.
#[derive(Debug)]
pub struct InputsChecked;

#[async_trait]
impl QueryPlanner for InputsChecked {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn datafusion::catalog::Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        check(plan)?;
        let plan = null_keys(plan.clone())?;
        let planner = DefaultPhysicalPlanner::default();
        planner.create_physical_plan(&plan, session).await
    }
}

fn check(plan: &LogicalPlan) -> Result<()> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        let conditions: Vec<&Expr> = match node {
            LogicalPlan::Filter(filter) => vec![&filter.predicate],
            LogicalPlan::Join(join) => {
                let keys = join.on.iter().flat_map(|(left, right)| [left, right]);
                keys.chain(&join.filter).collect()
            }
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        found = conditions.into_iter().find_map(|it| input(it, &schema));
        Ok(match found {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    match found {
        Some((resource, name)) => Err(problem(plan, &resource, &name)?),
        None => Ok(()),
    }
}

/// The resource and the name of an input in a condition.
fn input(condition: &Expr, schema: &DFSchema) -> Option<(String, String)> {
    condition.column_refs().into_iter().find_map(|column| {
        let (_, field) = Expr::Column(column.clone()).to_field(schema).ok()?;
        let resource = field.metadata().get(INPUT_METADATA)?.clone();
        let name = field.metadata().get(NAME_METADATA).cloned();
        Some((resource, name.unwrap_or_else(|| column.name.clone())))
    })
}

fn problem(
    plan: &LogicalPlan,
    resource: &str,
    name: &str,
) -> Result<datafusion::error::DataFusionError> {
    let mut problem = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let table = (provider.as_ref() as &dyn Any).downcast_ref::<ResourceTable>();
            problem = table.and_then(|table| table.input_problem(resource, name));
        }
        Ok(match problem {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    let problem = problem.unwrap_or_else(|| {
        Error::internal(format!(
            "the input `{name}` belongs to no table of the plan"
        ))
    });
    Ok(problem.into())
}
