//! Documents read, a method found, a call bound.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot begin says why and ends"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use restable_spec::{Arguments, Bound, Builtin, Registry};

const SCOPE: [(&str, &str); 3] = [
    ("subscriptionId", "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"),
    ("resourceGroupName", "rg-backup"),
    ("vaultName", "bv-prod-weu"),
];

fn open() -> Registry {
    Registry::open(vec![Arc::new(Builtin)]).unwrap()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("a service document", |bencher| {
        bencher.iter(|| {
            open()
                .resource("azure", "data_protection", "backup_instances")
                .unwrap()
        });
    });
    let registry = open();
    let instances = registry.resource("azure", "data_protection", "backup_instances");
    let instances = instances.unwrap().unwrap();
    let bound: Bound = SCOPE.iter().map(|(name, _)| (*name, 1)).collect();
    criterion.bench_function("route", |bencher| {
        bencher.iter(|| Arc::clone(instances.route(black_box(&bound)).unwrap()));
    });
    let method = Arc::clone(instances.route(&bound).unwrap());
    let service = registry
        .provider("azure")
        .unwrap()
        .service("data_protection");
    let service = service.unwrap().unwrap();
    criterion.bench_function("bind", |bencher| {
        bencher.iter(|| {
            let scope = SCOPE
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let arguments = Arguments {
                parameters: scope.collect(),
                body: None,
            };
            method.bind(&service, &arguments).unwrap()
        });
    });
    criterion.final_summary();
}
