//! `x-restable-evidence` of operations and `x-restable-jobs` of a service.
//! Refuses words that it does not know, resources that are not in the document, and evidence by jobs without any jobs.

use crate::document::{RawEvidence, RawJobs, RawMethod, RawOperation};
use crate::error::{Error, Problem};
use crate::evidence::{Evidence, Jobs};
use crate::method::HttpMethod;
use crate::names;

use super::Reading;

/// What shows the effect of a method's calls, and the resource that shows it if that is not the one at its path. Without
/// a word in the document a PUT or PATCH is shown by what it has made, a DELETE by what is gone, a POST by nothing.
pub(super) fn read(
    reading: &Reading<'_>,
    place: &str,
    method: &RawMethod,
    operation: &RawOperation,
    http: HttpMethod,
) -> Result<(Evidence, Option<String>), Error> {
    let place = format!("{place}.x-restable-evidence");
    let stated = method.evidence.as_ref().or(operation.evidence.as_ref());
    let evidence = match stated {
        None => match http {
            HttpMethod::Put | HttpMethod::Patch => Evidence::Present,
            HttpMethod::Delete => Evidence::Absent,
            HttpMethod::Get | HttpMethod::Head | HttpMethod::Post => Evidence::None,
        },
        Some(RawEvidence::Word(word)) => match word.as_str() {
            "job" => Evidence::Job,
            "absent" => Evidence::Absent,
            "present" => Evidence::Present,
            "none" => Evidence::None,
            other => {
                let problem = Problem::Unknown {
                    value: other.to_owned(),
                    allowed: "`job`, `absent`, `present`, `none`",
                };
                return Err(reading.wrong(&place, problem));
            }
        },
        Some(RawEvidence::State { field, values, of }) => {
            if values.is_empty() {
                return Err(reading.wrong(&place, Problem::Missing("values")));
            }
            if let Some(of) = of {
                known(reading, &place, of)?;
            }
            let evidence = Evidence::State {
                field: field.clone(),
                values: values.clone(),
            };
            return Ok((evidence, of.clone()));
        }
    };
    if evidence == Evidence::Job && reading.raw.jobs.is_none() {
        return Err(reading.wrong(&place, Problem::Missing("x-restable-jobs")));
    }
    Ok((evidence, None))
}

/// The jobs of a service.
pub(super) fn jobs(reading: &Reading<'_>, raw: &RawJobs) -> Result<Jobs, Error> {
    known(reading, "x-restable-jobs", &raw.resource)?;
    Ok(Jobs {
        resource: raw.resource.clone(),
        result_attribute: raw.result_attribute.clone(),
        request_id: raw.request_id.clone(),
        status: raw.status.clone(),
        ended: raw.ended.clone(),
        running: raw.running.clone(),
        succeeded: raw.succeeded.clone(),
        canceled: raw.canceled.clone(),
        failed: raw.failed.clone(),
        duration: raw.duration.clone(),
        target: raw.target.clone(),
        started: raw.started.clone(),
        error: raw.error.clone(),
    })
}

pub(super) fn known(reading: &Reading<'_>, place: &str, name: &str) -> Result<(), Error> {
    let resources = &reading.raw.components.resources;
    let is_known = resources
        .iter()
        .any(|(key, raw)| names::same(raw.name.as_ref().unwrap_or(key), name));
    if is_known {
        return Ok(());
    }
    Err(reading.wrong(place, Problem::NoSuchResource(name.to_owned())))
}
