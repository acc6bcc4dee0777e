//! How memory under a limit is divided. What can go to files shares a part of it; each merge of what was sorted may take a part of its own,
//! for it begins while the sorted rows still stand in memory, and would else take all that there is to read as many files at once as it can;
//! and a part is always left for what cannot go to files at all.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::statement::lock;

/// How merges of sorted rows are called. They do not go to files, but read fewer of them at once where there is less memory.
const MERGE: &str = "ExternalSorterMerge";

/// So much memory, and who has it.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many can go to files, and what they have.
    movers: usize,
    movable: usize,
    /// What those have that cannot.
    fixed: usize,
    /// What of it each merge has, by the number of its consumer.
    merges: HashMap<usize, usize>,
}

impl State {
    fn left(&self, limit: usize, reservation: &MemoryReservation) -> usize {
        let consumer = reservation.consumer();
        if consumer.can_spill() {
            // A sort takes twice its rows while it collects them, and up to three times when its merge begins: those of `MERGE`.
            let all = (limit / 3).min(limit.saturating_sub(self.fixed));
            return (all / self.movers.max(1)).saturating_sub(reservation.size());
        }
        let left = limit.saturating_sub(self.fixed.saturating_add(self.movable));
        match self.merges.get(&consumer.id()) {
            Some(has) => left.min((limit / 4 * 3 / self.merges.len()).saturating_sub(*has)),
            None => left,
        }
    }

    fn add(&mut self, consumer: &MemoryConsumer, bytes: usize) {
        match consumer.can_spill() {
            true => self.movable = self.movable.saturating_add(bytes),
            false => self.fixed = self.fixed.saturating_add(bytes),
        }
        if let Some(merge) = self.merges.get_mut(&consumer.id()) {
            *merge = merge.saturating_add(bytes);
        }
    }

    fn take(&mut self, consumer: &MemoryConsumer, bytes: usize) {
        match consumer.can_spill() {
            true => self.movable = self.movable.saturating_sub(bytes),
            false => self.fixed = self.fixed.saturating_sub(bytes),
        }
        if let Some(merge) = self.merges.get_mut(&consumer.id()) {
            *merge = merge.saturating_sub(bytes);
        }
    }
}

impl Pool {
    pub(crate) fn new(limit: usize) -> Pool {
        Pool {
            limit,
            state: Mutex::default(),
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.limit)
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "limited"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        let mut state = lock(&self.state);
        if consumer.can_spill() {
            state.movers += 1;
        } else if consumer.name().starts_with(MERGE) {
            state.merges.insert(consumer.id(), 0);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut state = lock(&self.state);
        if consumer.can_spill() {
            state.movers = state.movers.saturating_sub(1);
        } else {
            state.merges.remove(&consumer.id());
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        lock(&self.state).add(reservation.consumer(), additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, less: usize) {
        lock(&self.state).take(reservation.consumer(), less);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = lock(&self.state);
        let left = state.left(self.limit, reservation);
        if additional > left {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} has {} bytes and needs {additional} more; of {} bytes {left} are left for it",
                reservation.consumer().name(),
                reservation.size(),
                self.limit,
            )));
        }
        state.add(reservation.consumer(), additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = lock(&self.state);
        state.movable.saturating_add(state.fixed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_can_go_to_files_leaves_room_for_what_cannot() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(900));
        let moves = |name: &str| {
            let consumer = MemoryConsumer::new(name).with_can_spill(true);
            consumer.register(&pool)
        };
        let sort = moves("sort");
        sort.try_grow(300).unwrap();
        assert!(sort.try_grow(1).is_err());
        let join = MemoryConsumer::new("join").register(&pool);
        join.try_grow(600).unwrap();
        let told = join.try_grow(1).unwrap_err().to_string();
        assert!(
            told.contains("join has 600 bytes and needs 1 more"),
            "{told}"
        );
        sort.shrink(100);
        join.try_grow(100).unwrap();
        assert_eq!(pool.reserved(), 900);
        join.free();

        // Two of them have a half each, and no more than what others leave.
        let group = moves("group");
        group.try_grow(150).unwrap();
        assert!(group.try_grow(1).is_err());
        drop(sort);
        group.try_grow(150).unwrap();
        group.free();
        join.try_grow(800).unwrap();
        assert!(group.try_grow(101).is_err());
        group.try_grow(100).unwrap();
        drop((join, group));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn no_merge_takes_all() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(800));
        let first = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        first.try_grow(600).unwrap();
        assert!(first.try_grow(1).is_err());
        // What it holds in parts counts together.
        first.free();
        let part = first.new_empty();
        first.try_grow(450).unwrap();
        part.try_grow(150).unwrap();
        assert!(part.try_grow(1).is_err());
        first.free();
        let second = MemoryConsumer::new("ExternalSorterMerge[1]").register(&pool);
        second.try_grow(300).unwrap();
        assert!(second.try_grow(1).is_err());
        part.try_grow(150).unwrap();
        assert!(part.try_grow(1).is_err());
        let other = MemoryConsumer::new("SortPreservingMergeExec[0]").register(&pool);
        other.try_grow(200).unwrap();
        drop((first, part, second, other));
        assert_eq!(pool.reserved(), 0);
    }
}
