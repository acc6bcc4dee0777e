//! Pages to batches.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Field, Float64Type, Int64Type, Schema};
use bytes::Bytes;
use restable_spec::{Items, Kind, Response};

use crate::decode::{Column, Decoder, Source};
use crate::identity::{Identity, Spellings};
use crate::table::data_type;

fn response(items: Items) -> Response {
    Response {
        items,
        next_link: Some("nextLink".to_owned()),
        flatten: false,
        scalar_rows: false,
        row_schema: None,
        schema: None,
        fields: Vec::new(),
        statuses: vec![200],
    }
}

fn decoder(columns: &[(&str, Kind)], response: &Response) -> Decoder {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, kind)| Field::new(*name, data_type(*kind), true))
        .collect();
    let columns = columns.iter().map(|(name, kind)| Column {
        source: Source::Field((*name).to_owned()),
        kind: *kind,
    });
    Decoder::new(
        Arc::new(Schema::new(fields)),
        columns.collect(),
        response,
        None,
    )
}

fn list() -> Response {
    response(Items::At("value".to_owned()))
}

#[test]
fn values_of_every_kind_keep_their_content() {
    let columns = [
        ("t", Kind::Text),
        ("j", Kind::Json),
        ("i", Kind::Integer),
        ("n", Kind::Number),
        ("b", Kind::Boolean),
    ];
    let body = r#"{"value":[
        {"t":"a\"é\n","j":{"x": [1, 2]},"i":9007199254740993,"n":14.0,"b":true,"other":{"deep":[1]}},
        {"t":12345678901234567890123,"j":"s","i":14.0,"n":1,"b":"False"},
        {"t":null,"i":null}],"nextLink":"https://x/?a=b%3D"}"#;
    let page = decoder(&columns, &list()).read(&Bytes::from(body)).unwrap();
    assert_eq!(page.row_count, 3);
    assert_eq!(page.next.as_deref(), Some("https://x/?a=b%3D"));
    let batch = page.rows;
    let texts: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(
        texts,
        [Some("a\"é\n"), Some("12345678901234567890123"), None]
    );
    let json: Vec<_> = batch.column(1).as_string::<i32>().iter().collect();
    assert_eq!(json, [Some("{\"x\": [1, 2]}"), Some("\"s\""), None]);
    let integers: Vec<_> = batch.column(2).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(integers, [Some(9_007_199_254_740_993), Some(14), None]);
    let numbers: Vec<_> = batch
        .column(3)
        .as_primitive::<Float64Type>()
        .iter()
        .collect();
    assert_eq!(numbers, [Some(14.0), Some(1.0), None]);
    let booleans: Vec<_> = batch.column(4).as_boolean().iter().collect();
    assert_eq!(booleans, [Some(true), Some(false), None]);
}

#[test]
fn a_value_that_does_not_fit_names_item_and_path() {
    for (body, path, part) in [
        (
            r#"{"value":[{"i":1},{"i":"x"}]}"#,
            "$.i",
            "no 64-bit integer",
        ),
        (
            r#"{"value":[{"i":1},{"i":99999999999999999999}]}"#,
            "$.i",
            "no 64-bit integer",
        ),
        (
            r#"{"value":[{"i":1},{"i":1.5}]}"#,
            "$.i",
            "no 64-bit integer",
        ),
    ] {
        let problem = decoder(&[("i", Kind::Integer)], &list())
            .read(&Bytes::from(body))
            .unwrap_err();
        assert_eq!(
            (problem.path.as_str(), problem.item),
            (path, Some(1)),
            "{body}"
        );
        assert!(problem.message.contains(part), "{}", problem.message);
    }
}

#[test]
fn what_is_no_page_is_an_error_and_never_an_empty_page() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        r#"{"value":[1]}"#,
        r#"{"value":[{}]"#,
        r#"{"value":[]} trailing"#,
        r#"{"error":{"code":"X","message":"m"}}"#,
        "<html></html>",
        "\u{feff}{\"value\":[]}",
    ] {
        assert!(
            decoder(&[("t", Kind::Text)], &list())
                .read(&Bytes::from(body))
                .is_err(),
            "{body}"
        );
    }
    let problem = decoder(&[], &list())
        .read(&Bytes::from(r#"{"error":{"code":"X"}}"#))
        .unwrap_err();
    assert!(
        problem.message.contains("\"code\":\"X\""),
        "{}",
        problem.message
    );
    assert!(
        decoder(&[], &list())
            .read(&Bytes::from_static(&[0xff, 0xfe]))
            .is_err()
    );
}

#[test]
fn rows_without_columns_are_counted() {
    let page = decoder(&[], &list())
        .read(&Bytes::from(r#"{"value":[{"a":1},{}]}"#))
        .unwrap();
    assert_eq!(
        (
            page.row_count,
            page.rows.num_rows(),
            page.rows.num_columns()
        ),
        (2, 2, 0)
    );
}

#[test]
fn flattened_rows_take_properties_and_the_row_wins() {
    let mut flat = list();
    flat.flatten = true;
    let columns = [
        ("name", Kind::Text),
        ("state", Kind::Text),
        ("info", Kind::Json),
    ];
    let body = r#"{"value":[{"name":"row","properties":{"name":"inner","state":"On","info":{"a":1}}},{"properties":null,"name":"b"}]}"#;
    let batch = decoder(&columns, &flat)
        .read(&Bytes::from(body))
        .unwrap()
        .rows;
    let column = |at: usize| {
        batch
            .column(at)
            .as_string::<i32>()
            .iter()
            .map(|it| it.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(column(0), [Some("row".to_owned()), Some("b".to_owned())]);
    assert_eq!(column(1), [Some("On".to_owned()), None]);
    assert_eq!(column(2), [Some("{\"a\":1}".to_owned()), None]);
}

#[test]
fn parameters_come_from_the_id_and_have_one_spelling() {
    let template = "/subscriptions/{subscriptionId}/resourceGroups/{group}/vaults/{vaultName}";
    let identity = Arc::new(Identity::new(template, Arc::new(Spellings::default())).unwrap());
    let schema = Arc::new(Schema::new(vec![
        Field::new("group", data_type(Kind::Text), true),
        Field::new("vault", data_type(Kind::Text), true),
        Field::new("version", data_type(Kind::Text), true),
    ]));
    let column = |source| Column {
        source,
        kind: Kind::Text,
    };
    let columns = vec![
        column(Source::Identity(1, Some(Arc::from("called")))),
        column(Source::Identity(2, None)),
        column(Source::Constant(Some(Arc::from("2026-06-01")))),
    ];
    let decoder = Decoder::new(schema, columns, &list(), Some(identity));
    let body = r#"{"value":[{"id":"/subscriptions/S/resourcegroups/RG/Vaults/V1"},{"id":"/subscriptions/s/resourceGroups/rg/vaults/v2"},{"id":"other"},{}]}"#;
    let batch = decoder.read(&Bytes::from(body)).unwrap().rows;
    let column = |at: usize| {
        batch
            .column(at)
            .as_string::<i32>()
            .iter()
            .map(|it| it.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let texts = |values: [Option<&str>; 4]| values.map(|value| value.map(str::to_owned)).to_vec();
    assert_eq!(
        column(0),
        texts([Some("RG"), Some("RG"), Some("called"), Some("called")])
    );
    assert_eq!(column(1), texts([Some("V1"), Some("v2"), None, None]));
    assert_eq!(column(2), texts([Some("2026-06-01"); 4]));
}

#[test]
fn an_id_is_taken_apart_alike_whatever_row_came_before() {
    let template = "/subscriptions/{subscriptionId}/vaults/{vaultName}/instances/{name}";
    let names = ["subscriptionId", "vaultName", "name"];
    let fields = names.map(|name| Field::new(name, data_type(Kind::Text), true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let columns = [0, 1, 2].map(|part| Column {
        source: Source::Identity(part, Some(Arc::from("called"))),
        kind: Kind::Text,
    });
    let texts = |rows: &[&str], spellings: &Arc<Spellings>| {
        let identity = Identity::new(template, Arc::clone(spellings)).unwrap();
        let identity = Some(Arc::new(identity));
        let decoder = Decoder::new(Arc::clone(&schema), columns.to_vec(), &list(), identity);
        let body = Bytes::from(format!(r#"{{"value":[{}]}}"#, rows.join(",")));
        let batch = decoder.read(&body).unwrap().rows;
        (0..batch.num_rows())
            .map(|row| {
                let columns = batch.columns().iter();
                let texts = columns.map(|column| column.as_string::<i32>().value(row).to_owned());
                texts.collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    let rows = [
        r#"{"id":"/subscriptions/s/vaults/v1/instances/a"}"#,
        r#"{"id":"/subscriptions/s/vaults/v1/instances/b"}"#,
        r#"{"id":"/subscriptions/s/vaults/v1/instances/c/"}"#,
        r#"{"id":"/subscriptions/s/vaults/v1/instances/"}"#,
        r#"{"id":"/subscriptions/s/vaults/v1/instances/d/e"}"#,
        r#"{"id":"/Subscriptions/S/vaults/V1/instances/B"}"#,
        r#"{"id":"/subscriptions/s/vaults/v2/instances/b"}"#,
        r#"{"id":"\/subscriptions/s/vaults/v2/instances/\u0062"}"#,
        r#"{"id":"/subscriptions/s/vaults/v1"}"#,
        "{}",
    ];
    for first in rows {
        for second in rows {
            for third in rows {
                let (one, other) = (
                    Arc::new(Spellings::default()),
                    Arc::new(Spellings::default()),
                );
                let page = texts(&[first, second, third], &one);
                let alone = [first, second, third].map(|row| texts(&[row], &other).remove(0));
                assert_eq!(page, alone, "{first} {second} {third}");
            }
        }
    }
}

#[test]
fn one_row_and_scalar_rows() {
    let one = decoder(&[("a", Kind::Text)], &response(Items::One))
        .read(&Bytes::from(r#"{"a":"x"}"#))
        .unwrap();
    assert_eq!((one.row_count, one.next), (1, None));
    let mut scalars = response(Items::Array);
    scalars.scalar_rows = true;
    let batch = decoder(&[("value", Kind::Text)], &scalars)
        .read(&Bytes::from(r#"["a",2]"#))
        .unwrap()
        .rows;
    assert_eq!(
        batch
            .column(0)
            .as_string::<i32>()
            .iter()
            .collect::<Vec<_>>(),
        [Some("a"), Some("2")]
    );
}

#[test]
fn the_link_of_a_page_is_seen_before_the_page_is_read() {
    let decoder = decoder(&[("name", Kind::Text)], &list());
    let long = format!(
        r#"{{"value":[],"nextLink":"https://h/{}"}}"#,
        "x".repeat(9000)
    );
    for (body, seen) in [
        (
            r#"{"value":[{"name":"a"}],"nextLink":"https://h/?a=b%3D\u0026c"}"#,
            Some("https://h/?a=b%3D&c"),
        ),
        (
            "{ \"nextLink\" : \"https://h/2\" , \"value\":[]}",
            Some("https://h/2"),
        ),
        (
            "{\"value\":[] , \"nextLink\" : \"https://h/2\" }\n",
            Some("https://h/2"),
        ),
        (r#"{"value":[{"nextLink":"https://h/inner"}]}"#, None),
        (
            r#"{"value":[{"name":"a,\"nextLink\":\"https://h/inner\"}"}]}"#,
            None,
        ),
        (
            r#"{"value":[{"name":",","nextLink":"https://h/inner"}],"nextLink":"https://h/2"}"#,
            Some("https://h/2"),
        ),
        (r#"{"value":[],"nextLink":null}"#, None),
        (r#"{"value":[],"nextLink":"https://h/2","count":1}"#, None),
        (long.as_str(), None),
        ("", None),
        ("{", None),
    ] {
        let bytes = Bytes::from(body.to_owned());
        assert_eq!(decoder.next_link(&bytes).as_deref(), seen, "{body}");
        // What is seen is what the page says.
        if let (Some(seen), Ok(page)) = (seen, decoder.read(&bytes)) {
            assert_eq!(page.next.as_deref(), Some(seen));
        }
    }
}
