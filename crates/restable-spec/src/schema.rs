//! Schemas of rows and bodies, as a model: objects, arrays, scalars, references by name.
//! References stay references, since schemas refer to each other in circles; every reference leads to a schema of the
//! same document, which the reader has checked. Enums are open: a value that is not listed is still a value.

use indexmap::IndexMap;
use serde_json::Value;

use crate::method::Kind;
use crate::names;

/// The named schemas of one document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schemas {
    named: IndexMap<String, Schema>,
}

/// The shape of a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// A schema of the same document, by its name there.
    Ref(String),
    /// An object.
    Object(Box<ObjectSchema>),
    /// An array.
    Array(Box<ArraySchema>),
    /// Text, a number or a boolean.
    Scalar(Box<ScalarSchema>),
    /// One of several shapes (`oneOf`, `anyOf`).
    OneOf(Vec<Schema>),
    /// Anything.
    Any,
}

/// An object and its attributes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectSchema {
    /// Schemas that this one extends (`allOf`), in order; nearly always references.
    pub bases: Vec<Schema>,
    /// The attributes of its own, in the order of the document.
    pub properties: IndexMap<String, Property>,
    /// Attributes that must be there, those of the bases not included.
    pub required: Vec<String>,
    /// Whether attributes that are not listed may appear.
    pub additional: Additional,
    /// The attribute that tells which subtype an object is of.
    pub discriminator: Option<Discriminator>,
    /// The document's words on it.
    pub description: Option<String>,
}

/// An attribute of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Its shape.
    pub schema: Schema,
    /// Answered by the service, ignored or refused in bodies.
    pub read_only: bool,
    /// A secret (`x-ms-secret`, `format: password`, `writeOnly`): not to be printed or kept.
    pub secret: bool,
    /// JSON null is a value of its own.
    pub nullable: bool,
    /// What the service assumes if it is absent.
    pub default: Option<Value>,
    /// The document's words on it.
    pub description: Option<String>,
}

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySchema {
    /// The shape of each element.
    pub items: Schema,
}

/// Text, a number or a boolean.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalarSchema {
    /// Which of them; never [`Kind::Json`].
    pub kind: Kind,
    /// `uuid`, `date-time`, `duration`, …
    pub format: Option<String>,
    /// The values that the document lists. Services add values without a new version, so the list is open unless
    /// `closed` says otherwise.
    pub allowed: Vec<Value>,
    /// The document says that no other value will ever be (`x-ms-enum.modelAsString: false`).
    pub closed: bool,
    /// The only value possible.
    pub constant: Option<Value>,
    /// A regular expression for text.
    pub pattern: Option<String>,
    /// The least number of characters of text.
    pub min_length: Option<usize>,
    /// The greatest number of characters of text.
    pub max_length: Option<usize>,
}

/// Whether attributes that are not listed may appear in an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Additional {
    /// The document does not say; objects without any listed attribute are open then.
    #[default]
    Unsaid,
    /// No.
    Closed,
    /// Yes, and their values have this shape.
    Open(Schema),
}

/// The attribute that tells which subtype an object is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discriminator {
    /// Its name, usually `objectType`.
    pub property: String,
    /// Its known values, each with the name of the schema for it, in the order of the document. More may come.
    pub subtypes: IndexMap<String, String>,
}

/// An object schema with everything that its bases, and the chosen subtype, add to it.
#[derive(Debug, Clone, Default)]
pub struct Effective<'a> {
    /// All attributes: those of the bases first, each at the place where it is first listed.
    pub properties: IndexMap<&'a str, &'a Property>,
    /// All attributes that must be there.
    pub required: Vec<&'a str>,
    /// True if attributes that are not listed may appear.
    pub open: bool,
    /// The discriminator of the schema or its nearest base.
    pub discriminator: Option<&'a Discriminator>,
}

impl<'a> Effective<'a> {
    /// True if the attribute must be there.
    #[must_use]
    pub fn requires(&self, name: &str) -> bool {
        self.required.contains(&name)
    }

    /// The attribute of exactly this name, or else the one of the same fold.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<(&'a str, &'a Property)> {
        let exact = self.properties.get_key_value(name);
        exact
            .or_else(|| {
                self.properties
                    .iter()
                    .find(|(key, _)| names::same(key, name))
            })
            .map(|(key, property)| (*key, *property))
    }
}

impl Schemas {
    pub(crate) fn new(named: IndexMap<String, Schema>) -> Self {
        Self { named }
    }

    /// The schema of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Schema> {
        self.named.get(name)
    }

    /// All schemas, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.named
            .iter()
            .map(|(name, schema)| (name.as_str(), schema))
    }

    /// Follows references until something else is found. A circle of nothing but references is [`Schema::Any`].
    #[must_use]
    pub fn resolve<'a>(&'a self, schema: &'a Schema) -> &'a Schema {
        let mut current = schema;
        for _ in 0..=self.named.len() {
            match current {
                Schema::Ref(name) => match self.named.get(name) {
                    Some(next) => current = next,
                    None => return &Schema::Any,
                },
                found => return found,
            }
        }
        &Schema::Any
    }

    /// The attributes of an object: its bases merged, and if `object_type` names one of the subtypes of its
    /// discriminator, that subtype's attributes as well. Of a union, the attributes of all its members, none required.
    /// Schemas that are no objects have none.
    #[must_use]
    pub fn effective_properties<'a>(
        &'a self,
        schema: &'a Schema,
        object_type: Option<&str>,
    ) -> Effective<'a> {
        let mut effective = Effective {
            open: true,
            ..Effective::default()
        };
        let mut seen = Vec::new();
        let mut stated = Stated::default();
        self.collect(schema, &mut effective, &mut seen, &mut stated);
        let subtype = match (effective.discriminator, object_type) {
            (Some(discriminator), Some(value)) => discriminator.subtypes.get(value),
            _ => None,
        };
        if let Some(subtype) = subtype.and_then(|name| self.named.get(name)) {
            self.collect(subtype, &mut effective, &mut seen, &mut stated);
        }
        effective.open = stated.open || effective.properties.is_empty() && !stated.closed;
        effective
    }

    fn collect<'a>(
        &'a self,
        schema: &'a Schema,
        effective: &mut Effective<'a>,
        seen: &mut Vec<*const Schema>,
        stated: &mut Stated,
    ) {
        let resolved = self.resolve(schema);
        // Bases and unions may lead back to where they came from.
        if seen.contains(&std::ptr::from_ref(resolved)) {
            return;
        }
        seen.push(std::ptr::from_ref(resolved));
        match resolved {
            Schema::Object(object) => {
                for base in &object.bases {
                    self.collect(base, effective, seen, stated);
                }
                for (name, property) in &object.properties {
                    effective.properties.insert(name, property);
                }
                for name in &object.required {
                    if !effective.required.contains(&name.as_str()) {
                        effective.required.push(name);
                    }
                }
                match object.additional {
                    Additional::Unsaid => {}
                    Additional::Closed => stated.closed = true,
                    Additional::Open(_) => stated.open = true,
                }
                if let Some(discriminator) = &object.discriminator {
                    effective.discriminator = Some(discriminator);
                }
            }
            Schema::OneOf(members) => {
                let required = effective.required.clone();
                for member in members {
                    self.collect(member, effective, seen, stated);
                }
                effective.required = required;
            }
            Schema::Any => stated.open = true,
            Schema::Ref(_) | Schema::Array(_) | Schema::Scalar(_) => {}
        }
    }

    /// The kind of column that holds such a value. Objects, arrays, unions and unknown shapes are JSON.
    #[must_use]
    pub fn kind(&self, schema: &Schema) -> Kind {
        match self.resolve(schema) {
            Schema::Scalar(scalar) => scalar.kind,
            Schema::OneOf(members) => self.common_kind(members),
            Schema::Object(object) => match object.bases.as_slice() {
                // A wrapper that only adds words to a scalar: `allOf: [{$ref: State}]`.
                [base] if object.properties.is_empty() && self.is_scalar(base) => self.kind(base),
                _ => Kind::Json,
            },
            Schema::Array(_) | Schema::Any | Schema::Ref(_) => Kind::Json,
        }
    }

    fn is_scalar(&self, schema: &Schema) -> bool {
        matches!(self.resolve(schema), Schema::Scalar(_))
    }

    fn common_kind(&self, members: &[Schema]) -> Kind {
        let mut kinds = members.iter().map(|member| match self.resolve(member) {
            Schema::Scalar(scalar) => scalar.kind,
            _ => Kind::Json,
        });
        let first = kinds.next().unwrap_or(Kind::Json);
        if kinds.all(|kind| kind == first) {
            first
        } else {
            Kind::Json
        }
    }
}

#[derive(Default)]
struct Stated {
    open: bool,
    closed: bool,
}

impl Schema {
    /// The shape as JSON Schema text, for people: everything it refers to stands under `$defs`, up to 4 references away.
    #[must_use]
    pub fn to_json_text(&self, schemas: &Schemas) -> String {
        crate::schema_text::json_text(self, schemas)
    }
}
