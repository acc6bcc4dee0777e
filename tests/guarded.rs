//! Who comes in, and where: a server that other machines reach does not start without TLS and without clients that show
//! who they are; passwords, tokens and certificates of clients that do. Drivers with TLS stand in `tests/clients`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use restable_server::{Guard, Options, Tls, Unserved, flight, pg};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use crate::flight::{Client, status};
use crate::rig::{Rig, run, settings};

const USERS: &str = "ann:a secret\nbob:another";
const TOKENS: &str = "robot:0123456789abcdef";

/// A certificate for this machine and its key, as files; the folder goes with the value.
struct Files {
    folder: tempfile::TempDir,
    pem: String,
}

impl Files {
    fn new() -> Files {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            folder,
            pem: made.cert.pem(),
        };
        std::fs::write(files.certificate(), &files.pem).unwrap();
        std::fs::write(files.key(), made.signing_key.serialize_pem()).unwrap();
        files
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn tls(&self) -> Tls {
        Tls::read(&self.certificate(), &self.key()).unwrap()
    }
}

fn guard(users: &str, tokens: &str) -> Arc<Guard> {
    let mut guard = Guard::default();
    guard.add_users(users).unwrap();
    guard.add_tokens(tokens).unwrap();
    Arc::new(guard)
}

fn local() -> Options {
    Options {
        settings: settings(),
        ..Options::at("127.0.0.1:0".parse().unwrap())
    }
}

#[test]
fn what_other_machines_reach_needs_tls_and_names() {
    run(async {
        let rig = Rig::start("empty").await;
        let files = Files::new();
        let open = Options::at("0.0.0.0:0".parse().unwrap());
        let encrypted = Options {
            tls: Some(files.tls()),
            ..open.clone()
        };
        let with_tokens = Options {
            guard: guard("", TOKENS),
            ..encrypted.clone()
        };
        let engine = || rig.engine.clone();
        let readable =
            |refused: Result<(), Unserved>| matches!(refused, Err(Unserved::Readable(_)));
        let nameless = |refused: Result<(), Unserved>| matches!(refused, Err(Unserved::Open(_)));
        assert!(readable(
            pg::Server::bind(engine(), open.clone()).await.map(drop)
        ));
        assert!(readable(
            flight::Server::bind(engine(), open).await.map(drop)
        ));
        assert!(nameless(
            pg::Server::bind(engine(), encrypted.clone())
                .await
                .map(drop)
        ));
        assert!(nameless(
            flight::Server::bind(engine(), encrypted).await.map(drop)
        ));
        // A token is nothing that a client of PostgreSQL can show.
        assert!(nameless(
            pg::Server::bind(engine(), with_tokens.clone())
                .await
                .map(drop)
        ));
        flight::Server::bind(engine(), with_tokens).await.unwrap();
    });
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start() {
    let files = Files::new();
    let other = Files::new();
    let absent = files.folder.path().join("absent.pem");
    let told =
        |certificate: PathBuf, key: PathBuf| Tls::read(&certificate, &key).unwrap_err().to_string();
    assert!(told(absent.clone(), files.key()).contains("cannot be read"));
    assert!(told(files.certificate(), absent).contains("cannot be read"));
    assert!(told(files.key(), files.key()).contains("no certificate"));
    assert!(told(files.certificate(), files.certificate()).contains("no private key"));
    assert!(told(files.certificate(), other.key()).contains("cannot be used"));
}

#[test]
fn clients_of_postgresql_show_a_password() {
    run(async {
        let rig = Rig::start("demo").await;
        let options = Options {
            guard: guard(USERS, ""),
            ..local()
        };
        let server = pg::Server::bind(rig.engine.clone(), options).await.unwrap();
        let port = server.address().unwrap().port();
        tokio::spawn(server.run());
        let connect = async |user: &str, password: Option<&str>| {
            let mut config = tokio_postgres::Config::new();
            config
                .host("127.0.0.1")
                .port(port)
                .user(user)
                .dbname("azure");
            if let Some(password) = password {
                config.password(password);
            }
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            client.query_one("SELECT current_user", &[]).await
        };
        let row = connect("ann", Some("a secret")).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "ann");
        connect("bob", Some("another")).await.unwrap();
        for (user, password) in [("ann", "another"), ("bob", ""), ("eve", "a secret")] {
            let refused = connect(user, Some(password)).await.unwrap_err();
            assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD), "{user}");
        }
        connect("ann", None).await.unwrap_err();
        assert_eq!(rig.emulator.journal().len(), 0);
    });
}

async fn guarded_flight(rig: &Rig, options: Options) -> SocketAddr {
    crate::flight::serve_with(rig, options).await
}

#[test]
fn clients_of_flight_sql_show_a_token_or_a_password() {
    run(async {
        let rig = Rig::start("demo").await;
        let options = Options {
            guard: guard(USERS, TOKENS),
            ..local()
        };
        let address = guarded_flight(&rig, options).await;
        let code = async |client: &mut Client| match client.query("SELECT 1").await {
            Ok(_) => Code::Ok,
            Err(status) => status.code(),
        };
        let mut client = Client::connect(address).await;
        assert_eq!(code(&mut client).await, Code::Unauthenticated);
        let listed = client.0.get_catalogs().await.map_err(status).unwrap_err();
        assert_eq!(listed.code(), Code::Unauthenticated);
        client.0.set_token("0123456789abcdee".to_owned());
        assert_eq!(code(&mut client).await, Code::Unauthenticated);
        client.0.set_token("0123456789abcdef".to_owned());
        assert_eq!(code(&mut client).await, Code::Ok);

        // A cookie is no token.
        let mut other = Client::connect(address).await;
        other
            .0
            .set_header("cookie", "restable_session=0123456789abcdef");
        assert_eq!(code(&mut other).await, Code::Unauthenticated);

        let mut ann = Client::connect(address).await;
        ann.0.handshake("ann", "another").await.unwrap_err();
        ann.0.handshake("ann", "a secret").await.unwrap();
        ann.query("CREATE TEMP TABLE hers AS SELECT 1 AS x")
            .await
            .unwrap();
        ann.query("SELECT x FROM hers").await.unwrap();
        // What one user asked for is nothing that another can fetch.
        let info = ann
            .0
            .execute("SELECT x FROM hers".to_owned(), None)
            .await
            .unwrap();
        let stolen = client.fetch(info.clone()).await.unwrap_err();
        assert_eq!(stolen.code(), Code::NotFound);
        ann.fetch(info).await.unwrap();
    });
}

#[test]
fn flight_sql_speaks_tls() {
    run(async {
        let rig = Rig::start("demo").await;
        let files = Files::new();
        let options = Options {
            tls: Some(files.tls()),
            ..local()
        };
        let address = guarded_flight(&rig, options).await;
        let channel = |pem: &str| {
            let tls = ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(pem))
                .domain_name("localhost");
            let endpoint = Channel::from_shared(format!("https://{address}")).unwrap();
            endpoint.tls_config(tls).unwrap()
        };
        let trusted = channel(&files.pem).connect().await.unwrap();
        let mut client = Client(arrow_flight::sql::client::FlightSqlServiceClient::new(
            trusted,
        ));
        client.query("SELECT 1").await.unwrap();
        channel(&Files::new().pem).connect().await.unwrap_err();
        // Without TLS nothing is understood.
        let plain = Channel::from_shared(format!("http://{address}")).unwrap();
        if let Ok(channel) = plain.connect().await {
            let mut client = Client(arrow_flight::sql::client::FlightSqlServiceClient::new(
                channel,
            ));
            client.query("SELECT 1").await.unwrap_err();
        }
    });
}

#[test]
fn no_more_come_in_than_there_are_places() {
    run(async {
        let rig = Rig::start("empty").await;
        let options = Options {
            max_connections: 2,
            ..local()
        };
        let server = pg::Server::bind(rig.engine.clone(), options.clone())
            .await
            .unwrap();
        let port = server.address().unwrap().port();
        tokio::spawn(server.run());
        let connect = async || {
            let config = format!("host=127.0.0.1 port={port} user=tester");
            let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        };
        let (_one, _other) = (connect().await.unwrap(), connect().await.unwrap());
        let Err(refused) = connect().await else {
            panic!("a third client came in");
        };
        assert_eq!(refused.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));

        let address = guarded_flight(&rig, options).await;
        let (mut one, mut other) = (
            Client::connect(address).await,
            Client::connect(address).await,
        );
        one.query("SELECT 1").await.unwrap();
        other.query("SELECT 1").await.unwrap();
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        if let Ok(channel) = endpoint.connect().await {
            let mut third = Client(arrow_flight::sql::client::FlightSqlServiceClient::new(
                channel,
            ));
            third.query("SELECT 1").await.unwrap_err();
        }
    });
}

#[test]
fn who_has_not_come_in_keeps_nobody_out() {
    run(async {
        /// More than there are places for those who are on their way in.
        const MANY: usize = 250;
        let rig = Rig::start("empty").await;
        let options = Options {
            max_connections: 2,
            guard: guard(USERS, TOKENS),
            ..local()
        };
        let silent = async |port: u16| {
            let mut all = Vec::new();
            for _ in 0..MANY {
                all.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
            }
            all
        };
        let server = pg::Server::bind(rig.engine.clone(), options.clone())
            .await
            .unwrap();
        let port = server.address().unwrap().port();
        tokio::spawn(server.run());
        let _waiting = silent(port).await;
        let config = format!("host=127.0.0.1 port={port} user=ann password='a secret'");
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query_one("SELECT 1", &[]).await.unwrap();

        let address = guarded_flight(&rig, options).await;
        let _waiting = silent(address.port()).await;
        // These speak, and do not say who they are.
        let mut strangers = Vec::new();
        for _ in 0..5 {
            let mut stranger = Client::connect(address).await;
            let refused = stranger.query("SELECT 1").await.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
            strangers.push(stranger);
        }
        let mut known = Vec::new();
        for _ in 0..2 {
            let mut client = Client::connect(address).await;
            client.0.set_token("0123456789abcdef".to_owned());
            client.query("SELECT 1").await.unwrap();
            known.push(client);
        }
        let mut third = Client::connect(address).await;
        third.0.set_token("0123456789abcdef".to_owned());
        let refused = third.query("SELECT 1").await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        known[0].query("SELECT 1").await.unwrap();
    });
}

#[test]
fn sessions_share_the_memory_of_the_server() {
    run(async {
        let rig = Rig::start("empty").await;
        let options = Options {
            memory: Some(restable_engine::Memory::limited(64 << 10).unwrap()),
            ..local()
        };
        let address = guarded_flight(&rig, options).await;
        let mut client = Client::connect(address).await;
        // One side of a join is held, and goes to no file.
        let sql = "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value = b.value";
        let refused = client.query(sql).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        // A client cannot give itself more than there is for all.
        let more = client.query("SET memory_limit = '8GB'").await.unwrap_err();
        assert!(more.message().contains("here from 65536"), "{more}");
        client.query("SET memory_limit = '32kB'").await.unwrap();
        let refused = client.query(sql).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        client.query("SELECT 1").await.unwrap();
    });
}

/// Tables of a session's own are of the memory that all share, for as long as they stand.
#[test]
fn tables_of_sessions_count_for_the_memory_of_the_server() {
    run(async {
        let rig = Rig::start("empty").await;
        let options = Options {
            memory: Some(restable_engine::Memory::limited(2 << 20).unwrap()),
            ..local()
        };
        let address = guarded_flight(&rig, options).await;
        let mut client = Client::connect(address).await;
        let large = "CREATE TEMP TABLE large AS SELECT value, value + 1 AS b FROM generate_series(1, 1000000)";
        let refused = client.query(large).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        client
            .query("CREATE TEMP TABLE mine (a BIGINT)")
            .await
            .unwrap();
        let some = "INSERT INTO mine SELECT value FROM generate_series(1, 8000)";
        let mut times = 0;
        let refused = loop {
            match client.query(some).await {
                Ok(_) => times += 1,
                Err(refused) => break refused,
            }
            assert!(times < 100, "nothing is counted");
        };
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        assert!(times > 0);
        let mut other = Client::connect(address).await;
        other
            .query("CREATE TEMP TABLE theirs (a BIGINT)")
            .await
            .unwrap();
        let theirs = "INSERT INTO theirs SELECT value FROM generate_series(1, 16000)";
        other.query(theirs).await.unwrap_err();
        client.query("DROP TABLE mine").await.unwrap();
        other.query(theirs).await.unwrap();
        client.query("SELECT 1").await.unwrap();
    });
}

/// What aggregates and windows hold is of the memory that all share, and no made-up statement gets more of it.
#[test]
fn what_statements_hold_counts_for_the_memory_of_the_server() {
    run(async {
        let rig = Rig::start("empty").await;
        let options = Options {
            memory: Some(restable_engine::Memory::limited(16 << 20).unwrap()),
            ..local()
        };
        let address = guarded_flight(&rig, options).await;
        let mut client = Client::connect(address).await;
        // 64 MB in 100 groups.
        let rows = "(SELECT value, value % 100 AS g, repeat('x', 16000) || value AS x FROM generate_series(1, 4000)) t";
        for sql in [
            format!("SELECT g, string_agg(x, '') FROM {rows} GROUP BY g"),
            format!("SELECT g, string_agg(x, '' ORDER BY value) FROM {rows} GROUP BY g"),
            format!("SELECT g, string_agg(DISTINCT x, '') FROM {rows} GROUP BY g"),
            format!("SELECT g, array_agg(x) FROM {rows} GROUP BY g"),
            format!("SELECT g, array_agg(x ORDER BY value DESC) FROM {rows} GROUP BY g"),
            format!("SELECT g, array_agg(DISTINCT x) FROM {rows} GROUP BY g"),
            format!("SELECT g, json_agg(x) FROM {rows} GROUP BY g"),
            format!("SELECT g, json_object_agg(value, x) FROM {rows} GROUP BY g"),
            format!("SELECT value, max(x) FROM {rows} GROUP BY value"),
            format!("SELECT json_agg(x) FROM {rows}"),
            format!(
                "SELECT count(s) FROM (SELECT last_value(x) OVER (ORDER BY value ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS s FROM {rows}) w"
            ),
            format!(
                "SELECT count(s) FROM (SELECT lag(x, 3999) OVER (ORDER BY value) AS s FROM {rows}) w"
            ),
            "SELECT count(*) FROM unnest(array_repeat(repeat('x', 100000), 1000)) u(x)".to_owned(),
            "SELECT format('%1$s%1$s%1$s%1$s%1$s', repeat('x', 4000000))".to_owned(),
            // Few values, and each of them large: as keys, to be sorted, in joins.
            "SELECT count(*) FROM (SELECT DISTINCT repeat('x', 200000) || value AS x FROM generate_series(1, 1000)) d".to_owned(),
            "SELECT count(DISTINCT x) FROM (SELECT repeat('x', 200000) || value AS x FROM generate_series(1, 1000)) d".to_owned(),
            "SELECT x FROM (SELECT repeat('x', 200000) || value AS x FROM generate_series(1, 1000)) d ORDER BY x DESC".to_owned(),
            "SELECT count(length(b.x || a.x)) FROM (SELECT repeat('x', 200000) || value AS x, value AS v FROM generate_series(1, 100)) b JOIN (SELECT repeat('y', 200000) || value AS x, value AS v FROM generate_series(1, 100)) a ON b.v = a.v".to_owned(),
        ] {
            match client.query(&sql).await {
                Ok(_) => panic!("{sql} was answered"),
                Err(refused) => {
                    assert_eq!(refused.code(), Code::ResourceExhausted, "{sql}: {refused}")
                }
            }
        }
        // What fits is answered, also in windows that see more rows than there is memory for.
        for (sql, expected) in [
            (format!("SELECT count(*) FROM (SELECT g, json_agg(left(x, 10)) FROM {rows} GROUP BY g) a"), 100),
            ("SELECT count(length(b.x)) FROM (SELECT repeat('x', 200000) || value AS x, value % 20 AS v FROM generate_series(1, 20)) b JOIN generate_series(1, 1000) a(v) ON b.v = a.v % 20".to_owned(), 1000),
            ("SELECT count(b.x) FROM generate_series(1, 1000) a(v) JOIN (SELECT repeat('x', 200000) || value AS x, value AS v FROM generate_series(1, 20)) b ON a.v > b.v".to_owned(), 19790),
            ("SELECT count(s) FROM (SELECT lag(x, 3) OVER (ORDER BY value) AS s FROM (SELECT value, repeat('x', 500) || value AS x FROM generate_series(1, 60000)) t) w".to_owned(), 59997),
            ("SELECT count((SELECT string_agg(repeat('x', 1000), '') FROM generate_series(1, 1000))) FROM generate_series(1, 3000)".to_owned(), 3000),
            ("SELECT count(a.x) FROM (SELECT repeat('x', 100000) || value AS x FROM generate_series(1, 5)) a, generate_series(1, 3000) b(v)".to_owned(), 15000),
            ("SELECT count(a) FROM (SELECT g, array_agg(value ORDER BY value DESC) AS a FROM (SELECT value, value % 7 AS g FROM generate_series(1, 10000)) t GROUP BY g) a".to_owned(), 7),
        ] {
            let (_, batches) = client.query(&sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused}"));
            let answer = crate::rig::Answer::new(&batches, restable_engine::Report::default());
            assert_eq!(answer.value(), expected.to_string(), "{sql}");
        }
    });
}
