//! Raw schemas into the model: every reference is checked, subtypes are gathered under their base.
//! Refuses references that lead nowhere. What a schema does not say becomes [`Schema::Any`].

use std::cell::RefCell;

use indexmap::IndexMap;

use crate::document::{RawAdditional, RawDiscriminator, RawSchema};
use crate::error::{Error, Problem};
use crate::method::Kind;
use crate::schema::{
    Additional, ArraySchema, Discriminator, ObjectSchema, Property, ScalarSchema, Schema, Schemas,
};

const PREFIX: &str = "#/components/schemas/";

/// Converts schemas of one document.
pub(super) struct Converter<'a> {
    file: &'a str,
    raw: &'a IndexMap<String, RawSchema>,
    /// References into schemas that are being copied.
    copying: RefCell<Vec<String>>,
    /// Schemas with subtypes that the document does not hold.
    general: Vec<&'a RawSchema>,
}

impl<'a> Converter<'a> {
    pub fn new(file: &'a str, raw: &'a IndexMap<String, RawSchema>) -> Self {
        let copying = RefCell::default();
        let general = raw.values().filter(|raw| speaks_of_subtypes(raw)).collect();
        Self {
            file,
            raw,
            copying,
            general,
        }
    }

    /// All named schemas.
    pub fn all(&self) -> Result<Schemas, Error> {
        let mut named = IndexMap::with_capacity(self.raw.len());
        for (name, raw) in self.raw {
            named.insert(name.clone(), self.convert(raw, &Place::Root(name))?);
        }
        self.gather_subtypes(&mut named);
        Ok(Schemas::new(named))
    }

    /// One schema that stands somewhere in the document.
    pub fn inline(&self, raw: &RawSchema, place: &str) -> Result<Schema, Error> {
        self.convert(raw, &Place::Elsewhere(place))
    }

    /// A `$ref` that stands alone, as in `schema_override`.
    pub fn reference(&self, reference: &str, place: &str) -> Result<Schema, Error> {
        self.referred(reference, &Place::Elsewhere(place))
    }

    fn convert(&self, raw: &RawSchema, place: &Place<'_>) -> Result<Schema, Error> {
        if let Some(reference) = &raw.reference {
            return self.referred(reference, place);
        }
        if !raw.all_of.is_empty() {
            return self.extension(raw, place);
        }
        if raw.properties.is_empty() && !(raw.one_of.is_empty() && raw.any_of.is_empty()) {
            return self.union(raw, place);
        }
        let mut kinds = raw
            .kind
            .0
            .iter()
            .map(String::as_str)
            .filter(|kind| *kind != "null");
        let (first, second) = (kinds.next(), kinds.next());
        if let (Some(first), Some(second)) = (first, second) {
            let mut members = vec![
                self.typed(raw, Some(first), place)?,
                self.typed(raw, Some(second), place)?,
            ];
            for kind in kinds {
                members.push(self.typed(raw, Some(kind), place)?);
            }
            return Ok(Schema::OneOf(members));
        }
        self.typed(raw, first, place)
    }

    fn typed(
        &self,
        raw: &RawSchema,
        kind: Option<&str>,
        place: &Place<'_>,
    ) -> Result<Schema, Error> {
        let scalar = |kind| Ok(Schema::Scalar(Box::new(scalar(raw, kind))));
        match kind {
            Some("object") => self.object(raw, place),
            Some("array") => self.array(raw, place),
            Some("string") => scalar(Kind::Text),
            Some("integer") => scalar(Kind::Integer),
            Some("number") => scalar(Kind::Number),
            Some("boolean") => scalar(Kind::Boolean),
            None if !raw.properties.is_empty()
                || raw.additional.is_some()
                || raw.discriminator.is_some() =>
            {
                self.object(raw, place)
            }
            None if raw.items.is_some() => self.array(raw, place),
            None if raw
                .allowed
                .iter()
                .chain(&raw.constant)
                .any(serde_json::Value::is_string) =>
            {
                scalar(Kind::Text)
            }
            Some(_) | None => Ok(Schema::Any),
        }
    }

    fn referred(&self, reference: &str, place: &Place<'_>) -> Result<Schema, Error> {
        let unresolved = || Error::Document {
            file: self.file.to_owned(),
            place: place.to_string(),
            problem: Problem::Unresolved(reference.to_owned()),
        };
        let name = unescape(reference.strip_prefix(PREFIX).ok_or_else(unresolved)?);
        if self.raw.contains_key(&name) {
            return Ok(Schema::Ref(name));
        }
        let target = self.deep(reference).ok_or_else(unresolved)?;
        // What a reference into a schema leads to is copied, so that a circle of such references must be cut.
        if self.copying.borrow().iter().any(|open| open == reference) {
            return Ok(Schema::Any);
        }
        self.copying.borrow_mut().push(reference.to_owned());
        let copy = self.convert(target, place);
        self.copying.borrow_mut().pop();
        copy
    }

    /// A reference into a named schema: `#/components/schemas/Vault/properties/location`.
    fn deep(&self, reference: &str) -> Option<&RawSchema> {
        let mut parts = reference.strip_prefix(PREFIX)?.split('/').map(unescape);
        let mut current = self.raw.get(&parts.next()?)?;
        while let Some(part) = parts.next() {
            current = match part.as_str() {
                "properties" => current.properties.get(&parts.next()?)?,
                "items" => current.items.as_deref()?,
                "allOf" => current.all_of.get(parts.next()?.parse::<usize>().ok()?)?,
                "oneOf" => current.one_of.get(parts.next()?.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(current)
    }

    fn object(&self, raw: &RawSchema, place: &Place<'_>) -> Result<Schema, Error> {
        let mut properties = IndexMap::with_capacity(raw.properties.len());
        for (name, property) in &raw.properties {
            properties.insert(
                name.clone(),
                self.property(property, &Place::Property(place, name))?,
            );
        }
        let additional = match &raw.additional {
            None if raw.discriminator.is_none() && self.has_unlisted_subtypes(raw) => {
                Additional::Open(Schema::Any)
            }
            None => Additional::Unsaid,
            Some(RawAdditional::Said(false)) => Additional::Closed,
            Some(RawAdditional::Said(true)) => Additional::Open(Schema::Any),
            Some(RawAdditional::Schema(schema)) => {
                Additional::Open(self.convert(schema, &Place::Key(place, "additionalProperties"))?)
            }
        };
        Ok(Schema::Object(Box::new(ObjectSchema {
            bases: Vec::new(),
            properties,
            required: raw.required.0.clone(),
            additional,
            discriminator: self.discriminator(raw.discriminator.as_ref()),
            description: raw.description.clone(),
        })))
    }

    /// Bodies of operations are copies of such schemas, without their description.
    fn has_unlisted_subtypes(&self, raw: &RawSchema) -> bool {
        let copied = |general: &&RawSchema| {
            !raw.properties.is_empty() && raw.properties.keys().eq(general.properties.keys())
        };
        speaks_of_subtypes(raw) || self.general.iter().any(copied)
    }

    fn property(&self, raw: &RawSchema, place: &Place<'_>) -> Result<Property, Error> {
        let schema = self.convert(raw, place)?;
        // What stands beside a `$ref` wins; what does not is looked up one reference away.
        let target = raw
            .reference
            .as_deref()
            .and_then(|reference| self.deep(reference));
        let said = |read: fn(&RawSchema) -> bool| read(raw) || target.is_some_and(read);
        Ok(Property {
            schema,
            read_only: said(|raw| raw.read_only),
            secret: said(|raw| {
                raw.secret || raw.write_only || raw.format.as_deref() == Some("password")
            }),
            nullable: said(|raw| raw.nullable || raw.kind.0.iter().any(|kind| kind == "null")),
            default: raw
                .default
                .clone()
                .or_else(|| target.and_then(|raw| raw.default.clone())),
            description: raw
                .description
                .clone()
                .or_else(|| target.and_then(|raw| raw.description.clone())),
        })
    }

    fn array(&self, raw: &RawSchema, place: &Place<'_>) -> Result<Schema, Error> {
        let items = match &raw.items {
            Some(items) => self.convert(items, &Place::Key(place, "items"))?,
            None => Schema::Any,
        };
        Ok(Schema::Array(Box::new(ArraySchema { items })))
    }

    fn extension(&self, raw: &RawSchema, place: &Place<'_>) -> Result<Schema, Error> {
        let mut bases = Vec::with_capacity(raw.all_of.len());
        for (at, base) in raw.all_of.iter().enumerate() {
            bases.push(self.convert(base, &Place::Member(place, "allOf", at))?);
        }
        let adds_nothing = raw.properties.is_empty()
            && raw.required.0.is_empty()
            && raw.additional.is_none()
            && raw.discriminator.is_none();
        // `allOf` with one member is how documents put words beside a reference. A schema that only extends its base,
        // under a name of its own, must stay: it may be a subtype.
        if adds_nothing && bases.len() == 1 && !matches!(place, Place::Root(_)) {
            return Ok(bases.remove(0));
        }
        match self.object(raw, place)? {
            Schema::Object(mut object) => {
                object.bases = bases;
                Ok(Schema::Object(object))
            }
            other => Ok(other),
        }
    }

    fn union(&self, raw: &RawSchema, place: &Place<'_>) -> Result<Schema, Error> {
        let (key, list) = if raw.one_of.is_empty() {
            ("anyOf", &raw.any_of)
        } else {
            ("oneOf", &raw.one_of)
        };
        let mut members = Vec::with_capacity(list.len());
        for (at, member) in list.iter().enumerate() {
            if member.kind.0.iter().all(|kind| kind == "null") && !member.kind.0.is_empty() {
                continue;
            }
            members.push(self.convert(member, &Place::Member(place, key, at))?);
        }
        if let Some(mut discriminator) = self.discriminator(raw.discriminator.as_ref()) {
            for member in &members {
                if let Schema::Ref(name) = member
                    && !discriminator.subtypes.values().any(|known| known == name)
                {
                    discriminator
                        .subtypes
                        .insert(self.subtype_value(name), name.clone());
                }
            }
            return Ok(Schema::Object(Box::new(discriminated(
                discriminator,
                raw.description.clone(),
            ))));
        }
        if members.len() == 1 {
            return Ok(members.remove(0));
        }
        Ok(Schema::OneOf(members))
    }

    fn discriminator(&self, raw: Option<&RawDiscriminator>) -> Option<Discriminator> {
        let raw = raw?;
        let known = |target: &String| {
            let name = target.strip_prefix(PREFIX).unwrap_or(target);
            self.raw.contains_key(name).then(|| name.to_owned())
        };
        let subtypes = raw
            .mapping
            .iter()
            .filter_map(|(value, target)| Some((value.clone(), known(target)?)));
        Some(Discriminator {
            property: raw.property.clone(),
            subtypes: subtypes.collect(),
        })
    }

    fn subtype_value(&self, name: &str) -> String {
        let stated = self
            .raw
            .get(name)
            .and_then(|raw| raw.discriminator_value.clone());
        stated.unwrap_or_else(|| name.to_owned())
    }

    /// A base that declares a discriminator without a mapping has the schemas that extend it as subtypes.
    fn gather_subtypes(&self, named: &mut IndexMap<String, Schema>) {
        let mut found: Vec<(String, String)> = Vec::new();
        for name in named.keys() {
            let mut line = vec![name.as_str()];
            while let Some(at) = line.pop() {
                let Some(Schema::Object(object)) = named.get(at) else {
                    continue;
                };
                for base in &object.bases {
                    let Schema::Ref(base) = base else { continue };
                    let known = found
                        .iter()
                        .any(|(known, subtype)| known == base && subtype == name);
                    if base != name && !known {
                        found.push((base.clone(), name.clone()));
                        line.push(base);
                    }
                }
            }
        }
        for (base, subtype) in found {
            let value = self.subtype_value(&subtype);
            if let Some(Schema::Object(object)) = named.get_mut(&base)
                && let Some(discriminator) = &mut object.discriminator
                && !discriminator
                    .subtypes
                    .values()
                    .any(|known| *known == subtype)
                && !discriminator.subtypes.contains_key(&value)
            {
                discriminator.subtypes.insert(value, subtype);
            }
        }
    }
}

/// Documents that were made of Azure's Python SDK name the subtypes of a schema in words only, and do not hold them.
fn speaks_of_subtypes(raw: &RawSchema) -> bool {
    let words = raw.description.as_deref();
    words.is_some_and(|words| words.contains("Known sub-classes are"))
}

fn discriminated(discriminator: Discriminator, description: Option<String>) -> ObjectSchema {
    let text = ScalarSchema {
        kind: Kind::Text,
        format: None,
        allowed: Vec::new(),
        closed: false,
        constant: None,
        pattern: None,
        min_length: None,
        max_length: None,
    };
    let property = Property {
        schema: Schema::Scalar(Box::new(text)),
        read_only: false,
        secret: false,
        nullable: false,
        default: None,
        description: None,
    };
    ObjectSchema {
        properties: IndexMap::from([(discriminator.property.clone(), property)]),
        required: vec![discriminator.property.clone()],
        discriminator: Some(discriminator),
        description,
        ..ObjectSchema::default()
    }
}

fn scalar(raw: &RawSchema, kind: Kind) -> ScalarSchema {
    ScalarSchema {
        kind,
        format: raw.format.clone(),
        allowed: raw
            .allowed
            .iter()
            .filter(|value| !value.is_null())
            .cloned()
            .collect(),
        closed: raw
            .ms_enum
            .as_ref()
            .is_some_and(|said| said.open == Some(false)),
        constant: raw.constant.clone(),
        pattern: raw.pattern.clone(),
        min_length: raw.min_length,
        max_length: raw.max_length,
    }
}

/// Undoes the escapes of a JSON pointer.
pub(super) fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Where a schema stands; spelled out only when something is wrong there.
enum Place<'a> {
    Root(&'a str),
    Elsewhere(&'a str),
    Property(&'a Place<'a>, &'a str),
    Key(&'a Place<'a>, &'static str),
    Member(&'a Place<'a>, &'static str, usize),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root(name) => write!(f, "components.schemas.{name}"),
            Self::Elsewhere(place) => f.write_str(place),
            Self::Property(place, name) => write!(f, "{place}.properties.{name}"),
            Self::Key(place, key) => write!(f, "{place}.{key}"),
            Self::Member(place, key, at) => write!(f, "{place}.{key}[{at}]"),
        }
    }
}
