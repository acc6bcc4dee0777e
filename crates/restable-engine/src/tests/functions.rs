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
