//! Names: when two spellings mean the same thing, and which known name a wrong one was probably meant to be.
//! Refuses nothing; it knows neither documents nor SQL.

/// The form in which names are compared: ASCII lower case, without `_` and `-`.
///
/// `subscriptionId`, `subscription_id` and `SUBSCRIPTION_ID` all fold to `subscriptionid`.
#[must_use]
pub fn fold(name: &str) -> String {
    significant(name).collect()
}

/// True if both spellings fold to the same name.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    significant(left).eq(significant(right))
}

/// The candidate that `name` was probably meant to be, or `None` if nothing is near.
///
/// Near is an edit distance (a swap of neighbours counts once) of at most a third of the longer folded name, or one
/// name being a part of the other. Among equally near ones the first wins.
pub fn nearest<'a, I>(name: &str, candidates: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    significant(name).next()?;
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        // What both names begin with, up to a dot, says nothing about how near they are.
        let shared = shared_scope(name, candidate);
        let wanted: Vec<char> = significant(&name[shared..]).collect();
        let folded: Vec<char> = significant(&candidate[shared..]).collect();
        let longer = wanted.len().max(folded.len());
        let allowed = (longer / 3).max(1);
        if wanted.len().abs_diff(folded.len()) > allowed && !contains(&folded, &wanted) {
            continue;
        }
        let distance = edit_distance(&wanted, &folded);
        let near = distance <= allowed && distance < longer || contains(&folded, &wanted);
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn significant(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-'))
        .map(|character| character.to_ascii_lowercase())
}

/// The length of what both names begin with, to the last dot in it.
fn shared_scope(name: &str, candidate: &str) -> usize {
    let same = name.bytes().zip(candidate.bytes());
    let same = same.take_while(|(a, b)| a == b).count();
    name.as_bytes()[..same]
        .iter()
        .rposition(|byte| *byte == b'.')
        .map_or(0, |dot| dot + 1)
}

/// A short word is part of too many names to be a hint.
fn contains(folded: &[char], part: &[char]) -> bool {
    part.len() >= 4 && folded.windows(part.len()).any(|window| window == part)
}

fn edit_distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let mut cost = (above[column] + usize::from(a != b))
                .min(above[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && a == right[column - 1] && left[row - 1] == b {
                cost = cost.min(before[column - 1] + 1);
            }
            current.push(cost);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{fold, nearest, same};

    #[test]
    fn spellings_of_one_name_are_the_same() {
        for (left, right) in [
            ("subscriptionId", "subscription_id"),
            ("SUBSCRIPTION_ID", "subscriptionId"),
            ("api-version", "api_version"),
            (
                "BackupInstances_AdhocBackup",
                "backup_instances_adhoc_backup",
            ),
        ] {
            assert!(same(left, right), "{left} {right}");
            assert_eq!(fold(left), fold(right));
        }
        assert!(!same("vaultName", "vault.name"));
        assert!(!same("vaultName", "vaultNames"));
    }

    #[test]
    fn a_near_miss_is_recognised_and_a_far_one_is_not() {
        let known = [
            "backup_instances",
            "backup_vaults",
            "backup_policies",
            "jobs",
            "id",
            "name",
        ];
        for (wrong, meant) in [
            ("backup_instance", Some("backup_instances")),
            ("backupvault", Some("backup_vaults")),
            ("backup_polcies", Some("backup_policies")),
            ("jbos", Some("jobs")),
            ("vaults", Some("backup_vaults")),
            ("nmae", Some("name")),
            ("virtual_machines", None),
            ("xy", None),
            ("zzzzqqq", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
    }

    #[test]
    fn a_scope_that_names_share_brings_them_no_nearer() {
        let known = ["azure.data_protection.jobs", "azure.compute.disks"];
        for (wrong, meant) in [
            ("azure.data_protection.nope_table", None),
            ("azure.data_protection.jbos", Some(known[0])),
            ("azure.compute.disk", Some(known[1])),
            ("azure.dataprotection.jobs", Some(known[0])),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
    }
}
