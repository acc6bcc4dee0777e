//! Provider documents in, a valid model out; routing and binding of calls.
//!
//! The documents are StackQL's: OpenAPI 3 with `components.x-stackQL-resources`. The crate owns their format, the
//! choice of the method that serves a SELECT ([`Resource::route`]), the making of exact calls ([`Method::bind`]) and of
//! their bodies ([`Method::body`], [`Method::check_body`]).
//! It refuses what is wrong in a document by naming file and place, and every value that could leave its place in a URL.
//! It opens no sockets, knows no SQL and no Arrow; its one input is [`SpecSource::read`].

mod acting;
mod arm_id;
mod bind;
mod blockers;
mod body;
mod builtin;
mod document;
mod error;
mod evidence;
mod method;
pub mod names;
mod path;
mod pattern;
mod read;
mod registry;
mod resource;
mod route;
mod schema;
mod schema_text;
mod source;
mod value;

pub use acting::Attribute;
pub use arm_id::{IdForm, id_conflict};
pub use bind::{Arguments, BoundCall};
pub use blockers::{Blocker, BlockerTest, FieldValues};
pub use body::{
    Body, BodyArgument, BodyFault, BodyProblem, BodyTarget, BodyValue, Severity, Strictness,
};
pub use builtin::Builtin;
pub use error::{
    BindError, BodyError, CredentialNamed, Error, IdConflict, IdError, MethodError, Problem,
    RouteError, SourceError, Unavailable, ValueProblem,
};
pub use evidence::{Evidence, JobState, Jobs};
pub use method::{
    AUXILIARY_HEADER, BodyNaming, CallClass, Casing, ErrorHint, Field, FinalState, HttpMethod,
    Items, Kind, Location, LongRunning, Method, Parameter, Range, Request, Response, Verb,
};
pub use path::{Part, PathTemplate, Segment};
pub use registry::{Provider, Registry, ServiceEntry};
pub use resource::{Childless, Parent, Resource, Service, View};
pub use route::{Bound, SINGLE_GETS};
pub use schema::{
    Additional, ArraySchema, Discriminator, Effective, ObjectSchema, Property, ScalarSchema,
    Schema, Schemas,
};
pub use source::{Directory, SpecSource};
