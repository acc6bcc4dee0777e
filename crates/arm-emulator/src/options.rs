//! Owns what a caller can choose before an emulator starts, and how an estate is spelled. Reads no file and no
//! environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::Error;

/// How an emulator behaves. The default is the demo estate on a free loopback port with a real clock.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; loopback only. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// What is in the tenant.
    pub estate: Estate,
    /// Items on a page of a list.
    pub page_size: usize,
    /// Added before every answer, in real time.
    pub latency: Duration,
    /// Whether ARM's token buckets refuse with 429.
    pub throttle: Throttle,
    /// How long a long-running operation takes; also what `Retry-After` says, in whole seconds, rounded up.
    pub operation_time: Duration,
    /// How long a backup or restore job takes after its operation.
    pub job_time: Duration,
    /// What drives time.
    pub clock: ClockKind,
    /// The same seed gives the same generated estate and the same ids.
    pub seed: u64,
    /// Whether a request without a bearer token is refused with 401.
    pub require_token: bool,
    /// Use the durations measured on Azure (a backup job of 185 s, `Retry-After: 30`) instead of the two above.
    pub realistic: bool,
    /// Whether a job's `activityID` is the `x-ms-client-request-id` of the request that started it.
    pub keep_request_id: bool,
    /// From api-version 2025-09-01 on refuse vaults whose soft delete is not `AlwaysOn`, as some regions do.
    pub always_on_soft_delete: bool,
    /// Compress bodies when the client accepts gzip.
    pub gzip: bool,
    /// How many requests the journal keeps, the newest ones; 0 keeps none.
    pub journal_capacity: usize,
    /// The time at which the emulated world starts; the real time if absent.
    pub start_time: Option<DateTime<Utc>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            estate: Estate::Demo,
            page_size: 200,
            latency: Duration::ZERO,
            throttle: Throttle::Off,
            operation_time: Duration::from_secs(1),
            job_time: Duration::from_secs(3),
            clock: ClockKind::Real,
            seed: 1,
            require_token: true,
            realistic: false,
            keep_request_id: true,
            always_on_soft_delete: false,
            gzip: true,
            journal_capacity: 100_000,
            start_time: None,
        }
    }
}

/// What is in the tenant when the emulator starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Estate {
    /// A small, varied tenant with real-looking names.
    Demo,
    /// One subscription with one empty resource group.
    Empty,
    /// Any number of resources, computed from the seed and never stored.
    Generated {
        /// Subscriptions in all.
        subscriptions: u64,
        /// Vaults in all, spread evenly over the subscriptions.
        vaults: u64,
        /// Instances in all, spread evenly over the vaults.
        instances: u64,
    },
    /// A JSON file in the form that `GET /_emulator/state` answers.
    File(PathBuf),
}

impl FromStr for Estate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Estate, Error> {
        let text = text.trim();
        match text {
            "" => return Err(Error::Estate(text.to_owned())),
            "demo" => return Ok(Estate::Demo),
            "empty" => return Ok(Estate::Empty),
            _ => {}
        }
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let numeric =
            |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() == 1 && !numeric(&parts[0]) {
            return Ok(Estate::File(PathBuf::from(text)));
        }
        let numbers: Vec<u64> = parts.iter().map_while(|part| part.parse().ok()).collect();
        match numbers[..] {
            [subscriptions, vaults, instances]
                if parts.len() == 3 && subscriptions > 0 && (vaults > 0 || instances == 0) =>
            {
                Ok(Estate::Generated {
                    subscriptions,
                    vaults,
                    instances,
                })
            }
            _ => Err(Error::Estate(text.to_owned())),
        }
    }
}

/// Whether requests are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Throttle {
    /// Token buckets per subscription and kind of request, as Azure Resource Manager documents them.
    Arm,
    /// No request is refused for its rate.
    #[default]
    Off,
}

impl FromStr for Throttle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Throttle, Error> {
        match text {
            "arm" => Ok(Throttle::Arm),
            "off" => Ok(Throttle::Off),
            _ => Err(Error::Word {
                option: "throttle",
                value: text.to_owned(),
                expected: "`arm`, `off`",
            }),
        }
    }
}

/// What drives the emulator's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockKind {
    /// Time passes as it does, plus what `advance` added.
    #[default]
    Real,
    /// Time stands still, and jumps to the end of whatever a client was just told is still pending. Nothing is waited
    /// for: `Retry-After` is 0.
    Fast,
    /// Time moves only by `advance`.
    Manual,
}

impl FromStr for ClockKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<ClockKind, Error> {
        match text {
            "real" => Ok(ClockKind::Real),
            "fast" => Ok(ClockKind::Fast),
            "manual" => Ok(ClockKind::Manual),
            _ => Err(Error::Word {
                option: "clock",
                value: text.to_owned(),
                expected: "`real`, `fast`, `manual`",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estate_is_a_name_three_totals_or_a_path() {
        let generated = Estate::Generated {
            subscriptions: 2,
            vaults: 10,
            instances: 1000,
        };
        assert_eq!("demo".parse::<Estate>().ok(), Some(Estate::Demo));
        assert_eq!("empty".parse::<Estate>().ok(), Some(Estate::Empty));
        assert_eq!("2, 10,1000".parse::<Estate>().ok(), Some(generated));
        assert_eq!(
            "estates/mine.json".parse::<Estate>().ok(),
            Some(Estate::File("estates/mine.json".into()))
        );
        for bad in [
            "", "1,2", "1,2,x", "0,1,1", "1,0,1", "17", "1,2,3,4", "1,-2,3",
        ] {
            assert!(bad.parse::<Estate>().is_err(), "{bad}");
        }
    }
}
