//! VALUES whose rows say their types once: a text in the column of a time, an interval or JSON is one, as in PostgreSQL. It touches syntax
//! trees only.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, Query, SetExpr, Value, Values, VisitMut, VisitorMut,
};

use crate::pg_catalog::syntax::cast;

/// Gives texts in VALUES the type that another row says.
pub fn typed_rows(statement: &mut ast::Statement) {
    let _ = VisitMut::visit(statement, &mut Rows);
}

struct Rows;

impl VisitorMut for Rows {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Values(values) = &mut *query.body {
            alike(values);
        }
        ControlFlow::Continue(())
    }
}

fn alike(values: &mut Values) {
    let rows = &mut values.rows;
    let width = rows.iter().map(|row| row.content.len()).max().unwrap_or(0);
    for at in 0..width {
        let mut known = rows.iter().filter_map(|row| said(row.content.get(at)?));
        let Some(kind) = known.next() else { continue };
        for value in rows.iter_mut().filter_map(|row| row.content.get_mut(at)) {
            if is_text(value) {
                let nothing = Expr::Value(Value::Null.into());
                *value = cast(std::mem::replace(value, nothing), kind.clone());
            }
        }
    }
}

/// The type that a literal says, if it is one of times or JSON.
pub fn said(value: &Expr) -> Option<DataType> {
    let kind = match value {
        Expr::Nested(inner) => return said(inner),
        Expr::Cast { data_type, .. } => data_type.clone(),
        Expr::TypedString(typed) => typed.data_type.clone(),
        Expr::Interval(_) => DataType::Interval {
            fields: None,
            precision: None,
        },
        _ => return None,
    };
    matches!(
        kind,
        DataType::Timestamp(..)
            | DataType::TimestampNtz(..)
            | DataType::Date
            | DataType::Time(..)
            | DataType::Interval { .. }
            | DataType::JSON
            | DataType::JSONB
            | DataType::Uuid
    )
    .then_some(kind)
}

/// Whether this is a text that is written out.
pub fn is_text(value: &Expr) -> bool {
    matches!(value, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)))
}
