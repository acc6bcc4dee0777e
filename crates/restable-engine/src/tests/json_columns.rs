//! Paths into JSON, decoded with a page: the quick reader, the careful one and the functions over JSON text agree, on random pages.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use restable_spec::{Items, Kind, Response};

use crate::decode::{Column, Decoder, Source};
use crate::json::{Form, JsonPath, Step, find, path, text};
use crate::table::data_type;

/// A small generator of its own, so that a failure can be repeated by its number.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[usize::try_from(self.below(values.len() as u64)).unwrap()]
    }
}

const KEYS: [&str; 9] = [
    "a",
    "b",
    "policyInfo",
    "policy_info",
    "POLICYINFO",
    "c d",
    "rules",
    "",
    "k\\u0041",
];
const SCALARS: [&str; 16] = [
    "null",
    "true",
    "false",
    "0",
    "-1.50e+10",
    "12345678901234567890",
    "\"\"",
    "\"text\"",
    "\"é{[\"",
    "\"q\\\"}\"",
    "\"\\\\\"",
    "\"\\u00e9\\n\"",
    "\"{\\\"a\\\":1}\"",
    "\"/subscriptions/x/y\"",
    "\"a text that is longer than one block of the cursor, with a bracket } and a quote \\\" and an end\"",
    "\"\\ud800\"",
];
const PATHS: [&str; 12] = [
    "$.a",
    "$.b.a",
    "$.policyInfo",
    "$.policyInfo.a",
    "$.policyInfo.policyInfo.b",
    "$.a.b.rules",
    "$['c d']",
    "$.rules[0]",
    "$.rules[-1].a",
    "$.rules[*].a",
    "$.rules[?(@.a == true)].b",
    "$.a[1][0]",
];

fn space(random: &mut Random, out: &mut String) {
    if random.below(8) == 0 {
        out.push_str(random.of(&[" ", "\n", "\t ", "\r\n"]));
    }
}

fn value(random: &mut Random, depth: u32, out: &mut String) {
    let kind = match depth {
        0 => 0,
        // Most texts are objects, as they are in columns of JSON.
        4 if random.below(8) > 0 => 2,
        _ => random.below(4),
    };
    match kind {
        0 | 1 => out.push_str(random.of(&SCALARS)),
        2 => {
            out.push('{');
            let count = random.below(7);
            for at in 0..count {
                space(random, out);
                write!(out, "\"{}\"", random.of(&KEYS)).unwrap();
                space(random, out);
                out.push(':');
                space(random, out);
                value(random, depth - 1, out);
                space(random, out);
                if at + 1 < count {
                    out.push(',');
                }
            }
            space(random, out);
            out.push('}');
        }
        _ => {
            out.push('[');
            let count = random.below(4);
            for at in 0..count {
                space(random, out);
                value(random, depth - 1, out);
                space(random, out);
                if at + 1 < count {
                    out.push(',');
                }
            }
            out.push(']');
        }
    }
}

fn response() -> Response {
    Response {
        items: Items::At("value".to_owned()),
        next_link: Some("nextLink".to_owned()),
        flatten: false,
        scalar_rows: false,
        row_schema: None,
        schema: None,
        fields: Vec::new(),
        statuses: vec![200],
    }
}

fn decoder(columns: Vec<Column>) -> Decoder {
    let fields = columns.iter().enumerate();
    let fields =
        fields.map(|(at, column)| Field::new(format!("c{at}"), data_type(column.kind), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Decoder::new(schema, columns, &response(), None)
}

fn texts(batch: &RecordBatch, column: usize) -> Vec<Option<String>> {
    let column = batch.column(column).as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn chosen(random: &mut Random) -> (Vec<Step>, Form) {
    let steps = path(random.of(&PATHS)).unwrap();
    let form = if random.below(2) == 0 {
        Form::Json
    } else {
        Form::Text
    };
    (steps, form)
}

#[test]
fn a_scan_finds_in_json_what_the_functions_find() {
    let (mut quick, mut found) = (0, 0);
    for seed in 0..3000 {
        let mut random = Random(seed);
        let items = random.below(6);
        let mut values = Vec::new();
        let mut body = String::from("{\"other\":{\"value\":[1,\"]}\"]},\"value\":[");
        for at in 0..items {
            let mut json = String::new();
            value(&mut random, 4, &mut json);
            let comma = if at > 0 { "," } else { "" };
            write!(
                body,
                "{comma}{{\"more\":[{{}},\"\\\\\"],\"p\":{json} ,\"name\":\"n{at}\"}}"
            )
            .unwrap();
            values.push(json);
        }
        body.push_str("],\"nextLink\":\"https://h/?p=2\"}");
        let paths: Vec<(Vec<Step>, Form)> = (0..1 + random.below(4))
            .map(|_| chosen(&mut random))
            .collect();
        let mut columns = vec![Column {
            source: Source::Field("name".to_owned()),
            kind: Kind::Text,
        }];
        columns.extend(paths.iter().cloned().map(|(steps, form)| Column {
            source: Source::Path("p".to_owned(), Arc::new(JsonPath { steps, form })),
            kind: Kind::Text,
        }));
        let whole = random.below(3) == 0;
        columns.extend(whole.then(|| Column {
            source: Source::Field("p".to_owned()),
            kind: Kind::Json,
        }));
        let decoder = decoder(columns);
        let body = Bytes::from(body);
        let page = decoder
            .read(&body)
            .unwrap_or_else(|problem| panic!("{seed}: {problem:?}"));
        let careful = decoder
            .read_carefully(std::str::from_utf8(&body).unwrap())
            .unwrap();
        assert_eq!(page.rows, careful.rows, "{seed}");
        assert_eq!(
            (page.row_count, &page.next),
            (careful.row_count, &careful.next)
        );
        quick += u64::from(decoder.is_quick(&body));
        for (at, (steps, form)) in paths.iter().enumerate() {
            let expected: Vec<Option<String>> = values
                .iter()
                .map(|json| {
                    // NULL stands for JSON's null, as in the column itself.
                    let found = (json != "null").then(|| find(json, steps)).flatten()?;
                    match form {
                        Form::Json => Some(found.into_owned()),
                        Form::Text => text(&found).map(|text| text.into_owned()),
                    }
                })
                .collect();
            found += expected.iter().flatten().count();
            assert_eq!(
                texts(&page.rows, at + 1),
                expected,
                "{seed}: {steps:?} {form:?} {values:?}"
            );
        }
    }
    assert!(quick > 1000, "the quick reader took {quick} pages");
    assert!(found > 1000, "{found} values were found");
}

/// A page that is damaged anywhere where somebody looks is an error, and the quick reader reads nothing that the careful one does not.
#[test]
fn what_is_damaged_is_no_page() {
    let body = r#"{"value":[{"name":"a","p":{"a":{"b":[1,"x"]},"c":-1.5e3}},{"name":"b\n","p":{"a":null}}],"nextLink":null}"#;
    let path = |steps: &str| {
        Arc::new(JsonPath {
            steps: path(steps).unwrap(),
            form: Form::Text,
        })
    };
    let decoder = decoder(vec![
        Column {
            source: Source::Field("name".to_owned()),
            kind: Kind::Text,
        },
        Column {
            source: Source::Path("p".to_owned(), path("$.a.b")),
            kind: Kind::Text,
        },
        Column {
            source: Source::Field("p".to_owned()),
            kind: Kind::Json,
        },
    ]);
    let whole = decoder.read(&Bytes::from(body)).unwrap().rows;
    assert_eq!(texts(&whole, 1), [Some("[1,\"x\"]".to_owned()), None]);
    let mut errors = 0;
    for at in 0..body.len() {
        // Cut off, one byte left out, and one put in the place of another.
        let without = [&body[..at], &body[at + 1..]].concat();
        let with = |byte: &str| [&body[..at], byte, &body[at + 1..]].concat();
        for damaged in [
            body[..at].to_owned(),
            without,
            with("\""),
            with("}"),
            with("\u{1}"),
            with("x"),
        ] {
            let bytes = Bytes::from(damaged.clone());
            let careful = decoder.read_carefully(&damaged);
            match (decoder.read(&bytes), careful) {
                (Ok(page), Ok(careful)) => assert_eq!(page.rows, careful.rows, "{damaged}"),
                (Ok(_), Err(problem)) => panic!("{damaged}: {problem:?}"),
                (Err(_), Ok(_)) => panic!("{damaged} is a page"),
                (Err(_), Err(_)) => errors += 1,
            }
        }
    }
    assert!(errors > 400, "{errors}");
}

/// Nobody asked for what is in `other`: it is gone over, but its end is found where it is.
#[test]
fn what_nobody_asks_for_is_gone_over() {
    let other = r#"{"a":"}]\\\"]","b":[[],{},["{"]],"long":"0123456789012345678901234567890123456789012345678901234567890123456\\"}"#;
    for spaces in 0..80 {
        let body = format!(
            r#"{{"value":[{{{}"other":{other},"name":"x"}},{{}}]}}"#,
            " ".repeat(spaces)
        );
        let decoder = decoder(vec![Column {
            source: Source::Field("name".to_owned()),
            kind: Kind::Text,
        }]);
        let bytes = Bytes::from(body);
        assert!(decoder.is_quick(&bytes), "{spaces}");
        assert_eq!(
            texts(&decoder.read(&bytes).unwrap().rows, 0),
            [Some("x".to_owned()), None]
        );
    }
}
