//! Queries, SHOW, DESCRIBE, EXPLAIN, PREVIEW and what changes the session.

use restable_sql::ast;
use restable_sql::{Statement, parse};

use crate::sketch::check;

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
    check("TABLE t", "SELECT * FROM t");
    check("SELECT a AS table FROM t", "SELECT a AS table FROM t");
    check(
        "SELECT pg_catalog.substring(a, 2), pg_catalog . position('b' IN a) FROM t",
        "SELECT SUBSTRING(a, 2), POSITION('b' IN a) FROM t",
    );
    check(
        "(TABLE t) UNION ALL TABLE a.b.c",
        "(SELECT * FROM t) UNION ALL SELECT * FROM a.b.c",
    );
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
    check(
        "create materialized view if not exists v as select 1",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1",
    );
    check(
        "DROP MATERIALIZED VIEW IF EXISTS v",
        "DROP MATERIALIZED VIEW IF EXISTS v",
    );
    check("DROP VIEW IF EXISTS v", "DROP VIEW IF EXISTS v");
    check(
        "PREPARE p AS SELECT $1; EXECUTE p(1)",
        "PREPARE p AS SELECT $1 with 1; EXECUTE p(1)",
    );
}

#[test]
#[expect(clippy::unwrap_used, reason = "in a test a panic is the message")]
fn what_a_connection_keeps() {
    check(
        "BEGIN; START TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
        "Begin(Modes { isolation: None, read_only: None }); Begin(Modes { isolation: Some(\"serializable\"), read_only: Some(true) })",
    );
    check(
        "COMMIT; END WORK; ROLLBACK; ABORT TRANSACTION",
        "Commit; Commit; Rollback; Rollback",
    );
    check(
        "SAVEPOINT A; ROLLBACK TO \"A\"; RELEASE SAVEPOINT a",
        "Savepoint(\"a\"); RollbackTo(\"A\"); Release(\"a\")",
    );
    check(
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "Characteristics { session: true, modes: Modes { isolation: None, read_only: Some(false) } }",
    );
    check(
        "FETCH FORWARD 10 FROM c; FETCH c; FETCH ALL IN \"C\"; MOVE 3 IN c; FETCH NEXT FROM c; FETCH 2 c; FETCH next",
        "Fetch { name: \"c\", count: Rows(10), shown: true }; Fetch { name: \"c\", count: Rows(1), shown: true }; Fetch { name: \"C\", count: All, shown: true }; Fetch { name: \"c\", count: Rows(3), shown: false }; Fetch { name: \"c\", count: Rows(1), shown: true }; Fetch { name: \"c\", count: Rows(2), shown: true }; Fetch { name: \"next\", count: Rows(1), shown: true }",
    );
    check(
        "CLOSE ALL; CLOSE c; DEALLOCATE PREPARE p; DEALLOCATE ALL",
        "Close(None); Close(Some(\"c\")); Deallocate(Some(\"p\")); Deallocate(None)",
    );
    check("DISCARD ALL; UNLISTEN *", "Discard(All); Unlisten");
    check("SET CONSTRAINTS ALL DEFERRED", "Constraints");
    let declared =
        restable_sql::parse("DECLARE \"C 1\" BINARY CURSOR WITH HOLD FOR SELECT 1").unwrap();
    let query = declared[0].cursor_query().unwrap();
    assert_eq!(query.tag(), "SELECT");
    for (copied, rows) in [
        ("COPY (SELECT 1) TO STDOUT (FORMAT binary)", "SELECT"),
        (
            "COPY (SELECT (1) AS x UNION ALL VALUES (2)) TO STDOUT WITH CSV HEADER",
            "SELECT",
        ),
        ("COPY t (a, \"B\") TO STDOUT", "SELECT"),
        ("COPY a.b.t TO STDOUT DELIMITER AS ';' NULL 'x'", "SELECT"),
        ("COPY BINARY t TO STDOUT", "SELECT"),
        ("COPY (SHOW PROVIDERS) TO STDOUT", "SHOW"),
        ("COPY t FROM STDIN (FORMAT csv) WHERE a > 1", "SELECT"),
    ] {
        let parsed = restable_sql::parse(copied).unwrap();
        assert_eq!(parsed[0].tag(), "COPY");
        assert_eq!(parsed[0].cursor_query().unwrap().tag(), rows, "{copied}");
    }
    let parsed = restable_sql::parse("COPY t (a, \"B\") TO STDOUT").unwrap();
    match parsed[0].cursor_query().unwrap().statement {
        Statement::Query(query) => assert_eq!(query.to_string(), "SELECT a, \"B\" FROM t"),
        _ => unreachable!("a table is read by a query"),
    }
    for refused in [
        "COPY (SELECT 1) FROM STDIN",
        "COPY (SELECT 1) TO",
        "COPY (SELECT 1 TO STDOUT",
        "COPY (SELECT 1; SELECT 2) TO STDOUT",
        "COPY (SET x = 1) TO STDOUT",
        "COPY (COMMIT) TO STDOUT",
        "COPY (COPY t TO STDOUT) TO STDOUT",
        "COPY (CREATE TABLE t AS SELECT 1) TO STDOUT",
        "COPY () TO STDOUT",
        "COPY t TO STDOUT (HEADER",
        "COPY t TO STDOUT WHERE a > 1",
        "COPY t TO STDOUT PARQUET",
        "COMMIT AND CHAIN",
        "DECLARE c CURSOR FOR DELETE FROM t",
        "FETCH ABSOLUTE FROM c",
        "FETCH - FROM c",
        "SET TRANSACTION",
        "BEGIN ISOLATION LEVEL CHAOS",
        "DISCARD NOTHING",
        "LISTEN x",
    ] {
        assert!(restable_sql::parse(refused).is_err(), "{refused}");
    }
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
fn signs_and_other_operators_bind_as_in_postgresql() {
    check_tree("-2 ^ 2", "((- 2) ^ 2)");
    check_tree("2 ^ 3 ^ 2", "((2 ^ 3) ^ 2)");
    check_tree("- 2::int", "(- 2::INT)");
    check_tree("a - -b * c", "(a - ((- b) * c))");
    check_tree("'a' || 1 + 2", "('a' || (1 + 2))");
    check_tree("4 | 5 & 3", "((4 | 5) & 3)");
    check_tree("a # b + 1", "(a # (b + 1))");
    check_tree("~1 + 1", "(~ (1 + 1))");
    check_tree("1 + 1 << 2 = 8", "(((1 + 1) << 2) = 8)");
    check_tree("a ~ 'x' = b", "((a ~ 'x') = b)");
    check_tree("a LIKE 'x' = b", "(a LIKE 'x' = b)");
    check_tree("a = b LIKE c || d", "(a = b LIKE c || d)");
    check_tree("a = b BETWEEN 1 AND 2", "(a = (b between 1 and 2))");
}

#[test]
fn how_a_with_is_computed_is_not_read() {
    check(
        "WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) SELECT 3",
        "WITH a AS (SELECT 1), b AS (SELECT 2) SELECT 3",
    );
    check("SELECT materialized FROM t", "SELECT materialized FROM t");
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
        "show calls; show operations; show warnings; show settings; show all",
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
        "EXPLAIN (ANALYZE, VERBOSE off, FORMAT json, COSTS off, TIMING on) SELECT 1",
        "explain analyze format=json SELECT 1",
    );
    check(
        "EXPLAIN (FORMAT TEXT, BUFFERS false, SUMMARY 0, ANALYZE 1) SELECT 1",
        "explain analyze SELECT 1",
    );
    // What a query costs is its calls, which are always shown.
    check(
        "EXPLAIN (COSTS true, VERBOSE off) SELECT 1",
        "explain SELECT 1",
    );
    // Nothing is accepted and ignored.
    check(
        "EXPLAIN (FORMAT XML) SELECT 1",
        "R0105: EXPLAIN has no format `XML`",
    );
    for (written, told) in [
        ("BUFFERS", "EXPLAIN has no BUFFERS"),
        ("SUMMARY", "EXPLAIN has no SUMMARY"),
        ("TIMING", "EXPLAIN option TIMING requires ANALYZE"),
        ("ANALYZE, TIMING off", "TIMING cannot be `off`"),
        ("ANALYZE, FORMAT tree", "has no FORMAT TREE"),
        ("VERBOSE perhaps", "expected `on` or `off`, found `perhaps`"),
        ("SPEED", "expected an option of EXPLAIN"),
    ] {
        let parsed = restable_sql::parse(&format!("EXPLAIN ({written}) SELECT 1"));
        let said = parsed.err().map(|fault| fault.message).unwrap_or_default();
        assert!(said.contains(told), "{written}: {said}");
    }
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
fn refreshes() {
    check("REFRESH MATERIALIZED VIEW v", "refresh v");
    check(
        "refresh materialized view concurrently public.v with data;",
        "refresh public.v",
    );
    check(
        "REFRESH MATERIALIZED VIEW concurrently",
        "refresh concurrently",
    );
    check(
        "REFRESH MATERIALIZED VIEW v WITH NO DATA",
        "R0105: WITH NO DATA is not supported",
    );
    check(
        "REFRESH VIEW v",
        "R0101: expected `MATERIALIZED`, found `VIEW`",
    );
    check(
        "SHOW MATERIALIZED VIEWS LIKE 'e%'",
        "show materializedviews like e%",
    );
}

/// `at`, `before` and `changes` stay names of tables, in statements with a time as well.
#[test]
fn times_of_tables() {
    check(
        "SELECT * FROM t FOR SYSTEM_TIME AS OF '2026-11-22' AS old",
        "SELECT * FROM t AS old FOR SYSTEM_TIME AS OF '2026-11-22'",
    );
    check(
        "SELECT * FROM t for system_time as of now() - INTERVAL '7 days' before JOIN u at ON true",
        "SELECT * FROM t before FOR SYSTEM_TIME AS OF now() - INTERVAL '7 days' JOIN u at ON true",
    );
    check(
        "SELECT ts AT TIME ZONE 'UTC' FROM t FOR SYSTEM_TIME AS OF $1 changes",
        "SELECT ts AT TIME ZONE 'UTC' FROM t changes FOR SYSTEM_TIME AS OF $1 with 1",
    );
    check(
        "SELECT * FROM t FOR SYSTEM_TIME AS OF ? WHERE a = ?",
        "SELECT * FROM t FOR SYSTEM_TIME AS OF $1 WHERE a = $2 with 1 2",
    );
    check(
        "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH DATA; CREATE TABLE t AS SELECT data FROM u",
        "CREATE MATERIALIZED VIEW v AS SELECT 1; CREATE TABLE t AS SELECT data FROM u",
    );
    check(
        "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA",
        "R0105: WITH NO DATA is not supported: what is created has its rows",
    );
    check(
        "SELECT * FROM t FOR SYSTEM_TIME ALL WHERE a = 1",
        "SELECT * FROM t FOR SYSTEM_TIME AS OF restable_all WHERE a = 1",
    );
    check(
        "SELECT * FROM t before, u at, v changes",
        "SELECT * FROM t before, u at, v changes",
    );
    check(
        "SELECT system_time FROM t FOR UPDATE",
        "SELECT system_time FROM t FOR UPDATE",
    );
}
