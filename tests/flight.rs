//! Flight SQL from a client of a few lines: what a plan and what rows cost, sessions, parameters, what there is, and how
//! a statement ends early. Real drivers stand in `tests/clients/flight`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, SqlInfo};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
};
use futures::TryStreamExt as _;
use prost::Message as _;
use restable_engine::acting::Access;
use restable_engine::arrow::array::{
    ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampSecondArray,
};
use restable_engine::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use restable_server::flight;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::rig::{Answer, Rig, demo, run, settings};

const INSTANCES: &str = "SELECT name FROM azure.data_protection.backup_instances";

/// Serves the rig's engine for as long as the runtime lives.
pub async fn serve(rig: &Rig) -> SocketAddr {
    serve_as(rig, Access::ReadOnly).await
}

pub async fn serve_as(rig: &Rig, access: Access) -> SocketAddr {
    let options = flight::Options {
        settings: settings(),
        access,
        ..flight::Options::at("127.0.0.1:0".parse().unwrap())
    };
    serve_with(rig, options).await
}

pub async fn serve_with(rig: &Rig, options: flight::Options) -> SocketAddr {
    let server = flight::Server::bind(rig.engine.clone(), options)
        .await
        .unwrap();
    let address = server.address().unwrap();
    tokio::spawn(server.run());
    address
}

/// A client with a connection of its own.
pub struct Client(pub FlightSqlServiceClient<Channel>);

impl Client {
    pub async fn connect(address: SocketAddr) -> Client {
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        Client(FlightSqlServiceClient::new(
            endpoint.connect().await.unwrap(),
        ))
    }

    /// The whole answer of a statement.
    pub async fn query(&mut self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), Status> {
        let info = self.0.execute(sql.to_owned(), None).await.map_err(status)?;
        self.fetch(info).await
    }

    /// The rows that an answer leads to. What was said of their columns holds.
    pub async fn fetch(
        &mut self,
        info: FlightInfo,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), Status> {
        let said = info.clone().try_decode_schema().unwrap();
        let mut all = Vec::new();
        for endpoint in info.endpoint {
            let ticket = endpoint.ticket.expect("a ticket");
            let rows = self.0.do_get(ticket).await.map_err(status)?;
            all.extend(
                rows.try_collect::<Vec<_>>()
                    .await
                    .map_err(|problem| match problem {
                        FlightError::Tonic(status) => *status,
                        other => panic!("{other}"),
                    })?,
            );
        }
        for batch in &all {
            assert_eq!(batch.schema().as_ref(), &said);
        }
        Ok((Arc::new(said), all))
    }

    async fn texts(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let (_, batches) = self.query(sql).await.unwrap();
        Answer::new(&batches, restable_engine::Report::default()).rows
    }

    async fn action(&mut self, kind: &str, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        let answer = self
            .0
            .inner_mut()
            .do_action(Action::new(kind, body))
            .await?;
        let all: Vec<_> = answer.into_inner().try_collect().await?;
        Ok(all.first().map(|one| one.body.to_vec()).unwrap_or_default())
    }
}

/// The status in an error of the client.
pub fn status(problem: FlightError) -> Status {
    match problem {
        FlightError::Tonic(status) => *status,
        other => panic!("{other}"),
    }
}

/// An error in the words of the files of SQL logic.
pub fn as_printed(status: &Status) -> String {
    let code = status.metadata().get("restable-code");
    let code = code.map_or("-", |code| code.to_str().unwrap());
    let (message, hint) = match status.message().split_once("\nhint: ") {
        Some((message, hint)) => (message, format!(" hint: {hint}")),
        None => (status.message(), String::new()),
    };
    format!(
        "error[{code}]: {}{hint}",
        message.lines().next().unwrap_or_default()
    )
}

fn column(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column
        .iter()
        .map(|text| text.unwrap_or("NULL").to_owned())
        .collect()
}

#[test]
fn a_plan_costs_nothing_and_a_ticket_is_used_once() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut client = Client::connect(serve(&rig).await).await;
        let info = client.0.execute(INSTANCES.to_owned(), None).await.unwrap();
        let schema = info.clone().try_decode_schema().unwrap();
        assert_eq!(schema.field(0).name(), "name");
        assert_eq!(rig.emulator.journal().len(), 0);
        let (_, batches) = client.fetch(info.clone()).await.unwrap();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, demo::INSTANCES);
        let before = rig.emulator.journal().len();
        let again = client.fetch(info).await.unwrap_err();
        assert_eq!(again.code(), Code::NotFound);
        assert_eq!(rig.emulator.journal().len(), before);
    });
}

#[test]
fn json_is_told_and_parameters_are_hidden() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut client = Client::connect(serve(&rig).await).await;
        let sql = "SELECT * FROM azure.data_protection.backup_instances LIMIT 3";
        let (schema, _) = client.query(sql).await.unwrap();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            names,
            ["id", "name", "properties", "systemData", "tags", "type"]
        );
        let extension = |name: &str| schema.field_with_name(name).unwrap().extension_type_name();
        assert_eq!(extension("properties"), Some("arrow.json"));
        assert_eq!(extension("name"), None);
    });
}

#[test]
fn what_there_is_costs_no_call() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut client = Client::connect(serve(&rig).await).await;
        let info = client.0.get_catalogs().await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert_eq!(column(&batches[0], "catalog_name"), ["azure", "restable"]);

        let query = CommandGetDbSchemas {
            catalog: Some("azure".to_owned()),
            db_schema_filter_pattern: Some("data%".to_owned()),
        };
        let info = client.0.get_db_schemas(query).await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert_eq!(column(&batches[0], "db_schema_name"), ["data_protection"]);

        let tables = |pattern: &str, types: &[&str], include_schema| CommandGetTables {
            catalog: Some("azure".to_owned()),
            db_schema_filter_pattern: None,
            table_name_filter_pattern: Some(pattern.to_owned()),
            table_types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            include_schema,
        };
        let info = client
            .0
            .get_tables(tables("vw\\_%", &[], false))
            .await
            .unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert!(column(&batches[0], "table_name").contains(&"vw_jobs".to_owned()));
        assert!(
            column(&batches[0], "table_type")
                .iter()
                .all(|kind| kind == "VIEW")
        );
        let info = client
            .0
            .get_tables(tables("backup_inst_nces", &["TABLE"], true))
            .await
            .unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert_eq!(column(&batches[0], "table_name"), ["backup_instances"]);
        let bytes = batches[0]
            .column_by_name("table_schema")
            .unwrap()
            .as_binary::<i32>()
            .value(0);
        let message = arrow_flight::IpcMessage(bytes.to_vec().into());
        let schema = Schema::try_from(message).unwrap();
        let (selected, _) = client
            .query("SELECT * FROM azure.data_protection.backup_instances LIMIT 0")
            .await
            .unwrap();
        assert_eq!(&schema, selected.as_ref());
        // Every table of every document, with its columns.
        let info = client.0.get_tables(tables("%", &[], true)).await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert!(batches[0].num_rows() > 20);

        let info = client.0.get_table_types().await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert!(column(&batches[0], "table_type").contains(&"TABLE".to_owned()));

        let key = arrow_flight::sql::CommandGetPrimaryKeys {
            catalog: Some("azure".to_owned()),
            db_schema: Some("data_protection".to_owned()),
            table: "backup_instances".to_owned(),
        };
        let info = client.0.get_primary_keys(key).await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert_eq!(column(&batches[0], "column_name"), ["id"]);
        let sequence = batches[0].column_by_name("key_sequence").unwrap();
        assert_eq!(sequence.as_primitive::<Int32Type>().value(0), 1);
        let key = arrow_flight::sql::CommandGetImportedKeys {
            catalog: None,
            db_schema: None,
            table: "backup_instances".to_owned(),
        };
        let info = client.0.get_imported_keys(key).await.unwrap();
        let (schema, batches) = client.fetch(info).await.unwrap();
        assert_eq!(schema.fields().len(), 13);
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);

        let info = client
            .0
            .get_sql_info(vec![
                SqlInfo::FlightSqlServerName,
                SqlInfo::FlightSqlServerReadOnly,
            ])
            .await
            .unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert_eq!(batches[0].num_rows(), 2);
        let info = client.0.get_sql_info(Vec::new()).await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert!(batches[0].num_rows() > 80);
        let kinds = arrow_flight::sql::CommandGetXdbcTypeInfo { data_type: None };
        let info = client.0.get_xdbc_type_info(kinds).await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        assert!(column(&batches[0], "type_name").contains(&"timestamp".to_owned()));
        assert_eq!(rig.emulator.journal().len(), 0);
    });
}

fn values(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn prepared_statements_take_values() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut client = Client::connect(serve(&rig).await).await;
        let sql = format!("{INSTANCES} WHERE subscriptionId = $1 ORDER BY name LIMIT $2");
        let mut statement = client.0.prepare(sql, None).await.unwrap();
        assert_eq!(statement.dataset_schema().unwrap().field(0).name(), "name");
        let kinds = statement.parameter_schema().unwrap();
        let kinds: Vec<&DataType> = kinds
            .fields()
            .iter()
            .map(|field| field.data_type())
            .collect();
        assert_eq!(kinds, [&DataType::Utf8, &DataType::Int64]);
        let unbound = statement.execute().await.unwrap_err();
        assert_eq!(status(unbound).code(), Code::InvalidArgument);
        assert_eq!(rig.emulator.journal().len(), 0);
        let set = |id: &str, most: i64| {
            values(vec![
                ("$1", Arc::new(StringArray::from(vec![id])) as ArrayRef),
                ("$2", Arc::new(Int64Array::from(vec![most]))),
            ])
        };
        statement.set_parameters(set(demo::PRODUCTION, 2)).unwrap();
        let info = statement.execute().await.unwrap();
        assert_eq!(rig.emulator.journal().len(), 0);
        let (_, batches) = client.fetch(info).await.unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
        // A bound value narrows the calls as a literal does.
        let narrow = rig.emulator.journal().len();
        client.query(INSTANCES).await.unwrap();
        assert!(narrow < rig.emulator.journal().len() - narrow);
        // It stays a value, whatever is in it.
        statement.set_parameters(set("'; DELETE", 2)).unwrap();
        let info = statement.execute().await.unwrap();
        let refused = client.fetch(info).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        statement.close().await.unwrap();

        let mut statement = client
            .0
            .prepare("SELECT $1::bigint + 1".to_owned(), None)
            .await
            .unwrap();
        let three: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        statement
            .set_parameters(values(vec![("x", three)]))
            .unwrap();
        let info = statement.execute().await.unwrap();
        let (_, batches) = client.fetch(info).await.unwrap();
        let rows = Answer::new(&batches, restable_engine::Report::default()).sorted();
        assert_eq!(rows, ["2", "3", "4"]);
    });
}

/// A time that nanoseconds do not reach is compared like any other, or refused: it never becomes NULL.
#[test]
fn bound_times_of_any_year_are_compared() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut client = Client::connect(serve(&rig).await).await;
        let jobs = "SELECT count(*) AS n FROM azure.data_protection.vw_jobs";
        let all = client.texts(jobs).await;
        assert_ne!(all, [[Some("0".to_owned())]]);
        let (last, first) = (253_402_214_400, -62_135_596_800);
        let scaled = |by: i64| [last * by, first * by].map(|one| vec![one]);
        let [seconds, seconds_first] = scaled(1);
        let [micros, micros_first] = scaled(1_000_000);
        let pairs: Vec<[ArrayRef; 2]> = vec![
            [
                Arc::new(TimestampSecondArray::from(seconds).with_timezone("UTC")),
                Arc::new(TimestampSecondArray::from(seconds_first).with_timezone("UTC")),
            ],
            [
                Arc::new(TimestampMicrosecondArray::from(micros)),
                Arc::new(TimestampMicrosecondArray::from(micros_first)),
            ],
        ];
        for [last, first] in pairs {
            let kind = last.data_type().clone();
            let sql = format!("{jobs} WHERE start_time < $1 AND start_time > $2");
            let mut statement = client.0.prepare(sql, None).await.unwrap();
            let set = values(vec![("a", last), ("b", first)]);
            statement.set_parameters(set).unwrap();
            let info = statement.execute().await.unwrap();
            let (_, batches) = client.fetch(info).await.unwrap();
            let counted = Answer::new(&batches, restable_engine::Report::default()).rows;
            assert_eq!(counted, all, "{kind}");
        }
    });
}

#[test]
fn sessions_are_each_clients_own() {
    run(async {
        let rig = Rig::start("demo").await;
        let address = serve(&rig).await;
        let (mut one, mut other) = (
            Client::connect(address).await,
            Client::connect(address).await,
        );
        one.query("USE azure.data_protection").await.unwrap();
        one.query("CREATE TEMP TABLE mine AS SELECT 1 AS x")
            .await
            .unwrap();
        one.query("SET page_timeout = 7").await.unwrap();
        assert_eq!(
            one.texts("SELECT x FROM mine").await,
            [[Some("1".to_owned())]]
        );
        assert_eq!(
            other.query("SELECT x FROM mine").await.unwrap_err().code(),
            Code::NotFound
        );
        one.query("SELECT job_id FROM vw_jobs LIMIT 0")
            .await
            .unwrap();
        other
            .query("SELECT job_id FROM vw_jobs LIMIT 0")
            .await
            .unwrap_err();
        // By the names that metadata tells, without saying of which catalog.
        other
            .query("SELECT job_id FROM data_protection.vw_jobs LIMIT 0")
            .await
            .unwrap();
        // A token names its session on every connection.
        let token = one.0.handshake("ann", "").await.unwrap();
        one.query("CREATE TEMP TABLE hers AS SELECT 2 AS y")
            .await
            .unwrap();
        other
            .0
            .set_token(String::from_utf8(token.to_vec()).unwrap());
        assert_eq!(
            other.texts("SELECT y FROM hers").await,
            [[Some("2".to_owned())]]
        );
        // And so does a cookie.
        let mut third = Client::connect(address).await;
        third
            .query("CREATE TEMP TABLE its AS SELECT 3 AS z")
            .await
            .unwrap();
        let options = third
            .0
            .inner_mut()
            .do_action(Action::new("GetSessionOptions", ""))
            .await
            .unwrap();
        let cookie = options
            .metadata()
            .get("set-cookie")
            .unwrap()
            .to_str()
            .unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let mut fourth = Client::connect(address).await;
        fourth.0.set_header("cookie", cookie.clone());
        assert_eq!(
            fourth.texts("SELECT z FROM its").await,
            [[Some("3".to_owned())]]
        );
        // A session that is closed is gone, whoever names it.
        let mut close = tonic::Request::new(Action::new("CloseSession", ""));
        close
            .metadata_mut()
            .insert("cookie", cookie.parse().unwrap());
        fourth.0.inner_mut().do_action(close).await.unwrap();
        fourth.query("SELECT z FROM its").await.unwrap_err();
        third.query("SELECT z FROM its").await.unwrap_err();
    });
}

#[test]
fn a_statement_is_cancelled_by_its_answer() {
    run(async {
        let rig = slow().await;
        let address = serve(&rig).await;
        let mut client = Client::connect(address).await;
        let sql = "SELECT count(*) FROM azure.data_protection.backup_instances";
        let info = client.0.execute(sql.to_owned(), None).await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let rows = client.0.do_get(ticket).await.unwrap();
        let reading = tokio::spawn(rows.try_collect::<Vec<_>>());
        while rig.emulator.journal().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let body = CancelFlightInfoRequest::new(info.clone()).encode_to_vec();
        let answer = client
            .action("CancelFlightInfo", body.clone())
            .await
            .unwrap();
        assert_eq!(
            CancelFlightInfoResult::decode(&*answer).unwrap().status(),
            CancelStatus::Cancelled
        );
        let ended = reading.await.unwrap().unwrap_err();
        let FlightError::Tonic(ended) = ended else {
            panic!("{ended}");
        };
        assert_eq!(ended.code(), Code::Cancelled);
        silence(&rig).await;
        let answer = client.action("CancelFlightInfo", body).await.unwrap();
        assert_eq!(
            CancelFlightInfoResult::decode(&*answer).unwrap().status(),
            CancelStatus::NotCancellable
        );
    });
}

#[test]
fn a_statement_has_no_longer_than_its_timeout() {
    run(async {
        let rig = Rig::start("empty").await;
        let address = serve(&rig).await;
        let mut client = Client::connect(address).await;
        client.query("SET statement_timeout = 0.05").await.unwrap();
        // It would take as long as the test may.
        let late = client.query("SELECT pg_sleep(86400)").await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
        assert!(late.message().contains("`statement_timeout`"), "{late}");
        let late = "SELECT count(*) FROM generate_series(1, 1000000000000)";
        let late = client.query(late).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
        // It is of this session only.
        let mut other = Client::connect(address).await;
        other.query("SELECT pg_sleep(0.1)").await.unwrap();
        client.query("SET statement_timeout = 0").await.unwrap();
        client.query("SELECT pg_sleep(0.1)").await.unwrap();
    });
}

async fn slow() -> Rig {
    let options = arm_emulator::Options {
        latency: Duration::from_millis(20),
        ..crate::rig::options("5,100,1000")
    };
    Rig::with(options, vec![Arc::new(restable_spec::Builtin)]).await
}

/// The calls on their way may come to their end; then nothing more is asked.
async fn silence(rig: &Rig) {
    let mut before = usize::MAX;
    while before != rig.emulator.journal().len() {
        before = rig.emulator.journal().len();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < 100, "{before} calls");
}

#[test]
fn the_calls_of_a_reader_that_goes_away_end() {
    run(async {
        let rig = slow().await;
        let mut client = Client::connect(serve(&rig).await).await;
        let sql = "SELECT count(*) FROM azure.data_protection.backup_instances";
        let info = client.0.execute(sql.to_owned(), None).await.unwrap();
        let rows = client
            .0
            .do_get(info.endpoint[0].ticket.clone().unwrap())
            .await
            .unwrap();
        while rig.emulator.journal().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(rows);
        silence(&rig).await;
    });
}

#[test]
fn errors_have_codes_and_hints() {
    run(async {
        let rig = Rig::start("demo").await;
        let mut client = Client::connect(serve(&rig).await).await;
        let codes = [
            ("SELEC 1", Code::InvalidArgument),
            ("", Code::InvalidArgument),
            ("SELECT 1; SELECT 2", Code::InvalidArgument),
            ("SELECT * FROM nothing", Code::NotFound),
            (
                "SELECT nothing FROM azure.data_protection.backup_instances",
                Code::InvalidArgument,
            ),
            ("SELECT 1/0", Code::InvalidArgument),
            ("SET nothing = 1", Code::InvalidArgument),
            ("BEGIN", Code::Unimplemented),
            (
                "DELETE FROM azure.data_protection.backup_instances",
                Code::PermissionDenied,
            ),
        ];
        for (sql, code) in codes {
            let status = client.query(sql).await.unwrap_err();
            assert_eq!(status.code(), code, "{sql}: {status}");
        }
        let status = client
            .query("SELECT * FROM azure.data_protection.vw_job")
            .await
            .unwrap_err();
        assert!(
            status
                .message()
                .contains("\nhint: did you mean `azure.data_protection.vw_jobs`?"),
            "{status}"
        );
        let count = client
            .0
            .execute_update("SELECT 1".to_owned(), None)
            .await
            .unwrap();
        assert_eq!(count, 1);
        let refused = client
            .0
            .execute_update(
                "DELETE FROM azure.data_protection.backup_instances WHERE name = 'x'".to_owned(),
                None,
            )
            .await;
        assert_eq!(status_of(refused), Code::PermissionDenied);
    });
}

fn status_of<T: std::fmt::Debug>(result: Result<T, FlightError>) -> Code {
    status(result.unwrap_err()).code()
}
