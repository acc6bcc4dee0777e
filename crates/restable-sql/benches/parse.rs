//! Text to statements.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot begin says why and ends"
)]

use std::hint::black_box;

use criterion::Criterion;
use restable_sql::parse;

const SHORT: &str =
    "SELECT name FROM azure.data_protection.backup_instances WHERE vaultName = 'bv-prod-weu'";
const EXEC: &str = "EXEC azure.data_protection.backup_instances.adhoc_backup @id = '/subscriptions/s/x', @backupRuleOptions.ruleName = 'BackupWeekly'";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let names: Vec<String> = (0..1000)
        .map(|number| format!("'instance-{number}'"))
        .collect();
    let long = format!("{SHORT} AND name IN ({})", names.join(", "));
    for (name, sql) in [
        ("a short SELECT", SHORT),
        ("EXEC", EXEC),
        ("a list of 1,000", &long),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| parse(black_box(sql)).unwrap())
        });
    }
    criterion.final_summary();
}
