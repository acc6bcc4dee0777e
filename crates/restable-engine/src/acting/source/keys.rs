//! Whether a WHERE is nothing but a full key: equalities, or IN, on every parameter of the path. Then the rows are spelled out, and
//! nothing needs to be read to find them.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Ident, ObjectName};
use restable_spec::names::{fold, same};
use restable_spec::{IdForm, Location, Method, Resource};

use crate::acting::plan::{is_constant, path_parameters};
use crate::names;

/// A key that a WHERE spells out.
pub(super) struct Keys {
    /// Each parameter of the path with its values, in path order; or the id alone.
    pub path: Vec<(Key, Vec<Expr>)>,
}

/// What the values of a key fill.
pub(super) enum Key {
    Parameter(String),
    Id(IdForm),
}

/// A WHERE taken apart at its top-level ANDs.
pub(super) struct Where {
    conjuncts: Vec<Conjunct>,
}

struct Conjunct {
    expr: Expr,
    /// `column = value`, `column IN (value, …)`: the column and the constant values.
    equality: Option<(String, Vec<Expr>)>,
    /// It is an input of the call, which is no property of a row.
    is_taken: bool,
}

impl Where {
    /// Takes a WHERE apart. A column counts as the table's if it is written bare, or behind the table's name or alias.
    pub(super) fn of(selection: Option<&Expr>, table: &ObjectName, alias: Option<&Ident>) -> Where {
        let mut conjuncts = Vec::new();
        let mut rest: Vec<&Expr> = selection.into_iter().collect();
        while let Some(expr) = rest.pop() {
            match expr {
                Expr::Nested(inner) => rest.push(inner),
                Expr::BinaryOp {
                    left,
                    op: BinaryOperator::And,
                    right,
                } => {
                    rest.push(right);
                    rest.push(left);
                }
                other => conjuncts.push(Conjunct {
                    equality: equality(other, table, alias),
                    expr: other.clone(),
                    is_taken: false,
                }),
            }
        }
        Where { conjuncts }
    }

    /// Whether a column of this name is compared with a value.
    pub(super) fn compares(&self, name: &str) -> bool {
        let mut equalities = self.conjuncts.iter().filter_map(|it| it.equality.as_ref());
        equalities.any(|(column, _)| same(column, name))
    }

    /// Values for parameters of the query and of headers, which are no properties of rows: `"api-version" = '…'`. They are taken out
    /// unless the table has such an input as well, which its own reads are to use then.
    pub(super) fn take_inputs(
        &mut self,
        method: &Method,
        resource: &Resource,
    ) -> Vec<(String, Expr)> {
        let mut inputs = Vec::new();
        self.conjuncts.retain_mut(|conjunct| {
            let Some((column, values)) = &conjunct.equality else {
                return true;
            };
            let ([value], Some(parameter)) = (values.as_slice(), method.parameter(column)) else {
                return true;
            };
            let input = matches!(parameter.location, Location::Query | Location::Header);
            if !input || resource.field(column).is_some() {
                return true;
            }
            inputs.push((parameter.name.clone(), value.clone()));
            conjunct.is_taken = true;
            resource.parameter(column).is_some()
        });
        inputs
    }

    /// The key, if there is nothing but one beside inputs.
    pub(super) fn keys(&self, method: &Method, resource: &Resource) -> Option<Keys> {
        let mut given: Vec<(&str, &Vec<Expr>)> = Vec::new();
        for conjunct in &self.conjuncts {
            let (column, values) = conjunct.equality.as_ref()?;
            if conjunct.is_taken {
                continue;
            }
            // Twice the same column is a question of whether the values agree.
            if given.iter().any(|(known, _)| same(known, column)) {
                return None;
            }
            given.push((column, values));
        }
        if let [(column, values)] = given.as_slice()
            && fold(column) == "id"
            && let Some(form) = method.id_form(resource, "id")
            && path_parameters(method).all(|name| form.parameters().any(|it| same(it, name)))
        {
            let path = vec![(Key::Id(form), (*values).clone())];
            return Some(Keys { path });
        }
        let mut path = Vec::new();
        for name in path_parameters(method) {
            let (_, values) = given.iter().find(|(column, _)| same(column, name))?;
            path.push((Key::Parameter(name.to_owned()), (*values).clone()));
        }
        // A further column, such as `name`, can only be compared with what is there.
        (path.len() == given.len() && !path.is_empty()).then_some(Keys { path })
    }

    /// What is left, as one expression.
    pub(super) fn selection(&self) -> Option<Expr> {
        self.conjuncts
            .iter()
            .map(|conjunct| Expr::Nested(Box::new(conjunct.expr.clone())))
            .reduce(|left, right| Expr::BinaryOp {
                left: Box::new(left),
                op: BinaryOperator::And,
                right: Box::new(right),
            })
    }
}

fn equality(expr: &Expr, table: &ObjectName, alias: Option<&Ident>) -> Option<(String, Vec<Expr>)> {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => {
            let (column, value) = match (column(left, table, alias), column(right, table, alias)) {
                (Some(column), None) => (column, right),
                (None, Some(column)) => (column, left),
                _ => return None,
            };
            is_constant(value).then(|| (column, vec![(**value).clone()]))
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => {
            let column = column(expr, table, alias)?;
            (!list.is_empty() && list.iter().all(is_constant)).then(|| (column, list.clone()))
        }
        _ => None,
    }
}

/// The name of a column of the table.
fn column(expr: &Expr, table: &ObjectName, alias: Option<&Ident>) -> Option<String> {
    match expr {
        Expr::Nested(inner) => column(inner, table, alias),
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => {
            let (last, before) = parts.split_last()?;
            let before: Vec<String> = before.iter().map(|part| fold(&part.value)).collect();
            let owner: Vec<String> = match alias {
                Some(alias) => vec![fold(&alias.value)],
                None => names::written(table)
                    .iter()
                    .map(|part| fold(part))
                    .collect(),
            };
            // `backup_instances.name` and `azure.data_protection.backup_instances.name`, but not `properties.name`.
            owner.ends_with(&before).then(|| last.value.clone())
        }
        _ => None,
    }
}
