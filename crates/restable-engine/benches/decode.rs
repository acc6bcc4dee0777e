//! A page of 200 rows to a batch: counted, two columns, a path into JSON, everything; and a path over JSON text that is at hand.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot begin says why and ends"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use restable_engine::arrow::datatypes::{Field, Schema};
use restable_engine::decode::{Column, Decoder, Source};
use restable_engine::json::{Form, JsonPath, find, path};
use restable_engine::table::data_type;
use restable_spec::{Items, Kind, Response};

const ROWS: usize = 200;

fn properties(number: usize) -> String {
    let group = "/subscriptions/aa76dd01-3833-4051-8337-000000000000/resourceGroups/rg-backup-0000";
    let disk = format!("{group}/providers/Microsoft.Compute/disks/disk-mail-{number:06}");
    let policy = format!(
        "{group}/providers/Microsoft.DataProtection/backupVaults/bv/backupPolicies/disk-4hourly-7d"
    );
    format!(
        r#"{{"friendlyName":"disk-mail-{number:06}","dataSourceInfo":{{"resourceID":"{disk}","resourceUri":"{disk}","datasourceType":"Microsoft.Compute/disks","resourceLocation":"westeurope","objectType":"Datasource"}},"policyInfo":{{"policyId":"{policy}","policyParameters":{{"dataStoreParametersList":[{{"dataStoreType":"OperationalStore","resourceGroupId":"{group}"}}]}}}},"protectionStatus":{{"status":"ProtectionConfigured"}},"currentProtectionState":"ProtectionConfigured","provisioningState":"Succeeded","objectType":"BackupInstance"}}"#
    )
}

fn page() -> Bytes {
    let mut body = String::from("{\"value\":[");
    for number in 0..ROWS {
        let comma = if number > 0 { "," } else { "" };
        let properties = properties(number);
        write!(body, "{comma}{{\"properties\":{properties},\"id\":\"/subscriptions/s/x/{number:06}\",\"name\":\"disk-{number:06}\",\"type\":\"t\"}}").unwrap();
    }
    body.push_str("],\"nextLink\":\"https://h/?page=2\"}");
    Bytes::from(body)
}

fn decoder(sources: &[(Source, Kind)]) -> Decoder {
    let fields = sources.iter().enumerate();
    let fields = fields.map(|(at, (_, kind))| Field::new(format!("c{at}"), data_type(*kind), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = sources
        .iter()
        .cloned()
        .map(|(source, kind)| Column { source, kind });
    let response = Response {
        items: Items::At("value".to_owned()),
        next_link: Some("nextLink".to_owned()),
        flatten: false,
        scalar_rows: false,
        row_schema: None,
        schema: None,
        fields: Vec::new(),
        statuses: vec![200],
    };
    Decoder::new(schema, columns.collect(), &response, None)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let page = page();
    let field = |name: &str, kind| (Source::Field(name.to_owned()), kind);
    let steps = path("$.policyInfo.policyId").unwrap();
    let form = Form::Text;
    let json_path = Arc::new(JsonPath {
        steps: steps.clone(),
        form,
    });
    let policy = (Source::Path("properties".to_owned(), json_path), Kind::Text);
    let mut group = criterion.benchmark_group("a page of 200 rows");
    group.throughput(Throughput::Bytes(page.len() as u64));
    for (name, columns) in [
        ("counted", vec![]),
        (
            "two columns",
            vec![field("id", Kind::Text), field("name", Kind::Text)],
        ),
        ("a path into JSON", vec![policy]),
        (
            "everything",
            vec![
                field("id", Kind::Text),
                field("name", Kind::Text),
                field("properties", Kind::Json),
                field("type", Kind::Text),
            ],
        ),
    ] {
        let decoder = decoder(&columns);
        group.bench_function(name, |bencher| {
            bencher.iter(|| decoder.read(black_box(&page)).unwrap())
        });
    }
    group.finish();
    let text = properties(7);
    criterion.bench_function("a path over JSON text", |bencher| {
        bencher.iter(|| find(black_box(&text), &steps).map(|found| found.len()));
    });
    criterion.final_summary();
}
