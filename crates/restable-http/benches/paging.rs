//! A list of 100 small pages over a transport that answers at once: what a call costs beside its bytes.
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot begin says why and ends"
)]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use criterion::Criterion;
use futures::StreamExt;
use restable_http::transport::{Request, Response, TransportError};
use restable_http::{CallContext, Client, ClientConfig, Meter, PageRead, TokioClock, Transport};
use restable_spec::{Arguments, Bound, BoundCall, Builtin, Registry};

const PAGES: usize = 100;

#[derive(Debug)]
struct Instant;

#[async_trait]
impl Transport for Instant {
    async fn send(&self, _request: Request) -> Result<Response, TransportError> {
        let body = Bytes::from_static(b"{\"value\":[]}");
        Ok(Response {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: futures::stream::once(async move { Ok(body) }).boxed(),
        })
    }
}

fn call() -> BoundCall {
    let registry = Registry::open(vec![Arc::new(Builtin)]).unwrap();
    let table = registry
        .resource("azure", "resource", "subscriptions")
        .unwrap()
        .unwrap();
    let method = Arc::clone(table.route(&Bound::default()).unwrap());
    let service = registry
        .provider("azure")
        .unwrap()
        .service("resource")
        .unwrap()
        .unwrap();
    method.bind(&service, &Arguments::default()).unwrap()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = Client::with_transport(
        ClientConfig::default(),
        Arc::new(Instant),
        Arc::new(TokioClock),
    );
    let call = call();
    criterion.bench_function("100 pages", |bencher| {
        bencher.iter(|| {
            let mut page = 0;
            let read = move |_body: Bytes| {
                page += 1;
                Ok(PageRead {
                    rows: page,
                    row_count: 1,
                    next: (page < PAGES).then(|| format!("/list?page={page}")),
                })
            };
            let context = CallContext::new(Arc::new(Meter::default()));
            let pages = client.pages(call.clone(), context, read);
            let count = runtime.block_on(pages.map(Result::unwrap).count());
            assert_eq!(count, PAGES);
        });
    });
    criterion.final_summary();
}
