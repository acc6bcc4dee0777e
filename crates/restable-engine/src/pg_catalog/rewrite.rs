//! Statements of PostgreSQL's clients about its catalog, in the words that the planner of queries knows: names of functions
//! without their schema, casts to OIDs, `ANY` of an array, scalar subqueries that promise one row. It touches syntax
//! trees only, and only those of sessions that speak as PostgreSQL's clients do.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CaseWhen, DataType, Distinct, DuplicateTreatment,
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement,
    TableAlias, TableFactor, TableWithJoins, UnaryOperator, Value, ValueWithSpan, VisitMut,
    VisitorMut,
};
use restable_sql::Diagnostic;

use super::blank::{self, Empty};
use super::facts::{Facts, function_oid};
use super::functions::{EXPANDED, FUNCTION_NAME};
use super::syntax::{
    aggregates, arguments, boolean, call, cast, conditions, constant, empty_select, is_null,
    literal, no_oid, number, oid, query_of, table_name, text, text_null, texts_type,
};
use super::vectors::{self, Vectors};
use super::{Choice, kinds, settings, tables};
use crate::dialect::{has_column, is_by_bytes};
use crate::parameters::elements;
use crate::{Error, Result};

/// Whether a statement asks for the catalog at all.
pub fn concerns(text: &str) -> bool {
    const SIGNS: &[&str] = &[
        "pg_",
        "current_",
        "version",
        "unnest",
        "localtime",
        "age(",
        "session_user",
        "::",
        "regclass",
        "oid",
        "set_config",
        "quote_ident",
        "user",
        "information_schema",
        "any",
        "array",
        "escape",
        "has_",
        "description(",
        "format_type",
        "inet_",
        "txid_",
        "getdatabaseencoding",
        "to_reg",
        "parse_ident",
        "array_upper",
        "array_lower",
        "row_security_active",
        "bpchar(",
        "text(",
        "varchar(",
        "int2(",
        "int4(",
        "int8(",
        "float8(",
    ];
    let text = text.to_ascii_lowercase();
    // Its column is called like its alias, unless somebody calls it `value` as everywhere else.
    let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let mut called = || words.any(|word| word == "value");
    let series = text.contains("generate_series") && !called();
    series || SIGNS.iter().any(|sign| text.contains(sign))
}

/// Types that clients call like functions.
const CALLED: &[&str] = &[
    "text", "bpchar", "varchar", "name", "int2", "int4", "int8", "float8",
];

/// Rewrites `statement` in place; answers the settings that it gives values.
pub fn rewrite(statement: &mut Statement, facts: &Facts<'_>) -> Result<Vec<Choice>> {
    let choices = settings::chosen(statement, facts)?;
    let mut pass = Pass {
        facts,
        empty: Empty::default(),
        vectors: Vectors::of(statement),
        problem: None,
    };
    show_names(statement, facts);
    let _ = VisitMut::visit(statement, &mut pass);
    match pass.problem {
        Some(problem) => Err(problem),
        None => Ok(choices),
    }
}

struct Pass<'a> {
    facts: &'a Facts<'a>,
    /// What answers no rows.
    empty: Empty,
    /// What FROM can take apart.
    vectors: Vectors,
    problem: Option<Error>,
}

impl VisitorMut for Pass<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.empty.enter(query);
        self.vectors.enter(query);
        named_columns(&mut query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.empty.leave();
        self.vectors.leave();
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
        function_as_table(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // The items of a list that a query makes are the rows of the query.
        if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = expr
            && let Some(query) = listed(right)
        {
            **right = Expr::Subquery(query);
        }
        // Names are compared as what they stand for.
        if let Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq | BinaryOperator::NotEq,
            right,
        } = expr
            && stands_for(left).is_some()
            && stands_for(right).is_some()
        {
            for side in [left, right] {
                if let Some(number) = stands_for(side).filter(|one| literal(one).is_none()) {
                    **side = number.clone();
                }
            }
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

/// A function in FROM that the planner knows as a function of values, or whose column has another name there.
fn function_as_table(factor: &mut TableFactor) {
    let TableFactor::Table {
        name,
        alias,
        args: Some(given),
        with_ordinality: false,
        ..
    } = factor.clone()
    else {
        return;
    };
    let [part] = name.0.as_slice() else {
        return;
    };
    let mut function = part.to_string().trim_matches('"').to_ascii_lowercase();
    if function == "pg_show_all_settings" {
        function = "pg_settings".to_owned();
        if let TableFactor::Table { name, .. } = factor {
            *name = ObjectName::from(vec![Ident::new(function.clone())]);
        }
    }
    if tables::find(&function).is_some() {
        let TableFactor::Table { args, .. } = factor else {
            return;
        };
        *args = None;
        return;
    }
    let named = alias.as_ref().filter(|alias| alias.columns.is_empty());
    let own = || Ident::new(function.clone());
    let column = named.map_or_else(own, |alias| alias.name.clone());
    let arguments = given.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    let arguments: Vec<Expr> = arguments.collect();
    let of_columns = arguments.iter().any(has_column);
    let (item, from) = match &*function {
        // Its column is called like itself, or like the alias.
        "generate_series" | "range" if named.is_some() && !of_columns => {
            let mut inner = factor.clone();
            if let TableFactor::Table { alias, .. } = &mut inner {
                *alias = None;
            }
            (Expr::Identifier(Ident::new("value")), vec![inner])
        }
        "unnest" => (call("unnest", arguments), Vec::new()),
        "string_to_array"
        | "current_schemas"
        | "current_schema"
        | "current_database"
        | "version"
        | "now"
        | "current_setting"
        | "pg_indexam_has_property"
        | "pg_index_has_property"
        | "regexp_split_to_array" => (call(&function, arguments), Vec::new()),
        _ => return,
    };
    let select = Select {
        projection: vec![SelectItem::ExprWithAlias {
            expr: item,
            alias: match alias.as_ref().and_then(|alias| alias.columns.first()) {
                Some(first) => first.name.clone(),
                None => column.clone(),
            },
        }],
        from: from
            .into_iter()
            .map(|relation| TableWithJoins {
                relation,
                joins: Vec::new(),
            })
            .collect(),
        ..empty_select()
    };
    let alias = alias.unwrap_or(TableAlias {
        explicit: true,
        name: column,
        columns: Vec::new(),
        at: None,
    });
    *factor = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query_of(SetExpr::Select(Box::new(select)))),
        alias: Some(TableAlias {
            columns: Vec::new(),
            ..alias
        }),
        sample: None,
    };
}

/// A SELECT without FROM names columns of the query around it; the planner would call them otherwise.
fn named_columns(body: &mut SetExpr) {
    let SetExpr::Select(select) = body else {
        return;
    };
    if !select.from.is_empty() {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) = item
            && let Some(alias) = parts.last().cloned()
        {
            *item = SelectItem::ExprWithAlias {
                expr: Expr::CompoundIdentifier(parts.clone()),
                alias,
            };
        }
    }
}

/// What a cast makes a name of: `oid::regtype`.
fn stands_for(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Nested(inner) => stands_for(inner),
        Expr::Cast {
            expr, data_type, ..
        } => {
            let name = data_type.to_string().to_ascii_lowercase();
            let name = name.trim_start_matches("pg_catalog.").trim_matches('"');
            matches!(name, "regtype" | "regclass" | "regproc" | "regnamespace")
                .then_some(expr.as_ref())
                .filter(|inner| !is_name(inner))
        }
        _ => None,
    }
}

/// The query of `ARRAY(SELECT …)`.
fn listed(expr: &Expr) -> Option<Box<Query>> {
    match expr {
        Expr::Nested(inner) => listed(inner),
        Expr::Function(Function {
            name,
            args: FunctionArguments::Subquery(query),
            ..
        }) if name.to_string().eq_ignore_ascii_case("array") => Some(query.clone()),
        _ => None,
    }
}

/// Whether an expression is a parameter, or the text that was given for one.
fn is_parameter(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_parameter(inner),
        Expr::Value(value) => matches!(
            value.value,
            Value::Placeholder(_) | Value::SingleQuotedString(_)
        ),
        _ => false,
    }
}

/// Whether an expression makes the name of a table, not its OID.
fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            ["format", "quote_ident", "concat"].contains(&&*name)
        }
        Expr::BinaryOp {
            op: BinaryOperator::StringConcat,
            ..
        } => true,
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Text | DataType::Varchar(_)),
        Expr::Nested(expr) => is_name(expr),
        _ => false,
    }
}

/// How a type is shown whose name an expression makes.
fn kind_shown(name: &Expr) -> Expr {
    let cases = kinds::ALL.iter().flat_map(|kind| {
        let quoted = format!("\"pg_catalog\".\"{}\"", kind.name);
        let plain = format!("pg_catalog.{}", kind.name);
        let names = [quoted, plain, kind.name.to_owned()];
        names.map(|name| CaseWhen {
            condition: text(name),
            result: text(kind.shown),
        })
    });
    conditions(Some(name.clone()), cases.collect())
}

/// Whether an expression is a column of functions, whose text is a name.
fn is_function(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Nested(inner) => return is_function(inner),
        _ => None,
    };
    name.is_some_and(|name| {
        tables::type_of(&name.value.to_ascii_lowercase()) == Some(tables::REGPROC)
    })
}

/// The one item of a SELECT.
fn only_item(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => {
            Some(expr.clone())
        }
        _ => None,
    }
}

/// Whether a scalar subquery asks for the collation of a column that is not that of its type: none has another. Clients ask in the
/// subquery, or around it for the parts of a JSON object.
fn is_of_collation(query: &Query) -> bool {
    let text = query.to_string().to_ascii_lowercase();
    let unlike = text.contains(".typcollation") && text.contains("<>");
    text.contains("pg_collation") && (unlike || text.contains("json_build_object"))
}

/// Whether a scalar subquery goes from a domain to the type that it is of, step by step: there are no domains.
fn is_of_domain(query: &Query) -> bool {
    query.with.as_ref().is_some_and(|with| with.recursive)
        && query.to_string().contains("typbasetype")
}

/// The type of a column of the catalog.
fn column_kind(expr: &Expr) -> Option<&'static str> {
    let name = match expr {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) => parts.last()?,
        _ => return None,
    };
    tables::type_of(&name.value.to_ascii_lowercase())
}

fn truth(written: &str) -> Option<bool> {
    match written {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// A comparison with text that PostgreSQL reads as the other side's type: `indisunique = 'f'`, `relacl <> '{}'`.
fn compared(expr: &mut Expr) -> Option<Expr> {
    let Expr::BinaryOp {
        left,
        op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq),
        right,
    } = expr
    else {
        return None;
    };
    let kind = column_kind;
    let read = |kind: &str, written: &str| match kind {
        "bool" => truth(written).map(boolean),
        "text[]" | "oid[]" | "int2[]" => {
            let items = written.strip_prefix('{')?.strip_suffix('}')?;
            let elem = items.split(',').filter(|item| !item.is_empty());
            let elem = Expr::Array(Array {
                elem: elem.map(text).collect(),
                named: true,
            });
            match blank::null(kind) {
                Expr::Cast { data_type, .. } => Some(cast(elem, data_type)),
                _ => None,
            }
        }
        _ => None,
    };
    let better = match (kind(left), literal(right), literal(left), kind(right)) {
        (Some(kind), Some(written), _, _) => (left.as_ref().clone(), read(kind, written)?),
        (_, _, Some(written), Some(kind)) => (read(kind, written)?, right.as_ref().clone()),
        _ => return None,
    };
    Some(Expr::BinaryOp {
        left: Box::new(better.0),
        op: op.clone(),
        right: Box::new(better.1),
    })
}

impl Pass<'_> {
    fn better(&mut self, expr: &mut Expr) -> Option<Expr> {
        match expr {
            // Another one is refused where all statements are.
            Expr::Collate { expr, collation } if is_by_bytes(collation) => Some((**expr).clone()),
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
                compared(expr)
            }
            // A parameter that is negated is a truth value, whatever its client declares.
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: inner,
            } if is_parameter(inner) => {
                **inner = cast((**inner).clone(), DataType::Boolean);
                None
            }
            // `CASE attnotnull WHEN 't' THEN …`
            Expr::Case {
                operand: Some(operand),
                conditions,
                ..
            } if column_kind(operand) == Some("bool") => {
                for when in conditions {
                    if let Some(value) = literal(&when.condition).and_then(truth) {
                        when.condition = boolean(value);
                    }
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
                if self.empty.query(query) {
                    return match only_item(query) {
                        None => Some(text_null()),
                        Some(item) if is_null(&item) => Some(item),
                        // Somebody wrote `WHERE false` himself: NULL of the type of what is not there, or the aggregate of nothing.
                        Some(item) if aggregates(&item) => None,
                        Some(item) => Some(conditions(
                            None,
                            vec![CaseWhen {
                                condition: boolean(false),
                                result: item,
                            }],
                        )),
                    };
                }
                if is_of_collation(query) {
                    return Some(text_null());
                }
                if is_of_domain(query) {
                    return Some(no_oid());
                }
                one_row(query);
                None
            }
            Expr::Exists { subquery, negated } if self.empty.query(subquery) => {
                Some(boolean(*negated))
            }
            Expr::InSubquery {
                subquery, negated, ..
            } if self.empty.query(subquery) => Some(boolean(*negated)),
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
            Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => {
                let has = call(
                    "array_has",
                    vec![vectors::whole(subquery)?, (**expr).clone()],
                );
                Some(match negated {
                    false => has,
                    true => Expr::UnaryOp {
                        op: UnaryOperator::Not,
                        expr: Box::new(has),
                    },
                })
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.vectors.path(root, access_chain)
            }
            Expr::Cast {
                expr, data_type, ..
            } => self.cast(expr, data_type),
            Expr::Function(function) => self.function(function),
            // They stand without parentheses.
            Expr::Identifier(name) if name.quote_style.is_none() => {
                let name = name.value.to_ascii_lowercase();
                match &*name {
                    "current_schema" | "current_role" => self.facts.session(&name, &[]),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `x = ANY (array)`.
    fn any(&self, left: &Expr, right: &Expr) -> Option<Expr> {
        let right = match right {
            Expr::Nested(inner) => inner.as_ref(),
            other => other,
        };
        if let Expr::Subquery(query) = right {
            let list = vectors::whole(query)?;
            return Some(call("array_has", vec![list, left.clone()]));
        }
        if is_null(right) {
            return Some(Expr::InList {
                expr: Box::new(left.clone()),
                list: vec![text_null()],
                negated: false,
            });
        }
        if let Some(written) = literal(right) {
            let list = elements(written)?.into_iter();
            let list = list.map(|item| item.map_or_else(text_null, text));
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
            DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_)
                if is_function(inner) =>
            {
                return Some(call(FUNCTION_NAME, vec![inner.clone()]));
            }
            DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_) => {
                return column_kind(inner).and_then(|kind| vectors::written(inner, kind));
            }
            DataType::Array(ArrayElemTypeDef::SquareBracket(item_type, _)) => {
                let named = match item_type.as_ref() {
                    DataType::Regclass => Some("regclass".to_owned()),
                    DataType::Custom(name, _) => {
                        let name = name.to_string().to_ascii_lowercase();
                        Some(name.trim_start_matches("pg_catalog.").to_owned())
                    }
                    _ => None,
                };
                if let DataType::Custom(name, _) = item_type.as_ref() {
                    let name = name.to_string().to_ascii_lowercase();
                    **item_type = match name.rsplit('.').next() {
                        Some("oid" | "regtype" | "regclass") => DataType::IntUnsigned(None),
                        _ => DataType::Text,
                    };
                }
                let items = elements(literal(inner)?)?;
                let is_known = items.iter().any(Option::is_some);
                let items = items.into_iter().map(|item| match item {
                    Some(written) => match (named.as_deref(), &*written) {
                        (Some("regtype"), name) => kinds::named(name).map_or_else(no_oid, oid),
                        (Some("regclass"), name) => {
                            self.facts.relation(name).map_or_else(no_oid, oid)
                        }
                        _ => cast(text(written), (**item_type).clone()),
                    },
                    None => Expr::Value(Value::Null.into()),
                });
                let list = Expr::Array(Array {
                    elem: items.collect(),
                    named: true,
                });
                // No item says what they would be.
                return Some(match is_known {
                    true => list,
                    false => cast(list, data_type.clone()),
                });
            }
            _ => return None,
        };
        Some(match (&*name, literal(inner)) {
            ("regclass", Some(written)) => match self.facts.relation(written) {
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
                        Diagnostic::new("R0212", format!("there is no type `{written}`")).into(),
                    );
                    return None;
                }
            },
            ("regproc" | "regprocedure", Some(written)) => oid(function_oid(written)),
            ("regnamespace", Some(written)) => oid(super::rows::schema_oid(written)),
            ("regclass", None) if is_name(inner) => self.facts.relation_named(inner),
            ("regclass", None) => {
                return self
                    .facts
                    .session("pg_relation_name", std::slice::from_ref(inner));
            }
            ("regtype", None) if is_name(inner) => kind_shown(inner),
            ("regoper" | "regoperator", _) => {
                return self
                    .facts
                    .session("pg_operator_name", std::slice::from_ref(inner));
            }
            ("regtype", None) => {
                return self
                    .facts
                    .session("format_type", std::slice::from_ref(inner));
            }
            ("regproc" | "regprocedure", None) => call(FUNCTION_NAME, vec![inner.clone()]),
            ("name" | "text" | "varchar", None) if is_function(inner) => {
                call(FUNCTION_NAME, vec![inner.clone()])
            }
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
            let of_options = query
                .to_string()
                .to_ascii_lowercase()
                .contains("reloptions");
            if of_options || self.empty.query(&query) {
                let none = Expr::Array(Array {
                    elem: Vec::new(),
                    named: true,
                });
                return Some(cast(none, texts_type()));
            }
            if let Some(list) = vectors::whole(&query) {
                return Some(list);
            }
            gathered(&mut query)?;
            // Of no rows it is a list of none.
            return Some(call("list_or_empty", vec![Expr::Subquery(query)]));
        }
        let given = arguments(function);
        // A type that is called is a cast to it.
        if let ([one], true) = (given.as_slice(), CALLED.contains(&&*name)) {
            let kind = match &*name {
                "int2" => DataType::SmallInt(None),
                "int4" => DataType::Int(None),
                "int8" => DataType::BigInt(None),
                "float8" => DataType::DoublePrecision,
                _ => DataType::Text,
            };
            return Some(cast(one.clone(), kind));
        }
        if let ("generate_subscripts", [places, ..]) = (&*name, given.as_slice()) {
            let last = call("array_length", vec![places.clone()]);
            let all = call(
                "generate_series",
                vec![number(1), cast(last, DataType::BigInt(None))],
            );
            return Some(call("unnest", vec![all]));
        }
        if name == "_pg_expandarray" {
            return Some(call("unnest", vec![call(EXPANDED, given)]));
        }
        if name == "set_config" {
            self.problem = Some(settings::misplaced().into());
            return None;
        }
        if name == "current_setting"
            && let [setting, rest @ ..] = given.as_slice()
            && let Some(setting) = literal(setting)
            && (self.facts.setting)(setting).is_none()
        {
            let missing_ok = rest
                .first()
                .is_some_and(|one| one.to_string().eq_ignore_ascii_case("true"));
            if !missing_ok {
                let problem = format!("unrecognized configuration parameter `{setting}`");
                self.problem = Some(Diagnostic::new("R0401", problem).into());
                return None;
            }
        }
        let better = self.facts.session(&name, &given);
        if better.is_some() && function.over.is_none() {
            better
        } else {
            None
        }
    }
}

/// The columns of a result that are `'name'::regclass` show the name; everywhere else it is an OID.
fn show_names(statement: &mut Statement, facts: &Facts<'_>) {
    let Statement::Query(query) = statement else {
        return;
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            continue;
        };
        if let Expr::Cast {
            expr: inner,
            data_type: DataType::Regclass,
            ..
        } = expr
            && let Some(written) = literal(inner)
            && facts.relation(written).is_some()
        {
            *expr = text(written.trim_start_matches("pg_catalog."));
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

/// `ARRAY(SELECT DISTINCT x … ORDER BY y)` as `(SELECT array_agg(DISTINCT x ORDER BY y) …)`.
pub(crate) fn gathered(query: &mut Query) -> Option<()> {
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    let distinct = match select.distinct.take() {
        None | Some(Distinct::All) => None,
        Some(Distinct::Distinct) => Some(DuplicateTreatment::Distinct),
        Some(on @ Distinct::On(_)) => {
            select.distinct = Some(on);
            return None;
        }
    };
    let sorted = match query.order_by.take().map(|by| by.kind) {
        Some(OrderByKind::Expressions(sorted)) => sorted,
        _ => Vec::new(),
    };
    let sorted = sorted.into_iter().map(|mut by| {
        // The only column, by its place.
        if matches!(&by.expr, Expr::Value(value) if matches!(value.value, Value::Number(..))) {
            by.expr = item.clone();
        }
        by
    });
    let sorted: Vec<OrderByExpr> = sorted.collect();
    let mut made = call("array_agg", vec![item.clone()]);
    if let Expr::Function(Function {
        args: FunctionArguments::List(list),
        ..
    }) = &mut made
    {
        list.duplicate_treatment = distinct;
        if !sorted.is_empty() {
            list.clauses.push(FunctionArgumentClause::OrderBy(sorted));
        }
    }
    *item = made;
    Some(())
}
