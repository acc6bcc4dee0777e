//! Whether a call is sent again, and when: one pure function, [`decide`], for every class of call and every obstacle, and the
//! budget of retries that a client's calls share. It sends nothing and waits for nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::transport::Breakage;
use restable_spec::CallClass;

/// A throttled call without a `Retry-After` waits at least this long.
pub(crate) const THROTTLE_FLOOR: Duration = Duration::from_secs(1);

/// The numbers behind the decisions.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts of one call at transient failures (no connection, a broken one, 408, 500, 502, 503, 504). Throttling (429) does not
    /// count: it is waited for until the deadline.
    pub max_attempts: u32,
    /// The shortest wait of the backoff.
    pub backoff_base: Duration,
    /// The longest wait of the backoff. A wait that the service names may be longer.
    pub backoff_cap: Duration,
    /// Without a deadline, the sum of the waits that the service may impose on one call.
    pub patience: Duration,
    /// Tokens of the budget: a transient retry costs 14, a throttled one 5; a success gives back 1, or what its last retry cost.
    pub budget: u32,
    /// Seed of the jitter; `None` takes one from the system.
    pub seed: Option<u64>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
            patience: Duration::from_secs(600),
            budget: 500,
            seed: None,
        }
    }
}

/// What stands between a call and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no whole answer.
    Broken(Breakage),
    /// No answer, or no more of it, in time; the request was sent.
    TimedOut,
    /// An answer with this status.
    Status(u16),
}

impl Obstacle {
    /// Whether the request surely had no effect: it was not received, or the answer refuses it.
    pub fn surely_undone(self) -> bool {
        match self {
            Obstacle::Broken(
                Breakage::NotConnected
                | Breakage::Untrusted
                | Breakage::RefusedStream
                | Breakage::Unsendable,
            )
            | Obstacle::Status(501 | 505) => true,
            Obstacle::Broken(Breakage::Interrupted) | Obstacle::TimedOut => false,
            Obstacle::Status(status) => status != 408 && !(500..600).contains(&status),
        }
    }
}

/// What [`decide`] has to know of the call so far.
#[derive(Debug, Clone, Copy)]
pub struct SoFar {
    /// Attempts made, this one included.
    pub attempts: u32,
    /// The cap of transient attempts.
    pub max_attempts: u32,
    /// Whether the request carries `If-Match`.
    pub precondition: Precondition,
    /// Whether a new token could help.
    pub token: TokenState,
    /// The wait that the service asks for.
    pub retry_after: Option<Duration>,
    /// The wait of the backoff.
    pub backoff: Duration,
    /// Time to the statement's deadline.
    pub time_left: Option<Duration>,
    /// Where there is no deadline: what is left of [`RetryPolicy::patience`].
    pub patience_left: Duration,
}

/// Whether a request is conditional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// It carries `If-Match`, so that a second arrival is seen by the service.
    IfMatch,
    /// It does not.
    Absent,
}

/// Whether a refused token may be replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It may.
    Renewable,
    /// It was already, or there is no other one.
    Final,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Wait, then send it again.
    Retry {
        /// The wait.
        after: Duration,
        /// What the retry costs of the budget.
        price: Price,
    },
    /// Ask for a new token and send it again at once.
    RefreshToken,
    /// The service may or may not have done it. Nothing is sent again.
    Unknown,
    /// It surely was not done, and is not tried again.
    Fail(Stop),
}

/// What a retry costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// A failure that is likely to hit every call: 14 tokens, and no retry when they are used up.
    Transient,
    /// Throttling, which the service itself paces: 5 tokens, and never refused for want of them.
    Throttled,
}

impl Price {
    fn tokens(self) -> u32 {
        match self {
            Price::Transient => 14,
            Price::Throttled => 5,
        }
    }
}

/// Why a call is not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The answer is final.
    Final,
    /// The credential was refused.
    Credential,
    /// As often as allowed.
    Attempts,
    /// The next attempt would be after the deadline.
    Deadline {
        /// The wait before it.
        after: Duration,
        /// The time that is left.
        left: Duration,
    },
    /// The service asks for a longer wait than is allowed without a deadline.
    Patience {
        /// The wait before the next attempt.
        after: Duration,
    },
}

/// The table. Reads and idempotent writes go again after every transient failure; a conditional request only with `If-Match`; an
/// action only where the service surely did not take it.
pub fn decide(class: CallClass, obstacle: Obstacle, so_far: &SoFar) -> Decision {
    match obstacle {
        Obstacle::Broken(Breakage::NotConnected | Breakage::RefusedStream) => transient(so_far),
        Obstacle::Broken(Breakage::Untrusted | Breakage::Unsendable) => Decision::Fail(Stop::Final),
        Obstacle::Status(429) => throttled(so_far),
        Obstacle::Broken(Breakage::Interrupted)
        | Obstacle::TimedOut
        | Obstacle::Status(408 | 500 | 502 | 503 | 504) => match (class, so_far.precondition) {
            (CallClass::Read | CallClass::IdempotentWrite, _)
            | (CallClass::Conditional, Precondition::IfMatch) => transient(so_far),
            (CallClass::Conditional, Precondition::Absent) | (CallClass::Action, _) => {
                Decision::Unknown
            }
        },
        Obstacle::Status(401) => match so_far.token {
            TokenState::Renewable => Decision::RefreshToken,
            TokenState::Final => Decision::Fail(Stop::Credential),
        },
        Obstacle::Status(_) => Decision::Fail(Stop::Final),
    }
}

fn transient(so_far: &SoFar) -> Decision {
    if so_far.attempts >= so_far.max_attempts {
        return Decision::Fail(Stop::Attempts);
    }
    in_time(
        so_far.retry_after.unwrap_or(so_far.backoff),
        Price::Transient,
        so_far,
    )
}

fn throttled(so_far: &SoFar) -> Decision {
    let own = so_far.backoff.max(THROTTLE_FLOOR);
    let after = match so_far.retry_after {
        // "At once" is believed once; a service that goes on saying so is not.
        Some(wait) if wait.is_zero() && so_far.attempts > 1 => own,
        Some(wait) => wait,
        None => own,
    };
    in_time(after, Price::Throttled, so_far)
}

fn in_time(after: Duration, price: Price, so_far: &SoFar) -> Decision {
    match so_far.time_left {
        Some(left) if after >= left => Decision::Fail(Stop::Deadline { after, left }),
        None if after > so_far.patience_left => Decision::Fail(Stop::Patience { after }),
        _ => Decision::Retry { after, price },
    }
}

/// The tokens that all calls of a client share: while a service is down, retries stop long before the calls do.
#[derive(Debug)]
pub(crate) struct Budget {
    capacity: u32,
    tokens: Mutex<u32>,
}

impl Budget {
    pub(crate) fn new(capacity: u32) -> Self {
        Self {
            capacity,
            tokens: Mutex::new(capacity),
        }
    }

    /// Pays for a retry; false if that is not possible.
    pub(crate) fn pay(&self, price: Price) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        match tokens.checked_sub(price.tokens()) {
            Some(rest) => {
                *tokens = rest;
                true
            }
            None => price == Price::Throttled,
        }
    }

    /// A call succeeded; `last` is what its last retry cost.
    pub(crate) fn success(&self, last: Option<Price>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens + last.map_or(1, Price::tokens)).min(self.capacity);
    }
}

/// The next wait of a decorrelated backoff: between the base and three times the wait before, up to the cap.
pub(crate) fn backoff(
    policy: &RetryPolicy,
    previous: Duration,
    random: &mut fastrand::Rng,
) -> Duration {
    let low = policy.backoff_base.as_secs_f64();
    let high = (previous.as_secs_f64() * 3.0).max(low);
    Duration::from_secs_f64(low + random.f64() * (high - low)).min(policy.backoff_cap)
}

#[cfg(test)]
mod tests;
