//! Did-you-mean: the nearest of a list of known words. Owns the measure of nearness, which is restricted edit distance
//! (insert, delete, replace, swap neighbours) without regard to ASCII case.

/// The nearest candidate, if one is near enough to be meant: one edit for up to four characters, else two, and for long
/// words a quarter of their length. A shorter distance wins, then the earlier candidate.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word
        .chars()
        .map(|character| character.to_ascii_lowercase())
        .collect();
    if word.is_empty() || word.len() > 200 {
        return None;
    }
    let allowed = match word.len() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        longer => longer / 4,
    };
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other: Vec<char> = candidate
                .chars()
                .map(|character| character.to_ascii_lowercase())
                .collect();
            let near = other.len().abs_diff(word.len()) <= allowed;
            let distance = if near {
                distance(&word, &other)
            } else {
                usize::MAX
            };
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(left: &[char], right: &[char]) -> usize {
    let width = right.len() + 1;
    let mut before_last: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, &one) in left.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, &other) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(one != other);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && one == right[column - 1] && left[row - 1] == other;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_what_was_meant_and_nothing_far() {
        let verbs = ["SELECT", "INSERT", "DELETE", "SHOW", "SET", "USE"];
        assert_eq!(closest("selec", verbs), Some("SELECT"));
        assert_eq!(closest("SELCET", verbs), Some("SELECT"));
        assert_eq!(closest("SHWO", verbs), Some("SHOW"));
        assert_eq!(closest("banana", verbs), None);
        assert_eq!(closest("", verbs), None);
        assert_eq!(closest("x", verbs), None);
    }
}
