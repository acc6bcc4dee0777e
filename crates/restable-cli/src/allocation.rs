//! What is done with memory that a statement gave back. glibc keeps freed blocks for the next one, and the larger they are the more of
//! them: a server of `--memory 200MB` stayed at 1.4 GB after it had sorted and grouped values of 100 kB, and at 330 MB where large blocks
//! go back to the system at once; a million rows written to Parquet took 152 MB, and 116. The price is some processor time. What decides
//! is read when a process begins, so that it begins once more with it, which takes a millisecond or two.

use restable_http::Environment;

/// How soon free memory goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// Above 1 MiB, and blocks of 128 KiB and more always: for who runs one statement, and is measured by its peak.
    AtOnce,
    /// Above 8 MiB, and blocks of 1 MiB and more always: a third less processor time for 100,000 rows over Flight SQL, and no higher peak
    /// where values are large.
    Soon,
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl Back {
    /// Bytes that are free before they go back, and of a block that always does; glibc takes 128 KiB for that where nothing is said.
    fn thresholds(self) -> (&'static str, &'static str) {
        match self {
            Back::AtOnce => ("1048576", "131072"),
            Back::Soon => ("8388608", "1048576"),
        }
    }
}

/// Begins this process once more with memory that is given back, unless somebody chose himself. It stays the same process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back(environment: &Environment, back: Back) {
    use std::os::unix::process::CommandExt as _;

    use crate::environment::{GLIBC_TUNABLES, MALLOC_MMAP_THRESHOLD, MALLOC_TRIM_THRESHOLD};

    let is_chosen = |name| environment.var(name).is_some();
    let own = [MALLOC_TRIM_THRESHOLD, MALLOC_MMAP_THRESHOLD, GLIBC_TUNABLES];
    if own.into_iter().any(is_chosen) {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    let (trimmed, mapped) = back.thresholds();
    if let Some(called) = arguments.next() {
        again.arg0(called);
    }
    // It comes back only if it could not begin: then the server uses more memory, and does everything else.
    let _ = again
        .args(arguments)
        .env(MALLOC_TRIM_THRESHOLD, trimmed)
        .env(MALLOC_MMAP_THRESHOLD, mapped)
        .exec();
}

/// Other systems have other ways, and nothing is known of them here.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back(_: &Environment, _: Back) {}
