//! What an incomplete answer lacks, told with its last message: `app_metadata` of the last `FlightData` is JSON then,
//! `{"complete": false, "missing": [{"scope": …, "code": …, "message": …}]}`. An answer that is whole has none.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_flight::FlightData;
use futures::StreamExt as _;
use futures::stream;
use restable_engine::Report;
use serde_json::{Value, json};

use super::running::Sent;

/// Scopes that are named before the rest is only counted: a message has to be short.
const NAMED: usize = 100;

/// The scopes that a statement could not read, as it comes to know them.
#[derive(Debug, Clone, Default)]
pub struct Missing(Arc<Mutex<Vec<Value>>>);

impl Missing {
    /// Takes in what a statement lacked at its end.
    pub fn take(&self, report: &Report) {
        let all = report
            .missing
            .iter()
            .map(|one| json!({ "scope": one.scope, "code": one.code, "message": one.message }));
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(all);
    }

    fn told(&self) -> Option<Value> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named: Vec<&Value> = all.iter().take(NAMED).collect();
        (!all.is_empty())
            .then(|| json!({ "complete": false, "scopes": all.len(), "missing": named }))
    }
}

/// The messages of an answer, the last of which says what is missing. Each is held back until the next is there, so that this
/// is for answers only that may be incomplete.
pub fn told_at_the_end(sent: Sent, missing: Missing) -> Sent {
    let start = (Some(sent), None::<FlightData>);
    stream::unfold(start, move |(sent, mut held)| {
        let missing = missing.clone();
        async move {
            let mut sent = sent?;
            loop {
                match sent.next().await {
                    Some(Ok(data)) => {
                        if let Some(before) = held.replace(data) {
                            return Some((Ok(before), (Some(sent), held)));
                        }
                    }
                    Some(Err(status)) => return Some((Err(status), (None, None))),
                    None => {
                        let mut last = held?;
                        if let Some(told) = missing.told() {
                            last.app_metadata = told.to_string().into();
                        }
                        return Some((Ok(last), (None, None)));
                    }
                }
            }
        }
    })
    .boxed()
}
