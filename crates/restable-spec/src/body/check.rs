//! Bodies against their schema: everything that is wrong with one, not only the first thing. Changes nothing, and
//! refuses nothing by itself; each problem says whether the body may be sent.

use serde_json::{Map, Value};

use crate::method::{HttpMethod, Method, Request};
use crate::names;
use crate::resource::Service;
use crate::schema::{Effective, Property, ScalarSchema, Schema, Schemas};

use super::argument::Strictness;
use super::fill;
use super::place::{element, under};
use super::problem::{BodyFault, BodyProblem, Severity};
use super::scalar;
use super::shape::{self, JsonKind};

/// Of an object that is missing, attributes so far inside are named.
const DEEPEST_MISSING: usize = 8;

/// References and unions may go in circles without any value between.
const DEEPEST: usize = 256;

impl Method {
    /// What is wrong with a body, in the order of its text, missing attributes after what is there. Lenient checks answer
    /// warnings only, except that a body must be JSON. A method without a body has nothing to check.
    #[must_use]
    pub fn check_body(
        &self,
        service: &Service,
        json: &str,
        strictness: Strictness,
    ) -> Vec<BodyProblem> {
        let Some(request) = self
            .request
            .as_ref()
            .filter(|request| request.media_type.contains("json"))
        else {
            return Vec::new();
        };
        // What the document itself sends is right.
        if request.default.as_deref() == Some(json) {
            return Vec::new();
        }
        let mut check = Check {
            schemas: &service.schemas,
            patch: self.http == HttpMethod::Patch,
            base: places(request),
            problems: Vec::new(),
            depth: 0,
        };
        match serde_json::from_str::<Value>(json) {
            Ok(body) => check.body(request, &body),
            Err(error) => check.problems.push(Finding {
                place: String::new(),
                fault: BodyFault::NotJson(error.to_string()),
                severity: Severity::Error,
                note: None,
            }),
        }
        let problem = |finding: Finding| BodyProblem {
            method: self.full_name(),
            severity: match finding.fault {
                BodyFault::NotJson(_) => Severity::Error,
                _ if strictness == Strictness::Lenient => Severity::Warning,
                _ => finding.severity,
            },
            place: finding.place,
            fault: finding.fault,
            note: finding.note,
        };
        check.problems.into_iter().map(problem).collect()
    }
}

struct Finding {
    place: String,
    fault: BodyFault,
    severity: Severity,
    note: Option<String>,
}

struct Check<'a> {
    schemas: &'a Schemas,
    /// JSON null removes an attribute.
    patch: bool,
    /// Places that the document fills below every body.
    base: Vec<String>,
    problems: Vec<Finding>,
    depth: usize,
}

impl<'a> Check<'a> {
    fn body(&mut self, request: &'a Request, body: &Value) {
        let wrapped = super::wrapper(self.schemas, request);
        if let Some(key) = wrapped
            && let Some(inner) = body.get(key)
        {
            self.value(&request.schema, inner, key, None);
            return;
        }
        self.value(&request.schema, body, "", None);
        let effective = self.schemas.effective_properties(&request.schema, None);
        for name in &request.demanded {
            let there = body
                .as_object()
                .is_none_or(|entries| entries.keys().any(|key| key.eq_ignore_ascii_case(name)));
            if !there && !effective.requires(name) {
                let property = effective.properties.get(name.as_str()).copied();
                self.missing(name.clone(), property, 0);
            }
        }
    }

    fn value(
        &mut self,
        schema: &'a Schema,
        value: &Value,
        place: &str,
        property: Option<&'a Property>,
    ) {
        if self.depth > DEEPEST {
            return;
        }
        self.depth += 1;
        self.one(schema, value, place, property);
        self.depth -= 1;
    }

    fn one(
        &mut self,
        schema: &'a Schema,
        value: &Value,
        place: &str,
        property: Option<&'a Property>,
    ) {
        let schema = shape::wrapped(self.schemas, schema).unwrap_or(schema);
        let kinds = shape::kinds(self.schemas, schema);
        let found = JsonKind::of(value);
        if found == JsonKind::Null && !kinds.contains(&JsonKind::Any) {
            let allowed = self.patch || property.is_some_and(|property| property.nullable);
            if !allowed {
                self.add(place, BodyFault::Null, Severity::Warning, property);
            }
            return;
        }
        if !kinds.iter().any(|kind| kind.takes(found)) {
            let fault = BodyFault::WrongType {
                expected: shape::words(&kinds),
                found: found.words(),
            };
            self.add(place, fault, Severity::Error, property);
            return;
        }
        match (self.schemas.resolve(schema), value) {
            (Schema::Scalar(scalar), _) => self.scalar(scalar, value, place, property),
            (Schema::Array(array), Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.value(&array.items, item, &element(place, at), None);
                }
            }
            (Schema::Object(_), Value::Object(entries)) => self.object(schema, entries, place),
            (Schema::OneOf(members), _) => self.union(members, value, place, property),
            _ => {}
        }
    }

    /// The member that fits best speaks for all.
    fn union(
        &mut self,
        members: &'a [Schema],
        value: &Value,
        place: &str,
        property: Option<&'a Property>,
    ) {
        let found = JsonKind::of(value);
        let before = std::mem::take(&mut self.problems);
        let mut best: Option<Vec<Finding>> = None;
        for member in members {
            let kinds = shape::kinds(self.schemas, member);
            if !kinds.iter().any(|kind| kind.takes(found)) {
                continue;
            }
            self.value(member, value, place, property);
            let problems = std::mem::take(&mut self.problems);
            let errors = |problems: &[Finding]| {
                let errors = problems
                    .iter()
                    .filter(|problem| problem.severity == Severity::Error);
                (errors.count(), problems.len())
            };
            if best
                .as_ref()
                .is_none_or(|least| errors(&problems) < errors(least))
            {
                best = Some(problems);
            }
            if best.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
        }
        self.problems = before;
        self.problems.extend(best.into_iter().flatten());
    }

    fn object(&mut self, schema: &'a Schema, entries: &Map<String, Value>, place: &str) {
        let base = self.schemas.effective_properties(schema, None);
        let subtype = self.subtype(schema, &base, entries, place);
        let effective = match &subtype {
            Subtype::Chosen(value) => self.schemas.effective_properties(schema, Some(value)),
            Subtype::None | Subtype::Absent | Subtype::Wrong => base,
        };
        let additional = shape::additional(self.schemas, schema);
        for (key, value) in entries {
            let at = under(place, key);
            let Some((known, property)) = self.listed(schema, &effective, &subtype, key) else {
                match additional {
                    Some(schema) => self.value(schema, value, &at, None),
                    None if effective.open || matches!(subtype, Subtype::Wrong) => {}
                    None if self.base.contains(&at) => {}
                    None => self.unknown(schema, &effective, key, place),
                }
                continue;
            };
            if known != key {
                let fault = BodyFault::Spelling(known.to_owned());
                self.add(&at, fault, Severity::Warning, None);
            }
            if property.read_only {
                self.add(&at, BodyFault::ReadOnly, Severity::Warning, None);
                continue;
            }
            if value.is_null() && effective.requires(known) && !property.nullable && !self.patch {
                self.lacks(&at, Some(property));
                continue;
            }
            self.value(&property.schema, value, &at, Some(property));
        }
        let discriminator = effective.discriminator.map(|by| by.property.as_str());
        for name in &effective.required {
            let there = entries.keys().any(|key| key.eq_ignore_ascii_case(name));
            if there || discriminator == Some(*name) {
                continue;
            }
            let property = effective.properties.get(name).copied();
            let excused = property.is_some_and(|property| property.read_only);
            if !excused {
                self.missing(under(place, name), property, 0);
            }
        }
    }

    /// Which subtype an object says it is of; says so if that cannot be.
    fn subtype(
        &mut self,
        schema: &Schema,
        base: &Effective<'a>,
        entries: &Map<String, Value>,
        place: &str,
    ) -> Subtype {
        let Some(discriminator) = base.discriminator else {
            return Subtype::None;
        };
        let property = &discriminator.property;
        let possible = || -> Vec<String> {
            let values = shape::possible(self.schemas, schema, discriminator);
            values.into_iter().map(str::to_owned).collect()
        };
        let at = under(place, property);
        let given = entries
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(property));
        let Some((_, value)) = given else {
            let possible = possible();
            let described = base.properties.get(property.as_str()).copied();
            self.add(
                &at,
                BodyFault::Missing { possible },
                Severity::Error,
                described,
            );
            return Subtype::Absent;
        };
        let Value::String(value) = value else {
            // That it is no text is said where its own value is checked.
            return Subtype::Wrong;
        };
        let possible = possible();
        if possible.contains(value) || possible.is_empty() {
            return Subtype::Chosen(value.clone());
        }
        let nearest = names::nearest(value, possible.iter().map(String::as_str)).map(str::to_owned);
        let fault = BodyFault::Subtype {
            found: value.clone(),
            possible,
            nearest,
        };
        self.add(&at, fault, Severity::Error, None);
        Subtype::Wrong
    }

    /// The attribute of this name: exactly, or in other cases.
    fn listed(
        &self,
        schema: &'a Schema,
        effective: &Effective<'a>,
        subtype: &Subtype,
        key: &str,
    ) -> Option<(&'a str, &'a Property)> {
        let in_one = |effective: &Effective<'a>| {
            let exact = effective.properties.get_key_value(key);
            let found = exact.or_else(|| {
                let mut properties = effective.properties.iter();
                properties.find(|(known, _)| known.eq_ignore_ascii_case(key))
            });
            found.map(|(known, property)| (*known, *property))
        };
        in_one(effective).or_else(|| match subtype {
            Subtype::Absent | Subtype::Wrong => shape::subtypes(self.schemas, schema, effective)
                .iter()
                .find_map(in_one),
            Subtype::None | Subtype::Chosen(_) => None,
        })
    }

    fn unknown(&mut self, schema: &'a Schema, effective: &Effective<'a>, key: &str, place: &str) {
        let subtype = effective.discriminator.and_then(|discriminator| {
            let mut possible = shape::possible(self.schemas, schema, discriminator).into_iter();
            let value = possible.find(|value| {
                let subtype = self.schemas.effective_properties(schema, Some(value));
                subtype.properties.contains_key(key)
            })?;
            Some((under(place, &discriminator.property), value.to_owned()))
        });
        let nearest = match &subtype {
            Some(_) => None,
            None => shape::nearest(self.schemas, schema, effective, key),
        };
        let fault = BodyFault::Unknown {
            nearest: nearest.map(|nearest| under(place, nearest)),
            subtype,
        };
        self.add(&under(place, key), fault, Severity::Error, None);
    }

    fn scalar(
        &mut self,
        scalar: &ScalarSchema,
        value: &Value,
        place: &str,
        property: Option<&Property>,
    ) {
        let secret = property.is_some_and(|property| property.secret);
        for (fault, severity) in scalar::faults(scalar, value, secret) {
            self.add(place, fault, severity, property);
        }
    }

    /// Of an object that is not there, those of its attributes are missing that have no value of their own accord.
    fn missing(&mut self, place: String, property: Option<&Property>, depth: usize) {
        let before = self.problems.len();
        if let Some(property) = property.filter(|_| depth < DEEPEST_MISSING) {
            let effective = self.schemas.effective_properties(&property.schema, None);
            let one_type = effective.discriminator.is_none_or(|discriminator| {
                shape::possible(self.schemas, &property.schema, discriminator).len() == 1
            });
            for name in effective.required.iter().filter(|_| one_type) {
                let Some(inner) = effective.properties.get(name) else {
                    continue;
                };
                let by = effective.discriminator.map(|by| by.property.as_str());
                let given = inner.read_only || by == Some(*name);
                if !given && !fill::fills(self.schemas, inner) {
                    self.missing(under(&place, name), Some(inner), depth + 1);
                }
            }
        }
        if self.problems.len() == before {
            self.lacks(&place, property);
        }
    }

    fn lacks(&mut self, place: &str, property: Option<&Property>) {
        let possible = property.map(|property| listed_values(self.schemas, property));
        let fault = BodyFault::Missing {
            possible: possible.unwrap_or_default(),
        };
        self.add(place, fault, Severity::Error, property);
    }

    fn add(
        &mut self,
        place: &str,
        fault: BodyFault,
        severity: Severity,
        property: Option<&Property>,
    ) {
        self.problems.push(Finding {
            place: place.to_owned(),
            fault,
            severity,
            note: property.and_then(|property| property.description.clone()),
        });
    }
}

/// What is known of the subtype of an object.
enum Subtype {
    /// Its schema has no subtypes.
    None,
    /// The discriminator is not there.
    Absent,
    /// The discriminator has a value that the document does not know.
    Wrong,
    /// The value of the discriminator.
    Chosen(String),
}

/// The places of everything in the JSON that the document merges below bodies.
fn places(request: &Request) -> Vec<String> {
    fn gather(value: &Value, place: &str, found: &mut Vec<String>) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let at = under(place, key);
            gather(value, &at, found);
            found.push(at);
        }
    }
    let mut found = Vec::new();
    let base = request.base.as_deref().map(serde_json::from_str::<Value>);
    if let Some(Ok(base)) = base {
        gather(&base, "", &mut found);
    }
    found
}

fn listed_values(schemas: &Schemas, property: &Property) -> Vec<String> {
    let schema = shape::wrapped(schemas, &property.schema).unwrap_or(&property.schema);
    match schemas.resolve(schema) {
        Schema::Scalar(scalar) => scalar.allowed.iter().map(scalar::plain).collect(),
        _ => Vec::new(),
    }
}
