//! What an expression over the rows of a scan is to its calls: a name that they take, the id that holds all of them, or something that can be
//! computed from the names of scopes.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, InListExpr, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use restable_spec::Resource;
use restable_spec::names::{fold, same};

use crate::table::{Role, TableColumn, binds, columns, name_at};

/// What an expression is to the calls of a scan.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The value of a parameter, by folded name. What compares equal compares equal without regard to case, so that a name narrows no more
    /// than the expression.
    Name(String),
    /// The id of the row.
    Id,
    /// It is made of the names of scopes, by folded name.
    Scopes(Arc<dyn PhysicalExpr>, Vec<String>),
}

impl Target {
    /// What an expression over the columns of a scan of `resource` is; columns are found by their names.
    pub(crate) fn of(resource: &Resource, expr: &Arc<dyn PhysicalExpr>) -> Option<Target> {
        let known = columns(resource);
        let column = |expr: &Arc<dyn PhysicalExpr>| {
            let column = expr.downcast_ref::<Column>()?;
            known
                .iter()
                .find(|known| fold(&known.name) == column.name())
        };
        let bare = plain(expr);
        if let Some(column) = column(bare) {
            if column.role != Role::Input && binds(resource, column) {
                return Some(Target::Name(fold(&column.name)));
            }
            if same(&column.name, "id") && has_id_form(resource) {
                return Some(Target::Id);
            }
        }
        let is_id =
            |expr: &Arc<dyn PhysicalExpr>| column(expr).is_some_and(|it| same(&it.name, "id"));
        if let Some(name) = part_of_id(resource, bare, is_id) {
            let is_key = resource.key.iter().any(|key| same(key, &name));
            if is_key {
                return Some(Target::Name(fold(&name)));
            }
        }
        scopes(&known, expr).map(|names| Target::Scopes(Arc::clone(expr), names))
    }
}

/// What a condition over the rows of a scan says, where it compares with what is computed before the scan is read.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// It is equal to one of these values, which are over no columns.
    OneOf(Target, Vec<Arc<dyn PhysicalExpr>>),
    /// It is a condition on the names of scopes alone.
    OfScopes(Arc<dyn PhysicalExpr>, Vec<String>),
}

impl Said {
    /// What a condition over the columns of a scan of `resource` says of its calls.
    pub(crate) fn by(resource: &Resource, condition: &Arc<dyn PhysicalExpr>) -> Option<Said> {
        let constant = |expr: &Arc<dyn PhysicalExpr>| collect_columns(expr).is_empty();
        let one_of = |value: &Arc<dyn PhysicalExpr>, others: Vec<Arc<dyn PhysicalExpr>>| {
            let others = others.iter().map(|other| Arc::clone(plain(other)));
            let others: Vec<_> = others.collect();
            match Target::of(resource, value)? {
                Target::Scopes(..) => None,
                target => others
                    .iter()
                    .all(constant)
                    .then_some(Said::OneOf(target, others)),
            }
        };
        let mut said = None;
        if let Some(compared) = condition.downcast_ref::<BinaryExpr>()
            && *compared.op() == Operator::Eq
        {
            let (left, right) = (compared.left(), compared.right());
            said = one_of(left, vec![Arc::clone(right)]);
            said = said.or_else(|| one_of(right, vec![Arc::clone(left)]));
        }
        if let Some(function) = condition.downcast_ref::<ScalarFunctionExpr>()
            && matches!(function.name(), "arm_equal" | "arm_in")
            && let [value, others @ ..] = function.args()
        {
            said = one_of(value, others.to_vec());
        }
        if let Some(list) = condition.downcast_ref::<InListExpr>()
            && !list.negated()
        {
            said = one_of(list.expr(), list.list().to_vec());
        }
        said.or_else(|| {
            let names = scopes(&columns(resource), condition)?;
            Some(Said::OfScopes(Arc::clone(condition), names))
        })
    }
}

/// The names of scopes that an expression is made of, if it is made of nothing else.
pub(crate) fn scopes(known: &[TableColumn], expr: &Arc<dyn PhysicalExpr>) -> Option<Vec<String>> {
    let used = collect_columns(expr);
    let is_scope = |column: &Column| {
        let mut known = known.iter();
        known.any(|known| fold(&known.name) == column.name() && known.role == Role::Parameter)
    };
    let volatile = datafusion::physical_expr_common::physical_expr::is_volatile(expr);
    if used.is_empty() || volatile || !used.iter().all(is_scope) {
        return None;
    }
    let mut names: Vec<String> = used.iter().map(|column| column.name().to_owned()).collect();
    names.sort();
    names.dedup();
    Some(names)
}

/// Whether an id of the resource says the whole key.
fn has_id_form(resource: &Resource) -> bool {
    let form = resource
        .one_row_reader()
        .and_then(|reader| reader.id_form(resource, "id"));
    form.is_some_and(|form| form.parameters().count() == resource.key.len())
}

/// The expression without what changes only its case, its mark or the layout of its text.
pub(crate) fn plain(expr: &Arc<dyn PhysicalExpr>) -> &Arc<dyn PhysicalExpr> {
    if let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>()
        && matches!(function.name(), "arm_fold" | "arm_text")
        && let [inner] = function.args()
    {
        return plain(inner);
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>()
        && is_text(cast.cast_type())
        && (cast.expr().is::<Column>() || cast.expr().is::<ScalarFunctionExpr>())
        && is_texts(cast.expr())
    {
        return plain(cast.expr());
    }
    expr
}

/// Whether an expression that is a column or a function is a text, as far as it says so itself.
fn is_texts(expr: &Arc<dyn PhysicalExpr>) -> bool {
    match expr.downcast_ref::<ScalarFunctionExpr>() {
        Some(function) => is_text(function.return_type()),
        // Columns of scopes and ids are texts; others are no target.
        None => true,
    }
}

pub(crate) fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// The parameter that an expression takes out of the row's own id.
fn part_of_id(
    resource: &Resource,
    expr: &Arc<dyn PhysicalExpr>,
    is_id: impl Fn(&Arc<dyn PhysicalExpr>) -> bool,
) -> Option<String> {
    let function = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let literal =
        |expr: &Arc<dyn PhysicalExpr>| Some(expr.downcast_ref::<Literal>()?.value().clone());
    let text = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_owned);
    match (function.name(), function.args()) {
        ("arm_id", [id, name]) if is_id(id) => text(&literal(name)?),
        ("split_part", [id, slash, at]) if is_id(id) && text(&literal(slash)?)? == "/" => {
            let ScalarValue::Int64(Some(at)) = literal(at)?.cast_to(&DataType::Int64).ok()? else {
                return None;
            };
            name_at(resource, at)
        }
        _ => None,
    }
}
