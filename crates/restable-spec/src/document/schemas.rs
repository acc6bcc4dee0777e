//! Raw schemas: the part of the format that is JSON Schema, with the several forms that its keys may take.
//! Refuses other forms; keys it does not know are skipped.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{
    self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
};
use serde_json::Value;

use super::nullable;

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawSchema {
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    #[serde(rename = "type", default)]
    pub kind: RawTypes,
    pub format: Option<String>,
    pub pattern: Option<String>,
    #[serde(rename = "minLength")]
    pub min_length: Option<usize>,
    #[serde(rename = "maxLength")]
    pub max_length: Option<usize>,
    pub description: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub properties: IndexMap<String, RawSchema>,
    #[serde(default)]
    pub required: RawRequired,
    #[serde(rename = "additionalProperties")]
    pub additional: Option<RawAdditional>,
    pub items: Option<Box<RawSchema>>,
    #[serde(rename = "allOf", default, deserialize_with = "nullable")]
    pub all_of: Vec<RawSchema>,
    #[serde(rename = "oneOf", default, deserialize_with = "nullable")]
    pub one_of: Vec<RawSchema>,
    #[serde(rename = "anyOf", default, deserialize_with = "nullable")]
    pub any_of: Vec<RawSchema>,
    #[serde(rename = "enum", default, deserialize_with = "nullable")]
    pub allowed: Vec<Value>,
    #[serde(rename = "const")]
    pub constant: Option<Value>,
    pub default: Option<Value>,
    #[serde(rename = "readOnly", default, deserialize_with = "nullable")]
    pub read_only: bool,
    #[serde(rename = "writeOnly", default, deserialize_with = "nullable")]
    pub write_only: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub nullable: bool,
    pub discriminator: Option<RawDiscriminator>,
    #[serde(rename = "x-ms-discriminator-value")]
    pub discriminator_value: Option<String>,
    #[serde(rename = "x-ms-enum")]
    pub ms_enum: Option<RawMsEnum>,
    #[serde(rename = "x-ms-secret", default, deserialize_with = "nullable")]
    pub secret: bool,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawMsEnum {
    #[serde(rename = "modelAsString")]
    pub open: Option<bool>,
}

/// `type: object`, or `type: [string, "null"]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawTypes(pub Vec<String>);

/// A list of attribute names; old documents write a boolean on the attribute itself, which says nothing here.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRequired(pub Vec<String>);

/// `additionalProperties: false`, `true`, or a schema.
#[derive(Debug, Clone)]
pub(crate) enum RawAdditional {
    Said(bool),
    Schema(Box<RawSchema>),
}

/// `discriminator: objectType` or an object with a mapping.
#[derive(Debug, Clone)]
pub(crate) struct RawDiscriminator {
    pub property: String,
    pub mapping: IndexMap<String, String>,
}

fn strings<'de, A: SeqAccess<'de>>(mut sequence: A) -> Result<Vec<String>, A::Error> {
    let mut all = Vec::new();
    while let Some(text) = sequence.next_element::<Option<String>>()? {
        all.extend(text);
    }
    Ok(all)
}

forms!(RawTypes, "a type or a list of types", {
    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawTypes, E> {
        Ok(RawTypes(vec![text.to_owned()]))
    }
    fn visit_unit<E: de::Error>(self) -> Result<RawTypes, E> {
        Ok(RawTypes::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<RawTypes, A::Error> {
        strings(sequence).map(RawTypes)
    }
});

forms!(RawRequired, "a list of attribute names", {
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<RawRequired, E> {
        Ok(RawRequired::default())
    }
    fn visit_unit<E: de::Error>(self) -> Result<RawRequired, E> {
        Ok(RawRequired::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<RawRequired, A::Error> {
        strings(sequence).map(RawRequired)
    }
});

forms!(RawAdditional, "a boolean or a schema", {
    fn visit_bool<E: de::Error>(self, said: bool) -> Result<RawAdditional, E> {
        Ok(RawAdditional::Said(said))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawAdditional, A::Error> {
        let schema = RawSchema::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RawAdditional::Schema(Box::new(schema)))
    }
});

#[derive(serde::Deserialize)]
#[serde(expecting = "an object")]
struct DiscriminatorObject {
    #[serde(rename = "propertyName")]
    property: String,
    #[serde(default, deserialize_with = "nullable")]
    mapping: IndexMap<String, String>,
}

forms!(
    RawDiscriminator,
    "the name of an attribute, or an object with `propertyName`",
    {
        fn visit_str<E: de::Error>(self, text: &str) -> Result<RawDiscriminator, E> {
            Ok(RawDiscriminator {
                property: text.to_owned(),
                mapping: IndexMap::new(),
            })
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawDiscriminator, A::Error> {
            let object = DiscriminatorObject::deserialize(MapAccessDeserializer::new(map))?;
            Ok(RawDiscriminator {
                property: object.property,
                mapping: object.mapping,
            })
        }
    }
);
