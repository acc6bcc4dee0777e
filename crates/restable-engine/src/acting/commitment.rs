//! The point behind which a statement that acts is no longer given up: before it, it only reads what its targets are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const READING: u8 = 0;
const ACTING: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whether a statement that acts has begun to. Until then nothing was sent, and whoever waits for it may give it up, whatever it computes
/// just then; from then on what it began is followed to its end. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Commitment(Arc<AtomicU8>);

impl Commitment {
    /// Gives the statement up: it sends nothing any more. `false` if it may have sent something already.
    pub fn give_up(&self) -> bool {
        self.turn(GIVEN_UP)
    }

    /// Begins to act, unless nobody waits for the statement.
    pub fn begin(&self) -> bool {
        self.turn(ACTING)
    }

    fn turn(&self, into: u8) -> bool {
        let then = self
            .0
            .compare_exchange(READING, into, Ordering::SeqCst, Ordering::SeqCst);
        then.is_ok() || then == Err(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_either_acts_or_is_given_up() {
        let begun = Commitment::default();
        assert!(begun.clone().begin());
        assert!(!begun.give_up());
        let late = Commitment::default();
        assert!(late.give_up() && late.give_up());
        assert!(!late.begin());
    }
}
