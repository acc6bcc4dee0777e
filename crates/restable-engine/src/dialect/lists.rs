//! Aggregates of PostgreSQL's that are a list of the rows and what is made of it: `json_agg`, `json_object_agg`, `mode`, `percentile_disc`.
//! Each becomes `array_agg` with the same ORDER BY, FILTER and OVER, inside a function of lists. It touches syntax trees only.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName,
};

use crate::pg_catalog::syntax::call;

/// What a call of an aggregate is made of; `None` if it is none of these.
pub fn made_of(function: &Function, name: &str, given: &[Expr]) -> Option<Expr> {
    let (made, of) = match (name, given) {
        ("json_agg", [value]) => ("json_items", call("to_json", vec![value.clone()])),
        ("jsonb_agg", [value]) => ("jsonb_items", call("to_json", vec![value.clone()])),
        ("json_object_agg", [key, value]) => {
            let pair = call("json_pair", vec![key.clone(), value.clone()]);
            ("json_members", pair)
        }
        ("jsonb_object_agg", [key, value]) => {
            let pair = call("json_pair", vec![key.clone(), value.clone()]);
            ("jsonb_members", pair)
        }
        ("mode", []) => {
            let [sort] = function.within_group.as_slice() else {
                return None;
            };
            ("most_frequent", sort.expr.clone())
        }
        ("percentile_disc", [_]) => {
            let [sort] = function.within_group.as_slice() else {
                return None;
            };
            ("percentile_item", sort.expr.clone())
        }
        _ => return None,
    };
    let mut listed = function.clone();
    listed.name = ObjectName::from(vec![Ident::new("array_agg")]);
    let sorted = std::mem::take(&mut listed.within_group);
    let FunctionArguments::List(list) = &mut listed.args else {
        return None;
    };
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(of))];
    if !sorted.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(sorted));
    }
    let mut arguments = vec![Expr::Function(listed)];
    if name == "percentile_disc" {
        arguments.extend(given.iter().cloned());
    }
    Some(call(made, arguments))
}
