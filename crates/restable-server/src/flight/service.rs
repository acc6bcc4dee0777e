//! What is asked: statements, prepared statements, what there is, cancelling. Asking for a plan sends nothing; fetching its
//! rows runs it, once.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor,
    FlightEndpoint, FlightInfo, Ticket,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use restable_engine::Session;
use restable_engine::parameters::Parameter;
use restable_engine::sql::Parsed;
use tonic::{Request, Response, Status};

use super::running::{self, Planned, Sent};
use super::sessions::{Client, Sessions, Stored};
use super::{asked, catalog, info, parameters, session_options, status};
use crate::computing::Limit;

/// Sets of values that one request may bind.
const SETS: usize = 10_000;

/// The action of the protocol that ends a statement.
const CANCEL: &str = "CancelFlightInfo";

/// What a client may have done beside queries, and what it does.
pub const ACTIONS: &[(&str, &str)] = &[
    ("CreatePreparedStatement", "prepares a statement"),
    ("ClosePreparedStatement", "forgets a prepared statement"),
    ("CancelQuery", "ends a statement"),
    (CANCEL, "ends a statement"),
    (session_options::SET, "sets options of the session"),
    (session_options::GET, "answers the options of the session"),
    (session_options::CLOSE, "ends the session"),
];

type Answer<T> = Result<Response<T>, Status>;
type DoGet = Answer<<Service as FlightService>::DoGetStream>;

/// Answers requests that were let in.
pub struct Service {
    sessions: Arc<Sessions>,
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session of a request.
fn client<T>(request: &Request<T>) -> Result<Arc<Client>, Status> {
    let client = request.extensions().get::<Arc<Client>>();
    client
        .map(Arc::clone)
        .ok_or_else(|| status::ours("a request has no session"))
}

/// The one statement of a text.
fn one(session: &Session, text: &str) -> Result<Parsed, Status> {
    let all = session.parse(text);
    let mut all = all.map_err(|fault| status::fault(&fault))?;
    match (all.pop(), all.is_empty()) {
        (Some(parsed), true) => Ok(parsed),
        (None, _) => Err(Status::invalid_argument("there is no statement")),
        (Some(_), false) => Err(Status::invalid_argument(
            "there are several statements\nhint: each is a request of its own",
        )),
    }
}

fn no_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(Status::invalid_argument(
            "there is no such transaction: what changes something is sent at once",
        )),
        _ => Ok(()),
    }
}

fn plan_gone() -> Status {
    Status::not_found(
        "the ticket was used, or its session has ended\nhint: ask for the statement again",
    )
}

fn statement_gone() -> Status {
    Status::not_found("there is no such prepared statement in a session of yours")
}

/// Where the rows of a plan are fetched: from this server, with this ticket.
fn described<M: ProstMessageExt>(
    schema: &Schema,
    ticket: M,
    request: Request<FlightDescriptor>,
) -> Answer<FlightInfo> {
    let ticket = Ticket::new(ticket.as_any().encode_to_vec());
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(status::ours)?
        .with_descriptor(request.into_inner())
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_ordered(true);
    Ok(Response::new(info))
}

fn sent(rows: Sent) -> DoGet {
    Ok(Response::new(rows as _))
}

fn batch(batch: RecordBatch) -> DoGet {
    sent(running::at_hand(batch))
}

fn bind(client: &Client, number: u64, sets: Vec<Vec<Parameter>>) -> Result<(), Status> {
    let stored = client.statement(number).ok_or_else(statement_gone)?;
    *lock(&stored.bound) = sets;
    Ok(())
}

/// The values in a stream, a set a row; none if the stream has no columns.
fn bound(
    stream: PeekableFlightDataStream,
) -> BoxFuture<'static, Result<Vec<Vec<Parameter>>, Status>> {
    // The first message may only say what the values are for.
    let data = stream
        .try_filter(|data| std::future::ready(!data.data_header.is_empty()))
        .map_err(|status| FlightError::Tonic(Box::new(status)));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(data);
    async move {
        let mut sets = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|problem| match problem {
                FlightError::Tonic(status) => *status,
                other => Status::invalid_argument(other.to_string()),
            })?;
            if sets.len() + batch.num_rows() > SETS {
                return Err(Status::resource_exhausted(format!(
                    "at most {SETS} sets of values are bound at once"
                )));
            }
            sets.extend(parameters::sets(&batch)?);
        }
        Ok(sets)
    }
    .boxed()
}

fn cancel_status(ended: bool) -> CancelStatus {
    if ended {
        CancelStatus::Cancelled
    } else {
        CancelStatus::NotCancellable
    }
}

/// The plan of a text.
fn plan(client: Arc<Client>, text: String) -> BoxFuture<'static, Result<Planned, Status>> {
    let session = client.session();
    let limit = Limit::of(&session);
    let work = async move {
        let parsed = one(&session, &text)?;
        let prepared = asked::prepare(session, parsed, Vec::new()).await;
        let prepared = prepared.map_err(|problem| status::told(&problem))?;
        Ok(Planned::new(vec![prepared]))
    };
    async move { client.computed(limit, work.boxed()).await }.boxed()
}

/// A plan for each set of values that is given or was bound, or one for a statement that takes none.
fn plan_stored(
    client: &Arc<Client>,
    number: u64,
    sets: Vec<Vec<Parameter>>,
) -> BoxFuture<'static, Result<Planned, Status>> {
    let (session, stored) = (client.session(), client.statement(number));
    let (client, limit) = (Arc::clone(client), Limit::of_several(&session, sets.len()));
    let work = async move {
        let stored = stored.ok_or_else(statement_gone)?;
        let sets = if sets.is_empty() {
            lock(&stored.bound).clone()
        } else {
            sets
        };
        let sets = match (takes(&stored), sets.is_empty()) {
            (0, true) => vec![Vec::new()],
            (count, true) => {
                return Err(Status::invalid_argument(format!(
                    "the statement takes {count} values, none are bound"
                )));
            }
            (_, false) => sets,
        };
        let mut plans = Vec::with_capacity(sets.len());
        for set in sets {
            if set.len() != takes(&stored) {
                return Err(Status::invalid_argument(format!(
                    "the statement takes {} values, {} are bound",
                    takes(&stored),
                    set.len()
                )));
            }
            let plan = asked::prepare(Arc::clone(&session), stored.parsed.clone(), set).await;
            plans.push(plan.map_err(|problem| status::told(&problem))?);
        }
        Ok(Planned::new(plans))
    };
    async move { client.computed(limit, work.boxed()).await }.boxed()
}

/// What a statement takes for each byte of its text: its tree is larger than that.
const TREE: usize = 64;

/// Prepares a statement: it is kept in the session.
fn prepare(
    client: Arc<Client>,
    text: String,
) -> BoxFuture<'static, Result<ActionCreatePreparedStatementResult, Status>> {
    let session = client.session();
    let (own, limit) = (Arc::clone(&client), Limit::of(&session));
    let work = async move {
        let parsed = one(&session, &text)?;
        let room = session.make_room("what a client prepared", text.len() * TREE);
        let memory = room.map_err(|problem| status::told(&problem))?;
        let described = asked::describe(session, parsed).await;
        let (parsed, described) = described.map_err(|problem| status::told(&problem))?;
        let values = described.parameters.iter().zip(1..);
        let values =
            values.map(|(kind, number)| Field::new(format!("${number}"), kind.clone(), true));
        let values = running::shown(&Schema::new(values.collect::<Vec<_>>()));
        let columns = described.columns.as_ref();
        let dataset_schema = columns.map(|columns| running::message(&running::shown(columns)));
        let dataset_schema = dataset_schema.transpose()?.unwrap_or_default();
        let stored = Stored {
            parsed,
            described,
            bound: Mutex::default(),
            _memory: memory,
        };
        let handle = client.keep_statement(stored).ok_or_else(|| {
            Status::resource_exhausted("the session has too many prepared statements")
        })?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.into(),
            dataset_schema,
            parameter_schema: running::message(&values)?,
        })
    };
    async move { own.computed(limit, work.boxed()).await }.boxed()
}

/// How many values a statement takes.
fn takes(stored: &Stored) -> usize {
    stored.described.parameters.len()
}

impl Service {
    /// Answers for these sessions.
    pub fn new(sessions: Arc<Sessions>) -> Service {
        Service { sessions }
    }

    /// The session and the number of a prepared statement.
    fn stored(&self, handle: &[u8], asking: &Client) -> Result<(Arc<Client>, u64), Status> {
        self.sessions
            .handle(handle, &asking.user)
            .ok_or_else(statement_gone)
    }

    /// Ends what an answer on a statement leads to; says whether there was something to end.
    pub fn cancel_info(&self, info: &FlightInfo, asking: &Client) -> bool {
        let mut ended = false;
        for endpoint in &info.endpoint {
            let ticket = endpoint.ticket.as_ref();
            let any = ticket.and_then(|ticket| Any::decode(&*ticket.ticket).ok());
            let ticket = any.and_then(|any| any.unpack::<TicketStatementQuery>().ok().flatten());
            let found = ticket
                .and_then(|ticket| self.sessions.handle(&ticket.statement_handle, &asking.user));
            if let Some((owner, number)) = found {
                ended |= owner.cancel(number);
            }
        }
        ended
    }

    fn answer(&self, body: Vec<u8>) -> Answer<<Service as FlightService>::DoActionStream> {
        let answer = arrow_flight::Result { body: body.into() };
        Ok(Response::new(
            futures::stream::iter([Ok(answer)]).boxed() as _
        ))
    }
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Service;

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let client = client(&request)?;
        no_transaction(query.transaction_id.as_ref())?;
        let planned = plan(Arc::clone(&client), query.query).await?;
        let schema = planned.schema();
        let ticket = TicketStatementQuery {
            statement_handle: client.keep_plan(planned).into(),
        };
        described(&schema, ticket, request)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> DoGet {
        let asking = client(&request)?;
        let (owner, number) = self
            .sessions
            .handle(&ticket.statement_handle, &asking.user)
            .ok_or_else(plan_gone)?;
        let planned = owner.take_plan(number).ok_or_else(plan_gone)?;
        sent(running::rows(&owner, Some(number), planned))
    }

    async fn do_put_statement_update(
        &self,
        command: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let client = client(&request)?;
        no_transaction(command.transaction_id.as_ref())?;
        let planned = plan(Arc::clone(&client), command.query).await?;
        running::update(&client, planned).await
    }

    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(Status::unimplemented(
            "rows are not taken in bulk\nhint: `INSERT` makes what its rows describe",
        ))
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let client = client(&request)?;
        no_transaction(query.transaction_id.as_ref())?;
        prepare(client, query.query).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let asking = client(&request)?;
        let found = self
            .sessions
            .handle(&query.prepared_statement_handle, &asking.user);
        if let Some((owner, number)) = found {
            owner.forget_statement(number);
        }
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let asking = client(&request)?;
        let (owner, number) = self.stored(&query.prepared_statement_handle, &asking)?;
        let sets = bound(request.into_inner()).await?;
        bind(&owner, number, sets)?;
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(query.prepared_statement_handle),
        })
    }

    async fn do_put_prepared_statement_update(
        &self,
        query: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let asking = client(&request)?;
        let (owner, number) = self.stored(&query.prepared_statement_handle, &asking)?;
        let sets = bound(request.into_inner()).await?;
        let planned = plan_stored(&owner, number, sets).await?;
        running::update(&owner, planned).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let asking = client(&request)?;
        let (owner, number) = self.stored(&query.prepared_statement_handle, &asking)?;
        let planned = plan_stored(&owner, number, Vec::new()).await?;
        let schema = planned.schema();
        let ticket = TicketStatementQuery {
            statement_handle: owner.keep_plan(planned).into(),
        };
        described(&schema, ticket, request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> DoGet {
        let asking = client(&request)?;
        let (owner, number) = self.stored(&query.prepared_statement_handle, &asking)?;
        let planned = plan_stored(&owner, number, Vec::new()).await?;
        sent(running::rows(&owner, None, planned))
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&query.into_builder().schema(), query, request)
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, request: Request<Ticket>) -> DoGet {
        batch(catalog::catalogs(&client(&request)?.session(), query)?)
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&query.clone().into_builder().schema(), query, request)
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, request: Request<Ticket>) -> DoGet {
        batch(catalog::schemas(&client(&request)?.session(), query)?)
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&query.clone().into_builder().schema(), query, request)
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> DoGet {
        let session = client(&request)?.session();
        batch(catalog::tables(session, query).await?)
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&catalog::table_types()?.schema(), query, request)
    }

    async fn do_get_table_types(&self, _: CommandGetTableTypes, _: Request<Ticket>) -> DoGet {
        batch(catalog::table_types()?)
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let access = self.sessions.options().access;
        let schema = info::answers(query.clone(), access)?.schema();
        described(&schema, query, request)
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, _: Request<Ticket>) -> DoGet {
        batch(info::answers(query, self.sessions.options().access)?)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let schema = info::type_info(query)?.schema();
        described(&schema, query, request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _: Request<Ticket>,
    ) -> DoGet {
        batch(info::type_info(query)?)
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&catalog::PRIMARY_KEYS, query, request)
    }

    async fn do_get_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<Ticket>,
    ) -> DoGet {
        batch(catalog::primary_keys(&client(&request)?.session(), &query)?)
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&catalog::FOREIGN_KEYS, query, request)
    }

    async fn do_get_exported_keys(&self, _: CommandGetExportedKeys, _: Request<Ticket>) -> DoGet {
        batch(catalog::foreign_keys())
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&catalog::FOREIGN_KEYS, query, request)
    }

    async fn do_get_imported_keys(&self, _: CommandGetImportedKeys, _: Request<Ticket>) -> DoGet {
        batch(catalog::foreign_keys())
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        described(&catalog::FOREIGN_KEYS, query, request)
    }

    async fn do_get_cross_reference(
        &self,
        _: CommandGetCrossReference,
        _: Request<Ticket>,
    ) -> DoGet {
        batch(catalog::foreign_keys())
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let asking = client(&request)?;
        let info = FlightInfo::decode(query.info)
            .map_err(|problem| Status::invalid_argument(problem.to_string()))?;
        // The two actions have the same numbers for what became of them.
        let result = cancel_status(self.cancel_info(&info, &asking)).into();
        Ok(ActionCancelQueryResult { result })
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Answer<<Self as FlightService>::DoActionStream> {
        let client = client(&request)?;
        let action = request.into_inner();
        match &*action.r#type {
            CANCEL => {
                let asked = CancelFlightInfoRequest::decode(&*action.body)
                    .map_err(|problem| Status::invalid_argument(problem.to_string()))?;
                let info = asked.info.unwrap_or_default();
                let status = cancel_status(self.cancel_info(&info, &client));
                self.answer(CancelFlightInfoResult::new(status).encode_to_vec())
            }
            session_options::SET => {
                self.answer(session_options::set(client.session(), action).await?)
            }
            session_options::GET => self.answer(session_options::all(&client.session())?),
            session_options::CLOSE => {
                self.sessions.close(&client);
                self.answer(session_options::closed())
            }
            other => {
                let known: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
                Err(Status::unimplemented(format!(
                    "there is no action `{other}`\nhint: there are {}",
                    known.join(", ")
                )))
            }
        }
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
