//! What is done with memory that a statement gave back. glibc keeps freed blocks for the next one, and the larger they are the more of
//! them: a server of `--memory 200MB` stayed at 1.4 GB after it had sorted and grouped values of 100 kB, and at 330 MB where large blocks
//! go back to the system at once; a million rows written to Parquet took 152 MB, and 116. The price is some processor time. What decides
//! is read when a process begins, so that it begins once more with it, which takes a millisecond or two.

use restable_http::Environment;

/// Free memory above this goes back to the system; with it said, blocks of 128 KiB and more always do.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIMMED: &str = "1048576";

/// Begins this process once more with memory that is given back, unless somebody chose himself. It stays the same process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back(environment: &Environment) {
    use std::os::unix::process::CommandExt as _;

    use crate::environment::{GLIBC_TUNABLES, MALLOC_TRIM_THRESHOLD};

    let is_chosen = |name| environment.var(name).is_some();
    if is_chosen(MALLOC_TRIM_THRESHOLD) || is_chosen(GLIBC_TUNABLES) {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(called) = arguments.next() {
        again.arg0(called);
    }
    // It comes back only if it could not begin: then the server uses more memory, and does everything else.
    let _ = again
        .args(arguments)
        .env(MALLOC_TRIM_THRESHOLD, TRIMMED)
        .exec();
}

/// Other systems have other ways, and nothing is known of them here.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back(_: &Environment) {}
