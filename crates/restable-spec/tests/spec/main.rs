//! What the crate promises, as tables of cases over real documents: the built-in ones, the public registry's, and small
//! wrong ones.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod acting;
mod blockers;
mod bodies;
mod calls;
mod documents;
mod evidence;
mod public_registry;
mod recorded_bodies;
mod routes;
mod schemas;
mod sources;
mod wrong_documents;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use restable_spec::{Builtin, Parameter, Registry, Resource, Service, SourceError, SpecSource};

/// A subscription id.
pub const SUBSCRIPTION: &str = "0f7e2c1a-6b0d-4f5e-9a43-2f9d1c5b7e10";

/// The registry of the built-in documents.
pub fn builtin() -> Registry {
    Registry::open(vec![Arc::new(Builtin)]).unwrap()
}

/// A built-in table, with its service.
pub fn table(service: &str, resource: &str) -> (Arc<Service>, Arc<Resource>) {
    // Read once for all tests.
    static BUILTIN: LazyLock<Registry> = LazyLock::new(builtin);
    let service = BUILTIN
        .provider("azure")
        .unwrap()
        .service(service)
        .unwrap()
        .unwrap();
    let resource = Arc::clone(service.resource(resource).unwrap());
    (service, resource)
}

/// A value that a parameter takes.
pub fn sample(parameter: &Parameter) -> String {
    use restable_spec::Kind;
    match (parameter.format.as_deref(), parameter.kind) {
        (Some("uuid"), _) => SUBSCRIPTION.to_owned(),
        _ if parameter.spans_segments => format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"),
        (_, Kind::Integer) => String::from("7"),
        (_, Kind::Number) => String::from("7.5"),
        (_, Kind::Boolean) => String::from("true"),
        (_, Kind::Text | Kind::Json) => String::from("x1"),
    }
}

/// Documents that stand in the test.
#[derive(Debug)]
pub struct Texts(pub Vec<(&'static str, String)>);

impl SpecSource for Texts {
    fn read(&self, path: &str) -> Result<Cow<'_, str>, SourceError> {
        let found = self.0.iter().find(|(known, _)| *known == path);
        found
            .map(|(_, text)| Cow::Borrowed(text.as_str()))
            .ok_or(SourceError::Absent)
    }

    fn documents(&self) -> Result<Vec<String>, SourceError> {
        let providers = self
            .0
            .iter()
            .filter(|(path, _)| path.ends_with("provider.yaml"));
        Ok(providers.map(|(path, _)| (*path).to_owned()).collect())
    }

    fn contains(&self, path: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == path)
    }
}

/// A registry with one service `p.s`, whose document is `text`.
pub fn one_service(text: &str) -> Registry {
    let provider =
        "name: p\nproviderServices:\n  s: {name: s, service: {$ref: p/v1/services/s.yaml}}\n";
    let texts = Texts(vec![
        ("p/v1/provider.yaml", provider.to_owned()),
        ("p/v1/services/s.yaml", text.to_owned()),
    ]);
    Registry::open(vec![Arc::new(texts)]).unwrap()
}
