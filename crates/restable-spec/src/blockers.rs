//! What stands in the way of a call, for a preview of it, and which values of a body make a call destructive. The
//! documents say both; here are the look-up of the GET that tells, and the tests. It asks nothing itself, and a blocker
//! never keeps a call from being sent: the service decides.

use std::sync::Arc;

use serde_json::Value;

use crate::method::{HttpMethod, Items, Location, Method};
use crate::names;
use crate::resource::{Resource, Service};

/// A state of things that somebody should know of before the call is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The resource, of the same service, whose row tells; `None`: the one that the call is about.
    pub of: Option<String>,
    /// When it stands in the way.
    pub test: BlockerTest,
    /// What to tell, with the field's value at `{value}` and other fields of the row at their dotted paths in braces.
    /// [`Blocker::phrase`] fills them in.
    pub says: String,
}

/// When something stands in the way of a call. Fields are dotted paths, and match in any spelling; values compare
/// without regard to ASCII case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockerTest {
    /// The GET finds nothing.
    Absent,
    /// The GET finds a row.
    Present,
    /// The field has one of the values.
    Is {
        /// The field.
        field: String,
        /// The values.
        values: Vec<String>,
    },
    /// There is a row, and the field has none of the values. A row without the field is one of these: nothing says
    /// that the call would be accepted.
    IsNot {
        /// The field.
        field: String,
        /// The values.
        values: Vec<String>,
    },
    /// The list has a row; the only test that asks a list.
    Exists,
}

/// A field and values of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldValues {
    /// A dotted path: `properties.securitySettings.softDeleteSettings.state`.
    pub field: String,
    /// The values; without any, each value is meant that is not null.
    pub values: Vec<String>,
}

impl Blocker {
    /// What to tell of this blocker, or `None` if it does not stand in the way. `row` is what
    /// [`Service::blocker_reader`] found, as JSON text as the service answered it, for a list any one of its rows; `None`
    /// says that there is nothing.
    #[must_use]
    pub fn phrase(&self, row: Option<&str>) -> Option<String> {
        // A row that is no JSON is there all the same, and has no field that could be known.
        let row = row.map(|text| serde_json::from_str(text).unwrap_or(Value::Null));
        let (holds, field) = match (&self.test, &row) {
            (BlockerTest::Absent, row) => (row.is_none(), None),
            (BlockerTest::Present | BlockerTest::Exists, row) => (row.is_some(), None),
            (BlockerTest::Is { .. } | BlockerTest::IsNot { .. }, None) => (false, None),
            (BlockerTest::Is { field, values }, Some(row)) => {
                (has_one_of(row, field, values), Some(field))
            }
            (BlockerTest::IsNot { field, values }, Some(row)) => {
                (!has_one_of(row, field, values), Some(field))
            }
        };
        let field = field.map(String::as_str);
        holds.then(|| fill_in(&self.says, field, row.as_ref()))
    }
}

impl Method {
    /// True if a call with this body, JSON text, may take away data or protection, or cannot be taken back: the method is
    /// destructive whatever it sends, or the body has one of [`Method::destructive_values`]. A body that is no JSON has
    /// none.
    #[must_use]
    pub fn is_destructive(&self, body: Option<&str>) -> bool {
        if self.destructive || self.destructive_values.is_empty() {
            return self.destructive;
        }
        let body = body.and_then(|text| serde_json::from_str::<Value>(text).ok());
        body.is_some_and(|body| {
            self.destructive_values
                .iter()
                .any(|one| has_one_of(&body, &one.field, &one.values))
        })
    }
}

impl Service {
    /// The GET of one row that tells of a blocker, for [`BlockerTest::Exists`] the GET of a list. The parameters that must
    /// be given to it are among those in the path of the call. `None` if the service has no such GET: then nothing can be
    /// told, which happens to what is derived where a document says nothing, never to what it says.
    #[must_use]
    pub fn blocker_reader(
        &self,
        method: &Method,
        blocker: &Blocker,
    ) -> Option<(&Arc<Resource>, &Arc<Method>)> {
        let Some(name) = &blocker.of else {
            let found = self.reader_at_path(method)?;
            return takes(found.1, method).then_some(found);
        };
        let resource = self.resource(name)?;
        if blocker.test != BlockerTest::Exists {
            let reader = resource.one_row_reader()?;
            let asks = reader.http == HttpMethod::Get && takes(reader, method);
            return asks.then_some((resource, reader));
        }
        let lists = |reader: &&Arc<Method>| {
            reader.http == HttpMethod::Get
                && reader.response.items != Items::One
                && takes(reader, method)
        };
        // The narrowest list: that of the vault rather than that of its subscription.
        let scope = |reader: &&Arc<Method>| std::cmp::Reverse(reader.path.parameters().count());
        let reader = resource
            .readers()
            .into_iter()
            .filter(lists)
            .min_by_key(scope)?;
        Some((resource, reader))
    }
}

/// True if what the reader needs stands in the path of the call.
fn takes(reader: &Method, call: &Method) -> bool {
    let mut needed = reader.parameters.iter().filter(|one| one.must_be_given());
    needed.all(|needed| {
        call.parameter(&needed.name).is_some_and(|own| {
            own.location == needed.location
                && matches!(own.location, Location::Path | Location::Server)
        })
    })
}

fn has_one_of(json: &Value, field: &str, values: &[String]) -> bool {
    let mut found = Vec::new();
    at(json, &field.split('.').collect::<Vec<_>>(), &mut found);
    let mut texts = found.into_iter().filter_map(text);
    texts.any(|text| values.is_empty() || values.iter().any(|one| one.eq_ignore_ascii_case(&text)))
}

/// All values at a dotted path. Services match the names of a body without regard to case, and take any of two that
/// differ in nothing else; so each of them counts. Of an array, each element.
fn at<'a>(json: &'a Value, path: &[&str], found: &mut Vec<&'a Value>) {
    if let Value::Array(elements) = json {
        for element in elements {
            at(element, path, found);
        }
        return;
    }
    let Some((first, rest)) = path.split_first() else {
        found.push(json);
        return;
    };
    if let Value::Object(object) = json {
        for (_, inner) in object.iter().filter(|(key, _)| names::same(key, first)) {
            at(inner, rest, found);
        }
    }
}

/// A value as people write it; `None` for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            let text = number.to_string();
            // Azure answers whole numbers of days as 14.0.
            Some(text.strip_suffix(".0").unwrap_or(&text).to_owned())
        }
        other => Some(other.to_string()),
    }
}

fn fill_in(says: &str, field: Option<&str>, row: Option<&Value>) -> String {
    let mut filled = String::with_capacity(says.len());
    let mut rest = says;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        let path = match field {
            Some(field) if name == "value" => field,
            _ => name,
        };
        let mut found = Vec::new();
        if let Some(row) = row {
            at(row, &path.split('.').collect::<Vec<_>>(), &mut found);
        }
        let value = found.into_iter().find_map(text);
        filled.push_str(value.as_deref().unwrap_or("unknown"));
        rest = after;
    }
    filled.push_str(rest);
    filled
}
