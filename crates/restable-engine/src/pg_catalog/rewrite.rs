//! Statements of PostgreSQL's clients about its catalog, in the words that the planner of queries knows: names of functions
//! without their schema, casts to OIDs, `ANY` of an array, scalar subqueries that promise one row. It touches syntax
//! trees only, and only those of sessions that speak as PostgreSQL's clients do.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, JoinOperator,
    ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor, UnaryOperator, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use restable_sql::Diagnostic;

use super::rows::Relation;
use super::{kinds, tables};
use crate::{Error, Result};

/// What a session says of itself.
pub struct Facts<'a> {
    /// The value of a setting.
    pub setting: &'a dyn Fn(&str) -> Option<String>,
    /// The user.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
    /// The schemas in which bare names are looked for.
    pub path: &'a [String],
    /// The tables and views.
    pub relations: &'a [Relation],
}

/// Whether a statement asks for the catalog at all.
pub fn concerns(text: &str) -> bool {
    const SIGNS: &[&str] = &[
        "pg_",
        "current_",
        "version",
        "session_user",
        "::",
        "regclass",
        "oid",
        "set_config",
        "quote_ident",
        "user",
        "information_schema",
        "any",
        "escape",
    ];
    let text = text.to_ascii_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// Rewrites `statement` in place.
pub fn rewrite(statement: &mut Statement, facts: &Facts<'_>) -> Result<()> {
    let mut pass = Pass {
        facts,
        expands: statement.to_string().contains("_pg_expandarray"),
        problem: None,
    };
    let _ = VisitMut::visit(statement, &mut pass);
    match pass.problem {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

struct Pass<'a> {
    facts: &'a Facts<'a>,
    /// Whether the statement takes rows apart that `_pg_expandarray` makes.
    expands: bool,
    problem: Option<Error>,
}

impl VisitorMut for Pass<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut()
            && reads_nothing(select)
            && blanked(select)
        {
            query.order_by = None;
        }
        empty_selects(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(_),
            ..
        }
        | TableFactor::Function { name, .. } = factor
            && let [schema, function] = name.0.as_slice()
            && schema.to_string().eq_ignore_ascii_case("pg_catalog")
        {
            *name = ObjectName(vec![function.clone()]);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(better) = self.better(expr) {
            *expr = better;
        }
        match self.problem {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }
}

/// A SELECT over a table that never holds a row answers none, whatever its subqueries say: they need not be planned.
fn empty_selects(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) if reads_nothing(select) => {
            let mut blank = Blank;
            for item in &mut select.projection {
                let _ = VisitMut::visit(item, &mut blank);
            }
            if let Some(selection) = &mut select.selection {
                let _ = VisitMut::visit(selection, &mut blank);
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            empty_selects(left);
            empty_selects(right);
        }
        _ => {}
    }
}

fn reads_nothing(select: &Select) -> bool {
    let empty = |relation: &TableFactor| match relation {
        TableFactor::Table {
            name, args: None, ..
        } => table_name(name).is_some_and(|name| tables::is_empty(&name)),
        TableFactor::Derived { subquery, .. } => {
            matches!(subquery.body.as_ref(), SetExpr::Select(select) if reads_nothing(select))
        }
        _ => false,
    };
    let inner = |operator: &JoinOperator| {
        matches!(
            operator,
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
        )
    };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(all, _) if all.is_empty());
    let aggregate = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => aggregates(expr),
        _ => false,
    });
    let outer = |operator: &JoinOperator| {
        matches!(
            operator,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
        )
    };
    let widened = select
        .from
        .iter()
        .flat_map(|from| &from.joins)
        .any(|join| outer(&join.join_operator));
    // An aggregate over no rows is one row.
    !widened
        && (grouped || !aggregate)
        && select.from.iter().any(|from| {
            empty(&from.relation)
                || from
                    .joins
                    .iter()
                    .any(|join| inner(&join.join_operator) && empty(&join.relation))
        })
}

/// Makes a SELECT that answers no rows one of nothing but headings, where it uses what the planner does not know: functions
/// of rows, and table functions. Answers whether it did.
fn blanked(select: &mut Select) -> bool {
    let text_of = select.to_string().to_ascii_lowercase();
    if !["_pg_expandarray", "generate_series(", "unnest("]
        .iter()
        .any(|sign| text_of.contains(sign))
    {
        return false;
    }
    let mut items = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (at, item) in select.projection.iter().enumerate() {
        let name = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) if !parts.is_empty() => {
                parts[parts.len() - 1].clone()
            }
            SelectItem::UnnamedExpr(other) => Ident::with_quote('"', other.to_string()),
            _ => return false,
        };
        let name = if seen.insert(name.value.to_ascii_lowercase()) {
            name
        } else {
            Ident::with_quote('"', format!("{} {at}", name.value))
        };
        items.push(SelectItem::ExprWithAlias {
            expr: text_null(),
            alias: name,
        });
    }
    select.projection = items;
    select.from.clear();
    select.selection = Some(boolean(false));
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
    true
}

/// The name of a table of `pg_catalog`.
fn table_name(name: &ObjectName) -> Option<String> {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| part.to_string().trim_matches('"').to_ascii_lowercase())
        .collect();
    match parts.as_slice() {
        [name] => Some(name.clone()),
        [schema, name] if schema == "pg_catalog" => Some(name.clone()),
        _ => None,
    }
}

struct Blank;

impl VisitorMut for Blank {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Subquery(_) => *expr = text_null(),
            Expr::Function(function) if matches!(function.args, FunctionArguments::Subquery(_)) => {
                *expr = texts([String::new()]);
            }
            Expr::Exists { .. } | Expr::InSubquery { .. } => *expr = boolean(false),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn text_null() -> Expr {
    cast(Expr::Value(Value::Null.into()), DataType::Text)
}

fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

fn text(value: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).into())
}

fn number(value: impl ToString) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

fn oid(value: u32) -> Expr {
    cast(number(value), DataType::IntUnsigned(None))
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

fn no_oid() -> Expr {
    cast(Expr::Value(Value::Null.into()), DataType::IntUnsigned(None))
}

fn texts(values: impl IntoIterator<Item = String>) -> Expr {
    Expr::Array(Array {
        elem: values.into_iter().map(text).collect(),
        named: true,
    })
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments
        .into_iter()
        .map(|one| FunctionArg::Unnamed(FunctionArgExpr::Expr(one)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The text of a literal.
fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => literal(inner),
        Expr::Cast {
            expr,
            data_type: DataType::Text | DataType::Varchar(_),
            ..
        } => literal(expr),
        _ => None,
    }
}

/// The text of literals, also of several joined by `||`.
fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } => Some(constant(left)? + &constant(right)?),
        Expr::Nested(inner) => constant(inner),
        other => literal(other).map(str::to_owned),
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => value.value == Value::Null,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_null(expr),
        _ => false,
    }
}

fn arguments(function: &Function) -> Vec<Expr> {
    match &function.args {
        FunctionArguments::List(list) => {
            let one = |argument: &FunctionArg| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            };
            list.args.iter().filter_map(one).collect()
        }
        _ => Vec::new(),
    }
}

impl Pass<'_> {
    fn better(&mut self, expr: &mut Expr) -> Option<Expr> {
        match expr {
            Expr::Collate { expr, .. } => Some((**expr).clone()),
            Expr::BinaryOp { op, .. } => {
                if let BinaryOperator::PGCustomBinaryOperator(parts) = op {
                    *op = match parts.last().map(String::as_str) {
                        Some("~") => BinaryOperator::PGRegexMatch,
                        Some("~*") => BinaryOperator::PGRegexIMatch,
                        Some("!~") => BinaryOperator::PGRegexNotMatch,
                        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
                        Some("=") => BinaryOperator::Eq,
                        Some("<>") => BinaryOperator::NotEq,
                        Some("~~") => BinaryOperator::PGLikeMatch,
                        Some("!~~") => BinaryOperator::PGNotLikeMatch,
                        _ => return None,
                    };
                }
                None
            }
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => self.any(left, right),
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => {
                let any = self.any(left, right)?;
                Some(Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(any),
                })
            }
            Expr::Subquery(query) => {
                if matches!(query.body.as_ref(), SetExpr::Select(select) if reads_nothing(select)) {
                    return Some(text_null());
                }
                one_row(query);
                None
            }
            // A part of a row that `_pg_expandarray` would make.
            Expr::CompoundFieldAccess { root, .. }
                if self.expands && matches!(root.as_ref(), Expr::Nested(_)) =>
            {
                Some(cast(Expr::Value(Value::Null.into()), DataType::Int(None)))
            }
            Expr::Like {
                pattern,
                escape_char,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                ..
            } => {
                backslashes(pattern, escape_char);
                None
            }
            Expr::Cast {
                expr, data_type, ..
            } => self.cast(expr, data_type),
            Expr::Function(function) => self.function(function),
            _ => None,
        }
    }

    /// `x = ANY (array)`.
    fn any(&self, left: &Expr, right: &Expr) -> Option<Expr> {
        let right = match right {
            Expr::Nested(inner) => inner.as_ref(),
            other => other,
        };
        if matches!(right, Expr::Subquery(_)) {
            return None;
        }
        if is_null(right) {
            return Some(Expr::InList {
                expr: Box::new(left.clone()),
                list: vec![text_null()],
                negated: false,
            });
        }
        if let Some(written) = literal(right) {
            let items = written.trim().strip_prefix('{')?.strip_suffix('}')?;
            let list = items
                .split(',')
                .filter(|item| !item.is_empty())
                .map(|item| text(item.trim_matches('"')));
            return Some(Expr::InList {
                expr: Box::new(left.clone()),
                list: list.collect(),
                negated: false,
            });
        }
        if let Expr::Array(array) = right {
            return Some(Expr::InList {
                expr: Box::new(left.clone()),
                list: array.elem.clone(),
                negated: false,
            });
        }
        Some(call("array_has", vec![right.clone(), left.clone()]))
    }

    fn cast(&mut self, inner: &Expr, data_type: &mut DataType) -> Option<Expr> {
        let name = match data_type {
            DataType::Regclass => "regclass".to_owned(),
            DataType::Custom(name, _) => {
                let parts: Vec<String> = name
                    .0
                    .iter()
                    .map(|part| part.to_string().trim_matches('"').to_ascii_lowercase())
                    .collect();
                match parts.as_slice() {
                    [name] => name.clone(),
                    [schema, name] if schema == "pg_catalog" || schema == "information_schema" => {
                        name.clone()
                    }
                    _ => return None,
                }
            }
            DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => {
                if let DataType::Custom(name, _) = item.as_ref() {
                    let name = name.to_string().to_ascii_lowercase();
                    **item = match name.rsplit('.').next() {
                        Some("oid" | "regtype" | "regclass") => DataType::IntUnsigned(None),
                        _ => DataType::Text,
                    };
                }
                let items = literal(inner)?
                    .trim()
                    .strip_prefix('{')?
                    .strip_suffix('}')?;
                let items = items
                    .split(',')
                    .filter(|item| !item.is_empty())
                    .map(|item| text(item.trim_matches('"')));
                return Some(Expr::Array(Array {
                    elem: items.collect(),
                    named: true,
                }));
            }
            _ => return None,
        };
        Some(match (&*name, literal(inner)) {
            ("regclass", Some(written)) => match self.relation(written) {
                Some(found) => oid(found),
                None => {
                    self.problem = Some(Error::unknown(
                        "table",
                        written,
                        &[],
                        "SELECT * FROM information_schema.tables",
                    ));
                    return None;
                }
            },
            ("regtype", Some(written)) => match kinds::named(written) {
                Some(found) => oid(found),
                None => {
                    self.problem = Some(
                        Diagnostic::new("R0204", format!("there is no type `{written}`")).into(),
                    );
                    return None;
                }
            },
            ("regproc" | "regprocedure", Some(written)) => oid(function_oid(written)),
            ("regnamespace", Some(written)) => oid(super::rows::schema_oid(written)),
            ("regclass", None) => {
                return self.session("pg_relation_name", std::slice::from_ref(inner));
            }
            ("regtype", None) => return self.session("format_type", std::slice::from_ref(inner)),
            ("regproc" | "regprocedure", None) => inner.clone(),
            ("oid" | "xid" | "cid" | "regrole" | "regnamespace", _) => {
                cast(inner.clone(), DataType::IntUnsigned(None))
            }
            (
                "name" | "char" | "text" | "varchar" | "bpchar" | "sql_identifier"
                | "character_data" | "yes_or_no" | "aclitem" | "unknown",
                _,
            ) => cast(inner.clone(), DataType::Text),
            ("cardinal_number" | "int4", _) => cast(inner.clone(), DataType::Int(None)),
            ("int2vector" | "oidvector" | "anyarray", _) => inner.clone(),
            _ => return None,
        })
    }

    /// The OID of a table by its name, as it would be found.
    fn relation(&self, written: &str) -> Option<u32> {
        let parts: Vec<String> = written
            .split('.')
            .map(|part| part.trim_matches('"').to_owned())
            .collect();
        let (schema, name) = match parts.as_slice() {
            [name] => (None, name),
            [.., schema, name] => (Some(schema), name),
            [] => return None,
        };
        if schema.is_none_or(|schema| schema == "pg_catalog")
            && tables::find(&name.to_ascii_lowercase()).is_some()
        {
            return Some(catalog_oid(&name.to_ascii_lowercase()));
        }
        let fits = |relation: &&Relation| {
            restable_spec::names::same(&relation.name, name)
                && match schema {
                    Some(schema) => restable_spec::names::same(&relation.schema, schema),
                    None => self.facts.path.contains(&relation.schema),
                }
        };
        self.facts
            .relations
            .iter()
            .find(fits)
            .map(|relation| relation.oid)
    }

    /// What a session says of itself.
    fn session(&self, name: &str, arguments: &[Expr]) -> Option<Expr> {
        let facts = self.facts;
        Some(match name {
            "version" => text(format!(
                "PostgreSQL {} (restable {})",
                super::variables::SERVER_VERSION,
                env!("CARGO_PKG_VERSION")
            )),
            "current_database" | "current_catalog" => text(facts.database),
            "current_schema" => match facts.path.first() {
                Some(first) => text(first.as_str()),
                None => text_null(),
            },
            "current_schemas" => {
                let implied = arguments
                    .first()
                    .is_none_or(|one| one.to_string() != "false");
                let implied = implied.then(|| "pg_catalog".to_owned());
                texts(implied.into_iter().chain(facts.path.iter().cloned()))
            }
            "current_user" | "session_user" | "user" | "current_role" | "getpgusername" => {
                text(facts.user)
            }
            "pg_backend_pid" => number(std::process::id()),
            "current_setting" => match arguments
                .first()
                .and_then(literal)
                .and_then(|name| (facts.setting)(name))
            {
                Some(value) => text(value),
                None => text_null(),
            },
            "inet_server_addr" | "inet_client_addr" | "inet_server_port" | "inet_client_port" => {
                text_null()
            }
            "pg_is_in_recovery" | "pg_is_wal_replay_paused" => boolean(false),
            "pg_my_temp_schema" => oid(0),
            "pg_advisory_unlock_all" | "pg_advisory_unlock" => text(""),
            "pg_encoding_to_char" => text("UTF8"),
            "pg_char_to_encoding" => number(6),
            "pg_get_userbyid" => text("restable"),
            "has_table_privilege"
            | "has_schema_privilege"
            | "has_database_privilege"
            | "has_any_column_privilege"
            | "has_column_privilege"
            | "has_function_privilege"
            | "has_type_privilege"
            | "pg_has_role"
            | "pg_type_is_visible"
            | "pg_function_is_visible"
            | "pg_operator_is_visible"
            | "pg_opclass_is_visible"
            | "pg_collation_is_visible"
            | "pg_conversion_is_visible" => boolean(true),
            "pg_relation_size"
            | "pg_total_relation_size"
            | "pg_table_size"
            | "pg_indexes_size"
            | "pg_database_size"
            | "pg_tablespace_size" => cast(number(0), DataType::BigInt(None)),
            "pg_size_pretty" => text("0 bytes"),
            "pg_get_expr"
            | "pg_get_constraintdef"
            | "pg_get_indexdef"
            | "pg_get_triggerdef"
            | "pg_get_ruledef"
            | "pg_get_partkeydef"
            | "pg_get_statisticsobjdef"
            | "pg_get_statisticsobjdef_columns"
            | "pg_get_serial_sequence"
            | "pg_get_functiondef"
            | "pg_tablespace_location"
            | "obj_description"
            | "col_description"
            | "shobj_description"
            | "pg_get_partition_constraintdef"
            | "pg_get_function_sqlbody" => text_null(),
            "pg_get_function_result"
            | "pg_get_function_arguments"
            | "pg_get_function_identity_arguments" => text(""),
            "pg_relation_is_publishable" | "pg_is_other_temp_schema" => boolean(false),
            "pg_relation_is_updatable" => number(0),
            "array_upper" => cast(
                call("array_length", arguments.to_vec()),
                DataType::BigInt(None),
            ),
            "array_lower" => number(1),
            "quote_ident" => arguments.first()?.clone(),
            "to_regclass" => match arguments.first().and_then(literal) {
                Some(written) => self.relation(written).map_or_else(no_oid, oid),
                None => no_oid(),
            },
            "to_regtype" => match arguments.first().and_then(literal) {
                Some(written) => kinds::named(written).map_or_else(no_oid, oid),
                None => no_oid(),
            },
            "pg_table_is_visible" => {
                let relations = facts
                    .relations
                    .iter()
                    .filter(|one| facts.path.contains(&one.schema));
                let list: Vec<Expr> = relations.map(|one| number(one.oid)).collect();
                match list.is_empty() {
                    true => boolean(false),
                    false => Expr::InList {
                        expr: Box::new(arguments.first()?.clone()),
                        list,
                        negated: false,
                    },
                }
            }
            "pg_get_viewdef" => self.pick(
                arguments.first()?,
                facts
                    .relations
                    .iter()
                    .filter_map(|one| Some((one.oid, one.definition.clone()?))),
            ),
            "pg_relation_name" => self.pick(
                arguments.first()?,
                facts.relations.iter().map(|one| {
                    let bare = facts.path.contains(&one.schema);
                    (
                        one.oid,
                        if bare {
                            one.name.clone()
                        } else {
                            format!("{}.{}", one.schema, one.name)
                        },
                    )
                }),
            ),
            "format_type" => {
                let all = kinds::ALL
                    .iter()
                    .flat_map(|kind| [kind.oid, kind.array])
                    .filter(|one| *one != 0);
                self.pick(
                    arguments.first()?,
                    all.filter_map(|one| Some((one, kinds::shown(one)?))),
                )
            }
            _ => return None,
        })
    }

    /// CASE over an OID.
    fn pick(&self, subject: &Expr, values: impl Iterator<Item = (u32, String)>) -> Expr {
        let conditions: Vec<_> = values
            .map(|(one, value)| datafusion::sql::sqlparser::ast::CaseWhen {
                condition: number(one),
                result: text(value),
            })
            .collect();
        if conditions.is_empty() {
            return text_null();
        }
        Expr::Case {
            case_token:
                datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
            end_token:
                datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
            operand: Some(Box::new(subject.clone())),
            conditions,
            else_result: None,
        }
    }

    fn function(&mut self, function: &mut Function) -> Option<Expr> {
        let parts: Vec<String> = function
            .name
            .0
            .iter()
            .map(|part| part.to_string().trim_matches('"').to_ascii_lowercase())
            .collect();
        let name = match parts.as_slice() {
            [name] => name.clone(),
            [schema, name] if schema == "pg_catalog" || schema == "information_schema" => {
                function.name = ObjectName::from(vec![Ident::new(name.clone())]);
                name.clone()
            }
            _ => return None,
        };
        if name == "array"
            && let FunctionArguments::Subquery(query) = &mut function.args
        {
            let mut query = query.clone();
            // No table has options of its own.
            if query
                .to_string()
                .to_ascii_lowercase()
                .contains("reloptions")
            {
                return Some(texts([String::new()]));
            }
            gathered(&mut query)?;
            return Some(Expr::Subquery(query));
        }
        let given = arguments(function);
        let better = self.session(&name, &given);
        if better.is_some() && function.over.is_none() {
            better
        } else {
            None
        }
    }
}

/// A pattern whose escape is another character, with the backslash that the planner knows.
fn backslashes(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    let mark = match escape.as_ref().map(|escape| &escape.value) {
        Some(Value::SingleQuotedString(mark)) if mark != "\\" => mark.clone(),
        _ => return,
    };
    let Some(written) = constant(pattern) else {
        return;
    };
    let mut letters = written.chars();
    let mut better = String::new();
    while let Some(letter) = letters.next() {
        if mark.starts_with(letter) {
            better.push('\\');
            better.extend(letters.next());
        } else if letter == '\\' {
            better.push_str("\\\\");
        } else {
            better.push(letter);
        }
    }
    *pattern = text(better);
    *escape = None;
}

/// The OID of a function of a type by its name.
fn function_oid(written: &str) -> u32 {
    let name = written.trim_start_matches("pg_catalog.");
    let array = kinds::FUNCTIONS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(oid, _)| *oid);
    let own = || {
        kinds::ALL.iter().find_map(|kind| {
            (0..4)
                .find(|which| kinds::function_name(kind, *which) == name)
                .map(|which| kinds::function(kind, which))
        })
    };
    array.or_else(own).unwrap_or(0)
}

/// The OID of a table of `pg_catalog`, where clients know it.
pub fn catalog_oid(name: &str) -> u32 {
    match name {
        "pg_class" => 1259,
        "pg_type" => 1247,
        "pg_attribute" => 1249,
        "pg_proc" => 1255,
        "pg_namespace" => 2615,
        "pg_constraint" => 2606,
        "pg_database" => 1262,
        "pg_index" => 2610,
        "pg_attrdef" => 2604,
        "pg_trigger" => 2620,
        "pg_rewrite" => 2618,
        "pg_extension" => 3079,
        other => super::rows::oid_of(&format!("pg_catalog.{other}")),
    }
}

/// A scalar subquery over the catalog promises one row; the planner wants it to be an aggregate.
fn one_row(query: &mut Query) {
    if query.limit_clause.is_some() || query.with.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let over_catalog = select.from.iter().any(|from| match &from.relation {
        TableFactor::Table {
            name, args: None, ..
        } => table_name(name).is_some_and(|name| tables::find(&name).is_some()),
        _ => false,
    });
    let grouped = !matches!(&select.group_by, datafusion::sql::sqlparser::ast::GroupByExpr::Expressions(all, _) if all.is_empty());
    if !over_catalog || grouped {
        return;
    }
    if let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
        && !aggregates(item)
    {
        *item = call("max", vec![item.clone()]);
        query.order_by = None;
    }
}

fn aggregates(expr: &Expr) -> bool {
    const ALL: &[&str] = &[
        "max",
        "min",
        "count",
        "sum",
        "avg",
        "array_agg",
        "string_agg",
        "bool_or",
        "bool_and",
    ];
    match expr {
        Expr::Function(function) => {
            ALL.contains(&&*function.name.to_string().to_ascii_lowercase())
                || arguments(function).iter().any(aggregates)
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => aggregates(expr),
        _ => false,
    }
}

/// `ARRAY(SELECT x …)` as `(SELECT array_agg(x) …)`.
fn gathered(query: &mut Query) -> Option<()> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    query.order_by = None;
    if let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    {
        *item = call("array_agg", vec![item.clone()]);
        return Some(());
    }
    None
}
