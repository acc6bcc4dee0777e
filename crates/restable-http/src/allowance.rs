//! How many calls may be sent: by one statement, and by the statements of a session within an hour. Asked before each call, so that never
//! one more goes out. What follows a call that acts is counted, and never refused: an operation that runs has to be followed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The window of an [`Hourly`] allowance, and the grain in which it is kept.
const HOUR: Duration = Duration::from_secs(3600);
const GRAIN: Duration = Duration::from_secs(60);

/// The calls that one statement may send.
#[derive(Debug, Default)]
pub struct Allowance {
    most: Option<u64>,
    hourly: Option<Arc<Hourly>>,
    taken: AtomicU64,
    /// Of those taken, the ones that surely went out.
    sent: AtomicU64,
    lifted: AtomicBool,
}

/// The calls that the statements of a session may send within any hour.
#[derive(Debug)]
pub struct Hourly {
    most: AtomicU64,
    /// Calls by the minute in which they were sent, oldest first.
    sent: Mutex<VecDeque<(Instant, u64)>>,
}

/// Why a call is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// The statement has sent as many as it may.
    Statement {
        /// How many that is.
        most: u64,
    },
    /// The session has, within this hour.
    Hour {
        /// How many that is.
        most: u64,
        /// When there is room again.
        again: Duration,
    },
}

impl fmt::Display for Spent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spent::Statement { most } => {
                write!(
                    formatter,
                    "the statement has made the {most} calls that it may"
                )
            }
            Spent::Hour { most, again } => write!(
                formatter,
                "the session has made the {most} calls that it may within an hour; there is room again in {} min",
                again.as_secs().div_ceil(60).max(1)
            ),
        }
    }
}

impl Allowance {
    /// So many calls of one statement, out of those of its session.
    pub fn new(most: Option<u64>, hourly: Option<Arc<Hourly>>) -> Allowance {
        Allowance {
            most,
            hourly,
            ..Allowance::default()
        }
    }

    /// So many calls of the statement may be sent.
    pub fn most(&self) -> Option<u64> {
        self.most
    }

    /// Those of its session, within an hour.
    pub fn hourly(&self) -> Option<&Arc<Hourly>> {
        self.hourly.as_ref()
    }

    /// So many were begun. Of the last of them nobody may know whether they went out, where a statement ended before their answers came.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    /// So many of them surely went out.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// A call that was taken went out.
    pub(crate) fn note_sent(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// From here on calls are counted only.
    pub fn lift(&self) {
        self.lifted.store(true, Ordering::SeqCst);
    }

    /// Takes the right to send one call.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Spent> {
        let lifted = self.lifted.load(Ordering::SeqCst);
        let most = self.most.filter(|_| !lifted).unwrap_or(u64::MAX);
        let next = |taken: u64| (taken < most).then_some(taken + 1);
        if self
            .taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            .is_err()
        {
            return Err(Spent::Statement { most });
        }
        let within = self.hourly.as_ref().map(|hourly| hourly.take(now, lifted));
        within.unwrap_or(Ok(())).inspect_err(|_| {
            self.taken.fetch_sub(1, Ordering::SeqCst);
        })
    }
}

impl Hourly {
    /// So many calls within any hour.
    pub fn new(most: u64) -> Hourly {
        Hourly {
            most: AtomicU64::new(most),
            sent: Mutex::default(),
        }
    }

    /// Allows so many from now on.
    pub fn allow(&self, most: u64) {
        self.most.store(most, Ordering::SeqCst);
    }

    /// How many calls there is room for, of how many.
    pub fn left(&self, now: Instant) -> (u64, u64) {
        let most = self.most.load(Ordering::SeqCst);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut sent, now);
        let used: u64 = sent.iter().map(|(_, count)| count).sum();
        (most.saturating_sub(used), most)
    }

    fn take(&self, now: Instant, lifted: bool) -> Result<(), Spent> {
        let most = self.most.load(Ordering::SeqCst);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut sent, now);
        let used: u64 = sent.iter().map(|(_, count)| count).sum();
        if used >= most && !lifted {
            let oldest = sent.front().map_or(now, |(minute, _)| *minute);
            let again = (oldest + GRAIN + HOUR).saturating_duration_since(now);
            return Err(Spent::Hour { most, again });
        }
        match sent.back_mut() {
            Some((minute, count)) if now.saturating_duration_since(*minute) < GRAIN => *count += 1,
            _ => sent.push_back((now, 1)),
        }
        Ok(())
    }
}

/// A minute counts until an hour after its end: never more within any hour.
fn forget(sent: &mut VecDeque<(Instant, u64)>, now: Instant) {
    while sent
        .front()
        .is_some_and(|(minute, _)| now.saturating_duration_since(*minute) >= HOUR + GRAIN)
    {
        sent.pop_front();
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn never_one_more_than_the_statement_may() {
        let now = Instant::now();
        let allowance = Allowance::new(Some(3), None);
        let taken = (0..10).filter(|_| allowance.take(now).is_ok()).count();
        assert_eq!((taken, allowance.taken()), (3, 3));
        assert_eq!(allowance.take(now), Err(Spent::Statement { most: 3 }));
        allowance.lift();
        assert_eq!(allowance.take(now), Ok(()));
        assert_eq!(allowance.taken(), 4);
        let none = Allowance::default();
        assert!((0..1000).all(|_| none.take(now).is_ok()));
    }

    #[test]
    fn never_more_within_any_hour() {
        let begin = Instant::now();
        let hourly = Arc::new(Hourly::new(100));
        let mut times: Vec<u64> = Vec::new();
        let mut refused = 0;
        // Ten hours, one try each ten seconds.
        for second in (0..36_000).step_by(10) {
            let allowance = Allowance::new(None, Some(Arc::clone(&hourly)));
            match allowance.take(begin + Duration::from_secs(second)) {
                Ok(()) => times.push(second),
                Err(Spent::Hour { most, again }) => {
                    refused += 1;
                    assert!(most == 100 && again <= HOUR + GRAIN && !again.is_zero());
                    assert_eq!(allowance.taken(), 0);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        for (at, time) in times.iter().enumerate() {
            let within = times[at..].iter().filter(|other| *other - time < 3600);
            assert!(within.count() <= 100, "from {time} on");
        }
        assert!(refused > 0 && times.len() >= 900, "{}", times.len());
    }

    #[test]
    fn what_follows_an_action_is_counted_and_never_refused() {
        let now = Instant::now();
        let hourly = Arc::new(Hourly::new(1));
        let acting = Allowance::new(Some(1), Some(Arc::clone(&hourly)));
        acting.lift();
        assert!((0..5).all(|_| acting.take(now).is_ok()));
        assert_eq!(hourly.left(now), (0, 1));
        assert!(Allowance::new(None, Some(hourly)).take(now).is_err());
    }
}
