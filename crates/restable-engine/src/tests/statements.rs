//! Statements that need no provider: what SQL means that others often get wrong.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use restable_spec::Registry;

use crate::{Engine, Settings, collect};

fn check(sql: &str, expected: &str) {
    let registry = Registry::open(vec![Arc::new(restable_spec::Builtin)]).unwrap();
    let session = Engine::new(registry, HashMap::new())
        .session(Settings::default())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (batches, _) = runtime.block_on(collect(&session, sql)).unwrap();
    let cells = batches
        .iter()
        .flat_map(|batch| batch.columns())
        .map(|column| array_value_to_string(column, 0).unwrap());
    assert_eq!(cells.collect::<Vec<_>>().join("|"), expected, "{sql}");
}

#[test]
fn now_is_the_time_of_the_statement() {
    check(
        "SELECT now() = now(), now() > '2020-01-01'::timestamptz, current_date > '2020-01-01'::date",
        "true|true|true",
    );
}

#[test]
fn is_distinct_from_binds_like_a_comparison() {
    check(
        "SELECT true IS DISTINCT FROM false OR true, 1 IS NOT DISTINCT FROM 2 AND false, NULL IS DISTINCT FROM 1",
        "true|false|true",
    );
    check(
        "SELECT 1 + 1 IS NOT DISTINCT FROM 2, NOT 1 IS DISTINCT FROM 1",
        "true|true",
    );
}

#[test]
fn windows_over_all_rows_count_for_the_memory() {
    let registry = Registry::open(vec![Arc::new(restable_spec::Builtin)]).unwrap();
    let mut settings = Settings::default();
    settings.memory_limit = Some(16 << 20);
    let session = Engine::new(registry, HashMap::new())
        .session(settings)
        .unwrap();
    // Each row is there twice, and with its answer.
    // Of several threads, as in the program: the window is computed on one that others need not wait for.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let sum = |rows: u32| {
        let sql = format!(
            "SELECT count(*), max(total) FROM (SELECT sum(value) OVER () AS total FROM generate_series(1, {rows})) t"
        );
        runtime.block_on(collect(&session, &sql))
    };
    let (batches, _) = sum(100_000).unwrap();
    let cells = batches[0].columns().iter();
    let cells = cells.map(|column| array_value_to_string(column, 0).unwrap());
    assert_eq!(cells.collect::<Vec<_>>().join("|"), "100000|5000050000");
    let problem = sum(1_500_000).unwrap_err();
    assert!(problem.to_string().contains("more memory"), "{problem}");
}

#[test]
fn a_number_that_a_client_gives_is_no_place_in_the_list() {
    use arrow::datatypes::DataType;

    use crate::parameters::{Bound, Parameter};

    let registry = Registry::open(vec![Arc::new(restable_spec::Builtin)]).unwrap();
    let session = Engine::new(registry, HashMap::new())
        .session(Settings::default())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let rows = |sql: &str| {
        let parsed = restable_sql::parse(sql).unwrap().remove(0);
        let given = Parameter {
            kind: DataType::Int64,
            value: Bound::One("1".to_owned()),
        };
        runtime.block_on(async {
            let prepared = session.prepare_with(&parsed, vec![given]).await.unwrap();
            let crate::Outcome::Rows(mut rows) = session.run(prepared).await.unwrap() else {
                panic!("no rows");
            };
            let mut all = Vec::new();
            while let Some(batch) = rows.next().await {
                let batch = batch.unwrap();
                let cells = (0..batch.num_rows())
                    .map(|row| array_value_to_string(batch.column(0), row).unwrap());
                all.extend(cells);
            }
            all
        })
    };
    let of = "FROM (VALUES (2, 'a'), (1, 'b')) t(x, y)";
    // All rows are one group.
    assert_eq!(rows(&format!("SELECT count(*) {of} GROUP BY $1")), ["2"]);
    assert_eq!(rows(&format!("SELECT x {of} ORDER BY $1, y")), ["2", "1"]);
}

#[test]
fn places_and_lengths_are_numbers_where_a_client_asks() {
    use arrow::datatypes::DataType::{Int32, Utf8};

    let registry = Registry::open(vec![Arc::new(restable_spec::Builtin)]).unwrap();
    let session = Engine::new(registry, HashMap::new())
        .session(Settings::default())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sql = "SELECT substring($1 FROM $2 FOR $3), left($4, $5), 'x'::uuid";
    let parsed = restable_sql::parse(sql).unwrap().remove(0);
    let described = runtime.block_on(session.describe(&parsed, &[])).unwrap();
    assert_eq!(described.parameters, [Utf8, Int32, Int32, Utf8, Int32]);
    let columns = described.columns.unwrap();
    let oid = columns
        .field(2)
        .metadata()
        .get(crate::functions::OID_METADATA);
    assert_eq!(oid.map(String::as_str), Some("2950"));
}
