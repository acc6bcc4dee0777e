//! What a method answers: where its rows are, which columns they have, where the next page is.
//! What cannot be read natively (XML, unknown templates, unknown paging) is said in words, and the method is then not
//! used for SELECT; it is never read half.

use crate::document::{RawMedia, RawMethod, RawOperation, RawPagination, RawResponse};
use crate::error::{Error, Problem};
use crate::method::{Field, Items, Kind, Response};
use crate::names;
use crate::schema::{Schema, Schemas};

use super::Reading;
use super::schemas::unescape;
use super::transform::{Transform, recognise};

/// A response, and why it cannot be read as rows if it cannot.
pub(super) struct ReadResponse {
    pub response: Response,
    pub unreadable: Option<String>,
}

pub(super) fn read(
    reading: &Reading<'_>,
    place: &str,
    method: &RawMethod,
    operation: &RawOperation,
    pagination: Option<&RawPagination>,
) -> Result<ReadResponse, Error> {
    let declared = &method.response;
    let mut unreadable = None;
    let body = match chosen(reading, place, declared.doc_key.as_deref(), operation)? {
        Some(response) => media(response, declared.media_type.as_deref()),
        None => None,
    };
    let schema = match body.and_then(|(_, media)| media.schema.as_ref()) {
        Some(raw) => Some(reading.converter.inline(raw, place)?),
        None => None,
    };
    if let Some((name, _)) = body
        && !name.contains("json")
        && name != "*/*"
    {
        unreadable = Some(format!("it answers `{name}`"));
    }
    let transform = declared
        .transform
        .as_ref()
        .filter(|_| declared.override_media_type.is_some());
    let recognised = match transform {
        None => None,
        Some(transform) => {
            let found = recognise(&transform.body);
            if found.is_none() {
                let kind = if transform.kind.is_empty() {
                    "template"
                } else {
                    &transform.kind
                };
                unreadable
                    .get_or_insert_with(|| format!("its answer goes through an unknown `{kind}`"));
            }
            found
        }
    };
    let key = match object_key(declared.object_key.as_deref()) {
        Ok(key) => key,
        Err(path) => {
            unreadable
                .get_or_insert_with(|| format!("its rows are at `{path}`, which is no single key"));
            None
        }
    };
    let overriding = match declared
        .schema_override
        .as_ref()
        .and_then(|by| by.reference.as_deref())
    {
        Some(reference) => Some(reading.converter.reference(reference, place)?),
        None => None,
    };

    let schemas = &reading.schemas;
    let whole = schema.as_ref().unwrap_or(&Schema::Any);
    // After a transformation the rows are described by the schema that replaces the body's.
    let mut described = overriding.as_ref().unwrap_or(whole);
    if let (Some(Transform::WrapBody(by)), Some(replacing)) = (&recognised, &overriding)
        && key.as_ref() == Some(by)
    {
        described = attribute(schemas, replacing, by).unwrap_or(whole);
    }
    let flatten = matches!(
        recognised,
        Some(Transform::FlattenList | Transform::FlattenObject)
    );
    let mut scalar_rows = matches!(
        recognised,
        Some(Transform::WrapScalar | Transform::WrapScalarList | Transform::WrapScalarsUnderValue)
    );
    let items = match &recognised {
        Some(Transform::FlattenObject | Transform::WrapScalar) => Items::One,
        Some(Transform::FlattenList | Transform::WrapScalarsUnderValue) => {
            Items::At(key.clone().unwrap_or_else(|| String::from("value")))
        }
        Some(Transform::WrapScalarList) => Items::Array,
        Some(Transform::WrapBody(_)) => items_of(schemas, described, None),
        None => items_of(schemas, described, key.as_deref()),
    };
    if let Items::At(key) = &items
        && attribute(schemas, described, key).is_some_and(|rows| is_object(schemas, rows))
    {
        unreadable.get_or_insert_with(|| format!("its one row is the object at `{key}`"));
    }
    let row = row_schema(schemas, described, &items);
    let fields = match row {
        Some(row) => row_fields(schemas, row, &mut scalar_rows),
        None => Vec::new(),
    };
    let row_schema = row.and_then(|row| name_of(schemas, row));

    let next_link = declared
        .next_link
        .clone()
        .or_else(|| next_link(schemas, whole, &items, pagination))
        .or_else(|| {
            let mentions = transform.is_some_and(|transform| transform.body.contains("nextLink"));
            mentions.then(|| String::from("nextLink"))
        });
    if items != Items::One
        && next_link.is_none()
        && let Some(how) = unknown_paging(schemas, whole, pagination)
    {
        unreadable.get_or_insert(how);
    }
    if fields.is_empty() {
        unreadable.get_or_insert_with(|| String::from("its answer has no columns"));
    }

    let statuses = operation
        .responses
        .keys()
        .filter_map(|status| status.parse().ok());
    let statuses = statuses.filter(|status| *status < 300).collect();
    Ok(ReadResponse {
        response: Response {
            items,
            next_link,
            flatten,
            scalar_rows,
            row_schema,
            schema,
            fields,
            statuses,
        },
        unreadable,
    })
}

/// The response that describes success: the one the method names, else the lowest status below 300, else `default`.
fn chosen<'a>(
    reading: &Reading<'a>,
    place: &str,
    doc_key: Option<&str>,
    operation: &'a RawOperation,
) -> Result<Option<&'a RawResponse>, Error> {
    let named = doc_key.and_then(|key| operation.responses.get(key));
    let lowest = || {
        let success = operation.responses.iter().filter_map(|(status, response)| {
            let status = status
                .to_ascii_uppercase()
                .replace("XX", "99")
                .parse::<u16>()
                .ok()?;
            (200..300).contains(&status).then_some((status, response))
        });
        success
            .min_by_key(|(status, _)| *status)
            .map(|(_, response)| response)
    };
    let Some(mut response) = named
        .or_else(lowest)
        .or_else(|| operation.responses.get("default"))
    else {
        return Ok(None);
    };
    let mut hops = 0;
    while let Some(reference) = &response.reference {
        let target = reference
            .strip_prefix("#/components/responses/")
            .map(unescape);
        response = match target.and_then(|name| reading.raw.components.responses.get(&name)) {
            Some(next) if hops < 16 => next,
            _ => return Err(reading.wrong(place, Problem::Unresolved(reference.clone()))),
        };
        hops += 1;
    }
    Ok(Some(response))
}

fn media<'a>(response: &'a RawResponse, wanted: Option<&str>) -> Option<(&'a str, &'a RawMedia)> {
    let content = &response.content;
    let exact = wanted.and_then(|wanted| content.get_key_value(wanted));
    let json = || content.iter().find(|(name, _)| name.contains("json"));
    exact
        .or_else(json)
        .or_else(|| content.first())
        .map(|(name, media)| (name.as_str(), media))
}

/// `$.value` and `$.value[*]` name a key, `$` nothing; anything else is more than this reader knows.
fn object_key(path: Option<&str>) -> Result<Option<String>, &str> {
    let Some(path) = path
        .map(str::trim)
        .filter(|path| !path.is_empty() && *path != "$")
    else {
        return Ok(None);
    };
    let key = path.strip_prefix("$.").ok_or(path)?;
    let key = key.strip_suffix("[*]").unwrap_or(key);
    let plain = !key.is_empty() && !key.contains(['.', '[', ']', '*', '?', '(']);
    if plain {
        Ok(Some(key.to_owned()))
    } else {
        Err(path)
    }
}

fn items_of(schemas: &Schemas, whole: &Schema, key: Option<&str>) -> Items {
    if let Some(key) = key {
        return Items::At(key.to_owned());
    }
    if is_array(schemas, whole) {
        return Items::Array;
    }
    let has_array =
        |key: &str| attribute(schemas, whole, key).is_some_and(|schema| is_array(schemas, schema));
    let has_link = || link_key(schemas, whole).is_some();
    if has_array("value") && has_link() {
        return Items::At(String::from("value"));
    }
    if has_array("items") {
        return Items::At(String::from("items"));
    }
    Items::One
}

fn is_array(schemas: &Schemas, schema: &Schema) -> bool {
    matches!(schemas.resolve(schema), Schema::Array(_))
}

fn is_object(schemas: &Schemas, schema: &Schema) -> bool {
    matches!(schemas.resolve(schema), Schema::Object(_))
}

fn attribute<'a>(schemas: &'a Schemas, schema: &'a Schema, key: &str) -> Option<&'a Schema> {
    schemas
        .effective_properties(schema, None)
        .properties
        .get(key)
        .map(|property| &property.schema)
}

fn row_schema<'a>(schemas: &'a Schemas, whole: &'a Schema, items: &Items) -> Option<&'a Schema> {
    let array = match items {
        Items::One => return Some(whole),
        Items::At(key) => attribute(schemas, whole, key)?,
        Items::Array => whole,
    };
    match schemas.resolve(array) {
        Schema::Array(array) => Some(&array.items),
        // Documents describe a transformed list by its wrapper or by the schema of a row.
        Schema::Object(_) if *items == Items::Array => described_rows(schemas, array),
        _ => None,
    }
}

/// The rows of a bare array that a transformation puts under `value`.
fn described_rows<'a>(schemas: &'a Schemas, wrapper: &'a Schema) -> Option<&'a Schema> {
    match attribute(schemas, wrapper, "value").map(|value| schemas.resolve(value)) {
        Some(Schema::Array(array)) => Some(&array.items),
        _ => Some(wrapper),
    }
}

fn row_fields(schemas: &Schemas, row: &Schema, scalar_rows: &mut bool) -> Vec<Field> {
    if let Schema::Scalar(scalar) = schemas.resolve(row) {
        *scalar_rows = true;
        return vec![Field {
            name: String::from("value"),
            kind: scalar.kind,
            description: None,
        }];
    }
    let effective = schemas.effective_properties(row, None);
    let fields = effective.properties.iter().map(|(name, property)| Field {
        name: (*name).to_owned(),
        kind: schemas.kind(&property.schema),
        description: property.description.clone(),
    });
    let fields: Vec<Field> = fields.collect();
    if *scalar_rows && fields.is_empty() {
        return vec![Field {
            name: String::from("value"),
            kind: Kind::Json,
            description: None,
        }];
    }
    fields
}

/// The name of the innermost named schema that a row refers to.
fn name_of(schemas: &Schemas, row: &Schema) -> Option<String> {
    let mut name = match row {
        Schema::Ref(name) => name,
        _ => return None,
    };
    for _ in 0..schemas.iter().count() {
        match schemas.named(name) {
            Some(Schema::Ref(inner)) => name = inner,
            _ => break,
        }
    }
    Some(name.clone())
}

fn link_key(schemas: &Schemas, whole: &Schema) -> Option<String> {
    let effective = schemas.effective_properties(whole, None);
    let is_link = |name: &&str| names::same(name.rsplit('.').next().unwrap_or(name), "nextLink");
    effective
        .properties
        .keys()
        .find(|name| is_link(name))
        .map(|name| (*name).to_owned())
}

fn next_link(
    schemas: &Schemas,
    whole: &Schema,
    items: &Items,
    pagination: Option<&RawPagination>,
) -> Option<String> {
    if *items == Items::One {
        return None;
    }
    let request_is_url = |paging: &&RawPagination| {
        let place = paging
            .request
            .as_ref()
            .and_then(|token| token.location.as_deref())
            .unwrap_or_default();
        matches!(
            place.to_ascii_lowercase().as_str(),
            "request" | "requeststring"
        )
    };
    let configured = pagination
        .filter(request_is_url)
        .and_then(|paging| paging.response.as_ref());
    let configured = configured.filter(|token| token.location.as_deref() == Some("body"));
    let configured = configured.and_then(|token| object_key(token.key.as_deref()).ok().flatten());
    configured.or_else(|| link_key(schemas, whole))
}

/// Paging that would silently end after the first page if nobody noticed it.
fn unknown_paging(
    schemas: &Schemas,
    whole: &Schema,
    pagination: Option<&RawPagination>,
) -> Option<String> {
    if let Some(paging) = pagination {
        let how = paging.algorithm.clone().or_else(|| {
            let token = paging.response.as_ref()?;
            Some(format!(
                "{} {}",
                token.location.as_deref()?,
                token.key.as_deref()?
            ))
        });
        return Some(format!(
            "its pages are linked by `{}`",
            how.as_deref().unwrap_or("a token")
        ));
    }
    let effective = schemas.effective_properties(whole, None);
    let token = effective
        .properties
        .keys()
        .find(|name| names::same(name, "nextPageToken"))?;
    Some(format!("its pages are linked by `{token}`"))
}
