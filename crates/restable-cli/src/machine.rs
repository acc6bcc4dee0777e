//! What the machine has: its memory, or what the container has that this process is in, whichever is less.

use std::path::{Path, PathBuf};

/// Bytes of memory that this process may have; `None` where the system does not say.
pub fn memory() -> Option<usize> {
    let whole = std::fs::read_to_string("/proc/meminfo").ok();
    let whole = whole.as_deref().and_then(of_machine);
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = places(&groups, Path::new("/sys/fs/cgroup"));
    let limits = limits.into_iter().filter_map(|place| {
        let text = std::fs::read_to_string(place).ok()?;
        // One that has no limit says `max`, or a number that no machine has.
        text.trim().parse::<usize>().ok()
    });
    limits.chain(whole).min()
}

/// The memory in `/proc/meminfo`.
fn of_machine(text: &str) -> Option<usize> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The files with the limits of the groups that a process is in, and of those around them.
fn places(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match kinds {
            "" => (root.to_owned(), "memory.max"),
            kinds if kinds.split(',').any(|kind| kind == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // A container may see its own group as the root.
        let path = Path::new(path.trim_start_matches('/'));
        places.extend(path.ancestors().map(|path| root.join(path).join(file)));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_the_machine_is_read() {
        let text = "MemTotal:       24576000 kB\nMemFree:  1 kB\n";
        assert_eq!(of_machine(text), Some(24_576_000 * 1024));
        assert_eq!(of_machine("MemFree: 1 kB"), None);
    }

    #[test]
    fn limits_of_groups_are_looked_for_in_all_around_them() {
        let shown = |groups| {
            let places = places(groups, Path::new("/c")).into_iter();
            places
                .map(|place| place.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown("0::/a/b\n"),
            ["/c/a/b/memory.max", "/c/a/memory.max", "/c/memory.max"]
        );
        assert_eq!(
            shown("3:cpu:/x\n4:hugetlb,memory:/a\n"),
            [
                "/c/memory/a/memory.limit_in_bytes",
                "/c/memory/memory.limit_in_bytes"
            ]
        );
        assert_eq!(shown("0::/\n"), ["/c/memory.max"]);
        assert!(shown("nothing").is_empty());
    }
}
