//! Conditions on the names of scopes, asked as the parents are listed: what no row below a scope can fulfil makes no call there. Like
//! bindings they only narrow: DataFusion asks each condition again of the rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use restable_spec::names::fold;
use restable_spec::{Parent, Resource};

use crate::walk::Scope;

/// Conditions that the scopes of a table have to fulfil.
#[derive(Clone, Default)]
pub struct Prunes(Vec<Arc<Prune>>);

#[derive(Debug)]
struct Prune {
    /// The condition, over the columns below.
    condition: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    /// The parameter of the table that each column is, by folded name.
    columns: Vec<String>,
}

impl fmt::Debug for Prunes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter();
        let shown = shown.map(|prune| format!("{:?} of {:?}", prune.condition, prune.columns));
        formatter.debug_list().entries(shown).finish()
    }
}

impl Prunes {
    /// Adds a condition over text columns of these folded names, in this order.
    pub(crate) fn add(&mut self, condition: Arc<dyn PhysicalExpr>, columns: Vec<String>) {
        self.0.push(Arc::new(Prune {
            schema: schema(&columns),
            condition,
            columns,
        }));
    }

    /// Whether there may be rows below a scope. A condition on what the scope does not say lets it through.
    pub(crate) fn allow(&self, scope: &Scope) -> bool {
        self.0.iter().all(|prune| prune.allows(scope))
    }

    /// The conditions as the parent of a table may ask them of its own scopes.
    pub(crate) fn of_parent(&self, parent: &Parent, resource: &Resource) -> Prunes {
        let own = |column: &String| {
            let (_, own) = parent
                .parameters
                .iter()
                .find(|(child, _)| fold(child) == *column)?;
            // A parameter of the parent's; whether a scope of it says its value is seen then.
            resource.parameter(own).map(|_| fold(own))
        };
        let prunes = self.0.iter().filter_map(|prune| {
            let columns = prune.columns.iter().map(own).collect::<Option<Vec<_>>>()?;
            Some(Arc::new(Prune {
                condition: Arc::clone(&prune.condition),
                schema: Arc::clone(&prune.schema),
                columns,
            }))
        });
        Prunes(prunes.collect())
    }
}

/// The columns of a condition: text, since names of scopes are.
pub(crate) fn schema(columns: &[String]) -> SchemaRef {
    let fields = columns.iter().enumerate();
    let fields = fields.map(|(at, _)| Field::new(format!("scope{at}"), DataType::Utf8, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Prune {
    fn allows(&self, scope: &Scope) -> bool {
        let mut values: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let Some(value) = scope.get(column) else {
                return true;
            };
            values.push(Arc::new(StringArray::from(vec![Some(&**value)])));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let answer = RecordBatch::try_new_with_options(Arc::clone(&self.schema), values, &options)
            .ok()
            .and_then(|row| self.condition.evaluate(&row).ok()?.into_array(1).ok());
        // What cannot be computed here is computed, and told, where the rows are.
        match answer.as_ref().and_then(|answer| answer.as_boolean_opt()) {
            Some(answer) => answer.is_valid(0) && answer.value(0),
            None => true,
        }
    }
}
