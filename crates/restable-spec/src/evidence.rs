//! How one finds out what became of a call whose answer was lost, and of the job that a call started.
//! Plain data and the look-up of the methods that ask. It asks nothing itself, and where no query decides it says so
//! rather than guess.

use std::sync::Arc;

use crate::bind::Arguments;
use crate::error::IdError;
use crate::method::{HttpMethod, Items, Method};
use crate::names;
use crate::path::Segment;
use crate::resource::{Resource, Service};

/// What shows, once the answer to a call was lost, that the call had its effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Evidence {
    /// A job whose request id is the call's own `x-ms-client-request-id`; [`Service::jobs`] says where jobs are.
    Job,
    /// The resource is not there any more.
    Absent,
    /// The resource is there, and holds what was sent.
    Present,
    /// The resource is in a certain state.
    State {
        /// The dotted path of a field in the row: `properties.currentProtectionState`.
        field: String,
        /// The values of it that show the effect; they compare without regard to ASCII case.
        values: Vec<String>,
    },
    /// No query decides.
    #[default]
    None,
}

/// How the jobs of a service are read (`x-restable-jobs`). Fields of a row are dotted paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    /// The table of them, in the same service.
    pub resource: String,
    /// The attribute of an answer that has a job's id: a full id, or the job's bare name.
    pub result_attribute: String,
    /// The field that has the `x-ms-client-request-id` of the call that started the job.
    pub request_id: Option<String>,
    /// The field that has the status.
    pub status: String,
    /// The field that has a value once the job has ended, and only then.
    pub ended: Option<String>,
    /// Statuses of jobs that go on.
    pub running: Vec<String>,
    /// Statuses of jobs that have done their work.
    pub succeeded: Vec<String>,
    /// Statuses of jobs that somebody has ended.
    pub canceled: Vec<String>,
    /// Statuses of jobs that have failed.
    pub failed: Vec<String>,
    /// The field that has the run time: an ISO 8601 duration, or hours, minutes and seconds with colons.
    pub duration: Option<String>,
    /// The field that has the id of what the job is about.
    pub target: Option<String>,
    /// The field that has the time at which it began. With [`Jobs::target`] it tells the job that a lost call may have started
    /// where the service did not keep the request's id.
    pub started: Option<String>,
    /// The field that has the error or errors of a job that failed.
    pub error: Option<String>,
}

/// What a job's status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It goes on.
    Running,
    /// It has done its work.
    Succeeded,
    /// Somebody has ended it.
    Canceled,
    /// It has failed.
    Failed,
}

impl Jobs {
    /// What a status means, without regard to ASCII case. `ended` says whether the row has a value in [`Jobs::ended`].
    ///
    /// A status that is in no list does not say by itself whether the job goes on, and services answer statuses that they
    /// do not describe. So the end decides: without one the job is waited for, with one it counts as failed, because
    /// nothing says that it has done its work. If the document names no field for the end, such a status ends the waiting.
    #[must_use]
    pub fn state(&self, status: &str, ended: bool) -> JobState {
        let lists = [
            (&self.running, JobState::Running),
            (&self.succeeded, JobState::Succeeded),
            (&self.canceled, JobState::Canceled),
            (&self.failed, JobState::Failed),
        ];
        let listed = lists.into_iter().find(|(words, _)| {
            words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(status.trim()))
        });
        match listed {
            Some((_, state)) => state,
            None if self.ended.is_some() && !ended => JobState::Running,
            None => JobState::Failed,
        }
    }
}

impl Service {
    /// The GET that shows the resource which a call is about: for PUT, PATCH and DELETE the one at the call's own path, for
    /// a POST the one at the path before its last fixed word, unless the document names another (`of`). `None` if the
    /// service has no such GET.
    #[must_use]
    pub fn reader_at(&self, method: &Method) -> Option<(&Arc<Resource>, &Arc<Method>)> {
        if let Some(name) = &method.evidence_of {
            let resource = self.resource(name)?;
            return Some((resource, resource.one_row_reader()?));
        }
        self.reader_at_path(method)
    }

    /// As [`Service::reader_at`], whatever the document says about evidence.
    pub(crate) fn reader_at_path(&self, method: &Method) -> Option<(&Arc<Resource>, &Arc<Method>)> {
        let mut path = method.path.segments();
        if method.http == HttpMethod::Post {
            // Some documents end a path with a slash.
            while path.last().is_some_and(|last| last.literal() == Some("")) {
                path = &path[..path.len() - 1];
            }
            let (last, before) = path.split_last()?;
            last.literal()?;
            path = before;
        }
        let shows = |reader: &&Arc<Method>| {
            reader.http == HttpMethod::Get
                && reader.response.items == Items::One
                && reader.unreadable.is_none()
                && same_path(reader.path.segments(), path)
        };
        // A resource may have methods on another's path; its own rows come first.
        let own = self
            .resource(&method.resource)
            .and_then(|resource| Some((resource, resource.methods.values().find(shows)?)));
        own.or_else(|| {
            self.resources.values().find_map(|resource| {
                resource
                    .methods
                    .values()
                    .find(shows)
                    .map(|reader| (resource, reader))
            })
        })
    }

    /// The GET of one job; `None` if the document does not describe jobs.
    #[must_use]
    pub fn job_reader(&self) -> Option<(&Arc<Resource>, &Arc<Method>)> {
        let resource = self.resource(&self.jobs.as_ref()?.resource)?;
        Some((resource, resource.one_row_reader()?))
    }

    /// The list of jobs, in which the one of a request id is found. The jobs of a call are in the list of the call's own
    /// parameters; a call that lacks one of the list's has no such list.
    #[must_use]
    pub fn job_list(&self) -> Option<(&Arc<Resource>, &Arc<Method>)> {
        let resource = self.resource(&self.jobs.as_ref()?.resource)?;
        let lists = |method: &&Arc<Method>| {
            method.http == HttpMethod::Get && method.response.items != Items::One
        };
        Some((resource, resource.readers().into_iter().find(lists)?))
    }

    /// What [`Service::job_reader`] takes to read one job, from the parameters of the call that started it and from what
    /// that call's answer has in [`Jobs::result_attribute`]: a full id speaks for itself, a bare name is a job beside the
    /// call's resource.
    ///
    /// # Errors
    /// The id has another form than the ids of jobs, or the service has no GET of one job.
    pub fn job_arguments(
        &self,
        given: &[(String, String)],
        job: &str,
    ) -> Result<Arguments, IdError> {
        let Some((resource, reader)) = self.job_reader() else {
            return Err(IdError::None {
                method: self.name.clone(),
            });
        };
        if job.starts_with('/') {
            let form = reader
                .id_form(resource, "id")
                .ok_or_else(|| IdError::None {
                    method: reader.full_name(),
                })?;
            let parameters = form.fill(job)?;
            return Ok(Arguments {
                parameters,
                body: None,
            });
        }
        let own = resource.key.last().map(String::as_str);
        let scope = resource.key.iter().filter(|key| Some(key.as_str()) != own);
        let mut parameters: Vec<(String, String)> = scope
            .filter_map(|key| {
                let (_, value) = given.iter().find(|(name, _)| names::same(name, key))?;
                Some((key.clone(), value.clone()))
            })
            .collect();
        parameters.extend(own.map(|own| (own.to_owned(), job.to_owned())));
        Ok(Arguments {
            parameters,
            body: None,
        })
    }
}

/// True if two paths are of one thing and call its parameters alike, so that what binds one binds the other.
fn same_path(left: &[Segment], right: &[Segment]) -> bool {
    let same = |(left, right): (&Segment, &Segment)| match (left.literal(), right.literal()) {
        (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
        (None, None) => match (left.parameter(), right.parameter()) {
            (Some(left), Some(right)) => names::same(left, right),
            _ => left == right,
        },
        _ => false,
    };
    left.len() == right.len() && left.iter().zip(right).all(same)
}
