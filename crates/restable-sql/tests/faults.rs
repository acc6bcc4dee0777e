//! Where a fault is marked, and what is said about it. `^` in a case marks the place expected.

use restable_sql::{CODES, Diagnostic, parse, parse_piece, split};

/// The text of a case has a line of `^` under the line with the place.
fn check(case: &str, code: &str, message: &str) {
    let (text, marks) = case.rsplit_once('\n').unwrap_or((case, ""));
    let fault = first_fault(text);
    let rendered = fault.render(text);
    let shown_marks = rendered
        .lines()
        .nth(2)
        .and_then(|line| line.split_once("| "))
        .map_or("", |(_, marks)| marks);
    assert_eq!(
        (fault.code, fault.message.as_str()),
        (code, message),
        "\n{rendered}"
    );
    assert_eq!(shown_marks, marks, "\n{rendered}");
}

fn first_fault(text: &str) -> Diagnostic {
    match parse(text) {
        Err(fault) => fault,
        Ok(parsed) => Diagnostic::new("none", format!("{} statements", parsed.len())),
    }
}

#[test]
fn faults_are_marked_where_they_are() {
    check("SELEC 1\n^^^^^", "R0104", "`SELEC` begins no statement");
    check("42\n^^", "R0104", "`42` begins no statement");
    check(
        "SELECT * FORM t\n         ^^^^",
        "R0101",
        "expected the end of the statement or `;`, found `FORM`",
    );
    check(
        "SELECT a b c\n           ^",
        "R0101",
        "expected the end of the statement or `;`, found `c`",
    );
    check(
        "SELECT f(1\n          ^",
        "R0101",
        "expected `)`, found the end of the statement",
    );
    check(
        "SELECT 1 +\n          ^",
        "R0101",
        "expected an expression, found the end of the statement",
    );
    check(
        "SELECT * FROM\n             ^",
        "R0101",
        "expected a name, found the end of the statement",
    );
    check(
        "SELECT 'ü' + )\n             ^",
        "R0101",
        "expected an expression, found `)`",
    );
    check(
        "SELECT 1; SELECT (2\n                   ^",
        "R0101",
        "expected `)`, found the end of the statement",
    );
    check(
        "SELECT (2; SELECT 1\n         ^",
        "R0101",
        "expected `)`, found the end of the statement",
    );
    check(
        "SELECT CAST(x AS )\n                 ^",
        "R0101",
        "expected a data type, found `)`",
    );
    check(
        "SELECT 'abc\n       ^",
        "R0102",
        "the text that begins here is not closed",
    );
    check(
        "SELECT \"abc\n       ^",
        "R0102",
        "the quoted name that begins here is not closed",
    );
    check(
        "SELECT 1 /* abc\n         ^^",
        "R0102",
        "the comment that begins here is not closed",
    );
    check(
        "SELECT $a$ abc\n       ^",
        "R0102",
        "the dollar-quoted text that begins here is not closed",
    );
    check(
        "SELECT \u{0}1\n       ^^^^^",
        "R0103",
        "the text holds a NUL character",
    );
    check(
        "SELECT 1\nSELECT 2\n^^^^^^",
        "R0101",
        "expected the end of the statement or `;`, found `SELECT`",
    );
    check(
        "EXEC t.m @a = 1, @@jsn = '{}'\n                 ^^^^^",
        "R0101",
        "there is no `@@jsn`",
    );
    check(
        "EXEC t.m @a = 1, @b = 2 3\n                        ^",
        "R0101",
        "expected `,` or the end of the value, found `3`",
    );
    check(
        "EXEC /*+ AWAITT */ t.m\n         ^^^^^^",
        "R0106",
        "there is no hint `AWAITT`",
    );
    check(
        "INSERT INTO t (a, b, a) VALUES (1, 2, 3)\n                     ^",
        "R0107",
        "the column `a` is named twice",
    );
    check(
        "UPDATE t SET a = 1, b.c = , d = 2\n                          ^",
        "R0101",
        "expected an expression, found `,`",
    );
    check(
        "SELECT @ FROM t\n       ^",
        "R0101",
        "expected an expression, found `@`",
    );
    check(
        "SHOW RESORCES IN x\n     ^^^^^^^^",
        "R0101",
        "SHOW does not know `RESORCES`",
    );
    check(
        "SELECT $0\n       ^^",
        "R0108",
        "a numbered placeholder is one of `$1` to `$65535`",
    );
}

#[test]
fn hints_name_what_was_meant() {
    let cases = [
        ("SELEC 1", "is `SELECT` meant?"),
        ("DELTE FROM t", "is `DELETE` meant?"),
        ("SHWO PROVIDERS", "is `SHOW` meant?"),
        ("UPDATE t STE a = 1", "is `STE` meant as `SET`?"),
        ("SELECT * FROM t WHER a = 1", "is `WHER` meant as `WHERE`?"),
        ("SELECT * FROM t ODER BY a", "is `ODER` meant as `ORDER`?"),
        ("SHOW METHOD IN a", "is `METHODS` meant?"),
        ("EXEC /*+ NO_WAIT */ t.m", "is `NOWAIT` meant?"),
        ("EXEC t.m @@jsonfile = 'x'", "is `@@json_file` meant?"),
        (
            "SELECT 1 FROM u\nDELETE FROM t",
            "is a `;` missing before `DELETE`?",
        ),
        ("CALL t.m(1)", "methods are called with EXEC"),
    ];
    for (text, expected) in cases {
        assert_eq!(first_fault(text).help.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn the_layout_is_the_house_layout() {
    let script = "USE azure;\nSELECT name\nFROM backup_instances\nWHER vaultName = 'x';";
    insta::assert_snapshot!(first_fault(script).render(script), @r"
    error[R0101]: expected the end of the statement or `;`, found `vaultName`
     4 | WHER vaultName = 'x';
       |      ^^^^^^^^^

    hint: is `WHER` meant as `WHERE`?
    ");
    let script = "PREPARE p AS\nDELETE FROM t";
    insta::assert_snapshot!(first_fault(script).render(script), @r"
    error[R0109]: PREPARE takes a query only
     2 | DELETE FROM t
       | ^^^^^^
       = a statement that changes something is read and checked each time it runs
    ");
}

#[test]
fn line_ends_of_every_kind_count() {
    for (script, line) in [
        ("SELECT 1\r\n,\r\n)", 3),
        ("SELECT 1 -- a\r,\r)", 3),
        ("SELECT 1\n,\n)", 3),
    ] {
        let rendered = first_fault(script).render(script);
        assert!(
            rendered.contains(&format!("\n {line} | )\n   | ^")),
            "{rendered}"
        );
    }
    // A comment ends at its line's end, also where lines end in a lone carriage return.
    let script = "SELECT 'a\rb' -- c\rFROM t; SELECT 2\r";
    let parsed = parse(script).unwrap_or_default();
    let texts: Vec<_> = parsed.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["SELECT 'a\rb' -- c\rFROM t", "SELECT 2"]);
}

/// Each message keeps the style of the house: lower case start or a keyword, no full stop, no foreign prefix.
#[test]
fn messages_have_the_style_of_the_house() {
    let texts = [
        "",
        ";",
        "SELECT",
        "SELECT 1 FROM",
        "SELECT * FROM t WHERE",
        "SELECT * FROM t GROUP",
        "SELECT * FROM t ORDER",
        "INSERT",
        "INSERT INTO",
        "INSERT INTO t",
        "INSERT INTO t (",
        "INSERT INTO t (a",
        "INSERT INTO t (a) VALUES",
        "INSERT INTO t (a) VALUES (",
        "UPDATE",
        "UPDATE t",
        "UPDATE t SET",
        "UPDATE t SET a",
        "UPDATE t SET a =",
        "DELETE",
        "DELETE FROM",
        "DELETE FROM t WHERE",
        "REPLACE",
        "REPLACE t",
        "REPLACE INTO",
        "EXEC",
        "EXEC t",
        "EXEC t.",
        "EXEC t.m @",
        "EXEC t.m @a",
        "EXEC t.m @a =",
        "EXEC t.m FOR",
        "EXEC t.m FOR EACH",
        "EXEC t.m FOR EACH (",
        "EXEC t.m FOR EACH (SELECT 1",
        "PREVIEW",
        "EXPLAIN",
        "EXPLAIN (",
        "EXPLAIN (FOO) SELECT 1",
        "SHOW",
        "SHOW METHODS IN",
        "SHOW INSERT",
        "SHOW EXEC",
        "SHOW CREATE",
        "SHOW TABLES LIKE",
        "DESCRIBE",
        "DESCRIBE METHOD",
        "USE",
        "SET",
        "SET a",
        "SET a =",
        "SET a = (",
        "RESET",
        "WITH",
        "WITH a",
        "WITH a AS",
        "WITH a AS (SELECT 1)",
        "CREATE",
        "CREATE VIEW",
        "CREATE VIEW v AS",
        "DROP",
        "DROP TABLE",
        "PREPARE",
        "PREPARE p AS",
        "SELECT 1 UNION",
        "SELECT CASE WHEN",
        "SELECT CAST(1",
        "SELECT 1 IN",
        "SELECT 1 BETWEEN 2",
        "SELECT * FROM (SELECT 1",
        "SELECT * FROM (EXEC t.m",
        "SELECT a.",
        "SELECT a..b",
        "SELECT U&'\\zz'",
        "SELECT E'\\u12'",
        "SELECT 1 ORDER BY LIMIT",
        "SELECT INTERVAL",
        "SELECT DATE 'x' 'y'",
        "SELECT x::",
        "SELECT #",
        "SELECT \\",
        "SELECT ~",
        "SELECT 1.2.3",
        "SELECT '😀' 😀",
        "( SELECT",
        ")",
        "(",
        "}",
        "SELECT 1 LIMIT",
        "SELECT 1 FETCH",
        "SELECT sum(x) OVER (",
        "SELECT [1",
        "SELECT {'a': ",
        "SELECT EXTRACT(FOO",
        "SELECT 1e",
        "SELECT 0x",
        "SELECT ._a",
    ];
    let codes: Vec<_> = CODES.iter().map(|(code, _)| *code).collect();
    for text in texts {
        let Err(fault) = parse(text) else { continue };
        let message = &fault.message;
        assert!(codes.contains(&fault.code), "{text}: {}", fault.code);
        assert!(
            !message.contains("sql parser error") && !message.contains("Expected"),
            "{text}: {message}"
        );
        assert!(
            !message.ends_with('.') && !message.contains("Line:"),
            "{text}: {message}"
        );
        let first: Vec<_> = message.chars().take(2).collect();
        assert!(
            !(first[0].is_ascii_uppercase() && first[1].is_ascii_lowercase()),
            "{text}: {message}"
        );
        assert!(
            fault
                .span
                .is_some_and(|span| span.end <= text.len() && span.start <= span.end),
            "{text}: {fault:?}"
        );
        assert!(!fault.render(text).is_empty());
    }
}

#[test]
fn a_piece_and_the_script_tell_the_same_fault() {
    let script = "SELECT 1;\n\n  SELECT * FORM x; SELECT 2";
    let pieces = split(script).unwrap_or_default();
    let alone = parse_piece(script, &pieces[1]).err();
    assert_eq!(alone, parse(script).err());
}
