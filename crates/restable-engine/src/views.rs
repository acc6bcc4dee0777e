//! Views that documents define (`vw_backup_instances` and its kin): their text is SQL in the document, planned once in a
//! session when a statement names them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::metadata::FieldMetadata;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use restable_spec::Resource;
use restable_spec::names::fold;

use crate::functions::NAME_METADATA;
use crate::names::{self, Heading, Names};
use crate::own_views::Views;
use crate::shared::Shared;
use crate::{Error, Result};

fn parse(resource: &Resource) -> Result<datafusion::sql::sqlparser::ast::Statement> {
    let Some(view) = &resource.view else {
        return Err(Error::internal(format!(
            "`{}` is no view",
            resource.full_name()
        )));
    };
    let mut parsed = restable_sql::parse(&view.ddl)?;
    match parsed.pop().map(|parsed| parsed.statement) {
        Some(restable_sql::Statement::Query(statement)) if parsed.is_empty() => Ok(*statement),
        _ => Err(Error::internal(format!(
            "the text of the view `{}` is no single query",
            resource.full_name()
        ))),
    }
}

fn written(names: &Names, resource: &Resource) -> Result<Vec<String>> {
    let headings = names.headings.iter().map(|heading| match heading {
        Heading::Written(name) => Ok(name.clone()),
        _ => Err(Error::internal(format!(
            "the view `{}` must name each of its columns",
            resource.full_name()
        ))),
    });
    headings.collect()
}

/// The columns of a view, as its text heads them.
pub fn headings(shared: &Arc<Shared>, resource: &Arc<Resource>) -> Result<Vec<String>> {
    let mut statement = parse(resource)?;
    let names = names::rewrite(&mut statement, shared.as_ref())?;
    written(&names, resource)
}

/// The view as a table.
pub async fn table(
    shared: &Arc<Shared>,
    resource: &Arc<Resource>,
) -> Result<Arc<dyn TableProvider>> {
    let mut statement = parse(resource)?;
    let names = names::rewrite(&mut statement, shared.as_ref())?;
    let headings = written(&names, resource)?;
    let statement = datafusion::sql::parser::Statement::Statement(Box::new(statement));
    let plan = shared.ground.plan(statement, &Views::new()).await?;
    let columns: Vec<Expr> = plan
        .schema()
        .iter()
        .zip(&headings)
        .map(|((qualifier, field), heading)| {
            let mut metadata: HashMap<String, String> = field.metadata().clone();
            metadata.insert(NAME_METADATA.to_owned(), heading.clone());
            Expr::Column(Column::from((qualifier, field.as_ref())))
                .alias_with_metadata(fold(heading), Some(FieldMetadata::from(metadata)))
        })
        .collect();
    let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
    let ddl = resource.view.as_ref().map(|view| view.ddl.clone());
    Ok(Arc::new(ViewTable::new(plan, ddl)))
}
