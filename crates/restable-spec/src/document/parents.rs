//! Raw forms of restable's keys on how tables hang together: `x-restable-parent` and `x-restable-childless`.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{
    self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer,
};

use super::nullable;

/// Rows under which nothing is asked.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawChildless {
    pub field: String,
    pub values: Vec<String>,
}

/// `none`, or who enumerates the parameters.
#[derive(Debug)]
pub(crate) enum RawParent {
    Named(String),
    Mapping {
        resource: String,
        parameters: IndexMap<String, String>,
    },
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object")]
struct ParentObject {
    resource: String,
    #[serde(default, deserialize_with = "nullable")]
    parameters: IndexMap<String, String>,
}

forms!(
    RawParent,
    "`none` or an object with `resource` and `parameters`",
    {
        fn visit_str<E: de::Error>(self, text: &str) -> Result<RawParent, E> {
            Ok(RawParent::Named(text.to_owned()))
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawParent, A::Error> {
            let object = ParentObject::deserialize(MapAccessDeserializer::new(map))?;
            Ok(RawParent::Mapping {
                resource: object.resource,
                parameters: object.parameters,
            })
        }
    }
);
