//! The functions and operators as SQL computes them, over values that need no table.

use std::collections::HashMap;

use arrow::util::display::array_value_to_string;
use restable_spec::Registry;

use crate::{Engine, Settings, collect};

fn answer(sql: &str) -> Result<String, String> {
    let registry = Registry::open(vec![std::sync::Arc::new(restable_spec::Builtin)]).unwrap();
    let session = Engine::new(registry, HashMap::new())
        .session(Settings::default())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (batches, _) = runtime
        .block_on(collect(&session, sql))
        .map_err(|problem| problem.to_string())?;
    let mut cells = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                let null = column.is_null(row);
                cells.push(if null {
                    "NULL".to_owned()
                } else {
                    array_value_to_string(column, row).unwrap()
                });
            }
        }
    }
    Ok(cells.join("|"))
}

fn check(sql: &str, expected: &str) {
    assert_eq!(answer(sql).as_deref(), Ok(expected), "{sql}");
}

const J: &str = r#"(SELECT '{"a":{"b":"x","n":"7","t":true,"l":[1,2]},"s":5}'::text AS j) q"#;

#[test]
fn arrows_bind_tighter_than_comparison_and_concatenation() {
    check(
        &format!("SELECT j->'a'->>'b' = 'x', j->'a'->>'b' || '!', j->'a'->'l'->>1 FROM {J}"),
        "true|x!|2",
    );
    check(
        &format!("SELECT j->'a', j->'a'->'b', j->>'nope' FROM {J}"),
        r#"{"b":"x","n":"7","t":true,"l":[1,2]}|"x"|NULL"#,
    );
}

#[test]
fn all_ways_to_a_value_agree() {
    check(
        &format!(
            "SELECT q.j.a.b, j['a']['b'], j.a['b'], json_extract(j, '$.a.b'), json_get_text(j, 'a', 'b'), j['a']['l'][-1] FROM {J}"
        ),
        "x|x|x|x|x|2",
    );
}

#[test]
fn json_is_cast_to_the_number_it_meets() {
    check(
        &format!(
            "SELECT j->>'s' > 4, j.s + 1, j.a.n * 2, j.a.b > 1, j.a.t = true, j.s IN (5, 6), j.s BETWEEN 1 AND 9 FROM {J}"
        ),
        "true|6.0|14.0|NULL|true|true|true",
    );
}

#[test]
fn functions_over_json() {
    check(
        &format!(
            "SELECT json_array_length(j, 'a', 'l'), json_typeof(j, 'a'), json_keys(j, 'a'), json_valid('x'), json_elements(j, 'a', 'l') FROM {J}"
        ),
        "2|object|[b, n, t, l]|false|[1, 2]",
    );
    check(
        "SELECT json_extract(NULL, '$.a'), json_get_text('no json', 'a'), json_array_length('{}')",
        "NULL|NULL|NULL",
    );
    check(
        "SELECT unnest(json_elements('[1,{\"a\":2}]'))",
        "1|{\"a\":2}",
    );
}

#[test]
fn ids_compare_without_regard_to_case() {
    check(
        "SELECT arm_equal('/A/b', '/a/B'), arm_equal('a', NULL), arm_id('/subscriptions/S/resourceGroups/G', 'resourceGroupName') = 'g'",
        "true|NULL|true",
    );
    check(
        "SELECT arm_id('/subscriptions/S/resourceGroups/G', 'resource_group_name') IN ('x', 'G')",
        "true",
    );
}

const V: &str =
    "(SELECT arm_text(v) AS v FROM (VALUES ('ÜBUNG'), ('übung'), ('abc'), (NULL)) AS t(v)) q";

#[test]
fn only_ascii_folds_in_every_comparison() {
    for (condition, expected) in [
        ("v = 'ÜBUNG'", "ÜBUNG"),
        ("v = 'Übung'", "ÜBUNG"),
        ("v <> 'ÜBUNG'", "übung|abc"),
        ("v IS DISTINCT FROM 'ÜBUNG'", "übung|abc|NULL"),
        ("v IS NOT DISTINCT FROM 'Übung'", "ÜBUNG"),
        ("v IN ('üBUNG', 'ABC')", "übung|abc"),
        ("v NOT IN ('üBUNG', 'ABC')", "ÜBUNG"),
        ("v LIKE 'ü%'", "übung"),
        ("v LIKE 'A_C'", "abc"),
        ("v NOT LIKE 'ÜBUN%'", "übung|abc"),
        ("v IN (SELECT 'ÜbunG')", "ÜBUNG"),
        ("v NOT IN (SELECT 'ÜbunG')", "übung|abc"),
        ("v = ANY (SELECT 'ÜbunG')", "ÜBUNG"),
        ("v = 'A' || 'BC'", "abc"),
        ("v = 'ABC'::text", "abc"),
        ("v = (SELECT 'ABC')", "abc"),
        ("'ABC' IN ('x', v)", "abc"),
        ("'ABC' LIKE v", "abc"),
    ] {
        check(&format!("SELECT v FROM {V} WHERE {condition}"), expected);
    }
}

#[test]
fn what_is_plain_text_on_the_left_folds_for_ids_on_the_right() {
    const T: &str = "(VALUES ('ABC'), ('x')) AS t(w)";
    for (condition, expected) in [
        ("w IN (SELECT v FROM {V})", "ABC"),
        ("w NOT IN (SELECT v FROM {V} WHERE v IS NOT NULL)", "x"),
        ("w = ANY (SELECT v FROM {V})", "ABC"),
        ("w = (SELECT max(v) FROM {V} WHERE v = 'abc')", "ABC"),
        ("EXISTS (SELECT 1 FROM {V} WHERE v = w)", "ABC"),
    ] {
        let condition = condition.replace("{V}", V);
        check(&format!("SELECT w FROM {T} WHERE {condition}"), expected);
    }
}

#[test]
fn json_is_cast_wherever_it_meets_numbers_and_booleans() {
    check(
        &format!(
            "SELECT j.a.t IN (true), j.a.t IN (false, NULL), j.a.t NOT IN (false), 5.0 IN (j.s, j.a.n), \
             j.s IN ('5'), j.s IN (1, NULL), 6 BETWEEN j.s AND j.a.n FROM {J}"
        ),
        "true|NULL|true|true|true|NULL|true",
    );
    check(
        &format!(
            "SELECT j.s IS NOT DISTINCT FROM 5.0, j.s IS DISTINCT FROM 5.00, \
             j.a.b IS DISTINCT FROM 1 FROM {J}"
        ),
        "true|false|true",
    );
    check(
        &format!(
            "SELECT 1 FROM {J} WHERE j.s IN (SELECT 5.0) AND 5.0 IN (SELECT k.s FROM (SELECT j AS k FROM {J}) r)"
        ),
        "1",
    );
}

#[test]
fn views_keep_what_a_comparison_means() {
    let view = |condition: &str, expected: &str| {
        check(
            &format!(
                "CREATE VIEW w AS SELECT j FROM {J} WHERE {condition}; SELECT count(*) FROM w"
            ),
            expected,
        );
    };
    view("j.s IN (5.0, 6)", "1");
    view("j.a.b IN (1, 2)", "0");
    view("j.s BETWEEN 4.5 AND 5.5", "1");
    view("j.a.b IS DISTINCT FROM 1", "1");
    view("arm_text(j.a.b) = 'X' AND arm_text(j.a.b) LIKE 'X'", "1");
    check(
        &format!(
            "CREATE TABLE m AS SELECT j FROM {J} WHERE j.a.b IN (1, 2); SELECT count(*) FROM m"
        ),
        "0",
    );
}

#[test]
fn numbers_are_exact() {
    check(
        "SELECT 99999999999999999999, 0.1 + 0.2 = 0.3",
        "99999999999999999999|true",
    );
}

#[test]
fn wrong_calls_are_told() {
    for sql in [
        "SELECT json_extract('{}')",
        "SELECT json_extract('{}', '$..')",
        "SELECT arm_equal('a')",
    ] {
        assert!(answer(sql).is_err(), "{sql}");
    }
}

/// The scans of a statement's plan which take a predicate, as `table: predicates`.
fn narrowed(sql: &str) -> Vec<String> {
    let plan = answer(&format!("EXPLAIN {sql}")).unwrap();
    let scans = plan.lines().filter_map(|line| {
        let (table, predicates) = line.split_once("partial_filters=[")?;
        let table = table.split_once("TableScan: ")?.1;
        let table = table.split(' ').next()?.rsplit('.').next()?;
        let predicates = predicates.split_once(']')?.0;
        let table_of = format!("azure.data_protection.{table}.");
        let predicates = predicates
            .replace(&table_of, "")
            .replace("Utf8View", "")
            .replace("Utf8", "");
        Some(format!("{table}: {predicates}"))
    });
    scans.collect()
}

#[test]
fn predicates_reach_both_sides_of_a_join() {
    const I: &str = "azure.data_protection.backup_instances";
    const P: &str = "azure.data_protection.backup_policies";
    const V: &str = "azure.data_protection.backup_vaults";
    for (from, expected) in [
        (
            format!("{I} AS a LEFT JOIN {P} AS b USING (vaultName) WHERE b.vaultName = 'X'"),
            vec![
                "backup_instances: arm_equal(vaultname, (\"X\"))",
                "backup_policies: arm_equal(vaultname, (\"X\"))",
            ],
        ),
        (
            format!("{I} AS a JOIN {P} AS b USING (vaultName) WHERE a.vaultName = 'X'::text"),
            vec![
                "backup_instances: arm_equal(vaultname, (\"X\"))",
                "backup_policies: arm_equal(vaultname, (\"X\"))",
            ],
        ),
        (
            format!(
                "{I} AS a, {P} AS b WHERE b.vaultName IN ('X', 'y') AND a.vaultName = b.vaultName"
            ),
            vec![
                "backup_instances: arm_in(vaultname, (\"X\"), (\"y\"))",
                "backup_policies: arm_in(vaultname, (\"X\"), (\"y\"))",
            ],
        ),
        (
            format!(
                "{V} AS v JOIN {I} AS a ON a.vaultName = v.name JOIN {P} AS b ON b.vaultName = a.vaultName WHERE v.name = 'X'"
            ),
            vec![
                "backup_instances: arm_equal(vaultname, (\"X\"))",
                "backup_policies: arm_equal(vaultname, (\"X\"))",
            ],
        ),
        (
            // Of the side that is padded, what matches none of those rows is not wanted either.
            format!("{I} AS a LEFT JOIN {P} AS b USING (vaultName) WHERE a.vaultName = 'X'"),
            vec![
                "backup_instances: arm_equal(vaultname, (\"X\"))",
                "backup_policies: arm_equal(vaultname, (\"X\"))",
            ],
        ),
        (
            format!(
                "{I} AS a LEFT JOIN {P} AS b ON a.vaultName = b.vaultName AND b.vaultName = 'X'"
            ),
            vec!["backup_policies: arm_equal(vaultname, (\"X\"))"],
        ),
        (
            // It binds nothing, and is asked of the vaults as they are listed.
            format!("{I} AS a JOIN {P} AS b USING (vaultName) WHERE a.vaultName <> 'X'"),
            vec!["backup_instances: arm_fold(vaultname) != (\"x\")"],
        ),
    ] {
        assert_eq!(
            narrowed(&format!("SELECT 1 FROM {from}")),
            expected,
            "{from}"
        );
    }
}
