//! How many calls one service takes at once: additive increase, multiplicative decrease. It starts at 16, doubles with each round of
//! answers until the service first shows signs of overload, and from then on grows by one a round. What answers at once needs few calls under
//! way to be kept busy, and each of them is a page in memory: so the time of its answers is a limit too. Pure: the time comes from outside.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Where it starts.
const START: f64 = 16.0;
/// It never goes below this.
const LEAST: f64 = 2.0;
/// What is left of it after a sign of overload.
const CUT: f64 = 0.75;
/// So many calls are under way at a service that answers at once, ...
const AT_ONCE: usize = 8;
/// ... and so many more for each millisecond that an answer takes. That is more than two thousand calls a second; Resource Manager allows 25.
const PER_MILLISECOND: usize = 2;
/// After so many answers the quickest of them is what is known, until as many more have come.
const SEEN: u32 = 32;

/// The limit of one service.
#[derive(Debug)]
pub(crate) struct Limit {
    current: f64,
    rising: bool,
    cut: Option<Instant>,
    /// Calls under way.
    pub(crate) under_way: usize,
    /// How quick the service is, for each form of calls: a list may take much longer than one row does.
    quickest: BTreeMap<Form, Quickest>,
}

/// What calls have in common that take about the same time: how many segments their path has.
pub(crate) type Form = u8;

/// The quickest answer among the last ones. What a busy client adds to each is not in it.
#[derive(Debug)]
struct Quickest {
    before: Option<Duration>,
    now: Duration,
    seen: u32,
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
            quickest: BTreeMap::new(),
        }
    }

    /// Whether a call of this form may join those that are under way.
    pub(crate) fn has_room(&self, form: Form) -> bool {
        let of_time = self.quickest.get(&form).map_or(usize::MAX, |quickest| {
            let took = quickest
                .before
                .map_or(quickest.now, |it| it.min(quickest.now));
            let more = took.as_millis().saturating_mul(PER_MILLISECOND as u128);
            AT_ONCE.saturating_add(usize::try_from(more).unwrap_or(usize::MAX))
        });
        self.under_way < self.current().min(of_time)
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

    /// A call of this form had its answer after this time.
    pub(crate) fn took(&mut self, form: Form, time: Duration) {
        let quickest = self.quickest.entry(form).or_insert(Quickest {
            before: None,
            now: time,
            seen: 0,
        });
        if quickest.seen == SEEN {
            quickest.before = Some(quickest.now);
            (quickest.now, quickest.seen) = (time, 0);
        }
        quickest.now = quickest.now.min(time);
        quickest.seen += 1;
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
