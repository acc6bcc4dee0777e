//! Statements that compute for long without a pause: the end of their time and their client's cancel are heard while they do, and nobody
//! else waits for them.

use std::net::SocketAddr;

use restable_engine::acting::Access;
use restable_engine::arrow::util::display::array_value_to_string;
use restable_server::flight::Options;
use restable_server::pg;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::flight::Client;
use crate::postgres::{Wire, serve, serve_as};
use crate::rig::{Rig, run, settings};

/// One step of seconds: while it is planned, since all of it is constant, or while it runs.
const LONG: [&str; 2] = [
    "SELECT strpos(repeat('a', 3000000), repeat('a', 30000) || 'b')",
    r"SELECT regexp_replace(repeat('ab', x::int), '(a)(b)', '\2\1', 'g') IS NULL FROM generate_series(3000000, 3000000) t(x)",
];

/// The same statement by somebody who has the time for it.
fn patient(address: SocketAddr, sql: &'static str) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut wire = Wire::connect(address).await;
        wire.query(sql).await.unwrap();
    })
}

async fn is_answered(wire: &mut Wire) {
    let answer = wire.query("SELECT 1").await.unwrap();
    assert_eq!(answer.rows, [[Some("1".to_owned())]]);
}

#[test]
fn time_ends_a_statement_in_the_middle_of_a_step() {
    run(async {
        let rig = Rig::start("empty").await;
        let address = serve(&rig).await;
        let mut other = Wire::connect(address).await;
        for sql in LONG {
            let patient = patient(address, sql);
            let mut wire = Wire::connect(address).await;
            wire.query("SET statement_timeout = 50").await.unwrap();
            // More of them than go on beside: the others wait for their turn, and not longer than their time.
            for _ in 0..3 {
                let told = wire.query(sql).await.unwrap_err();
                assert!(told.contains("its `statement_timeout`"), "{told}");
                is_answered(&mut other).await;
            }
            assert!(!patient.is_finished(), "{sql} is no long step");
            patient.abort();
        }
    });
}

#[test]
fn a_cancel_ends_a_statement_in_the_middle_of_a_step() {
    run(async {
        let rig = Rig::start("empty").await;
        let address = serve(&rig).await;
        for sql in LONG {
            let patient = patient(address, sql);
            let (mut wire, key) = Wire::connect_keyed(address).await;
            let told = {
                let mut query = std::pin::pin!(wire.query(sql));
                loop {
                    // What comes before the statement has begun ends nothing.
                    tokio::select! {
                        biased;
                        answer = &mut query => break answer.unwrap_err(),
                        () = cancel(address, &key) => {}
                    }
                }
            };
            assert!(told.contains("cancelled by its client"), "{told}");
            is_answered(&mut wire).await;
            assert!(!patient.is_finished(), "{sql} is no long step");
            patient.abort();
        }
    });
}

async fn cancel(address: SocketAddr, key: &[u8]) {
    let mut asks = TcpStream::connect(address).await.unwrap();
    let mut request = 16_u32.to_be_bytes().to_vec();
    request.extend(80_877_102_u32.to_be_bytes());
    request.extend(key);
    asks.write_all(&request).await.unwrap();
    // The server closes the connection once it has done so.
    let mut end = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut asks, &mut end).await;
}

#[test]
fn time_ends_statements_of_flight_sql_as_well() {
    run(async {
        let rig = Rig::start("empty").await;
        let options = Options {
            settings: settings(),
            memory: Some(restable_engine::Memory::limited(256 << 20).unwrap()),
            ..Options::at("127.0.0.1:0".parse().unwrap())
        };
        let address = crate::flight::serve_with(&rig, options).await;
        for sql in LONG {
            let mut client = Client::connect(address).await;
            client.query("SET statement_timeout = 0.05").await.unwrap();
            let mut patient = Client::connect(address).await;
            let patient = tokio::spawn(async move { patient.query(sql).await.unwrap() });
            let told = client.query(sql).await.unwrap_err();
            assert_eq!(told.code(), tonic::Code::DeadlineExceeded, "{told}");
            client.query("SELECT 1").await.unwrap();
            assert!(!patient.is_finished(), "{sql} is no long step");
            patient.abort();
        }
        // A session is shown the limit that holds for it.
        let options = pg::Options {
            settings: settings(),
            memory: Some(restable_engine::Memory::limited(256 << 20).unwrap()),
            ..pg::Options::at("127.0.0.1:0".parse().unwrap())
        };
        let server = pg::Server::bind(rig.engine.clone(), options).await.unwrap();
        let of_wire = server.address().unwrap();
        tokio::spawn(server.run());
        let mut wire = Wire::connect(of_wire).await;
        for sql in [
            "SHOW memory_limit",
            "SELECT setting FROM pg_settings WHERE name = 'memory_limit'",
            "SELECT current_setting('memory_limit')",
        ] {
            let shown = wire.query(sql).await.unwrap();
            let limit = (256_u32 << 20).to_string();
            assert_eq!(shown.rows, [[Some(limit)]], "{sql}");
        }
        let mut client = Client::connect(address).await;
        let (_, rows) = client.query("SHOW SETTINGS").await.unwrap();
        let shown = |at: usize| {
            let names = (0..rows[0].num_rows()).map(move |row| (at, row));
            let texts =
                names.map(|(at, row)| array_value_to_string(rows[0].column(at), row).unwrap());
            texts.collect::<Vec<_>>()
        };
        let at = shown(0)
            .iter()
            .position(|name| name == "memory_limit")
            .unwrap();
        assert_eq!(shown(1)[at], (256_u32 << 20).to_string());
    });
}

/// An action whose target is known only after seconds.
const LATE: &str = r"INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) SELECT '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v' || length(regexp_replace(repeat('ab', x::int), '(a)(b)', '\2\1', 'g')), 'westeurope' FROM generate_series(3000000, 3000000) t(x)";

#[test]
fn time_ends_what_acts_before_it_does() {
    run(async {
        let rig = Rig::start("empty").await;
        let address = serve_as(&rig, Access::Write).await;
        let patient = patient(address, LONG[1]);
        let (mut wire, key) = Wire::connect_keyed(address).await;
        wire.query("SET statement_timeout = 50").await.unwrap();
        let told = wire.query(LATE).await.unwrap_err();
        assert!(told.contains("its `statement_timeout`"), "{told}");
        let options = Options {
            settings: settings(),
            access: Access::Write,
            ..Options::at("127.0.0.1:0".parse().unwrap())
        };
        let mut client = Client::connect(crate::flight::serve_with(&rig, options).await).await;
        client.query("SET statement_timeout = 0.05").await.unwrap();
        let told = client.query(LATE).await.unwrap_err();
        assert_eq!(told.code(), tonic::Code::DeadlineExceeded, "{told}");
        assert!(!patient.is_finished(), "it is no long step");
        wire.query("SET statement_timeout = 0").await.unwrap();
        let told = {
            let mut query = std::pin::pin!(wire.query(LATE));
            loop {
                tokio::select! {
                    biased;
                    answer = &mut query => break answer.unwrap_err(),
                    () = cancel(address, &key) => {}
                }
            }
        };
        // Not what is said of one that may have sent something.
        assert!(told.contains("cancelled by its client"), "{told}");
        assert!(!told.contains("SHOW OPERATIONS"), "{told}");
        assert!(!patient.is_finished(), "it is no long step");
        // Their steps end, and send nothing then.
        patient.await.unwrap();
        assert_eq!(rig.calls().count(), 0);
    });
}

#[test]
fn a_plan_of_more_parts_than_anybody_means_is_refused() {
    run(async {
        let rig = Rig::start("empty").await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        let mut text = "WITH t0 AS (SELECT 1 AS a)".to_owned();
        for at in 1..=40 {
            let before = at - 1;
            text += &format!(", t{at} AS (SELECT x.a FROM t{before} x, t{before} y)");
        }
        let told = wire.query(&format!("{text} SELECT * FROM t40")).await;
        let told = told.unwrap_err();
        assert!(told.contains("more than 10000 parts"), "{told}");
        // Views are within each other as well.
        wire.query("CREATE VIEW v0 AS SELECT 1 AS a").await.unwrap();
        let mut refused = None;
        for at in 1..=40 {
            let before = at - 1;
            let view = format!("CREATE VIEW v{at} AS SELECT x.a FROM v{before} x, v{before} y");
            if let Err(told) = wire.query(&view).await {
                refused = Some(told);
                break;
            }
        }
        let told = refused.unwrap();
        assert!(told.contains("more than 10000 parts"), "{told}");
    });
}
