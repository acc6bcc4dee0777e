//! Following the job that an operation started, to any end: the operation says that the job was taken, the job whether the work was done.

use restable_http::PollInterval;
use restable_spec::{JobState, Jobs};

use super::answer::Answer;
use super::ask;
use super::plan::Wait;
use super::send::{About, Sending};
use crate::functions::duration_seconds;

/// Waits for the job of an answer, if the statement does. A job that fails makes the row one that failed, although its operation
/// succeeded.
pub(super) async fn wait(sending: &Sending, about: About<'_>, answer: Answer) -> Answer {
    if about.deed.wait != Wait::Job {
        return answer;
    }
    let service = &about.deed.service;
    let (Some(jobs), Some((_, reader))) = (&service.jobs, service.job_reader()) else {
        return answer;
    };
    let job = answer
        .result
        .iter()
        .find(|(name, _)| restable_spec::names::same(name, &jobs.result_attribute))
        .and_then(|(_, raw)| serde_json::from_str::<Option<String>>(raw.get()).ok()?);
    // Not every call starts a job.
    let Some(job) = job else {
        return answer;
    };
    let arguments = match service.job_arguments(&about.target.parameters, &job) {
        Ok(arguments) => arguments.parameters,
        Err(problem) => return answer.because(format!("the job cannot be followed: {problem}")),
    };
    let mut polls = 0;
    loop {
        let read = ask::one(
            &about.deed.client,
            &sending.statement,
            service,
            reader,
            &arguments,
        )
        .await;
        let row = match read {
            Ok(row) => row,
            Err(problem) => {
                let why = format!("the job goes on, but could not be read: {problem}");
                return Answer {
                    status: "Accepted",
                    ..answer
                }
                .because(why);
            }
        };
        if let Some(row) = row {
            let status = ask::field(&row, &jobs.status).unwrap_or_default();
            let ended = jobs
                .ended
                .as_ref()
                .is_some_and(|field| ask::field(&row, field).is_some());
            let state = jobs.state(&status, ended);
            if state != JobState::Running {
                return ended_as(jobs, &row, status, state, answer);
            }
            sending.tell_of(about.target, &status);
        }
        let pause = interval(&sending.poll, polls);
        polls += 1;
        if sending.is_stopped() || !sending.pause(pause).await {
            return Answer {
                status: "Accepted",
                ..answer
            }
            .because("the job goes on; it was not waited for to its end");
        }
    }
}

fn ended_as(jobs: &Jobs, row: &str, status: String, state: JobState, answer: Answer) -> Answer {
    let seconds = jobs
        .duration
        .as_ref()
        .and_then(|field| duration_seconds(&ask::field(row, field)?));
    let errors = jobs
        .error
        .as_ref()
        .and_then(|field| ask::field(row, field))
        .filter(|_| matches!(state, JobState::Failed | JobState::Canceled));
    let word = match state {
        JobState::Failed => "Failed",
        JobState::Canceled => "Canceled",
        JobState::Running | JobState::Succeeded => answer.status,
    };
    let mut answer = Answer {
        status: word,
        job_status: Some(status.clone()),
        job_seconds: seconds,
        ..answer
    };
    if word != "Succeeded" && matches!(state, JobState::Failed | JobState::Canceled) {
        let first = errors.as_deref().and_then(first_error);
        answer.error_code = first.as_ref().and_then(|(code, _)| code.clone());
        answer.error_message = Some(match first {
            Some((_, message)) => message,
            None => format!("the job ended as `{status}`"),
        });
        answer.error = errors;
    }
    answer
}

/// Code and message of the first of a job's errors, which stand in an array or alone.
fn first_error(errors: &str) -> Option<(Option<String>, String)> {
    let value: serde_json::Value = serde_json::from_str(errors).ok()?;
    let first = match &value {
        serde_json::Value::Array(items) => items.first()?,
        other => other,
    };
    let text = |name: &str| first.get(name)?.as_str().map(str::to_owned);
    Some((text("code"), text("message")?))
}

/// The wait before the next question: twice as long each time, up to the longest.
fn interval(poll: &PollInterval, polls: u32) -> std::time::Duration {
    poll.first
        .saturating_mul(1 << polls.min(20))
        .min(poll.longest)
}
