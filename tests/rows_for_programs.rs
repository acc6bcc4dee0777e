//! `-o parquet` and `-o arrow`: what is written is read back by readers of their own, in a file and through a pipe; whole, or not at all.

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use restable_engine::arrow::array::{AsArray, RecordBatch};
use restable_engine::arrow::compute::concat_batches;
use restable_engine::arrow::datatypes::{DataType, TimeUnit};
use restable_engine::arrow::ipc::reader::StreamReader;

use crate::commands::Command;
use crate::rig::run;

const SQL: &str = "SELECT vaultName, properties, properties.policyInfo.policyId AS policy, TIMESTAMP '2026-11-02 09:00:00+00' AS at
    FROM azure.data_protection.backup_instances ORDER BY id";

fn read(format: &str, bytes: &[u8]) -> RecordBatch {
    if format == "arrow" {
        let reader = StreamReader::try_new(bytes, None).unwrap();
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
        return concat_batches(&schema, &batches).unwrap();
    }
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = std::sync::Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader
        .build()
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect();
    concat_batches(&schema, &batches).unwrap()
}

fn check(format: &str, bytes: &[u8]) {
    let rows = read(format, bytes);
    assert_eq!(rows.num_rows(), 31, "{format}");
    let schema = rows.schema();
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(
        names,
        ["vaultName", "properties", "policy", "at"],
        "{format}"
    );
    let kind = schema.field(1).metadata().get("ARROW:extension:name");
    assert_eq!(kind.map(String::as_str), Some("arrow.json"), "{format}");
    let DataType::Timestamp(TimeUnit::Nanosecond, _) = schema.field(3).data_type() else {
        panic!("{format}: {}", schema.field(3));
    };
    let (json, policies) = (
        rows.column(1).as_string::<i32>(),
        rows.column(2).as_string::<i32>(),
    );
    for (json, policy) in json.iter().zip(policies) {
        let json: serde_json::Value = serde_json::from_str(json.unwrap()).unwrap();
        assert_eq!(json["policyInfo"]["policyId"].as_str(), policy, "{format}");
    }
}

#[test]
fn files_and_pipes_hold_all_rows() {
    run(async {
        for format in ["parquet", "arrow"] {
            let name = format!("rows.{format}");
            let into = Command::new(&[
                "exec",
                "--emulator",
                "-q",
                "-o",
                format,
                "--outfile",
                &name,
                SQL,
            ]);
            let into = into.file(&name, "before\n");
            let output = into.run().await;
            assert_eq!(
                (output.code, output.stdout.as_str()),
                (0, ""),
                "{}",
                output.stderr
            );
            check(format, &std::fs::read(into.folder().join(&name)).unwrap());
            let piped = Command::new(&["exec", "--emulator", "-q", "-o", format, SQL]);
            let piped = piped.begin().wait_with_output().await.unwrap();
            assert!(
                piped.status.success(),
                "{}",
                String::from_utf8_lossy(&piped.stderr)
            );
            check(format, &piped.stdout);
        }
    });
}

#[test]
fn a_file_is_whole_or_as_it_was() {
    run(async {
        for (sql, code, left) in [
            // It breaks off in the middle, is no statement, has a second result, has none.
            (
                "SELECT name, 1 / (CAST(properties.x AS int) + 0) FROM azure.data_protection.backup_instances WHERE nope = 1",
                1,
                1,
            ),
            (
                "SELECT 1 / (n - 3) FROM (SELECT 1 AS n UNION ALL SELECT 3)",
                1,
                1,
            ),
            ("USE azure.data_protection", 0, 1),
            ("SELECT 1 AS a; SELECT 2 AS a", 1, 1),
        ] {
            let command = Command::new(&[
                "exec",
                "--emulator",
                "-q",
                "-o",
                "parquet",
                "--outfile",
                "rows.parquet",
                sql,
            ]);
            let command = command.file("rows.parquet", "kept\n");
            let output = command.run().await;
            assert_eq!(output.code, code, "{sql}\n{}", output.stderr);
            let files: Vec<_> = std::fs::read_dir(command.folder())
                .unwrap()
                .map(|file| file.unwrap().file_name())
                .collect();
            let parts = files
                .iter()
                .filter(|name| name.to_string_lossy().contains(".part"))
                .count();
            assert_eq!(parts, 0, "{sql}: {files:?}");
            assert!(files.len() >= left, "{files:?}");
            let content = std::fs::read(command.folder().join("rows.parquet")).unwrap();
            match sql.contains("SELECT 1 AS a;") {
                // The first result was whole before the second one was refused.
                true => assert_eq!(read("parquet", &content).num_rows(), 1),
                false => assert_eq!(content, b"kept\n", "{sql}"),
            }
        }
        let two =
            Command::new(&["exec", "-q", "-o", "arrow", "SELECT 1 AS a; SELECT 2 AS a"]).begin();
        let two = two.wait_with_output().await.unwrap();
        assert_eq!(two.status.code(), Some(1));
        let told = String::from_utf8_lossy(&two.stderr);
        assert!(told.contains("`arrow` takes one result"), "{told}");
        assert_eq!(read("arrow", &two.stdout).num_rows(), 1);
    });
}
