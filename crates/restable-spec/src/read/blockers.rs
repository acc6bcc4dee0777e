//! `x-restable-blockers` and `x-restable-destructive-body` of operations.
//! Refuses conditions that are none or two at once, resources that are not in the document, and conditions that no GET can
//! tell for the call.

use crate::blockers::{Blocker, BlockerTest, FieldValues};
use crate::document::{RawBlocker, RawFieldValues, RawMethod, RawOperation};
use crate::error::{Error, Problem};
use crate::method::HttpMethod;
use crate::resource::Service;

use super::Reading;
use super::evidence::known;

/// What stands in the way of a method's calls. Without a word in the document, a PUT replaces what is there, and everything
/// else that changes something needs what it is about to be there.
pub(super) fn read(
    reading: &Reading<'_>,
    place: &str,
    method: &RawMethod,
    operation: &RawOperation,
    http: HttpMethod,
    read_only: bool,
) -> Result<Vec<Blocker>, Error> {
    let place = format!("{place}.x-restable-blockers");
    if let Some(stated) = method.blockers.as_ref().or(operation.blockers.as_ref()) {
        return stated.iter().map(|raw| one(reading, &place, raw)).collect();
    }
    if read_only {
        return Ok(Vec::new());
    }
    let (test, says) = match http {
        HttpMethod::Put => (
            BlockerTest::Present,
            "it exists already and would be replaced",
        ),
        HttpMethod::Delete => (
            BlockerTest::Absent,
            "there is no such thing, nothing would be deleted",
        ),
        HttpMethod::Patch | HttpMethod::Post => (BlockerTest::Absent, "there is no such thing"),
        HttpMethod::Get | HttpMethod::Head => return Ok(Vec::new()),
    };
    Ok(vec![Blocker {
        of: None,
        test,
        says: says.to_owned(),
    }])
}

fn one(reading: &Reading<'_>, place: &str, raw: &RawBlocker) -> Result<Blocker, Error> {
    let field = || {
        raw.field
            .clone()
            .ok_or_else(|| reading.wrong(place, Problem::Missing("field")))
    };
    let test = match (raw.when.as_deref(), &raw.is, &raw.is_not) {
        (Some("absent"), None, None) => BlockerTest::Absent,
        (Some("present"), None, None) => BlockerTest::Present,
        (Some("exists"), None, None) => {
            if raw.of.is_none() {
                return Err(reading.wrong(place, Problem::Missing("of")));
            }
            BlockerTest::Exists
        }
        (Some(other), None, None) => {
            let problem = Problem::Unknown {
                value: other.to_owned(),
                allowed: "`absent`, `present`, `exists`",
            };
            return Err(reading.wrong(place, problem));
        }
        (None, Some(values), None) if !values.is_empty() => BlockerTest::Is {
            field: field()?,
            values: values.clone(),
        },
        (None, None, Some(values)) if !values.is_empty() => BlockerTest::IsNot {
            field: field()?,
            values: values.clone(),
        },
        _ => {
            let allowed = "`when`, `is` with values, `is-not` with values";
            return Err(reading.wrong(place, Problem::NotOneOf(allowed)));
        }
    };
    if let Some(of) = &raw.of {
        known(reading, place, of)?;
    }
    Ok(Blocker {
        of: raw.of.clone(),
        test,
        says: raw.says.trim().to_owned(),
    })
}

/// The values of a body that make a call destructive.
pub(super) fn destructive_values(method: &RawMethod, operation: &RawOperation) -> Vec<FieldValues> {
    let stated = [&method.destructive_body, &operation.destructive_body];
    let stated: Option<&Vec<RawFieldValues>> = stated.into_iter().find_map(Option::as_ref);
    let values = stated.into_iter().flatten().map(|raw| FieldValues {
        field: raw.field.clone(),
        values: raw.values.clone(),
    });
    values.collect()
}

/// Refuses a blocker that is not derived and that nothing can tell: a preview would pass over it in silence. What may be
/// derived as well is passed over, because most POSTs of most documents are about nothing that has a GET.
pub(super) fn check(file: &str, service: &Service) -> Result<(), Error> {
    for resource in service.resources.values() {
        for method in resource.methods.values() {
            let derivable = |blocker: &Blocker| {
                blocker.of.is_none()
                    && matches!(blocker.test, BlockerTest::Absent | BlockerTest::Present)
            };
            let mut stated = method.blockers.iter().filter(|one| !derivable(one));
            if stated.any(|blocker| service.blocker_reader(method, blocker).is_none()) {
                let (resource, key) = (&method.resource, &method.key);
                return Err(Error::Document {
                    file: file.to_owned(),
                    place: format!(
                        "components.x-stackQL-resources.{resource}.methods.{key}.x-restable-blockers"
                    ),
                    problem: Problem::NoReader,
                });
            }
        }
    }
    Ok(())
}
