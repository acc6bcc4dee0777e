//! Schemas: bodies with their subtypes, and their text.

use restable_spec::{Additional, Schema};
use serde_json::Value;

use crate::{builtin, one_service, table};

#[test]
fn every_schema_has_a_json_text_and_every_reference_leads_somewhere() {
    let registry = builtin();
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider.service(&entry.name).unwrap().unwrap();
            for (name, schema) in service.schemas.iter() {
                let text = schema.to_json_text(&service.schemas);
                let value: Value = serde_json::from_str(&text).unwrap();
                assert!(value.is_object(), "{name}");
                each(schema, &mut |schema| {
                    if let Schema::Ref(target) = schema {
                        assert!(
                            service.schemas.named(target).is_some(),
                            "{name} -> {target}"
                        );
                    }
                    if let Schema::Object(object) = schema
                        && let Some(discriminator) = &object.discriminator
                    {
                        assert!(!discriminator.subtypes.is_empty(), "{name}");
                    }
                });
            }
        }
    }
}

fn each(schema: &Schema, see: &mut dyn FnMut(&Schema)) {
    see(schema);
    match schema {
        Schema::Object(object) => {
            object.bases.iter().for_each(|base| each(base, see));
            object
                .properties
                .values()
                .for_each(|property| each(&property.schema, see));
            if let Additional::Open(schema) = &object.additional {
                each(schema, see);
            }
        }
        Schema::Array(array) => each(&array.items, see),
        Schema::OneOf(members) => members.iter().for_each(|member| each(member, see)),
        Schema::Ref(_) | Schema::Scalar(_) | Schema::Any => {}
    }
}

#[test]
fn the_body_of_a_restore_depends_on_its_object_type() {
    let (service, instances) = table("data_protection", "backup_instances");
    let request = instances
        .method("trigger_restore")
        .unwrap()
        .request
        .clone()
        .unwrap();
    let base = service.schemas.effective_properties(&request.schema, None);
    assert!(base.requires("objectType") && base.requires("restoreTargetInfo"));
    assert!(base.property("recoveryPointId").is_none());
    let chosen = service.schemas.effective_properties(
        &request.schema,
        Some("AzureBackupRecoveryPointBasedRestoreRequest"),
    );
    assert!(chosen.requires("recoveryPointId"));
    // A subtype of a subtype has the attributes of both.
    let deeper = service.schemas.effective_properties(
        &request.schema,
        Some("AzureBackupRestoreWithRehydrationRequest"),
    );
    assert!(deeper.requires("recoveryPointId") && deeper.requires("rehydrationRetentionDuration"));
    assert_eq!(
        deeper.property("restore_target_info").unwrap().0,
        "restoreTargetInfo"
    );
    let subtypes = &base.discriminator.unwrap().subtypes;
    assert_eq!(subtypes.len(), 3);
}

const DOCUMENT: &str = "
components:
  schemas:
    Pet:
      required: [kind]
      discriminator: {propertyName: kind}
      properties: {kind: {type: string}, name: {type: string, minLength: 1}}
    Cat: {x-ms-discriminator-value: cat, allOf: [{$ref: '#/components/schemas/Pet'}], properties: {lives: {type: integer}}}
    Lion: {allOf: [{$ref: '#/components/schemas/Cat'}], required: [pride], properties: {pride: {type: string}}}
    Tree: {type: object, properties: {children: {type: array, items: {$ref: '#/components/schemas/Tree'}}}}
    Open: {type: object, additionalProperties: {type: string}}
    Closed: {type: object, additionalProperties: false, properties: {a: {type: [string, 'null']}}}
    State: {type: string, enum: [on, 'off', 3], x-ms-enum: {modelAsString: false}}
    Either: {oneOf: [{$ref: '#/components/schemas/Pet'}, {$ref: '#/components/schemas/Tree'}]}
    Uses:
      properties:
        pet: {allOf: [{$ref: '#/components/schemas/Pet'}], description: whose pet, readOnly: true}
        deep: {$ref: '#/components/schemas/Closed/properties/a'}
        state: {$ref: '#/components/schemas/State'}
        secret: {type: string, format: password}
        number: {anyOf: [{type: integer}, {type: 'null'}]}
";

const CIRCLES: &str = "
components:
  schemas:
    Self: {$ref: '#/components/schemas/Self'}
    One: {$ref: '#/components/schemas/Two'}
    Two: {$ref: '#/components/schemas/One'}
    Base: {allOf: [{$ref: '#/components/schemas/Base'}, {$ref: '#/components/schemas/Sub'}], discriminator: kind}
    Sub: {allOf: [{$ref: '#/components/schemas/Base'}], properties: {kind: {type: string}}}
    Union: {oneOf: [{$ref: '#/components/schemas/Union'}, {$ref: '#/components/schemas/Sub'}]}
    Deep: {properties: {a: {properties: {b: {$ref: '#/components/schemas/Deep/properties/a'}}}}}
  x-stackQL-resources:
    rows:
      methods: {list: {operation: {$ref: '#/paths/~1rows/get'}}}
paths:
  /rows: {get: {responses: {200: {content: {application/json: {schema: {$ref: '#/components/schemas/One'}}}}}}}
";

#[test]
fn circles_end() {
    let registry = one_service(CIRCLES);
    let service = registry
        .provider("p")
        .unwrap()
        .service("s")
        .unwrap()
        .unwrap();
    for (name, schema) in service.schemas.iter() {
        let effective = service.schemas.effective_properties(schema, Some("Sub"));
        assert!(effective.properties.len() <= 1, "{name}");
        assert_eq!(service.schemas.kind(schema), restable_spec::Kind::Json);
        assert!(!schema.to_json_text(&service.schemas).is_empty());
    }
    assert!(service.resource("rows").unwrap().fields.is_empty());
}

#[test]
fn shapes_are_read() {
    let registry = one_service(DOCUMENT);
    let schemas = &registry
        .provider("p")
        .unwrap()
        .service("s")
        .unwrap()
        .unwrap()
        .schemas;
    let named = |name: &str| schemas.named(name).unwrap();
    let pet = schemas.effective_properties(named("Pet"), Some("Lion"));
    assert_eq!(
        pet.properties.keys().copied().collect::<Vec<_>>(),
        ["kind", "name", "lives", "pride"]
    );
    assert_eq!(pet.required, ["kind", "pride"]);
    assert_eq!(
        pet.discriminator
            .unwrap()
            .subtypes
            .keys()
            .collect::<Vec<_>>(),
        ["cat", "Lion"]
    );
    assert!(!pet.open);
    assert!(schemas.effective_properties(named("Open"), None).open);
    assert!(!schemas.effective_properties(named("Closed"), None).open);
    assert_eq!(
        schemas
            .effective_properties(named("Either"), None)
            .properties
            .len(),
        3
    );
    let uses = schemas.effective_properties(named("Uses"), None);
    assert!(uses.property("pet").unwrap().1.read_only);
    assert!(uses.property("secret").unwrap().1.secret);
    insta::assert_snapshot!(named("Uses").to_json_text(schemas), @r##"
    {
      "type": "object",
      "properties": {
        "pet": {
          "$ref": "#/$defs/Pet",
          "description": "whose pet",
          "readOnly": true
        },
        "deep": {
          "type": "string"
        },
        "state": {
          "$ref": "#/$defs/State"
        },
        "secret": {
          "type": "string",
          "format": "password",
          "writeOnly": true
        },
        "number": {
          "type": "integer"
        }
      },
      "$defs": {
        "Pet": {
          "type": "object",
          "properties": {
            "kind": {
              "type": "string"
            },
            "name": {
              "type": "string",
              "minLength": 1
            }
          },
          "required": [
            "kind"
          ],
          "discriminator": {
            "propertyName": "kind",
            "mapping": {
              "cat": "#/$defs/Cat",
              "Lion": "#/$defs/Lion"
            }
          }
        },
        "State": {
          "type": "string",
          "enum": [
            "on",
            "off",
            3
          ]
        },
        "Cat": {
          "type": "object",
          "allOf": [
            {
              "$ref": "#/$defs/Pet"
            }
          ],
          "properties": {
            "lives": {
              "type": "integer"
            }
          }
        },
        "Lion": {
          "type": "object",
          "allOf": [
            {
              "$ref": "#/$defs/Cat"
            }
          ],
          "properties": {
            "pride": {
              "type": "string"
            }
          },
          "required": [
            "pride"
          ]
        }
      }
    }
    "##);
    insta::assert_snapshot!(named("Tree").to_json_text(schemas), @r##"
    {
      "type": "object",
      "properties": {
        "children": {
          "type": "array",
          "items": {
            "$ref": "#/$defs/Tree"
          }
        }
      },
      "$defs": {
        "Tree": {
          "type": "object",
          "properties": {
            "children": {
              "type": "array",
              "items": {
                "$ref": "#/$defs/Tree"
              }
            }
          }
        }
      }
    }
    "##);
}
