//! Postgres wire from below: a client of a few lines that speaks the simple protocol, what breaks the protocol, and what
//! a client's questions about the catalog cost. Real clients stand in `tests/clients/postgres`.

use std::net::SocketAddr;
use std::time::Duration;

use restable_engine::acting::Access;
use restable_engine::arrow::array::{ArrayRef, Float64Array};
use restable_engine::arrow::util::display::array_value_to_string;
use restable_server::pg;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Rig, run, settings};

/// Serves the rig's engine for as long as the runtime lives.
pub async fn serve(rig: &Rig) -> SocketAddr {
    serve_as(rig, Access::ReadOnly).await
}

pub async fn serve_as(rig: &Rig, access: Access) -> SocketAddr {
    let options = pg::Options {
        settings: settings(),
        access,
        ..pg::Options::at("127.0.0.1:0".parse().unwrap())
    };
    let server = pg::Server::bind(rig.engine.clone(), options).await.unwrap();
    let address = server.address().unwrap();
    tokio::spawn(server.run());
    address
}

/// A connection that speaks the simple protocol.
pub struct Wire(TcpStream, pub Last);

/// What came with the last answer, whether it failed or not.
#[derive(Debug, Default)]
pub struct Last {
    pub tags: Vec<String>,
    /// The DETAIL of an error.
    pub detail: String,
    pub notices: Vec<String>,
}

/// The last result of a text of statements.
#[derive(Debug, Default)]
pub struct Answer {
    /// OIDs of the columns' types; `None`: no rows.
    pub columns: Option<Vec<u32>>,
    pub rows: Vec<Vec<Option<String>>>,
    pub tags: Vec<String>,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Wire {
        Wire::connect_keyed(address).await.0
    }

    /// A connection, and what a request to cancel its statement shows.
    pub async fn connect_keyed(address: SocketAddr) -> (Wire, Vec<u8>) {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut wire = Wire(stream, Last::default());
        let parameters = b"user\0tester\0database\0azure\0options\0-c search_path=public\0\0";
        let mut hello = (8 + parameters.len() as u32).to_be_bytes().to_vec();
        hello.extend(196_608_u32.to_be_bytes());
        hello.extend(parameters);
        wire.0.write_all(&hello).await.unwrap();
        let mut key = Vec::new();
        loop {
            match wire.message().await.unwrap() {
                (b'Z', _) => return (wire, key),
                (b'K', body) => key = body,
                _ => {}
            }
        }
    }

    /// The next message; `None` at the end of the connection.
    async fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.0.read_u8().await.ok()?;
        let length = self.0.read_u32().await.ok()?;
        let mut body = vec![0; length as usize - 4];
        self.0.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    }

    /// Sends statements one by one in the extended protocol, with one Sync behind the last.
    pub async fn pipeline(&mut self, statements: &[&str]) -> Result<Answer, String> {
        let mut out = Vec::new();
        let mut message = |kind: u8, body: &[u8]| {
            out.push(kind);
            out.extend((body.len() as u32 + 4).to_be_bytes());
            out.extend(body);
        };
        for sql in statements {
            message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat());
            message(b'B', &[0; 8]);
            message(b'E', &[0; 5]);
        }
        message(b'S', &[]);
        self.0.write_all(&out).await.unwrap();
        self.answered().await
    }

    pub async fn query(&mut self, sql: &str) -> Result<Answer, String> {
        let mut message = vec![b'Q'];
        message.extend((sql.len() as u32 + 5).to_be_bytes());
        message.extend(sql.as_bytes());
        message.push(0);
        self.0.write_all(&message).await.unwrap();
        self.answered().await
    }

    async fn answered(&mut self) -> Result<Answer, String> {
        let mut answer = Answer::default();
        let mut failed = None;
        self.1 = Last::default();
        loop {
            let (kind, body) = self.message().await.expect("the server goes on");
            match kind {
                b'T' => {
                    answer.columns = Some(columns(&body));
                    answer.rows.clear();
                }
                b'D' => answer.rows.push(row(&body)),
                b'C' => {
                    answer.tags.push(texts(&body).remove(0));
                    self.1.tags.clone_from(&answer.tags);
                }
                b'E' => {
                    let fields = texts(&body);
                    let detail = fields.iter().find_map(|field| field.strip_prefix('D'));
                    self.1.detail = detail.unwrap_or_default().to_owned();
                    failed = Some(error(&body));
                }
                b'N' => {
                    let fields = texts(&body);
                    let told = fields.iter().find_map(|field| field.strip_prefix('M'));
                    self.1.notices.push(told.unwrap_or_default().to_owned());
                }
                b'Z' => return failed.map_or(Ok(answer), Err),
                _ => {}
            }
        }
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> i64 {
    let all = bytes[at..at + size].iter();
    let value = all.fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let shift = 64 - 8 * size as u32;
    (value << shift).cast_signed() >> shift
}

fn columns(body: &[u8]) -> Vec<u32> {
    let mut at = 2;
    (0..number(body, 0, 2))
        .map(|_| {
            at += body[at..].iter().position(|byte| *byte == 0).unwrap() + 1;
            let kind = number(body, at + 6, 4);
            at += 18;
            u32::try_from(kind).unwrap()
        })
        .collect()
}

fn row(body: &[u8]) -> Vec<Option<String>> {
    let mut at = 2;
    (0..number(body, 0, 2))
        .map(|_| {
            let length = usize::try_from(number(body, at, 4)).ok();
            at += 4;
            length.map(|length| {
                at += length;
                String::from_utf8(body[at - length..at].to_vec()).unwrap()
            })
        })
        .collect()
}

fn texts(body: &[u8]) -> Vec<String> {
    let parts = body.split(|byte| *byte == 0);
    parts
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// The error in the words of the files of SQL logic.
fn error(body: &[u8]) -> String {
    let fields = texts(body);
    let field = |code: char| fields.iter().find_map(|field| field.strip_prefix(code));
    let hint = field('H')
        .map(|hint| format!(" hint: {hint}"))
        .unwrap_or_default();
    format!(
        "error[{}]: {}{hint}",
        field('R').unwrap_or("-"),
        field('M').unwrap_or("-")
    )
}

/// A value of PostgreSQL's text form in the form of Arrow, in which the files are written.
pub fn as_the_engine_says(kind: u32, text: &str) -> String {
    match kind {
        16 => if text == "t" { "true" } else { "false" }.to_owned(),
        700 | 701 => {
            let value: ArrayRef =
                std::sync::Arc::new(Float64Array::from(vec![text.parse::<f64>().unwrap()]));
            array_value_to_string(&value, 0).unwrap()
        }
        1114 | 1184 => {
            let (text, zone) = text
                .strip_suffix("+00")
                .map_or((text, ""), |text| (text, "Z"));
            let (whole, part) = text.split_once('.').unwrap_or((text, ""));
            let size = part.len().div_ceil(3) * 3;
            let part = if part.is_empty() {
                String::new()
            } else {
                format!(".{part:0<size$}")
            };
            format!("{}{part}{zone}", whole.replace(' ', "T"))
        }
        1009 => format!("[{}]", text.trim_matches(['{', '}']).replace(',', ", ")),
        _ => text.to_owned(),
    }
}

/// What psql 15 asks for `\d`, `\dt`, `\dn`, `\l`, `\df` and `\d table`, and what drivers ask when they connect.
const QUESTIONS: &[&str] = &[
    "SELECT n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END, pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' ORDER BY 1,2",
    "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(vw_jobs)$' COLLATE pg_catalog.default ORDER BY 2, 3",
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull, (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'data_protection.vw_jobs'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    "SELECT d.datname, pg_catalog.pg_encoding_to_char(d.encoding) FROM pg_catalog.pg_database d ORDER BY 1",
    "SELECT n.nspname, p.proname FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE pg_catalog.pg_function_is_visible(p.oid) ORDER BY 1, 2",
    "SELECT ns.nspname, a.typname, a.oid, a.typrelid, a.typbasetype, CASE WHEN pg_proc.proname='array_recv' THEN 'a' ELSE a.typtype END AS type, CASE WHEN pg_proc.proname='array_recv' THEN a.typelem WHEN a.typtype='r' THEN rngsubtype ELSE 0 END AS elemoid FROM pg_type AS a JOIN pg_namespace AS ns ON (ns.oid = a.typnamespace) JOIN pg_proc ON pg_proc.oid = a.typreceive LEFT OUTER JOIN pg_class AS cls ON (cls.oid = a.typrelid) LEFT OUTER JOIN pg_range ON (pg_range.rngtypid = a.oid) WHERE a.typtype IN ('b', 'r', 'e', 'd') ORDER BY 1, 2",
    "SELECT version(), current_database(), current_schema(), current_user, pg_backend_pid(), current_setting('server_version_num')",
    "SELECT typinput = 'pg_catalog.array_in'::regproc, typtype, typname, oid FROM pg_type WHERE typname = '_int4'",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'data_protection'",
];

/// Each FETCH has a time of its own: what a client does between two is none of it.
#[test]
fn the_time_of_a_cursor_is_that_of_each_fetch() {
    run(async {
        let rig = Rig::start("empty").await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        for sql in [
            "SET statement_timeout = 1000",
            "BEGIN",
            "DECLARE c CURSOR FOR SELECT x FROM generate_series(1, 100000) t(x)",
            "DECLARE held CURSOR WITH HOLD FOR SELECT x FROM generate_series(1, 100000) t(x)",
            "FETCH 2 FROM c",
            "FETCH 2 FROM held",
        ] {
            wire.query(sql).await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        for cursor in ["c", "held"] {
            let sql = format!("FETCH 50000 FROM {cursor}");
            let answer = wire.query(&sql).await.unwrap();
            assert_eq!(answer.rows.len(), 50000, "{cursor}");
        }
        // A step of one that takes too long is still ended.
        let long = r"DECLARE long CURSOR FOR SELECT regexp_replace(repeat('ab', x::int), '(a)(b)', '\2\1', 'g') IS NULL FROM generate_series(3000000, 3000000) t(x)";
        wire.query(long).await.unwrap();
        wire.query("SET statement_timeout = 20").await.unwrap();
        let told = wire.query("FETCH 1 FROM long").await.unwrap_err();
        assert!(told.contains("its `statement_timeout`"), "{told}");
    });
}

/// A pool gives a connection to the next one as the first found it.
#[test]
fn what_a_client_found_is_there_again_after_discard_all() {
    run(async {
        let rig = Rig::start("empty").await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        let vaults = "SELECT count(*) FROM backup_vaults";
        wire.query(vaults).await.unwrap_err();
        for reset in ["DISCARD ALL", "RESET ALL", "ROLLBACK", "ROLLBACK TO s"] {
            wire.query("BEGIN").await.unwrap();
            wire.query("SAVEPOINT s").await.unwrap();
            if !reset.starts_with("ROLLBACK") {
                wire.query("COMMIT").await.unwrap();
            }
            wire.query("USE azure.data_protection").await.unwrap();
            let option = "datafusion.explain.logical_plan_only";
            wire.query(&format!("SET {option} = true")).await.unwrap();
            wire.query(vaults).await.unwrap();
            wire.query(reset).await.unwrap();
            let shown = wire.query(&format!("SHOW {option}")).await.unwrap();
            assert_eq!(shown.rows, [[Some("false".to_owned())]], "{reset}");
            let found = wire.query(vaults).await;
            assert!(found.is_err(), "{reset}");
            if reset == "ROLLBACK TO s" {
                wire.query("ROLLBACK").await.unwrap();
            }
        }
    });
}

#[test]
fn introspection_calls_no_provider() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        for question in QUESTIONS {
            let answer = wire
                .query(question)
                .await
                .unwrap_or_else(|problem| panic!("{question}\n{problem}"));
            assert!(!answer.rows.is_empty(), "{question}");
        }
        let arrays = wire
            .query("SELECT oid FROM pg_type WHERE typname = '_int4'")
            .await
            .unwrap();
        assert_eq!(arrays.rows, [[Some("1007".to_owned())]]);
        assert_eq!(rig.emulator.journal().len(), 0);
    });
}

#[test]
fn a_failed_statement_ends_its_text_and_no_more() {
    run(async {
        let rig = Rig::start("empty").await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        let failed = wire
            .query("SELECT 1; SELECT nothing; SELECT 2")
            .await
            .unwrap_err();
        assert!(failed.starts_with("error[R0203]"), "{failed}");
        let answer = wire.query("BEGIN; SELECT 'x'; COMMIT").await.unwrap();
        assert_eq!(answer.tags, ["BEGIN", "SELECT 1", "COMMIT"]);
    });
}

#[test]
fn what_breaks_the_protocol_ends_only_its_own_connection() {
    run(async {
        let rig = Rig::start("empty").await;
        let address = serve(&rig).await;
        let mut good = Wire::connect(address).await;
        let startup: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\0\0\0\x08\0\x02\0\0",
            b"\0\0\0\x09\0\x03\0\0\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
        ];
        for bytes in startup {
            let mut raw = TcpStream::connect(address).await.unwrap();
            raw.write_all(bytes).await.unwrap();
            let mut answer = Vec::new();
            raw.read_to_end(&mut answer).await.unwrap();
        }
        // Messages that are shorter than what they say, or of unknown kind.
        let requests: &[&[u8]] = &[
            b"B\0\0\0\x05\0",
            b"P\0\0\0\x06x\0",
            b"B\0\0\0\x0c\0\0\0\x01\0\0\0\0",
            b"?\0\0\0\x04",
            b"Q\0\0\0\x03",
            b"Q\x7f\xff\xff\xff",
        ];
        for bytes in requests {
            let mut wire = Wire::connect(address).await;
            wire.0.write_all(bytes).await.unwrap();
            let (kind, told) = wire.message().await.unwrap();
            assert_eq!(kind, b'E', "{bytes:?}");
            assert!(
                String::from_utf8_lossy(&told).contains("FATAL"),
                "{bytes:?}"
            );
            assert!(wire.message().await.is_none(), "{bytes:?}");
        }
        // Of a whole message it is known where the next one begins, even if its text is none.
        let mut wire = Wire::connect(address).await;
        wire.0.write_all(b"Q\0\0\0\x06\xff\0").await.unwrap();
        let (kind, told) = wire.message().await.unwrap();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(
            kind == b'E' && told.contains("ERROR") && told.contains("22021"),
            "{told}"
        );
        assert_eq!(wire.message().await.unwrap().0, b'Z');
        assert_eq!(wire.query("SELECT 1").await.unwrap().rows.len(), 1);
        assert_eq!(good.query("SELECT 1").await.unwrap().rows.len(), 1);
    });
}

#[test]
fn the_calls_of_a_client_that_goes_away_end() {
    run(async {
        let rig = Rig::with(
            arm_emulator::Options {
                latency: Duration::from_millis(20),
                ..crate::rig::options("5,100,1000")
            },
            vec![std::sync::Arc::new(restable_spec::Builtin)],
        )
        .await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        let sql = b"SELECT count(*) FROM azure.data_protection.backup_instances\0";
        let mut message = vec![b'Q'];
        message.extend((sql.len() as u32 + 4).to_be_bytes());
        message.extend(sql);
        wire.0.write_all(&message).await.unwrap();
        while rig.emulator.journal().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(wire);
        // The calls on their way may come to their end; then there is silence.
        let mut before = usize::MAX;
        while before != rig.emulator.journal().len() {
            before = rig.emulator.journal().len();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(before < 100, "{before} calls");
    });
}

/// Joins that would compute for hours: their task never waits for anything but its own turn.
const ENDLESS: &[&str] = &[
    "SELECT count(*) FROM generate_series(1,300000) a(x), generate_series(1,300000) b(y) WHERE x + y < 0",
    "SELECT count(*) FROM generate_series(1,3000) a(x), generate_series(1,3000) b(y), generate_series(1,3000) c(z) WHERE x + y + z < 0",
    "SELECT count(*) FROM generate_series(1,3000000) a(x), generate_series(1,3000000) b(y)",
    "SELECT count(*) FROM (SELECT 1 AS k FROM generate_series(1,300000)) a JOIN (SELECT 1 AS k FROM generate_series(1,300000)) b ON a.k = b.k",
];

#[test]
fn a_join_that_computes_for_long_ends_with_its_time_and_lets_others_go_on() {
    run(async {
        let rig = Rig::start("empty").await;
        let address = serve(&rig).await;
        let mut wire = Wire::connect(address).await;
        wire.query("SET statement_timeout = '100ms'").await.unwrap();
        let mut other = Wire::connect(address).await;
        for sql in ENDLESS {
            let (ended, answered) = tokio::join!(wire.query(sql), other.query("SELECT 1"));
            let problem = ended.unwrap_err();
            assert!(problem.starts_with("error[R0602]"), "{sql}: {problem}");
            assert_eq!(answered.unwrap().rows.len(), 1, "{sql}");
        }
    });
}

#[test]
fn no_expression_makes_what_the_memory_does_not_hold() {
    run(async {
        let rig = Rig::start("empty").await;
        let mut wire = Wire::connect(serve(&rig).await).await;
        wire.query("SET memory_limit = '64MB'").await.unwrap();
        for sql in [
            "SELECT length(repeat('x', 300000000))",
            "SELECT length(rpad('x', 300000000))",
            "SELECT array_length(array_repeat(1, 300000000))",
            "SELECT length(replace(repeat('x', 100000), 'x', repeat('y', 100000)))",
        ] {
            let problem = wire.query(sql).await.unwrap_err();
            assert!(
                problem.contains("memory") || problem.contains("too large"),
                "{sql}: {problem}"
            );
        }
        let small = wire.query("SELECT length(repeat('x', 300000))").await;
        assert_eq!(small.unwrap().rows, [[Some("300000".to_owned())]]);
    });
}
