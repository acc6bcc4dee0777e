//! How many calls one service takes at once: additive increase, multiplicative decrease. It starts at 16, doubles with each round of
//! answers until the service first shows signs of overload, and from then on grows by one a round. Pure: the time comes from outside.

use std::time::Instant;

/// Where it starts.
const START: f64 = 16.0;
/// It never goes below this.
const LEAST: f64 = 2.0;
/// What is left of it after a sign of overload.
const CUT: f64 = 0.75;

/// The limit of one service.
#[derive(Debug)]
pub(crate) struct Limit {
    current: f64,
    rising: bool,
    cut: Option<Instant>,
    /// Calls under way.
    pub(crate) under_way: usize,
}

impl Limit {
    pub(crate) fn new(ceiling: usize) -> Limit {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ceiling is a few hundred at most"
        )]
        let ceiling = ceiling as f64;
        Limit {
            current: START.min(ceiling),
            rising: true,
            cut: None,
            under_way: 0,
        }
    }

    /// How many may be under way now.
    pub(crate) fn current(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and the ceiling"
        )]
        let whole = self.current as usize;
        whole.max(1)
    }

    /// A call had its answer. Only while the limit is what holds calls back does that say that more would do.
    pub(crate) fn answered(&mut self, ceiling: usize) {
        if self.under_way * 2 < self.current() {
            return;
        }
        let step = if self.rising { 1.0 } else { 1.0 / self.current };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ceiling is a few hundred at most"
        )]
        let ceiling = ceiling as f64;
        self.current = (self.current + step).min(ceiling);
    }

    /// A call that was sent at `sent` failed as calls to an overloaded service do. Those that were under way together count once.
    pub(crate) fn overloaded(&mut self, sent: Instant, now: Instant) {
        self.rising = false;
        if self.cut.is_none_or(|cut| sent >= cut) {
            self.cut = Some(now);
            self.current = (self.current * CUT).max(LEAST.min(self.current));
        }
    }
}
