//! Owns the rate of requests: ARM's token buckets, and the counters of remaining requests that answers show.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::arm::Problem;
use crate::operations::{Meter, Verb};
use crate::options::Throttle;
use crate::request::Call;
use crate::state::World;

/// How long a counter of remaining requests counts before it starts again.
const WINDOW: TimeDelta = TimeDelta::seconds(30);

/// What a request found left.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) left: u32,
    pub(crate) refusal: Option<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Reads,
    Writes,
    Deletes,
}

impl Sort {
    fn of(verb: Verb) -> Sort {
        match verb {
            Verb::Get | Verb::Head => Sort::Reads,
            Verb::Put | Verb::Post | Verb::Patch => Sort::Writes,
            Verb::Delete => Sort::Deletes,
        }
    }

    /// Size of the bucket, and how much of it comes back in a second.
    fn bucket(self) -> (f64, f64) {
        match self {
            Sort::Reads => (250.0, 25.0),
            Sort::Writes | Sort::Deletes => (200.0, 10.0),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: DateTime<Utc>,
}

/// The buckets of each subscription and of the tenant, and the counters.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    kind: Throttle,
    buckets: HashMap<(String, Sort), Bucket>,
    counters: HashMap<(String, &'static str, u32), (DateTime<Utc>, u32)>,
}

impl Buckets {
    pub(crate) fn new(kind: Throttle) -> Buckets {
        Buckets {
            kind,
            ..Buckets::default()
        }
    }

    /// Takes a token; `Err` is how long it takes until there is one, in whole seconds.
    fn take(&mut self, scope: &str, sort: Sort, now: DateTime<Utc>) -> Result<u32, u64> {
        let (size, rate) = sort.bucket();
        let bucket = self
            .buckets
            .entry((scope.to_owned(), sort))
            .or_insert(Bucket {
                tokens: size,
                filled: now,
            });
        let passed = (now - bucket.filled).as_seconds_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * rate).min(size);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            // A small allowance, so that a client that waits exactly as long as it was told finds its token.
            return Err((((1.0 - bucket.tokens) / rate) - 1e-6).ceil().max(1.0) as u64);
        }
        bucket.tokens -= 1.0;
        Ok(bucket.tokens as u32)
    }

    fn count(&mut self, scope: &str, meter: Meter, now: DateTime<Utc>) -> u32 {
        let counter = self
            .counters
            .entry((scope.to_owned(), meter.header, meter.start))
            .or_insert((now, 0));
        // Where nothing is refused, what is left never comes near to nothing: a client that reads it has no reason to wait.
        let endless = self.kind == Throttle::Off && counter.1 >= meter.start / 2;
        if now - counter.0 >= WINDOW || endless {
            *counter = (now, 0);
        }
        counter.1 += 1;
        meter.start.saturating_sub(counter.1)
    }
}

impl World {
    /// Counts a request, and refuses it if its bucket is empty.
    pub(crate) fn spend(&mut self, call: &Call) -> Spent {
        let now = self.clock.now();
        let meter = call.operation.meter;
        let scope = if call.has("subscriptionId") {
            call.subscription().to_ascii_lowercase()
        } else {
            String::new()
        };
        let left = self.buckets.count(&scope, meter, now);
        if self.buckets.kind == Throttle::Off {
            return Spent {
                left,
                refusal: None,
            };
        }
        match self
            .buckets
            .take(&scope, Sort::of(call.operation.verb), now)
        {
            Ok(tokens) => Spent {
                left: left.min(tokens),
                refusal: None,
            },
            Err(seconds) => {
                self.clock
                    .asked_about(now + TimeDelta::seconds(seconds as i64));
                Spent {
                    left: 0,
                    refusal: Some(too_many(call, &scope, seconds)),
                }
            }
        }
    }
}

fn too_many(call: &Call, subscription: &str, seconds: u64) -> Problem {
    let verb = format!("{:?}", call.operation.verb).to_ascii_uppercase();
    let path = call
        .operation
        .path
        .split('/')
        .filter(|part| !part.is_empty() && !part.starts_with('{'));
    let operation = format!(
        "{verb}/{}",
        path.collect::<Vec<_>>().join("/").to_ascii_uppercase()
    );
    let (code, message) = if subscription.is_empty() {
        (
            "TenantRequestsThrottled",
            format!(
                "Number of requests for the tenant and operation '{operation}' exceeded the limit. Please try again after '{seconds}' seconds."
            ),
        )
    } else {
        (
            "SubscriptionRequestsThrottled",
            format!(
                "Number of requests for subscription '{subscription}' and operation '{operation}' exceeded the backend storage limit. Please try again after '{seconds}' seconds."
            ),
        )
    };
    let mut problem = Problem::gateway(429, code, message);
    problem.headers.push(("retry-after", seconds.to_string()));
    problem
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut buckets = Buckets::new(Throttle::Arm);
        let start = crate::clock::parse("2026-01-01T00:00:00Z").unwrap();
        for left in (0..250).rev() {
            assert_eq!(buckets.take("s", Sort::Reads, start), Ok(left));
        }
        assert_eq!(buckets.take("s", Sort::Reads, start), Err(1));
        assert_eq!(buckets.take("other", Sort::Reads, start), Ok(249));
        assert_eq!(buckets.take("s", Sort::Writes, start), Ok(199));
        let later = start + TimeDelta::seconds(1);
        for left in (0..25).rev() {
            assert_eq!(buckets.take("s", Sort::Reads, later), Ok(left));
        }
        assert!(buckets.take("s", Sort::Reads, later).is_err());
    }
}
