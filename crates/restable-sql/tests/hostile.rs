//! Texts that are long, deep, odd or broken: each has an answer or a diagnostic, on a thread with the stack that a
//! thread has (2 MiB), and never a panic or an abort.

use restable_sql::{completeness, parse, parse_piece, split};

/// "ok" for an answer, else the code of the fault.
fn outcome(text: &str) -> &'static str {
    match parse(text) {
        Ok(parsed) => {
            // Whoever holds a statement may copy and drop it, on the stack that a thread has.
            drop(parsed.clone());
            "ok"
        }
        Err(fault) => {
            let shown = fault.render(text);
            assert!(shown.len() < 2_000, "{} bytes", shown.len());
            fault.code
        }
    }
}

fn check(name: &'static str, text: String, expected: &'static str) {
    let worker = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || {
            let _ = completeness(&text);
            // Whoever holds a statement may copy, compare and drop it.
            if let Ok(parsed) = parse(&text) {
                assert!(parsed.clone() == parsed);
            }
            outcome(&text)
        });
    let found = worker
        .map_err(|error| error.to_string())
        .and_then(|worker| worker.join().map_err(|_| "panic".into()));
    assert_eq!(found.as_deref(), Ok(expected), "{name}");
}

fn repeated(begin: &str, part: &str, times: usize, middle: &str, end: &str) -> String {
    format!("{begin}{}{middle}{}", part.repeat(times), end.repeat(times))
}

fn numbered(times: usize, part: impl Fn(usize) -> String, joint: &str) -> String {
    (0..times).map(part).collect::<Vec<_>>().join(joint)
}

#[test]
fn long_texts() {
    check("no statement", " ; ;; ".to_owned(), "ok");
    check("10,000 semicolons", ";".repeat(10_000), "ok");
    check(
        "text of 1 MiB",
        format!("SELECT '{}'", "x".repeat(1 << 20)),
        "R0150",
    );
    check(
        "text of 0.9 MiB",
        format!("SELECT '{}'", "x".repeat(900_000)),
        "ok",
    );
    check(
        "statement of 10 MiB",
        format!("SELECT '{}'", "x".repeat(10 << 20)),
        "R0150",
    );
    check(
        "2 MiB with semicolons",
        format!("SELECT '{}'", "x;".repeat(1 << 20)),
        "R0150",
    );
    check("script of 17 MiB", "SELECT 1;\n".repeat(1_800_000), "R0150");
    check(
        "IN of 10,000",
        format!(
            "SELECT 1 WHERE x IN ({})",
            numbered(10_000, |n| n.to_string(), ",")
        ),
        "ok",
    );
    check(
        "IN of 100,000",
        format!(
            "SELECT 1 WHERE x IN ({})",
            numbered(100_000, |n| n.to_string(), ",")
        ),
        "ok",
    );
    check(
        "10,000 columns",
        format!("SELECT {}", numbered(10_000, |n| format!("c{n}"), ",")),
        "ok",
    );
    check(
        "30,000 rows",
        format!(
            "INSERT INTO t (a) VALUES {}",
            numbered(30_000, |n| format!("({n})"), ",")
        ),
        "ok",
    );
    check(
        "10,000 assignments",
        format!(
            "UPDATE t SET {}",
            numbered(10_000, |n| format!("c{n}={n}"), ",")
        ),
        "ok",
    );
    check(
        "10,000 arguments",
        format!(
            "EXEC t.m {}",
            numbered(10_000, |n| format!("@c{n}={n}"), ",")
        ),
        "ok",
    );
    check(
        "200 cross joins",
        format!("SELECT * FROM t{}", " CROSS JOIN t".repeat(200)),
        "ok",
    );
    let ctes = numbered(
        1_000,
        |n| format!("c{n} AS (SELECT * FROM c{})", n + 1),
        ",",
    );
    check("1,000 CTEs", format!("WITH {ctes} SELECT 1"), "ok");
    check(
        "10,000 %",
        format!("SELECT 'a' LIKE '{}'", "%".repeat(10_000)),
        "ok",
    );
    check("1,000 statements", "SELECT 1;\n".repeat(1_000), "ok");
}

#[test]
fn long_chains() {
    for (terms, expected) in [
        (100, "ok"),
        (251, "ok"),
        (252, "R0152"),
        (2_000, "R0152"),
        (20_000, "R0152"),
        (200_000, "R0152"),
    ] {
        check(
            "1+1+…",
            format!("SELECT 1{}", "+1".repeat(terms - 1)),
            expected,
        );
    }
    check(
        "OR of equalities",
        format!(
            "SELECT {}",
            numbered(20_000, |n| format!("x = {n}"), " OR ")
        ),
        "ok",
    );
    check(
        "OR of columns",
        format!(
            "SELECT {}",
            numbered(20_000, |n| format!("x{n} = {n}"), " OR ")
        ),
        "ok",
    );
    check(
        "AND",
        format!(
            "SELECT {}",
            numbered(20_000, |n| format!("x <> {n}"), " AND ")
        ),
        "ok",
    );
    check(
        "OR of AND",
        format!(
            "SELECT {}",
            numbered(10_000, |n| format!("a = {n} AND b"), " OR ")
        ),
        "ok",
    );
    check(
        "||",
        repeated("SELECT ''", " || 'a'", 20_000, "", ""),
        "R0152",
    );
    check("=", repeated("SELECT 1", " = 1", 20_000, "", ""), "R0152");
    check(
        "IS NULL",
        repeated("SELECT 1", " IS NULL", 20_000, "", ""),
        "R0152",
    );
    check(
        "::int",
        repeated("SELECT 1", "::int", 20_000, "", ""),
        "R0152",
    );
    check("->", repeated("SELECT a", "->'k'", 20_000, "", ""), "R0152");
    check(
        "BETWEEN",
        repeated("SELECT 1", " BETWEEN 1 AND 2", 20_000, "", ""),
        "R0152",
    );
    check(
        "mixed",
        repeated("SELECT 1", "+1=1 IS NULL", 20_000, "", ""),
        "R0152",
    );
    check(
        "keywords as names",
        repeated("SELECT end", "+end", 20_000, "", ""),
        "R0152",
    );
    check(
        "subscripts",
        repeated("SELECT a", "[1]", 20_000, "", ""),
        "R0151",
    );
    check(
        "dotted",
        repeated("SELECT a", ".b", 20_000, "", ""),
        "R0151",
    );
    check(
        "types",
        repeated("SELECT x::int", "[]", 20_000, "", ""),
        "R0151",
    );
    check(
        "1,000 UNION ALL",
        repeated("SELECT 1", " UNION ALL SELECT 1", 1_000, "", ""),
        "ok",
    );
    check(
        "10,000 UNION ALL",
        repeated("SELECT 1", " UNION ALL SELECT 1", 10_000, "", ""),
        "R0153",
    );
    check(
        "PIVOT",
        repeated(
            "SELECT * FROM t",
            " PIVOT(sum(a) FOR b IN (1))",
            5_000,
            "",
            "",
        ),
        "R0151",
    );
    check(
        "chains in chains",
        repeated("SELECT ", "(", 60, "1", &format!("{})", "+1".repeat(200))),
        "R0151",
    );
    check(
        "short chains in chains",
        repeated("SELECT ", "(", 60, "1", &format!("{})", "+1".repeat(15))),
        "R0151",
    );
    check(
        "EXCEPT",
        repeated("SELECT 1", " EXCEPT SELECT 1", 100, "", ""),
        "R0151",
    );
    check(
        "chains on the right",
        repeated("SELECT ", "1+(", 60, "1", &format!("{})", "+1".repeat(200))),
        "R0151",
    );
}

#[test]
fn deep_texts() {
    for (depth, expected) in [
        (50, "ok"),
        (64, "ok"),
        (65, "R0151"),
        (1_000, "R0151"),
        (100_000, "R0151"),
    ] {
        check(
            "parentheses",
            repeated("SELECT ", "(", depth, "1", ")"),
            expected,
        );
    }
    check("calls", repeated("SELECT ", "f(", 1_000, "1", ")"), "R0151");
    check(
        "named arguments",
        repeated("SELECT ", "f(a=>", 60, "1", ")"),
        "ok",
    );
    check(
        "subqueries",
        repeated("SELECT ", "(SELECT ", 1_000, "1", ")"),
        "R0151",
    );
    check(
        "20 subqueries in FROM",
        repeated("", "SELECT * FROM (", 20, "SELECT 1", ") x"),
        "ok",
    );
    check(
        "CASE",
        repeated("SELECT ", "CASE WHEN true THEN ", 1_000, "1", " END"),
        "R0151",
    );
    check(
        "50 CASE",
        repeated("SELECT ", "CASE WHEN true THEN ", 50, "1", " END"),
        "ok",
    );
    check(
        "NOT",
        repeated("SELECT ", "NOT ", 10_000, "true", ""),
        "R0151",
    );
    check("minus", repeated("SELECT ", "- ", 10_000, "1", ""), "R0151");
    check(
        "INTERVAL",
        repeated("SELECT ", "INTERVAL ", 50_000, "'1' day", ""),
        "R0151",
    );
    check(
        "ARRAY<",
        repeated("SELECT CAST(x AS ", "ARRAY<", 50_000, "int", ">"),
        "R0151",
    );
    check(
        "comments",
        repeated("", "/*", 10_000, "", "*/ ") + "SELECT 1",
        "ok",
    );
    check(
        "structs",
        repeated("SELECT ", "{'a': ", 1_000, "1", "}"),
        "R0151",
    );
    check(
        "EXPLAIN",
        repeated("", "EXPLAIN ", 10_000, "SELECT 1", ""),
        "R0109",
    );
    check(
        "PREVIEW",
        repeated("", "PREVIEW ", 10_000, "SELECT 1", ""),
        "R0109",
    );
    check(
        "PREPARE",
        repeated("", "PREPARE p AS ", 1_000, "SELECT 1", ""),
        "R0109",
    );
    check(
        "25 subqueries",
        repeated("SELECT 1", " WHERE x IN (SELECT 1 FROM t", 25, "", ")"),
        "ok",
    );
    check(
        "60 subqueries",
        repeated("SELECT 1", " WHERE x IN (SELECT 1 FROM t", 60, "", ")"),
        "R0151",
    );
    check(
        "EXEC in EXEC",
        repeated(
            "SELECT * FROM ",
            "(EXEC t.m @a = (SELECT * FROM ",
            30,
            "t",
            ")) x",
        ),
        "ok",
    );
    check(
        "sqlparser 216",
        "SELECT @ FROM(((((((((SELECT".to_owned(),
        "R0101",
    );
    for open in [
        "(",
        "SELECT * FROM (",
        "SELECT (",
        "[",
        "{",
        "f(",
        "CASE ",
        "(SELECT ",
        "NOT (",
        "a IN (",
        "(a, ",
    ] {
        let found = parse(&repeated("SELECT ", open, 60, "", ""));
        assert!(found.is_err(), "{open}");
    }
}

/// Nested brackets in FROM are ambiguous (a join or a query); the parser tries both.
#[test]
fn ambiguous_texts_take_no_time_that_grows_with_the_power() {
    for depth in [10, 20, 40, 60] {
        check(
            "FROM (((x)))",
            repeated("SELECT * FROM ", "(", depth, "x", ")"),
            "ok",
        );
        check(
            "FROM (((x JOIN y",
            repeated("SELECT * FROM ", "(", depth, "x JOIN y ON true", ") z"),
            "ok",
        );
        check(
            "FROM (((",
            repeated("SELECT * FROM ", "(", depth, "", ""),
            "R0101",
        );
        let nested = if depth > 25 { "R0151" } else { "ok" };
        check(
            "FROM (((SELECT 1",
            repeated("SELECT * FROM ", "(", depth, "SELECT 1", ")"),
            nested,
        );
        check(
            "FROM (((SELECT 1 +",
            repeated("SELECT * FROM ", "(", depth, "SELECT 1 +", ")"),
            "R0101",
        );
        check(
            "((SELECT",
            repeated("", "(", depth, "SELECT 1", ") UNION SELECT 2"),
            nested,
        );
    }
}

#[test]
fn odd_texts() {
    for (text, expected) in [
        ("SELECT 1\0", "R0103"),
        ("\u{feff}SELECT 1", "ok"),
        ("SELECT \u{feff}1", "R0101"),
        ("SELECT 1\u{2028}, 2", "ok"),
        ("SELECT \"\"", "ok"),
        (
            "SELECT 1 AS \"😀\", \"\u{202e}\" FROM \"select\", \"..\", \"a.b\".c",
            "ok",
        ),
        ("SELECT \u{202e}", "R0101"),
        ("SELECT generate_series(1, 9876543210)", "ok"),
        ("SELECT 1 LIMIT -1", "ok"),
        ("SELECT 1 LIMIT 1e18 OFFSET 99999999999999999999", "ok"),
        ("SELECT 1 LIMIT NULL", "ok"),
        ("SELECT 1/0, 9223372036854775808, DATE '0000-00-00'", "ok"),
        ("SELECT x ~ '(a*)*b', x SIMILAR TO 'x{1000}{1000}'", "ok"),
        ("SELECT 1; DELETE FROM t WHERE a = 1", "ok"),
        ("SELECT 1\nSELECT 2", "R0101"),
        ("SET read_only = off", "ok"),
        (
            "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r",
            "ok",
        ),
    ] {
        check("odd", text.to_owned(), expected);
    }
    for length in [1, 63, 64, 10_000] {
        check("long name", format!("SELECT {}", "a".repeat(length)), "ok");
    }
}

/// Cuts, doubles, swaps and inserts pieces of good statements; every result has an answer or a fault whose place lies in
/// the text and can be shown, and the pieces of the text agree with the whole.
#[test]
fn mutated_statements_never_panic() {
    const SEEDS: [&str; 9] = [
        "SELECT a, b->'c'->>'d' AS x FROM t AS u JOIN v ON u.i = v.i WHERE x = :p AND api-version = '1' OR y IN (1, 2) ORDER BY 1 LIMIT 3;",
        "EXEC /*+ AWAIT_JOB */ a.b.c.m @a = 'ä', @\"b-c\".d = (SELECT 1) @@json = '{\"a\": 1}' FOR EACH (SELECT id FROM t) AS x;",
        "INSERT INTO a.b.c (s, data__p, x.y) VALUES (1, $1, ?), (2, 'x', NULL) ON CONFLICT DO NOTHING RETURNING *; SELECT 1",
        "UPDATE t SET a = a + 1, b.c = NULL WHERE id = '日本' RETURNING id -- done\n; DELETE FROM t x WHERE x.a BETWEEN 1 AND 2",
        "SHOW EXTENDED METHODS IN a.b.c LIKE 'x%'; DESCRIBE METHOD EXTENDED a.b.m; USE a.b; SET x.y TO 'z', -1; RESET ALL",
        "WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r) SELECT CASE WHEN n > 1 THEN 'a' ELSE $$b$$ END FROM r",
        "EXPLAIN (ANALYZE, FORMAT json) SELECT sum(x) OVER (PARTITION BY a ORDER BY b ROWS 1 PRECEDING) FROM (EXEC t.m @k = 'v') e",
        "PREVIEW REPLACE t SET a = E'\\n', b = {'k': [1, 2]} WHERE c = m['x'][1:2] AND tags ? 'k' AND p @> '{}'",
        "CREATE OR REPLACE VIEW v AS SELECT * EXCLUDE (a) FROM t, LATERAL (SELECT 1) l GROUP BY ROLLUP (a) HAVING count(*) FILTER (WHERE b) > 1",
    ];
    const INSERTS: [&str; 24] = [
        "'",
        "\"",
        "`",
        "/*",
        "*/",
        "--",
        "$$",
        "(",
        ")",
        ";",
        "@",
        "@@",
        ":",
        "::",
        "?",
        "\0",
        "😀",
        "\u{202e}",
        "\r",
        " NOT ",
        " SELECT ",
        " FOR EACH ",
        ".",
        ",",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap_or(0)
    };
    for round in 0..3_000 {
        let mut characters: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        for _ in 0..=next(3) {
            let (one, other) = (next(characters.len()), next(characters.len()));
            let (from, to) = (one.min(other), one.max(other).min(one.min(other) + 12));
            match next(4) {
                0 => drop(characters.drain(from..to)),
                1 => {
                    let copy = characters[from..to].to_vec();
                    characters.splice(one..one, copy);
                }
                2 if !characters.is_empty() => characters.swap(one, other),
                _ => drop(characters.splice(one..one, INSERTS[next(INSERTS.len())].chars())),
            }
        }
        let text: String = characters.into_iter().collect();
        let whole = parse(&text);
        if let Err(fault) = &whole {
            assert!(
                fault
                    .span
                    .is_none_or(|span| span.start <= span.end && span.end <= text.len()),
                "{text:?}: {fault:?}"
            );
            assert!(
                fault
                    .span
                    .is_none_or(|span| text.is_char_boundary(span.start)),
                "{text:?}: {fault:?}"
            );
            let _ = fault.render(&text);
        }
        let pieces = split(&text).unwrap_or_default();
        let apart: Result<Vec<_>, _> = pieces
            .iter()
            .map(|piece| parse_piece(&text, piece))
            .collect();
        assert_eq!(whole, apart, "{text:?}");
        let _ = completeness(&text);
    }
}
