//! Whether a text matches a `pattern` of a document: the plain ones, which are a row of characters and character
//! classes, each with a count (`^[a-zA-Z0-9-]{3,24}$`). Of a pattern with groups, alternatives or look-around it says
//! nothing; the service checks those.

/// A class of characters, and how often one of it may stand.
#[derive(Debug)]
struct Item {
    negated: bool,
    ranges: Vec<(char, char)>,
    least: usize,
    most: usize,
}

/// `None` if the pattern is not a plain one.
pub(crate) fn matches(pattern: &str, text: &str) -> Option<bool> {
    let (items, from_start, to_end) = read(pattern)?;
    let text: Vec<char> = text.chars().collect();
    // All positions that the items so far can have reached.
    let mut reached: Vec<bool> = (0..=text.len()).map(|at| at == 0 || !from_start).collect();
    for item in &items {
        let mut next = vec![false; text.len() + 1];
        for start in (0..=text.len()).filter(|at| reached[*at]) {
            let fitting = text[start..].iter().take(item.most);
            let run = fitting
                .take_while(|character| item.holds(**character))
                .count();
            if let Some(ends) = next.get_mut(start + item.least..=start + run) {
                ends.fill(true);
            }
        }
        reached = next;
    }
    let end = if to_end {
        reached[text.len()]
    } else {
        reached.contains(&true)
    };
    Some(end)
}

impl Item {
    fn holds(&self, character: char) -> bool {
        let listed = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&character));
        listed != self.negated
    }
}

fn read(pattern: &str) -> Option<(Vec<Item>, bool, bool)> {
    let (rest, from_start) = pattern
        .strip_prefix('^')
        .map_or((pattern, false), |rest| (rest, true));
    let ends = rest.ends_with('$') && !rest.ends_with("\\$");
    let rest: Vec<char> = rest
        .strip_suffix('$')
        .filter(|_| ends)
        .unwrap_or(rest)
        .chars()
        .collect();
    let mut items = Vec::new();
    let mut at = 0;
    while at < rest.len() {
        let (negated, ranges) = class(&rest, &mut at)?;
        let (least, most) = count(&rest, &mut at)?;
        items.push(Item {
            negated,
            ranges,
            least,
            most,
        });
    }
    Some((items, from_start, ends))
}

type Ranges = Vec<(char, char)>;

fn class(rest: &[char], at: &mut usize) -> Option<(bool, Ranges)> {
    let first = *rest.get(*at)?;
    *at += 1;
    match first {
        '[' => bracket(rest, at),
        '\\' => {
            *at += 1;
            Some((false, escape(*rest.get(*at - 1)?)?))
        }
        '.' => Some((true, vec![('\n', '\n')])),
        '(' | ')' | '|' | '*' | '+' | '?' | '{' | '}' | '^' | '$' | ']' => None,
        plain => Some((false, vec![(plain, plain)])),
    }
}

fn bracket(rest: &[char], at: &mut usize) -> Option<(bool, Ranges)> {
    let negated = rest.get(*at) == Some(&'^');
    *at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let character = *rest.get(*at)?;
        *at += 1;
        match character {
            ']' => return Some((negated, ranges)),
            '[' => return None,
            '\\' => {
                ranges.extend(escape(*rest.get(*at)?)?);
                *at += 1;
            }
            low => {
                let high = *rest.get(*at + 1).unwrap_or(&']');
                if rest.get(*at) == Some(&'-') && high != ']' && high != '\\' {
                    ranges.push((low, high));
                    *at += 2;
                } else {
                    ranges.push((low, low));
                }
            }
        }
    }
}

fn escape(character: char) -> Option<Ranges> {
    match character {
        'd' => Some(vec![('0', '9')]),
        'w' => Some(vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')]),
        plain if !plain.is_alphanumeric() => Some(vec![(plain, plain)]),
        _ => None,
    }
}

fn count(rest: &[char], at: &mut usize) -> Option<(usize, usize)> {
    let counts = match rest.get(*at) {
        Some('*') => (0, usize::MAX),
        Some('+') => (1, usize::MAX),
        Some('?') => (0, 1),
        Some('{') => {
            let close = *at + rest[*at..].iter().position(|character| *character == '}')?;
            let inside: String = rest[*at + 1..close].iter().collect();
            *at = close;
            let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
            (
                least.parse().ok()?,
                if most.is_empty() {
                    usize::MAX
                } else {
                    most.parse().ok()?
                },
            )
        }
        _ => return Some((1, 1)),
    };
    *at += 1;
    // A lazy or possessive count is no plain pattern.
    if matches!(rest.get(*at), Some('?' | '+')) {
        None
    } else {
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn plain_patterns_are_matched_and_others_are_left_alone() {
        for (pattern, text, expected) in [
            ("^[A-Za-z0-9]*$", "", Some(true)),
            ("^[A-Za-z0-9]*$", "DppResourceGuardProxy", Some(true)),
            ("^[A-Za-z0-9]*$", "dpp-proxy", Some(false)),
            ("^[a-z][a-z0-9-]{1,3}$", "ab-9", Some(true)),
            ("^[a-z][a-z0-9-]{1,3}$", "ab-99", Some(false)),
            ("^[a-z][a-z0-9-]{1,3}$", "a", Some(false)),
            (r"^\d{4}-\d{2}$", "2026-06", Some(true)),
            (r"^\d{4}-\d{2}$", "2026-6", Some(false)),
            ("[0-9]", "a1b", Some(true)),
            ("^[^/]+$", "a/b", Some(false)),
            ("^a.*b$", "axxb", Some(true)),
            (r"^[-\w\._\(\)]+$", "rg_(1).x", Some(true)),
            ("^(a|b)$", "a", None),
            ("^(?=.*x).*$", "x", None),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
