//! Cursors that go back: `DECLARE … SCROLL CURSOR`. The rows of such a cursor are kept as they are read, in the memory that statements may
//! use; where they do not fit, the FETCH fails. A place is before the first row (0), on a row (from 1), or behind the last.

use std::ops::RangeInclusive;
use std::sync::Arc;

use restable_engine::sql::Count;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::portal::Flow;
use super::super::sqlstate;
use super::{Client, Done, ENOUGH, cancelled, said};

/// Rows that follow each other, and where the cursor stands after them.
struct Way {
    rows: RangeInclusive<u64>,
    backwards: bool,
    then: u64,
}

const NONE: RangeInclusive<u64> = RangeInclusive::new(1, 0);

/// Where a step leads from a place among so many rows: all that there are, or more than it reaches.
fn way(step: Count, at: u64, rows: u64) -> Way {
    let end = rows.saturating_add(1);
    let forward = |count: u64| {
        let last = at.saturating_add(count);
        Way {
            rows: at.saturating_add(1)..=last.min(rows),
            backwards: false,
            then: last.min(end),
        }
    };
    let back = |count: u64| {
        let first = at.saturating_sub(count);
        Way {
            rows: first.max(1)..=at.saturating_sub(1),
            backwards: true,
            then: first,
        }
    };
    let on = |place: u64| Way {
        rows: if (1..=rows).contains(&place) {
            place..=place
        } else {
            NONE
        },
        backwards: false,
        then: place.min(end),
    };
    match step {
        Count::Rows(0) | Count::Back(0) | Count::Relative(0) => on(at),
        Count::Rows(count) => forward(count),
        Count::All => forward(u64::MAX),
        Count::Back(count) => back(count),
        Count::BackAll => back(u64::MAX),
        Count::Absolute(place) if place < 0 => on(end.saturating_sub(place.unsigned_abs())),
        Count::Absolute(place) => on(place.unsigned_abs()),
        Count::Relative(by) if by < 0 => on(at.saturating_sub(by.unsigned_abs())),
        Count::Relative(by) => on(at.saturating_add(by.unsigned_abs())),
    }
}

/// How many rows have to be there before it is known where a step leads.
fn needed(step: Count, at: u64) -> u64 {
    match step {
        Count::Rows(count) => at.saturating_add(count),
        Count::Relative(by) if by > 0 => at.saturating_add(by.unsigned_abs()),
        Count::Absolute(place) if place >= 0 => place.unsigned_abs(),
        Count::All | Count::Absolute(_) => u64::MAX,
        _ => 0,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// Goes a step with a cursor; answers how many rows it went over, which are sent where they are `shown`.
    pub(super) async fn scroll(
        &mut self,
        flow: &mut Flow,
        step: Count,
        formats: &[i16],
        shown: bool,
    ) -> Done<u64> {
        let cancel = Arc::clone(&self.listed.cancel);
        cancel.begin();
        let gone = self.scroll_rows(flow, step, formats, shown).await;
        cancel.end();
        gone
    }

    async fn scroll_rows(
        &mut self,
        flow: &mut Flow,
        step: Count,
        formats: &[i16],
        shown: bool,
    ) -> Done<u64> {
        let look = self.look()?;
        let needed = needed(step, flow.place());
        while flow.kept_rows() < needed && !flow.ended {
            if self.listed.cancel.is_asked() {
                return Err(cancelled().into());
            }
            if let Some(late) = flow.late() {
                return Err(sqlstate::told(&late, "").into());
            }
            self.fill(flow, look).await?;
            let memory = self.room(0, flow.bytes_at_hand())?;
            flow.keep(memory);
        }
        let Way {
            rows,
            backwards,
            then,
        } = way(step, flow.place(), flow.kept_rows());
        let count = (rows.end() + 1).saturating_sub(*rows.start());
        if shown {
            for number in 0..count {
                let row = match backwards {
                    true => rows.end() - number,
                    false => rows.start() + number,
                };
                flow.write_kept(row, formats, &mut self.wire.out)
                    .map_err(|problem| said(problem.sqlstate(), problem.to_string()))?;
                if self.wire.out.len() >= ENOUGH {
                    if self.listed.cancel.is_asked() {
                        return Err(cancelled().into());
                    }
                    self.relieve(flow).await?;
                }
            }
        }
        flow.stand(then);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_where_they_lead_in_postgresql() {
        // Five rows: the step, where it begins, the rows in their order, where the cursor stands then.
        let all: &[(Count, u64, &[u64], u64)] = &[
            (Count::Rows(2), 0, &[1, 2], 2),
            (Count::Rows(5), 0, &[1, 2, 3, 4, 5], 5),
            (Count::Rows(6), 0, &[1, 2, 3, 4, 5], 6),
            (Count::Rows(1), 6, &[], 6),
            (Count::Rows(0), 3, &[3], 3),
            (Count::Rows(0), 0, &[], 0),
            (Count::All, 2, &[3, 4, 5], 6),
            (Count::Back(1), 3, &[2], 2),
            (Count::Back(2), 6, &[5, 4], 4),
            (Count::Back(9), 3, &[2, 1], 0),
            (Count::Back(1), 1, &[], 0),
            (Count::Back(1), 0, &[], 0),
            (Count::BackAll, 6, &[5, 4, 3, 2, 1], 0),
            (Count::Absolute(1), 4, &[1], 1),
            (Count::Absolute(-1), 0, &[5], 5),
            (Count::Absolute(-5), 0, &[1], 1),
            (Count::Absolute(-6), 0, &[], 0),
            (Count::Absolute(0), 3, &[], 0),
            (Count::Absolute(9), 3, &[], 6),
            (Count::Relative(2), 1, &[3], 3),
            (Count::Relative(-1), 3, &[2], 2),
            (Count::Relative(-3), 3, &[], 0),
            (Count::Relative(0), 3, &[3], 3),
        ];
        for (step, at, wanted, then) in all {
            let way = way(*step, *at, 5);
            let mut rows: Vec<u64> = way.rows.collect();
            if way.backwards {
                rows.reverse();
            }
            assert_eq!((&*rows, way.then), (*wanted, *then), "{step:?} from {at}");
        }
    }
}
