//! Who asks: every request is let in by its token, cookie or connection before it is answered, and the answer names the
//! session. What is asked is answered in `service.rs`.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, BasicAuth, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, SchemaResult, Ticket,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use futures::StreamExt as _;
use prost::Message as _;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status, Streaming};

use super::service::{ACTIONS, Service};
use super::sessions::{Client, Connection, Sessions, takes_place};

/// The door of a server.
pub struct Door {
    service: Service,
    sessions: Arc<Sessions>,
}

impl Door {
    /// The door to these sessions.
    pub fn new(sessions: Arc<Sessions>) -> Door {
        Door {
            service: Service::new(Arc::clone(&sessions)),
            sessions,
        }
    }

    /// Finds the session of a request, and puts it beside it.
    fn enter<T>(&self, request: &mut Request<T>) -> Result<Arc<Client>, Status> {
        let connection = request.extensions().get::<Arc<Connection>>();
        let client = self.sessions.enter(request.metadata(), connection)?;
        request.extensions_mut().insert(Arc::clone(&client));
        Ok(client)
    }
}

/// Names the session to the client, so that it may name it when it asks again.
fn named<T>(mut response: Response<T>, client: &Client) -> Response<T> {
    if let Ok(cookie) = MetadataValue::try_from(client.set_cookie()) {
        response.metadata_mut().insert("set-cookie", cookie);
    }
    response
}

/// `authorization: Basic …`: a user and a password.
fn basic(metadata: &MetadataMap) -> Option<(String, String)> {
    let header = metadata.get("authorization")?.to_str().ok()?;
    let (kind, text) = header.split_once(' ')?;
    if !kind.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Some clients leave out the padding at the end.
    let text = BASE64.decode(text.trim().trim_end_matches('=')).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[tonic::async_trait]
impl FlightService for Door {
    type HandshakeStream = <Service as FlightService>::HandshakeStream;
    type ListFlightsStream = <Service as FlightService>::ListFlightsStream;
    type DoGetStream = <Service as FlightService>::DoGetStream;
    type DoPutStream = <Service as FlightService>::DoPutStream;
    type DoActionStream = <Service as FlightService>::DoActionStream;
    type ListActionsStream = <Service as FlightService>::ListActionsStream;
    type DoExchangeStream = <Service as FlightService>::DoExchangeStream;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let connection = request.extensions().get::<Arc<Connection>>().cloned();
        let shown = match basic(request.metadata()) {
            Some(shown) => shown,
            // Clients of the older kind show both in the first message.
            None => {
                let mut messages = request.into_inner();
                let first = messages.message().await?;
                let auth = first.and_then(|first| BasicAuth::decode(first.payload).ok());
                let auth = auth.filter(|auth| !auth.username.is_empty());
                let auth = auth.ok_or_else(|| {
                    Status::unauthenticated(
                        "a handshake shows a user and a password\nhint: `authorization: Basic …`",
                    )
                })?;
                (auth.username, auth.password)
            }
        };
        let client = self.sessions.shake_hands(&shown.0, &shown.1)?;
        takes_place(connection.as_ref())?;
        let answer = HandshakeResponse {
            protocol_version: 0,
            payload: client.id.clone().into(),
        };
        let mut response = Response::new(futures::stream::iter([Ok(answer)]).boxed() as _);
        let bearer = MetadataValue::try_from(format!("Bearer {}", client.id));
        let bearer = bearer.map_err(|problem| Status::internal(problem.to_string()))?;
        response.metadata_mut().insert("authorization", bearer);
        Ok(response)
    }

    async fn list_flights(
        &self,
        mut request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        let client = self.enter(&mut request)?;
        // What there is, is asked for by the commands of Flight SQL.
        Ok(named(
            Response::new(futures::stream::empty().boxed() as _),
            &client,
        ))
    }

    async fn get_flight_info(
        &self,
        mut request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let client = self.enter(&mut request)?;
        Ok(named(self.service.get_flight_info(request).await?, &client))
    }

    async fn poll_flight_info(
        &self,
        mut request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let client = self.enter(&mut request)?;
        // A plan is ready at once.
        let response = self.service.get_flight_info(request).await?;
        let response = response.map(|info| PollInfo::new().with_info(info));
        Ok(named(response, &client))
    }

    async fn get_schema(
        &self,
        mut request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let client = self.enter(&mut request)?;
        let info = self.service.get_flight_info(request).await?.into_inner();
        self.service.cancel_info(&info, &client);
        let schema = SchemaResult {
            schema: info.schema,
        };
        Ok(named(Response::new(schema), &client))
    }

    async fn do_get(
        &self,
        mut request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let client = self.enter(&mut request)?;
        Ok(named(self.service.do_get(request).await?, &client))
    }

    async fn do_put(
        &self,
        mut request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let client = self.enter(&mut request)?;
        Ok(named(self.service.do_put(request).await?, &client))
    }

    async fn do_action(
        &self,
        mut request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        let client = self.enter(&mut request)?;
        Ok(named(self.service.do_action(request).await?, &client))
    }

    async fn list_actions(
        &self,
        mut request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let client = self.enter(&mut request)?;
        let actions = ACTIONS.iter().map(|(name, description)| {
            Ok(ActionType {
                r#type: (*name).to_owned(),
                description: (*description).to_owned(),
            })
        });
        let actions = futures::stream::iter(actions).boxed();
        Ok(named(Response::new(actions as _), &client))
    }

    async fn do_exchange(
        &self,
        mut request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.enter(&mut request)?;
        Err(Status::unimplemented("nothing is exchanged here"))
    }
}
