//! The bound call as this crate sees it: what to send, decided elsewhere. Nothing here binds or routes.

/// The HTTP method of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

/// What sending a call twice would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallClass {
    /// Reads: GET, HEAD, a POST that is marked read-only.
    Read,
    /// PUT and DELETE.
    IdempotentWrite,
    /// PATCH, and PUT with If-Match.
    Conditional,
    /// Every other POST.
    Action,
}

/// One call, complete but for its credential.
#[derive(Debug, Clone)]
pub struct BoundCall {
    /// The provider's name.
    pub provider: String,
    /// The document's operation id.
    pub operation_id: String,
    /// The method.
    pub http: HttpMethod,
    /// The retry class.
    pub class: CallClass,
    /// The server's URL.
    pub server: String,
    /// The encoded path, with a leading slash.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<String>,
    /// What a person calls the place that the call reads.
    pub scope: String,
}
