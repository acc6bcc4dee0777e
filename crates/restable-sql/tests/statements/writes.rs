//! INSERT, REPLACE, UPDATE, DELETE, EXEC; what may not hide; pieces and spans.

use restable_sql::{Parsed, Span, Statement, byte_span, parse, parse_piece, split};

use crate::sketch::check;

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
    // It creates what a query says, as PostgreSQL has it, and changes nothing that is there.
    check("SELECT 1 INTO t", "CREATE TABLE t AS SELECT 1");
    check(
        "PREPARE p AS DELETE FROM t",
        "R0109: PREPARE takes a query only",
    );
    check(
        "CREATE TABLE t AS WITH x AS (SELECT 1) DELETE FROM u",
        "R0109: DELETE may not stand inside a query",
    );
    for refused in [
        "CALL f()",
        "MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE",
        "DO $$ x $$",
        "TRUNCATE t",
        "ALTER TABLE t ADD a int",
        "GRANT ALL ON t TO x",
        "CREATE FUNCTION f() RETURNS int",
        "CREATE TEMP MATERIALIZED VIEW v AS SELECT 1",
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
