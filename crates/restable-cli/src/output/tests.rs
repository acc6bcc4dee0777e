//! Every format over the same batches.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, ListArray, NullArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema};

use super::*;

/// Names, a number, and JSON text, with what each format has to escape.
fn plain() -> RecordBatch {
    let json = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.json".to_owned())]);
    let schema = Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("calls", DataType::Int64, true),
        Field::new("tags", DataType::Utf8, true).with_metadata(json),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![
            Some("a, \"b\" | c"),
            Some(""),
            None,
            Some("x\ty\nz\u{1b}[31m\u{202e}"),
        ])),
        Arc::new(Int64Array::from(vec![
            Some(1),
            Some(-20),
            None,
            Some(i64::MAX),
        ])),
        Arc::new(StringArray::from(vec![
            Some("{\"k\": [1, null]}"),
            Some("{\n  \"k\": 1\n}"),
            None,
            Some("no json"),
        ])),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn shown(format: Format, target: Target, place: Place, batches: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    let look = Look {
        format,
        target,
        records: Records::Auto,
    };
    let mut printer = printer(look, place, &batches[0].schema());
    for batch in batches {
        printer.rows(batch, &mut out).unwrap();
    }
    printer.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn formats() {
    let cases = [
        (
            Format::Json,
            Place::Only,
            concat!(
                "[\n",
                r#"{"name":"a, \"b\" | c","calls":1,"tags":{"k": [1, null]}},"#,
                "\n",
                r#"{"name":"","calls":-20,"tags":{  "k": 1}},"#,
                "\n",
                r#"{"name":null,"calls":null,"tags":null},"#,
                "\n",
                r#"{"name":"x\ty\nz\u001b[31m\u202e","calls":9223372036854775807,"tags":"no json"}"#,
                "\n]\n"
            ),
        ),
        (
            Format::Csv,
            Place::Only,
            "name,calls,tags\n\"a, \"\"b\"\" | c\",1,\"{\"\"k\"\": [1, null]}\"\n\"\",-20,\"{\n  \"\"k\"\": 1\n}\"\n,,\n\"x\ty\nz\u{1b}[31m\u{202e}\",9223372036854775807,no json\n",
        ),
        (
            Format::Tsv,
            Place::Later,
            "\nname\tcalls\ttags\na, \"b\" | c\t1\t{\"k\": [1, null]}\n\t-20\t{\\n  \"k\": 1\\n}\n\t\t\nx\\ty\\nz\u{1b}[31m\u{202e}\t9223372036854775807\tno json\n",
        ),
        (
            Format::Markdown,
            Place::First,
            "| name | calls | tags |\n| --- | ---: | --- |\n| a, \"b\" \\| c | 1 | {\"k\": [1, null]} |\n|  | -20 | {<br>  \"k\": 1<br>} |\n|  |  |  |\n| x\\ty<br>z\\u{1b}[31m\\u{202e} | 9223372036854775807 | no json |\n",
        ),
        (
            Format::Table,
            Place::Only,
            "\
+---------------------+---------------------+------------------+
| name                | calls               | tags             |
+---------------------+---------------------+------------------+
| a, \"b\" | c          |                   1 | {\"k\": [1, null]} |
|                     |                 -20 | {                |
|                     |                     |   \"k\": 1         |
|                     |                     | }                |
| NULL                |                NULL | NULL             |
| x\\ty                | 9223372036854775807 | no json          |
| z\\u{1b}[31m\\u{202e} |                     |                  |
+---------------------+---------------------+------------------+
(4 rows)
",
        ),
    ];
    for (format, place, expected) in cases {
        let found = shown(format, Target::Stream, place, &[plain()]);
        assert_eq!(found, expected, "{format}\n{found}");
    }
}

#[test]
fn json_lines_and_arrays_of_several_batches() {
    let batches = [plain().slice(0, 1), plain().slice(1, 1)];
    let first = r#"{"name":"a, \"b\" | c","calls":1,"tags":{"k": [1, null]}}"#;
    let second = r#"{"name":"","calls":-20,"tags":{  "k": 1}}"#;
    assert_eq!(
        shown(Format::Jsonl, Target::Stream, Place::Later, &batches),
        format!("{first}\n{second}\n")
    );
    assert_eq!(
        shown(Format::Json, Target::Stream, Place::First, &batches),
        format!("[{first},{second}]\n")
    );
    assert_eq!(
        shown(
            Format::Json,
            Target::Stream,
            Place::Only,
            &[plain().slice(0, 0)]
        ),
        "[]\n"
    );
    serde_json::from_str::<serde_json::Value>(&shown(
        Format::Json,
        Target::Stream,
        Place::Only,
        &batches,
    ))
    .unwrap();
}

#[test]
fn half_an_answer_is_no_json() {
    let mut out = Vec::new();
    let look = Look {
        format: Format::Json,
        target: Target::Stream,
        records: Records::Auto,
    };
    let mut printer = printer(look, Place::Only, &plain().schema());
    printer.rows(&plain(), &mut out).unwrap();
    printer.cut(&mut out).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&out).is_err());
}

#[test]
fn equal_headings_are_told_apart() {
    let schema = Schema::new(
        ["id", "id_2", "id", "id"]
            .map(|name| Field::new(name, DataType::Int64, true))
            .to_vec(),
    );
    let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let batch = RecordBatch::try_new(Arc::new(schema), vec![column; 4]).unwrap();
    assert_eq!(
        shown(Format::Jsonl, Target::Stream, Place::Only, &[batch]),
        "{\"id\":7,\"id_2\":7,\"id_3\":7,\"id_4\":7}\n"
    );
}

#[test]
fn types() {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None])]);
    let fields: Fields = vec![
        Field::new("a", DataType::Utf8, true),
        Field::new("b", DataType::Boolean, true),
    ]
    .into();
    let structs = StructArray::new(
        fields,
        vec![
            Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
            Arc::new(BooleanArray::from(vec![true])),
        ],
        None,
    );
    let cases: Vec<(ArrayRef, &str, &str)> = vec![
        (Arc::new(Float64Array::from(vec![14.0])), "14.0", "14.0"),
        (Arc::new(Float64Array::from(vec![0.1])), "0.1", "0.1"),
        (Arc::new(Float64Array::from(vec![1e300])), "1e300", "1e300"),
        (Arc::new(Float64Array::from(vec![f64::NAN])), "null", "NaN"),
        (
            Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])),
            "null",
            "-inf",
        ),
        (Arc::new(Float32Array::from(vec![0.1])), "0.1", "0.1"),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            "18446744073709551615",
            "18446744073709551615",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![-1230])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
            "-12.30",
            "-12.30",
        ),
        (Arc::new(BooleanArray::from(vec![false])), "false", "false"),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000]).with_timezone("+00:00")),
            "\"1970-01-01T00:00:01.500Z\"",
            "1970-01-01T00:00:01.500Z",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![0])),
            "\"1970-01-01T00:00:00\"",
            "1970-01-01T00:00:00",
        ),
        (
            Arc::new(Date32Array::from(vec![1])),
            "\"1970-01-02\"",
            "1970-01-02",
        ),
        (
            Arc::new(BinaryArray::from(vec![&[0u8, 255][..]])),
            "\"00ff\"",
            "00ff",
        ),
        (Arc::new(StringViewArray::from(vec!["é"])), "\"é\"", "é"),
        (Arc::new(NullArray::new(1)), "null", ""),
        (Arc::new(list), "[1,null]", "[1,null]"),
        (
            Arc::new(structs),
            r#"{"a":"x","b":true}"#,
            r#"{"a":"x","b":true}"#,
        ),
    ];
    for (array, json, text) in cases {
        let schema = Schema::new(vec![Field::new("v", array.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap();
        assert_eq!(
            shown(
                Format::Jsonl,
                Target::Stream,
                Place::Only,
                std::slice::from_ref(&batch)
            ),
            format!("{{\"v\":{json}}}\n")
        );
        assert_eq!(
            shown(Format::Tsv, Target::Stream, Place::Only, &[batch]),
            format!("v\n{text}\n")
        );
    }
}

fn texts(headings: &[&str], cells: &[&str]) -> RecordBatch {
    let schema = Schema::new(
        headings
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect::<Vec<_>>(),
    );
    let columns = cells
        .iter()
        .map(|cell| Arc::new(StringArray::from(vec![*cell])) as ArrayRef)
        .collect();
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

#[test]
fn a_terminal_gets_what_fits() {
    let narrow = shown(
        Format::Table,
        Target::Terminal(40),
        Place::Only,
        &[texts(&["id", "text"], &["1", &"word ".repeat(40)])],
    );
    let expected = "\
┌────┬─────────────────────────────────┐
│ id │ text                            │
├────┼─────────────────────────────────┤
│ 1  │ word word word word word word   │
│    │ word word word word word word   │
│    │ word word word word word word   │
│    │ word word word word word word   │
│    │ word word word word word word   │
│    │ word word word word word word … │
└────┴─────────────────────────────────┘
(1 rows)
"
    .replace("(1 rows)", "(1 row)");
    assert_eq!(narrow, expected, "{narrow}");
    let wide = "日本語".repeat(10);
    let records = shown(
        Format::Table,
        Target::Terminal(40),
        Place::Only,
        &[texts(&["a", "bb", "c"], &[&wide, &wide, &wide])],
    );
    assert!(records.starts_with("─[ 1 ]─"), "{records}");
    assert!(
        records
            .lines()
            .all(|line| unicode_width::UnicodeWidthStr::width(line) <= 40),
        "{records}"
    );
    assert_eq!(records.matches('日').count(), 30, "{records}");
}

#[test]
fn nothing_is_cut_in_a_stream_and_memory_is_bounded() {
    let long = "x".repeat(500);
    let mut out = Vec::new();
    let look = Look {
        format: Format::Table,
        target: Target::Stream,
        records: Records::Auto,
    };
    let batch = texts(&["a"], &["short"]);
    let mut printer = printer(look, Place::Only, &batch.schema());
    for _ in 0..999 {
        printer.rows(&batch, &mut out).unwrap();
    }
    assert!(out.is_empty());
    printer.rows(&batch, &mut out).unwrap();
    let before = out.len();
    assert!(before > 0);
    printer.rows(&texts(&["a"], &[&long]), &mut out).unwrap();
    assert!(String::from_utf8_lossy(&out[before..]).contains(&long));
    printer.end(&mut out).unwrap();
    assert!(String::from_utf8_lossy(&out).ends_with("(1001 rows)\n"));
}

#[test]
fn json_is_indented_in_records_on_a_terminal() {
    let cases = [
        (
            r#"{"a":[1, {"b":"x:{,\\\""}],"c":{ }}"#,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x:{,\\\\\\\"\"\n    }\n  ],\n  \"c\": {}\n}",
        ),
        ("1.10", "1.10"),
        ("]{", "\n]{\n  "),
    ];
    for (json, expected) in cases {
        assert_eq!(value::indented(json), expected);
    }
    let look = Look {
        format: Format::Table,
        target: Target::Terminal(60),
        records: Records::Expanded,
    };
    let mut out = Vec::new();
    let batch = plain().slice(0, 1);
    let mut printer = printer(look, Place::Only, &batch.schema());
    printer.rows(&batch, &mut out).unwrap();
    printer.end(&mut out).unwrap();
    let found = String::from_utf8(out).unwrap();
    assert!(
        found.contains("tags  │ {\n      │   \"k\": [\n      │     1,\n"),
        "{found}"
    );
}

fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    let look = Look {
        format,
        target: Target::Stream,
        records: Records::Auto,
    };
    let mut printer = printer(look, Place::Only, &batches[0].schema());
    for batch in batches {
        printer.rows(batch, &mut out).unwrap();
    }
    printer.end(&mut out).unwrap();
    out
}

fn read(format: Format, bytes: Vec<u8>) -> (Arc<Schema>, Vec<RecordBatch>) {
    if format == Format::Arrow {
        let reader = arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
        return (
            reader.schema(),
            reader.map(|batch| batch.unwrap()).collect(),
        );
    }
    let bytes = arrow::buffer::Buffer::from(bytes);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let file = std::fs::File::open(file.path()).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    let reader = reader.unwrap();
    let schema = Arc::clone(reader.schema());
    (
        schema,
        reader
            .build()
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect(),
    )
}

#[test]
fn a_large_parquet_file_has_several_row_groups() {
    // Texts that do not repeat, so that they take their room; and a column whose values stand deeper than itself.
    let texts: Vec<String> = (0..60_000_u64)
        .map(|row| {
            let part = |at: u64| {
                format!(
                    "{:016x}",
                    (row * 31 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                )
            };
            (0..20).map(part).collect()
        })
        .collect();
    let batch = |texts: &[String]| {
        let mut lists = arrow::array::ListBuilder::new(arrow::array::Int64Builder::new());
        for text in texts {
            lists.append_value(text.bytes().take(3).map(|byte| Some(i64::from(byte))));
        }
        let columns: [(&str, arrow::array::ArrayRef); 2] = [
            ("text", Arc::new(StringArray::from_iter_values(texts))),
            ("bytes", Arc::new(lists.finish())),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let batches: Vec<RecordBatch> = texts.chunks(500).map(batch).collect();
    let bytes = written(Format::Parquet, &batches);
    let (schema, found) = read(Format::Parquet, bytes.clone());
    let found = arrow::compute::concat_batches(&schema, &found).unwrap();
    let expected = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(found.columns(), expected.columns());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let file = std::fs::File::open(file.path()).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    let groups = reader.unwrap().metadata().num_row_groups();
    assert!((2..=4).contains(&groups), "{groups} row groups");
}

#[test]
fn files_for_programs_hold_what_was_written() {
    let zone = Some(Arc::from("+00:00"));
    let time = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone);
    let own = HashMap::from([("restable.name".to_owned(), "x".to_owned())]);
    let mut fields: Vec<Field> = plain()
        .schema()
        .fields()
        .iter()
        .map(|field| (**field).clone())
        .collect();
    fields.push(Field::new("at", time, true));
    fields.push(Field::new("name", DataType::Float64, true).with_metadata(own));
    let mut columns = plain().columns().to_vec();
    let times =
        TimestampMicrosecondArray::from(vec![Some(1_762_000_000_123_456), None, Some(-1), Some(0)]);
    columns.push(Arc::new(times.with_timezone("+00:00")));
    columns.push(Arc::new(Float64Array::from(vec![
        Some(0.1),
        None,
        Some(f64::MAX),
        Some(-0.0),
    ])));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    for format in [Format::Parquet, Format::Arrow] {
        let batches = [batch.slice(0, 3), batch.slice(3, 1)];
        let (schema, found) = read(format, written(format, &batches));
        let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, ["name", "calls", "tags", "at", "name_2"], "{format}");
        let json = schema.field(2).metadata().get("ARROW:extension:name");
        assert_eq!(json.map(String::as_str), Some("arrow.json"), "{format}");
        let marks = schema
            .fields()
            .iter()
            .flat_map(|field| field.metadata().keys());
        assert!(
            !marks.into_iter().any(|key| key.starts_with("restable.")),
            "{format}"
        );
        assert_eq!(
            schema.field(3).data_type(),
            batch.schema().field(3).data_type(),
            "{format}"
        );
        let found = arrow::compute::concat_batches(&schema, &found).unwrap();
        assert_eq!(found.columns(), batch.columns(), "{format}");
        // No row is a whole file, too.
        let (schema, found) = read(format, written(format, &[batch.slice(0, 0)]));
        assert_eq!(
            (
                schema.fields().len(),
                found.iter().map(RecordBatch::num_rows).sum::<usize>()
            ),
            (5, 0)
        );
    }
}

#[test]
fn a_file_that_broke_off_is_no_file() {
    for format in [Format::Parquet, Format::Arrow] {
        let look = Look {
            format,
            target: Target::Stream,
            records: Records::Auto,
        };
        let mut out = Vec::new();
        let mut printer = printer(look, Place::Only, &plain().schema());
        printer.rows(&plain(), &mut out).unwrap();
        printer.cut(&mut out).unwrap();
        // Parquet ends in its footer, and an Arrow stream in a length of nothing.
        assert!(!out.ends_with(b"PAR1") || out.len() == 4, "{format}");
        assert!(
            !out.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
            "{format}"
        );
    }
}

#[test]
fn files_for_programs_are_not_for_terminals_and_take_one_result() {
    for format in Format::value_variants() {
        let binary = matches!(format, Format::Parquet | Format::Arrow);
        assert_eq!(
            format.refuse_terminal(Target::Terminal(80)).is_err(),
            binary,
            "{format}"
        );
        assert!(format.refuse_terminal(Target::Stream).is_ok());
        assert_eq!(format.refuse_second(1).is_err(), binary, "{format}");
        assert!(format.refuse_second(0).is_ok());
        assert_eq!(format.refuse_session().is_err(), binary, "{format}");
    }
}
