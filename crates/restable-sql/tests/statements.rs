//! What each form of statement is read as. A case is the text and a sketch of the statement; the sketch leaves out spans,
//! which `faults.rs` and the last tests here look at.

use restable_sql::ast;
use restable_sql::{
    Attribute, Describe, Exec, ExecBody, Hints, Insert, Parsed, Replace, Set, Show, ShowObject,
    Span, Statement, Update, byte_span, parse, parse_piece, split,
};

fn check(sql: &str, expected: &str) {
    let sketched = match parse(sql) {
        Ok(statements) => statements.iter().map(sketch).collect::<Vec<_>>().join("; "),
        Err(fault) => format!("{}: {}", fault.code, fault.message),
    };
    assert_eq!(sketched, expected, "\n{sql}");
}

fn sketch(parsed: &Parsed) -> String {
    let mut text = statement(&parsed.statement);
    for (index, call) in parsed.calls.iter().enumerate() {
        text.push_str(&format!(" where {index} is {}", exec(call)));
    }
    if !parsed.placeholders.is_empty() {
        let names: Vec<_> = parsed
            .placeholders
            .iter()
            .map(|placeholder| placeholder.name.as_str())
            .collect();
        text.push_str(&format!(" with {}", names.join(" ")));
    }
    text
}

fn statement(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) => query.to_string(),
        Statement::Explain(explain) => {
            let analyze = if explain.analyze { " analyze" } else { "" };
            let verbose = if explain.verbose { " verbose" } else { "" };
            let format = explain
                .format
                .as_ref()
                .map(|format| format!(" format={format}"))
                .unwrap_or_default();
            format!(
                "explain{analyze}{verbose}{format} {}",
                self::statement(&explain.statement)
            )
        }
        Statement::Insert(rows) => format!("insert {}", insert(rows)),
        Statement::Replace(Replace::Rows(rows)) => format!("replace {}", insert(rows)),
        Statement::Replace(Replace::Set(changes)) => format!("replace {}", update(changes)),
        Statement::Update(changes) => format!("update {}", update(changes)),
        Statement::Delete(delete) => {
            let alias = delete
                .alias
                .as_ref()
                .map(|alias| format!(" as {alias}"))
                .unwrap_or_default();
            let selection = delete
                .selection
                .as_ref()
                .map(|filter| format!(" where {filter}"))
                .unwrap_or_default();
            format!(
                "delete{} {}{alias}{selection}{}",
                hints(delete.hints),
                delete.table,
                returning(delete.returning.as_deref())
            )
        }
        Statement::Exec(call) => exec(call),
        Statement::Preview(inner) => format!("preview {}", self::statement(inner)),
        Statement::Show(Show {
            object,
            extended,
            like,
            ..
        }) => {
            let extended = if *extended { " extended" } else { "" };
            let like = like
                .as_ref()
                .map(|like| format!(" like {like}"))
                .unwrap_or_default();
            format!("show {}{extended}{like}", shown(object))
        }
        Statement::Describe(Describe::Table { name, extended, .. }) => {
            format!(
                "describe {name}{}",
                if *extended { " extended" } else { "" }
            )
        }
        Statement::Describe(Describe::Method {
            table,
            method,
            extended,
            ..
        }) => {
            format!(
                "describe method {method} of {table}{}",
                if *extended { " extended" } else { "" }
            )
        }
        Statement::Describe(Describe::Query(query)) => format!("describe ({query})"),
        Statement::Use(name) => format!("use {name}"),
        Statement::Set(Set { key, value, .. }) => format!("set {key} = {value:?}"),
        Statement::Reset(reset) => format!("reset {}", reset.key.as_deref().unwrap_or("all")),
    }
}

fn shown(object: &ShowObject) -> String {
    let inside = |what: &str, name: &Option<ast::ObjectName>| match name {
        Some(name) => format!("{what} in {name}"),
        None => what.to_owned(),
    };
    match object {
        ShowObject::Services(name) => inside("services", name),
        ShowObject::Resources(name) => inside("resources", name),
        ShowObject::Methods(name) => inside("methods", name),
        ShowObject::Views(name) => inside("views", name),
        ShowObject::Tables(name) => inside("tables", name),
        ShowObject::Columns(name) => format!("columns of {name}"),
        ShowObject::Create(name) => format!("create {name}"),
        ShowObject::InsertTemplate {
            table,
            required_only,
        } => {
            format!(
                "insert into {table}{}",
                if *required_only { " required" } else { "" }
            )
        }
        ShowObject::ExecTemplate { table, method } => format!("exec {method} of {table}"),
        ShowObject::Setting(key) => format!("setting {key}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn hints(hints: Hints) -> String {
    let Hints {
        nowait,
        wait,
        await_job,
        show_results,
        no_status,
    } = hints;
    let words = [
        (nowait, "nowait"),
        (wait, "await"),
        (await_job, "await_job"),
        (show_results, "showresults"),
        (no_status, "nostatus"),
    ];
    let written: Vec<_> = words
        .iter()
        .filter(|(written, _)| *written)
        .map(|(_, word)| *word)
        .collect();
    if written.is_empty() {
        String::new()
    } else {
        format!("[{}]", written.join(","))
    }
}

fn attribute(attribute: &Attribute) -> String {
    format!(
        "{}{}",
        if attribute.data_prefix { "body:" } else { "" },
        attribute.dotted()
    )
}

fn returning(items: Option<&[ast::SelectItem]>) -> String {
    let joined = |items: &[ast::SelectItem]| {
        items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    items
        .map(|items| format!(" returning {}", joined(items)))
        .unwrap_or_default()
}

fn insert(rows: &Insert) -> String {
    let columns: Vec<_> = rows.columns.iter().map(attribute).collect();
    let conflict = if rows.on_conflict_do_nothing {
        " or nothing"
    } else {
        ""
    };
    let returning = returning(rows.returning.as_deref());
    format!(
        "{}{}({}) {}{conflict}{returning}",
        hints(rows.hints),
        rows.table,
        columns.join(", "),
        rows.source
    )
}

fn update(changes: &Update) -> String {
    let set: Vec<_> = changes
        .assignments
        .iter()
        .map(|one| format!("{}={}", attribute(&one.target), one.value))
        .collect();
    let alias = changes
        .alias
        .as_ref()
        .map(|alias| format!(" as {alias}"))
        .unwrap_or_default();
    let selection = changes
        .selection
        .as_ref()
        .map(|filter| format!(" where {filter}"))
        .unwrap_or_default();
    let returning = returning(changes.returning.as_deref());
    format!(
        "{}{}{alias} set {}{selection}{returning}",
        hints(changes.hints),
        changes.table,
        set.join(", ")
    )
}

fn exec(call: &Exec) -> String {
    let mut text = format!(
        "exec{} {} of {}",
        hints(call.hints),
        call.method,
        call.table
    );
    for argument in &call.arguments {
        text.push_str(&format!(
            " {}={}",
            attribute(&argument.name),
            argument.value
        ));
    }
    match &call.body {
        Some(ExecBody::Json(value, _)) => text.push_str(&format!(" json={value}")),
        Some(ExecBody::JsonFile(value, _)) => text.push_str(&format!(" json_file={value}")),
        None => {}
    }
    if let Some(rows) = &call.for_each {
        let alias = rows
            .alias
            .as_ref()
            .map(|alias| format!(" as {alias}"))
            .unwrap_or_default();
        text.push_str(&format!(" for each ({}){alias}", rows.query));
    }
    text
}

#[test]
fn queries() {
    check("", "");
    check("  ;; -- nothing\n; /* ; */", "");
    check("select 1", "SELECT 1");
    check("\u{feff}SELECT 1;", "SELECT 1");
    check(
        "SELECT ';' AS \";\" -- ;\n; VALUES (1)",
        "SELECT ';' AS \";\"; VALUES (1)",
    );
    check("TABLE t", "TABLE t");
    check("(SELECT 1) UNION (SELECT 2)", "(SELECT 1) UNION (SELECT 2)");
    check("FROM t", "FROM t");
    check("/*! DELETE FROM t */ SELECT 1", "SELECT 1");
    check("SELECT $$a ; b$$, $q$;$q$", "SELECT $$a ; b$$, $q$;$q$");
    check(
        "SELECT `a b`, \"c\" FROM `t`",
        "SELECT `a b`, \"c\" FROM `t`",
    );
    check(
        "SELECT \"$filter\" FROM t WHERE \"$top\" = 1",
        "SELECT \"$filter\" FROM t WHERE \"$top\" = 1",
    );
    check(
        "SELECT x['a']['b'], properties.policyInfo.policyId FROM t",
        "SELECT x['a']['b'], properties.policyInfo.policyId FROM t",
    );
    check(
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
    );
    check("CREATE TABLE t AS SELECT 1", "CREATE TABLE t AS SELECT 1");
    check("DROP VIEW IF EXISTS v", "DROP VIEW IF EXISTS v");
    check(
        "PREPARE p AS SELECT $1; EXECUTE p(1); DEALLOCATE p",
        "PREPARE p AS SELECT $1 with 1; EXECUTE p(1); DEALLOCATE p",
    );
    check(
        "BEGIN; COMMIT; ROLLBACK; ABORT",
        "BEGIN; COMMIT; ROLLBACK; ROLLBACK",
    );
    check(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    );
    check("DISCARD ALL", "DISCARD ALL");
}

/// The tree of an expression with every operator in brackets.
fn check_tree(expression: &str, expected: &str) {
    let tree =
        match parse(&format!("SELECT {expression}")).map(|mut parsed| parsed.remove(0).statement) {
            Ok(Statement::Query(query)) => match *query {
                ast::Statement::Query(query) => match *query.body {
                    ast::SetExpr::Select(select) => match &select.projection[0] {
                        ast::SelectItem::UnnamedExpr(expr) => bracketed(expr),
                        other => format!("{other:?}"),
                    },
                    other => format!("{other:?}"),
                },
                other => format!("{other:?}"),
            },
            other => format!("{other:?}"),
        };
    assert_eq!(tree, expected, "{expression}");
}

fn bracketed(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::BinaryOp { left, op, right } => {
            format!("({} {op} {})", bracketed(left), bracketed(right))
        }
        ast::Expr::UnaryOp { op, expr } => format!("({op} {})", bracketed(expr)),
        ast::Expr::Nested(inner) => bracketed(inner),
        ast::Expr::Between {
            expr, low, high, ..
        } => {
            format!(
                "({} between {} and {})",
                bracketed(expr),
                bracketed(low),
                bracketed(high)
            )
        }
        other => other.to_string(),
    }
}

#[test]
fn json_operators_bind_as_in_postgresql() {
    check_tree("p->>'k' = 'v'", "((p ->> 'k') = 'v')");
    check_tree("p->'a'->>'b' || 'x'", "(((p -> 'a') ->> 'b') || 'x')");
    check_tree("'x' || p->>'b'", "('x' || (p ->> 'b'))");
    check_tree("p->>'n' LIKE 'a%' AND q", "(p ->> 'n' LIKE 'a%' AND q)");
    check_tree("p->>'n'::text", "(p ->> 'n'::TEXT)");
    check_tree("p#>>'{a,b}' = 'x'", "((p #>> '{a,b}') = 'x')");
    check_tree("p#>'{a}'", "(p #> '{a}')");
    check_tree("p@>'{}' = true", "((p @> '{}') = true)");
    check_tree("a || b @> c", "((a || b) @> c)");
    check_tree("p->'t' ? 'k' AND q", "(((p -> 't') ? 'k') AND q)");
    check_tree("tags ?| x", "(tags ?| x)");
    check_tree("tags ?& x", "(tags ?& x)");
    check_tree("NOT p->>'k' = 'v'", "(NOT ((p ->> 'k') = 'v'))");
}

#[test]
fn chains_read_as_sqlparser_reads_them() {
    check_tree("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)");
    check_tree("1 * 2 + 3 * 4 = 5 + 6", "(((1 * 2) + (3 * 4)) = (5 + 6))");
    check_tree("a = b IS NULL", "a = b IS NULL");
    check_tree("a IS NULL = b", "(a IS NULL = b)");
    check_tree("a OR b AND c OR d", "((a OR (b AND c)) OR d)");
    check_tree("a AND b OR c AND d", "((a AND b) OR (c AND d))");
    check_tree(
        "x BETWEEN 1 AND 2 AND y BETWEEN 3 AND 4",
        "((x between 1 and 2) AND (y between 3 and 4))",
    );
    check_tree("NOT a AND NOT b", "((NOT a) AND (NOT b))");
    check_tree(
        "a AND b AND c AND d AND e",
        "(((a AND b) AND (c AND d)) AND e)",
    );
    check_tree("1 - 2 - 3", "((1 - 2) - 3)");
    check_tree("-1 - -2", "((- 1) - (- 2))");
    check_tree("1 + 2::int - 3", "((1 + 2::INT) - 3)");
}

#[test]
fn equalities_joined_by_or_are_lists() {
    check_tree("x = 1 OR x = 2 OR 3 = x", "x IN (1, 2, 3)");
    check_tree(
        "x = 1 OR y = 'a' OR x = 2 OR y = 'b'",
        "(x IN (1, 2) OR y IN ('a', 'b'))",
    );
    check_tree("p->>'k' = 'a' OR p->>'k' = 'b'", "p ->> 'k' IN ('a', 'b')");
    check_tree("x = 1 OR x = '1'", "((x = 1) OR (x = '1'))");
    check_tree("x = 1 OR x <> 2", "((x = 1) OR (x <> 2))");
    check_tree(
        "random() = 1 OR random() = 2",
        "((random() = 1) OR (random() = 2))",
    );
    check_tree("x = 1 OR x = y", "((x = 1) OR (x = y))");
    check_tree("a AND (x = 1 OR x = 2)", "(a AND x IN (1, 2))");
}

#[test]
fn long_unions_are_balanced_and_keep_their_order() {
    let selects: Vec<_> = (0..20).map(|n| format!("SELECT {n}")).collect();
    for joint in [" UNION ALL ", " UNION "] {
        check(&selects.join(joint), &selects.join(joint));
    }
    let mixed = format!(
        "{} UNION SELECT 'x' EXCEPT SELECT 'y'",
        selects.join(" UNION ALL ")
    );
    check(&mixed, &mixed);
}

#[test]
fn placeholders() {
    check(
        "SELECT :a, b::int, ':c', \":d\", :e::text -- :f",
        "SELECT $a, b::INT, ':c', \":d\", $e::TEXT with a e",
    );
    check(
        "SELECT * FROM f(a := :b)",
        "SELECT * FROM f(a := $b) with b",
    );
    check(
        "SELECT * FROM t WHERE a IN (:a,:b) AND c=:c LIMIT :n",
        "SELECT * FROM t WHERE a IN ($a, $b) AND c = $c LIMIT $n with a b c n",
    );
    check(
        "SELECT * FROM t WHERE a = ? AND b LIKE ? AND c IN (?, ?)",
        "SELECT * FROM t WHERE a = $1 AND b LIKE $2 AND c IN ($3, $4) with 1 2 3 4",
    );
    check(
        "SELECT $1, $2, $1, $name",
        "SELECT $1, $2, $1, $name with 1 2 1 name",
    );
    check("SELECT m[1:2], m[:n]", "SELECT m[1:2], m[$n] with n");
    check(
        "SELECT $0",
        "R0108: a numbered placeholder is one of `$1` to `$65535`",
    );
    check(
        "SELECT $65536",
        "R0108: a numbered placeholder is one of `$1` to `$65535`",
    );
    check(
        "SELECT $1, ?",
        "R0108: `?` and numbered placeholders do not mix",
    );
    check("SELECT @x", "R0108: `@x` is no placeholder");
    check("SELECT :1", "R0108: `:1` is no placeholder");
}

#[test]
fn api_version_is_one_name() {
    check(
        "SELECT 1 FROM t WHERE api-version = '1' AND t.API-Version = '2'",
        "SELECT 1 FROM t WHERE \"api-version\" = '1' AND t.\"API-Version\" = '2'",
    );
    check(
        "SELECT api - version, api -version, \"api\"-version, api-version()",
        "SELECT api - version, api - version, \"api\" - version, api - version()",
    );
    check(
        "SELECT api-versions, my_api-version",
        "SELECT api - versions, my_api - version",
    );
    check(
        "INSERT INTO t (api-version, b) VALUES (1, 2)",
        "insert t(api-version, b) VALUES (1, 2)",
    );
}

#[test]
fn show_and_describe() {
    check("SHOW PROVIDERS", "show providers");
    check(
        "show extended providers like 'az%'",
        "show providers extended like az%",
    );
    check(
        "SHOW SERVICES IN azure; SHOW SERVICES FROM azure; SHOW SERVICES",
        "show services in azure; show services in azure; show services",
    );
    check(
        "SHOW RESOURCES IN azure.data_protection LIKE '%vault%'",
        "show resources in azure.data_protection like %vault%",
    );
    check(
        "SHOW METHODS IN a.b.c EXTENDED",
        "show methods in a.b.c extended",
    );
    check(
        "SHOW VIEWS IN a.b; SHOW TABLES; SHOW COLUMNS FROM t",
        "show views in a.b; show tables; show columns of t",
    );
    check(
        "SHOW INSERT INTO a.b.c; SHOW INSERT /*+ REQUIRED */ INTO t",
        "show insert into a.b.c; show insert into t required",
    );
    check("SHOW EXEC a.b.c.m", "show exec m of a.b.c");
    check(
        "SHOW CALLS; SHOW OPERATIONS; SHOW WARNINGS; SHOW SETTINGS; SHOW ALL",
        "show calls; show operations; show warnings; show settings; show settings",
    );
    check(
        "SHOW max_calls; SHOW datafusion.execution.batch_size",
        "show setting max_calls; show setting datafusion.execution.batch_size",
    );
    check(
        "SHOW TRANSACTION ISOLATION LEVEL; SHOW TIME ZONE",
        "show setting transaction_isolation; show setting timezone",
    );
    check(
        "SHOW CREATE VIEW v; SHOW FUNCTIONS",
        "show create v; show functions",
    );
    check("SHOW METHODZ IN x", "R0101: SHOW does not know `METHODZ`");
    check(
        "SHOW PROVIDERS WHERE name = 'x'",
        "R0105: SHOW takes no WHERE",
    );
    check(
        "SHOW",
        "R0101: expected what to show, such as `PROVIDERS` or `RESOURCES IN azure.data_protection`, found the end of the statement",
    );
    check(
        "DESCRIBE a.b.c; DESC EXTENDED t; describe table t",
        "describe a.b.c; describe t extended; describe t",
    );
    check(
        "DESCRIBE METHOD a.b.c.m; DESC METHOD EXTENDED t.m",
        "describe method m of a.b.c; describe method m of t extended",
    );
    check(
        "DESCRIBE method; DESCRIBE extended",
        "describe method; describe extended",
    );
    check("DESCRIBE SELECT 1", "describe (SELECT 1)");
    check("DESCRIBE METHOD m", "R0101: `m` names no method");
    check(
        "EXPLAIN a.b.c; EXPLAIN EXTENDED t",
        "describe a.b.c; describe t extended",
    );
}

#[test]
fn explain_and_preview() {
    check(
        "EXPLAIN SELECT 1; EXPLAIN ANALYZE VERBOSE SELECT 1",
        "explain SELECT 1; explain analyze verbose SELECT 1",
    );
    check(
        "EXPLAIN FORMAT tree SELECT 1",
        "explain format=tree SELECT 1",
    );
    check(
        "EXPLAIN (ANALYZE, VERBOSE off, FORMAT tree) SELECT 1",
        "explain analyze format=tree SELECT 1",
    );
    check("EXPLAIN (SELECT 1)", "explain (SELECT 1)");
    check("EXPLAIN DELETE FROM t", "explain delete t");
    check("EXPLAIN PREVIEW EXEC t.m", "explain preview exec m of t");
    check(
        "PREVIEW DELETE FROM t WHERE a = 1",
        "preview delete t where a = 1",
    );
    check(
        "PREVIEW EXEC /*+ NOWAIT */ t.m @a = 1",
        "preview exec[nowait] m of t a=1",
    );
    check(
        "PREVIEW SELECT 1",
        "R0109: PREVIEW takes INSERT, REPLACE, UPDATE, DELETE or EXEC",
    );
    check("EXPLAIN EXPLAIN SELECT 1", "R0109: EXPLAIN stands once");
    check(
        "EXPLAIN SHOW PROVIDERS",
        "R0109: EXPLAIN takes a query or a statement that changes something",
    );
}

#[test]
fn session() {
    check(
        "USE azure; USE azure.data_protection; USE SCHEMA a",
        "use azure; use azure.data_protection; use a",
    );
    check("SET max_calls = 4", "set max_calls = Number(\"4\")");
    check(
        "SET x TO on; SET SESSION x = -1.5; SET LOCAL x = 'y'",
        "set x = Word(\"on\"); set x = Number(\"-1.5\"); set x = Text(\"y\")",
    );
    check(
        "SET subscriptions = 'a', b",
        "set subscriptions = List([Text(\"a\"), Word(\"b\")])",
    );
    check(
        "SET session \"$.auth.x\" = 'v'",
        "set $.auth.x = Text(\"v\")",
    );
    check(
        "SET datafusion.execution.batch_size = 1",
        "set datafusion.execution.batch_size = Number(\"1\")",
    );
    check(
        "SET TIME ZONE 'UTC'; SET NAMES 'utf8'",
        "set timezone = Text(\"UTC\"); set client_encoding = Text(\"utf8\")",
    );
    check("SET x = :v", "set x = Placeholder(\"v\") with v");
    check(
        "SET x = DEFAULT; RESET x.y; RESET ALL",
        "reset x; reset x.y; reset all",
    );
    check(
        "SET x",
        "R0101: expected `=`, found the end of the statement",
    );
}

#[test]
fn insert_and_replace() {
    check(
        "INSERT INTO a.b.c (subscriptionId, data__properties, x.y) VALUES (:s, '{}', 3), (1, 2, 3)",
        "insert a.b.c(subscriptionId, body:properties, x.y) VALUES ($s, '{}', 3), (1, 2, 3) with s",
    );
    check(
        "insert into t select * from u where a = 1",
        "insert t() SELECT * FROM u WHERE a = 1",
    );
    check("INSERT INTO t (SELECT 1)", "insert t() (SELECT 1)");
    check(
        "INSERT INTO t (a) WITH x AS (SELECT 1) SELECT * FROM x",
        "insert t(a) WITH x AS (SELECT 1) SELECT * FROM x",
    );
    check(
        "INSERT /*+ AWAIT_JOB, NOSTATUS */ INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING RETURNING id, status AS s",
        "insert [await_job,nostatus]t(a) VALUES (1) or nothing returning id, status AS s",
    );
    check(
        "INSERT INTO t SELECT a FROM u RETURNING *",
        "insert t() SELECT a FROM u returning *",
    );
    check(
        "INSERT OR REPLACE INTO t (a) VALUES (1)",
        "replace t(a) VALUES (1)",
    );
    check("REPLACE INTO t (a) SELECT 1", "replace t(a) SELECT 1");
    check(
        "REPLACE t SET a = 1, data__b = '{}' WHERE c = 2 RETURNING a",
        "replace t set a=1, body:b='{}' where c = 2 returning a",
    );
    check(
        "INSERT INTO t (a, A) VALUES (1, 2)",
        "R0107: the column `A` is named twice",
    );
    check(
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO UPDATE SET a = 1",
        "R0105: ON CONFLICT DO UPDATE is not supported",
    );
    check(
        "INSERT INTO t DEFAULT VALUES",
        "R0105: DEFAULT VALUES is not supported",
    );
    check("INSERT t VALUES (1)", "R0101: expected `INTO`, found `t`");
    check(
        "INSERT INTO t (a)",
        "R0101: expected `VALUES` or `SELECT`, found the end of the statement",
    );
    check("UPSERT INTO t VALUES (1)", "R0105: UPSERT is not supported");
}

#[test]
fn update_and_delete() {
    check(
        "UPDATE a.t AS x SET tags.k = 'v', n = n + 1, s = (SELECT max(a) FROM u) WHERE x.id IN (1, 2) RETURNING status",
        "update a.t as x set tags.k='v', n=n + 1, s=(SELECT max(a) FROM u) where x.id IN (1, 2) returning status",
    );
    check(
        "UPDATE /*+ NOWAIT */ t SET a = NULL",
        "update [nowait]t set a=NULL",
    );
    check(
        "UPDATE t SET a = 1 FROM u",
        "R0105: UPDATE … FROM is not supported",
    );
    check(
        "UPDATE t SET (a, b) = (1, 2)",
        "R0105: SET (…) = (…) is not supported",
    );
    check("UPDATE t SET a.b = 1, a = 2", "R0107: `a` is set twice");
    check(
        "UPDATE t SET a = 1 WHERE b = 2 LIMIT 1",
        "R0101: expected the end of the statement or `;`, found `LIMIT`",
    );
    check(
        "DELETE FROM t WHERE a = 1 AND b = 'x' RETURNING *",
        "delete t where a = 1 AND b = 'x' returning *",
    );
    check(
        "DELETE FROM t x WHERE x.a = 1",
        "delete t as x where x.a = 1",
    );
    check("DELETE FROM t", "delete t");
    check(
        "DELETE FROM t USING u WHERE t.a = u.a",
        "R0105: DELETE … USING is not supported",
    );
    check("-- why\nDELETE FROM t WHERE a = 1", "delete t where a = 1");
}

#[test]
fn exec_forms() {
    check("EXEC a.b.c.m", "exec m of a.b.c");
    check(
        "exec t.m @a = 1, @b.c = 'x' || :v, @data__d = NULL",
        "exec m of t a=1 b.c='x' || $v body:d=NULL with v",
    );
    check("EXEC t.m @api-version = '1'", "exec m of t api-version='1'");
    check(
        "EXEC t.m @\"api-version\" = '1', @`x y` = 2, @x-ms-a-1 = 3",
        "exec m of t api-version='1' x y=2 x-ms-a-1=3",
    );
    check("EXEC t.m @a='1' @@json='{}'", "exec m of t a='1' json='{}'");
    check(
        "EXEC t.m @a='1', @@json='{}'",
        "exec m of t a='1' json='{}'",
    );
    check(
        "EXEC t.m @@JSON_FILE = 'body.json'",
        "exec m of t json_file='body.json'",
    );
    check(
        "EXEC /*+ AWAIT_JOB */ t.m @a = (SELECT max(x), 1 FROM u), @b = f(1, 2) FOR EACH (SELECT id FROM v) AS x",
        "exec[await_job] m of t a=(SELECT max(x), 1 FROM u) b=f(1, 2) for each (SELECT id FROM v) as x",
    );
    check(
        "EXEC t.m FOR EACH (SELECT 1)",
        "exec m of t for each (SELECT 1)",
    );
    check(
        "EXEC t.m @id = x.id FOR EACH (SELECT id FROM v) x",
        "exec m of t id=x.id for each (SELECT id FROM v) as x",
    );
    check(
        "EXEC t.m @vault_id = '/subscriptions/x' /* c */ , -- c\n @a = 1",
        "exec m of t vault_id='/subscriptions/x' a=1",
    );
    check("EXECUTE a.b.m @x = 1", "exec m of a.b x=1");
    check(
        "EXEC t.\"BackupInstances_AdhocBackup\" @a = p @> '{}'",
        "exec \"BackupInstances_AdhocBackup\" of t a=p @> '{}'",
    );
    check("EXEC m @a = 1", "R0101: `m` names no method");
    check("EXEC t.m @a = 1 @b = 2", "R0101: expected `,`, found `@`");
    check(
        "EXEC t.m @a = 1,",
        "R0101: expected `@name = value` or `@@json = …` after `,`, found the end of the statement",
    );
    check("EXEC t.m @a 1", "R0101: expected `=` after `@a`, found `1`");
    check(
        "EXEC t.m @ a = 1",
        "R0101: expected a name after `@`, found `a`",
    );
    check(
        "EXEC t.m @a = , @b = 1",
        "R0101: expected a value for `@a`, found `,`",
    );
    check(
        "EXEC t.m @a = 1 +, @b = 1",
        "R0101: expected an expression, found `,`",
    );
    check(
        "EXEC t.m 'x'",
        "R0101: expected `@name = value`, `@@json = …` or `FOR EACH`, found `'x'`",
    );
    check("EXEC t.m @data__ = 1", "R0101: `data__` names nothing");
    check("EXEC t.m @a = 1, @A = 2", "R0107: `@A` is given twice");
    check("EXEC t.m @a = 1, @data__a = 2", "exec m of t a=1 body:a=2");
    check("EXEC t.m @a = 1, @a.b = 2", "R0107: `@a.b` is given twice");
    check(
        "EXEC t.m @data__a = 1 @@json = '{}'",
        "R0107: `@data__a` is part of the body that `@@json` gives whole",
    );
    check(
        "EXEC t.m @@json = '{}', @@json_file = 'x'",
        "R0107: the body is given twice",
    );
    check("EXEC t.m @@body = '{}'", "R0101: there is no `@@body`");
}

#[test]
fn exec_as_a_row_source() {
    check(
        "SELECT * FROM (EXEC a.b.m @k = 'v' @@json = '{}') x JOIN ( exec /*+ NOSTATUS */ t.n @q = (SELECT 1)) y ON x.i = y.i",
        "SELECT * FROM restable_exec(0) x JOIN restable_exec(1) y ON x.i = y.i where 0 is exec m of a.b k='v' json='{}' where 1 is exec[nostatus] n of t q=(SELECT 1)",
    );
    check(
        "EXEC t.m FOR EACH (SELECT * FROM (EXEC t.list) x)",
        "exec m of t for each (SELECT * FROM restable_exec(0) x) where 0 is exec list of t",
    );
    check(
        "SELECT (exec), (exec + 1) FROM t",
        "SELECT (exec), (exec + 1) FROM t",
    );
    check(
        "CREATE VIEW v AS SELECT * FROM (EXEC t.m) x",
        "R0105: EXEC may not stand in a view or a prepared query",
    );
    check(
        "SELECT * FROM restable_exec(0)",
        "R0101: `restable_exec` is a reserved name",
    );
    check(
        "SELECT * FROM (EXEC t.m @a = ) x",
        "R0101: expected a value for `@a`, found the end of the statement",
    );
}

#[test]
fn hints_stand_after_the_verb_and_exist() {
    check("EXEC /*+ NOWAIT*/ t.m", "exec[nowait] m of t");
    check(
        "EXEC /*+ await */ /*+ showresults\n nostatus */ t.m",
        "exec[await,showresults,nostatus] m of t",
    );
    check("EXEC /* NOWAIT */ t.m", "exec m of t");
    check(
        "INSERT INTO t SELECT /*+ PARALLEL */ 1",
        "insert t() SELECT 1",
    );
    check("EXEC /*+ ASYNC */ t.m", "R0106: there is no hint `ASYNC`");
    check(
        "EXEC /*+ NOWAIT AWAIT_JOB */ t.m",
        "R0106: NOWAIT contradicts AWAIT and AWAIT_JOB",
    );
    check("EXEC t.m /*+ NOWAIT */", "exec m of t");
    check(
        "EXEC t.m /*+ NOWAIT */ @a = 1",
        "R0106: a hint stands right after the verb",
    );
}

#[test]
fn nothing_that_changes_data_hides_in_a_query() {
    check(
        "WITH x AS (SELECT 1) DELETE FROM t",
        "R0109: DELETE may not stand inside a query",
    );
    check(
        "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x",
        "R0109: INSERT may not stand inside a query",
    );
    check(
        "SELECT (WITH a AS (SELECT 1) UPDATE t SET a = 1)",
        "R0109: UPDATE may not stand inside a query",
    );
    check(
        "INSERT INTO t WITH x AS (SELECT 1) DELETE FROM u",
        "R0109: DELETE may not stand inside a query",
    );
    check(
        "EXEC t.m @a = (WITH x AS (SELECT 1) DELETE FROM u)",
        "R0109: DELETE may not stand inside a query",
    );
    check("SELECT 1 INTO t", "R0105: SELECT … INTO is not supported");
    check(
        "PREPARE p AS DELETE FROM t",
        "R0109: PREPARE takes a query only",
    );
    check(
        "CREATE TABLE t AS WITH x AS (SELECT 1) DELETE FROM u",
        "R0109: DELETE may not stand inside a query",
    );
    for refused in [
        "COPY (DELETE FROM t) TO 'x'",
        "CALL f()",
        "MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE",
        "DO $$ x $$",
        "TRUNCATE t",
        "ALTER TABLE t ADD a int",
        "GRANT ALL ON t TO x",
        "CREATE FUNCTION f() RETURNS int",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "DROP ROLE x",
    ] {
        let fault = parse(refused).err();
        assert_eq!(fault.map(|fault| fault.code), Some("R0105"), "{refused}");
    }
}

#[test]
fn pieces_run_up_to_the_first_bad_one() {
    let script = "SELECT 1; -- a ;\n/* ; */ SELEC 2 ; SELECT 'open";
    let pieces = split(script);
    let texts: Vec<_> = pieces
        .iter()
        .flatten()
        .map(|piece| piece.text(script))
        .collect();
    assert_eq!(texts, ["SELECT 1", "SELEC 2", "SELECT 'open"]);
    let codes: Vec<_> = pieces
        .iter()
        .flatten()
        .map(|piece| parse_piece(script, piece).err().map(|fault| fault.code))
        .collect();
    assert_eq!(codes, [None, Some("R0104"), Some("R0102")]);
    assert_eq!(parse(script).err().map(|fault| fault.code), Some("R0104"));
}

#[test]
fn spans_are_bytes_of_the_script() {
    let script = "SELECT 'ä'; EXEC t.m @größe.x = 1 + 2, @b = :v FOR EACH (SELECT 1) AS z ;";
    let expected = [
        (
            "statement",
            "EXEC t.m @größe.x = 1 + 2, @b = :v FOR EACH (SELECT 1) AS z",
        ),
        ("target", "t.m"),
        ("name", "größe.x"),
        ("argument", "@größe.x = 1 + 2"),
        ("value", "1 + 2"),
        ("for each", "FOR EACH (SELECT 1) AS z"),
        ("placeholder", ":v"),
        ("method in the tree", "m"),
    ];
    // Read as a whole and piece by piece, the spans agree.
    let whole = parse(script);
    let pieces: Vec<_> = split(script)
        .iter()
        .flatten()
        .map(|piece| parse_piece(script, piece))
        .collect();
    assert_eq!(
        whole.ok().and_then(|mut all| all.pop()),
        pieces.last().cloned().and_then(Result::ok)
    );
    let parsed = pieces.into_iter().next_back().and_then(Result::ok);
    let Some(Parsed {
        statement: Statement::Exec(call),
        span,
        placeholders,
        ..
    }) = parsed
    else {
        unreachable!("the script is an EXEC")
    };
    let argument = &call.arguments[0];
    let spans: [Span; 8] = [
        span,
        call.target_span,
        argument.name.span,
        argument.span,
        argument.value_span,
        call.for_each
            .as_ref()
            .map_or(Span::new(0, 0), |rows| rows.span),
        placeholders[0].span,
        byte_span(script, call.method.span).unwrap_or(Span::new(0, 0)),
    ];
    for (span, (what, text)) in spans.into_iter().zip(expected) {
        assert_eq!(span.of(script), text, "{what}");
    }
}
