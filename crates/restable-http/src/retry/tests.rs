//! The whole retry table as data: every class against every obstacle.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn so_far() -> SoFar {
    SoFar {
        attempts: 1,
        max_attempts: 8,
        precondition: Precondition::Absent,
        token: TokenState::Renewable,
        retry_after: None,
        backoff: Duration::from_millis(700),
        time_left: None,
        patience_left: Duration::from_secs(600),
    }
}

/// `r` retry, `t` retry as throttled, `n` new token, `u` unknown, `f` fail.
fn letter(decision: Decision) -> char {
    match decision {
        Decision::Retry {
            price: Price::Transient,
            ..
        } => 'r',
        Decision::Retry {
            price: Price::Throttled,
            ..
        } => 't',
        Decision::RefreshToken => 'n',
        Decision::Unknown => 'u',
        Decision::Fail(_) => 'f',
    }
}

#[test]
fn every_class_against_every_obstacle() {
    use Breakage::{Interrupted, NotConnected, RefusedStream, Unsendable, Untrusted};
    // Columns: read, idempotent write, conditional without and with If-Match, action.
    let table: &[(&[Obstacle], &str)] = &[
        (
            &[
                Obstacle::Broken(NotConnected),
                Obstacle::Broken(RefusedStream),
            ],
            "rrrrr",
        ),
        (
            &[Obstacle::Broken(Untrusted), Obstacle::Broken(Unsendable)],
            "fffff",
        ),
        (&[Obstacle::Status(429)], "ttttt"),
        (
            &[
                Obstacle::Broken(Interrupted),
                Obstacle::TimedOut,
                Obstacle::Status(408),
                Obstacle::Status(500),
                Obstacle::Status(502),
                Obstacle::Status(503),
                Obstacle::Status(504),
            ],
            "rruru",
        ),
        (&[Obstacle::Status(401)], "nnnnn"),
    ];
    let columns = [
        (CallClass::Read, Precondition::Absent),
        (CallClass::IdempotentWrite, Precondition::Absent),
        (CallClass::Conditional, Precondition::Absent),
        (CallClass::Conditional, Precondition::IfMatch),
        (CallClass::Action, Precondition::Absent),
    ];
    let row = |obstacle, retry_after| -> String {
        columns
            .iter()
            .map(|&(class, precondition)| {
                letter(decide(
                    class,
                    obstacle,
                    &SoFar {
                        precondition,
                        retry_after,
                        ..so_far()
                    },
                ))
            })
            .collect()
    };
    let mut listed = Vec::new();
    for (obstacles, expected) in table {
        for &obstacle in *obstacles {
            for retry_after in [None, Some(SECOND)] {
                assert_eq!(
                    row(obstacle, retry_after),
                    *expected,
                    "{obstacle:?} {retry_after:?}"
                );
            }
            if let Obstacle::Status(status) = obstacle {
                listed.push(status);
            }
        }
    }
    for status in (100..600).filter(|status| !listed.contains(status)) {
        assert_eq!(row(Obstacle::Status(status), None), "fffff", "{status}");
    }
}

#[test]
fn waits() {
    let minute = 60 * SECOND;
    let read = |status, so_far: SoFar| decide(CallClass::Read, Obstacle::Status(status), &so_far);
    let transient = |after| Decision::Retry {
        after,
        price: Price::Transient,
    };
    let throttled = |after| Decision::Retry {
        after,
        price: Price::Throttled,
    };
    for (status, so_far, expected) in [
        (503, so_far(), transient(Duration::from_millis(700))),
        (
            503,
            SoFar {
                retry_after: Some(minute),
                ..so_far()
            },
            transient(minute),
        ),
        (
            503,
            SoFar {
                retry_after: Some(Duration::ZERO),
                ..so_far()
            },
            transient(Duration::ZERO),
        ),
        (
            503,
            SoFar {
                attempts: 8,
                ..so_far()
            },
            Decision::Fail(Stop::Attempts),
        ),
        (
            429,
            SoFar {
                attempts: 800,
                ..so_far()
            },
            throttled(SECOND),
        ),
        (
            429,
            SoFar {
                backoff: minute,
                ..so_far()
            },
            throttled(minute),
        ),
        (
            429,
            SoFar {
                retry_after: Some(2 * SECOND),
                ..so_far()
            },
            throttled(2 * SECOND),
        ),
        (
            429,
            SoFar {
                retry_after: Some(Duration::ZERO),
                ..so_far()
            },
            throttled(Duration::ZERO),
        ),
        (
            429,
            SoFar {
                retry_after: Some(Duration::ZERO),
                attempts: 2,
                ..so_far()
            },
            throttled(SECOND),
        ),
        (
            503,
            SoFar {
                retry_after: Some(2 * minute),
                time_left: Some(30 * SECOND),
                ..so_far()
            },
            Decision::Fail(Stop::Deadline {
                after: 2 * minute,
                left: 30 * SECOND,
            }),
        ),
        (
            429,
            SoFar {
                retry_after: Some(minute),
                patience_left: 59 * SECOND,
                ..so_far()
            },
            Decision::Fail(Stop::Patience { after: minute }),
        ),
        // A deadline that is far off takes the place of the patience.
        (
            429,
            SoFar {
                retry_after: Some(60 * minute),
                time_left: Some(61 * minute),
                ..so_far()
            },
            throttled(60 * minute),
        ),
        (
            401,
            SoFar {
                token: TokenState::Final,
                ..so_far()
            },
            Decision::Fail(Stop::Credential),
        ),
        (404, so_far(), Decision::Fail(Stop::Final)),
    ] {
        assert_eq!(read(status, so_far), expected, "{status} {so_far:?}");
    }
}

#[test]
fn the_budget_empties_and_fills() {
    let budget = Budget::new(30);
    assert!(budget.pay(Price::Transient) && budget.pay(Price::Transient));
    assert!(!budget.pay(Price::Transient), "2 tokens are left");
    assert!(budget.pay(Price::Throttled), "throttling is never refused");
    for _ in 0..12 {
        budget.success(None);
    }
    assert!(budget.pay(Price::Transient));
    budget.success(Some(Price::Transient));
    assert!(budget.pay(Price::Transient));
    for _ in 0..1000 {
        budget.success(None);
    }
    assert!(
        budget.pay(Price::Transient)
            && budget.pay(Price::Transient)
            && !budget.pay(Price::Transient)
    );
}

#[test]
fn the_backoff_grows_within_its_bounds_and_follows_its_seed() {
    let policy = RetryPolicy::default();
    let walk = |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut wait = Duration::ZERO;
        (0..50)
            .map(|_| {
                let longest = (wait * 3).max(policy.backoff_base).min(policy.backoff_cap);
                wait = backoff(&policy, wait, &mut random);
                assert!(wait >= policy.backoff_base && wait <= longest, "{wait:?}");
                wait
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(walk(7), walk(7));
    assert_ne!(walk(7), walk(8));
}
