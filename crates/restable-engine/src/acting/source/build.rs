//! Statements made by hand: SELECT lists, derived tables and VALUES, as the planner takes them.

use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor,
    TableWithJoins,
};

/// `expr AS "argumentN"`.
pub(super) fn item(expr: Expr, at: usize) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: Ident::with_quote('"', format!("argument{at}")),
    }
}

/// `(query) AS alias`.
pub(super) fn derived(query: Box<ast::Query>, alias: Ident) -> TableWithJoins {
    TableWithJoins {
        relation: TableFactor::Derived {
            lateral: false,
            subquery: query,
            alias: Some(TableAlias {
                explicit: true,
                name: alias,
                columns: Vec::new(),
                at: None,
            }),
            sample: None,
        },
        joins: Vec::new(),
    }
}

/// `(VALUES (a), (b)) AS alias(column)`.
pub(super) fn values(expressions: Vec<Expr>, alias: Ident, column: Ident) -> TableWithJoins {
    let rows = expressions
        .into_iter()
        .map(|expr| ast::Parens::with_empty_span(vec![expr]));
    let mut query = empty_query();
    query.body = Box::new(SetExpr::Values(ast::Values {
        explicit_row: false,
        value_keyword: false,
        rows: rows.collect(),
    }));
    let mut table = derived(Box::new(query), alias);
    if let TableFactor::Derived {
        alias: Some(alias), ..
    } = &mut table.relation
    {
        alias.columns = vec![TableAliasColumnDef {
            name: column,
            data_type: None,
        }];
    }
    table
}

/// `SELECT items [FROM from] [WHERE selection]`.
pub(super) fn query(
    items: Vec<SelectItem>,
    from: Vec<TableWithJoins>,
    selection: Option<Expr>,
) -> ast::Statement {
    let mut select = empty_select();
    select.projection = items;
    select.from = from;
    select.selection = selection;
    let mut query = empty_query();
    query.body = Box::new(SetExpr::Select(Box::new(select)));
    ast::Statement::Query(Box::new(query))
}

fn empty_query() -> ast::Query {
    ast::Query {
        with: None,
        body: Box::new(SetExpr::Values(ast::Values {
            explicit_row: false,
            value_keyword: false,
            rows: Vec::new(),
        })),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn empty_select() -> ast::Select {
    ast::Select {
        select_token: ast::helpers::attached_token::AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: Vec::new(),
        exclude: None,
        into: None,
        from: Vec::new(),
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: ast::GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: ast::SelectFlavor::Standard,
    }
}
