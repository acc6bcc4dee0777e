//! Wrong documents: the error names the file, the place and what is wrong there.

use std::sync::Arc;

use restable_spec::{Registry, SpecSource};

use crate::{Texts, one_service};

fn refused(text: &str) -> String {
    match one_service(text).provider("p").unwrap().service("s") {
        Ok(_) => String::from("accepted"),
        Err(error) => error.to_string(),
    }
}

fn provider_refused(text: &str) -> String {
    let texts: Arc<dyn SpecSource> = Arc::new(Texts(vec![("p/v1/provider.yaml", text.to_owned())]));
    match Registry::open(vec![texts]) {
        Ok(_) => String::from("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn texts_that_are_no_documents() {
    insta::assert_snapshot!(refused(""), @"`p/v1/services/s.yaml`: the document is empty");
    insta::assert_snapshot!(refused("# nothing\n---\n"), @"`p/v1/services/s.yaml`: the document is empty");
    insta::assert_snapshot!(refused("a: [1, 2"), @"`p/v1/services/s.yaml` line 2, column 1: did not find expected ',' or ']'");
    insta::assert_snapshot!(refused("just words"), @r#"`p/v1/services/s.yaml` line 1, column 1: invalid type: string "just words", expected an object"#);
    insta::assert_snapshot!(refused("paths: {/a: {get: {parameters: 7}}}"), @"`p/v1/services/s.yaml` line 1, column 32, at `paths./a.get.parameters`: invalid type: integer `7`, expected a sequence");
    insta::assert_snapshot!(refused("components:\n  schemas:\n    A:\n      properties:\n        b:\n          additionalProperties: 7\n"), @"`p/v1/services/s.yaml` line 6, column 33, at `components.schemas.A.properties.b.additionalProperties`: invalid type: integer `7`, expected a boolean or a schema");
    insta::assert_snapshot!(refused("info: \u{0}"), @"`p/v1/services/s.yaml` line 1, column 1: control characters are not allowed at position 6");
    insta::assert_snapshot!(provider_refused(""), @"`p/v1/provider.yaml`: the document is empty");
    insta::assert_snapshot!(provider_refused("title: none"), @"`p/v1/provider.yaml`: `name` is missing");
}

/// A resource with one method; `ITEM` is its path item, `MORE` stands beside its methods.
fn resource(path: &str, item: &str, more: &str) -> String {
    let pointer = path.replace('/', "~1");
    format!(
        "components:\n  schemas:\n    Row: {{properties: {{id: {{type: string}}}}}}\n  x-stackQL-resources:\n    things:\n      methods:\n        get: {{operation: {{$ref: '#/paths/{pointer}/get'}}}}\n      {more}\npaths:\n  '{path}': {item}\n"
    )
}

#[test]
fn places_that_are_wrong() {
    let get = "{get: {responses: {200: {content: {application/json: {schema: {$ref: '#/components/schemas/Row'}}}}}}}";
    assert_eq!(refused(&resource("/a", get, "")), "accepted");
    insta::assert_snapshot!(refused(&resource("/a", "{put: {}}", "")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.get.operation`: `#/paths/~1a/get` refers to nothing in this document");
    insta::assert_snapshot!(refused(&resource("/a/{b", get, "")), @"`p/v1/services/s.yaml`, at `paths./a/{b`: `/a/{b` is no path template: a `{` is not closed");
    insta::assert_snapshot!(refused(&resource("/a", &get.replace("Row", "Gone"), "")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.get`: `#/components/schemas/Gone` refers to nothing in this document");
    insta::assert_snapshot!(refused(&resource("/a", "{get: {parameters: [{$ref: '#/components/parameters/x'}]}}", "")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.get`: `#/components/parameters/x` refers to nothing in this document");
    insta::assert_snapshot!(refused(&resource("/a", "{get: {parameters: [{name: x, in: nowhere}]}}", "")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.get: parameter x`: `nowhere` is none of `path`, `query`, `header`, `cookie`");
    insta::assert_snapshot!(refused(&resource("/a", "{get: {parameters: [{in: query}]}}", "")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.get`: `parameters[].name` is missing");
    insta::assert_snapshot!(refused(&resource("/a", get, "sqlVerbs: {select: [{$ref: '#/components/x-stackQL-resources/things/methods/list'}]}")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.sqlVerbs.select`: `#/components/x-stackQL-resources/things/methods/list` refers to nothing in this document");
    insta::assert_snapshot!(refused(&resource("/a", get, "x-restable-parent: {resource: others}")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.x-restable-parent`: there is no resource `others`");
    insta::assert_snapshot!(refused(&resource("/a", get, "x-restable-parent: {resource: p.t.others, parameters: {b: b}}")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.x-restable-parent`: there is no parameter `b`");
    insta::assert_snapshot!(refused(&resource("/a", get, "x-restable-parent: things")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.x-restable-parent`: `things` refers to itself");
    insta::assert_snapshot!(refused(&resource("/a", "{get: {}, post: {x-restable-long-running: {final: never}}}", "").replace("/get'", "/post'")), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.get`: `never` is none of `async-operation`, `location`, `original-uri`, `none`");
    insta::assert_snapshot!(refused("components: {schemas: {A: {$ref: '#/components/schemas/B'}}}"), @"`p/v1/services/s.yaml`, at `components.schemas.A`: `#/components/schemas/B` refers to nothing in this document");
    insta::assert_snapshot!(refused("components: {x-stackQL-resources: {a_b: {}, aB: {}}}"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources`: `a_b` and `aB` are the same name");
    // Schemas may go round in circles.
    assert_eq!(
        refused("components: {schemas: {A: {$ref: '#/components/schemas/A'}}}"),
        "accepted"
    );
}

/// The same error is given each time, and the provider's other services are not touched by it.
#[test]
fn one_bad_service_does_not_spoil_the_others() {
    let provider = "name: p\nproviderServices:\n  a: {service: {$ref: a.yaml}}\n  b: {service: {$ref: b.yaml}}\n";
    let texts = Texts(vec![
        ("p/v1/provider.yaml", provider.to_owned()),
        ("a.yaml", String::from("a: [")),
        ("b.yaml", String::from("info: {title: B}")),
    ]);
    let registry = Registry::open(vec![Arc::new(texts)]).unwrap();
    let provider = registry.provider("p").unwrap();
    assert_eq!(
        provider.service("a").unwrap_err(),
        provider.service("a").unwrap_err()
    );
    assert!(provider.service("b").unwrap().is_some());
}

const VIEW: &str = "
components:
  x-stackQL-resources:
    vw_things:
      config:
        views:
          select:
            predicate: sqlDialect == \"sqlite3\"
            ddl: SELECT 1
            fallback:
              predicate: sqlDialect=='postgres'
              ddl: SELECT 2
              fallback: {predicate: 'sqlDialect == \"datafusion\"', ddl: SELECT 3}
    vw_others: {config: {views: {select: {predicate: 'sqlDialect == \"sqlite3\"', ddl: SELECT 1}}}}
";

#[test]
fn the_view_of_our_dialect_is_found_in_the_chain() {
    let registry = one_service(VIEW);
    let view = |name: &str| {
        registry
            .resource("p", "s", name)
            .unwrap()
            .unwrap()
            .view
            .clone()
            .map(|view| view.ddl)
    };
    assert_eq!(view("vw_things").as_deref(), Some("SELECT 3"));
    assert_eq!(view("vw_others"), None);
}
