//! Numbers as `to_char` writes them (`999,999.00`), in decimal digits: nothing is rounded but where the pattern ends.

use datafusion::common::Result;
use restable_sql::Diagnostic;

/// Refuses what no number is written by here: as a Roman one, with an exponent, with an ending, moved.
pub(crate) fn check(pattern: &str) -> Result<()> {
    let upper = pattern.to_ascii_uppercase();
    let unknown = ["EEEE", "RN", "TH", "V"].into_iter();
    let Some(unknown) = unknown.into_iter().find(|one| upper.contains(one)) else {
        return Ok(());
    };
    let problem = format!("to_char of numbers does not know `{unknown}`");
    Err(crate::Error::from(Diagnostic::new("R0308", problem)).into())
}

/// A number, given as text, by a pattern of PostgreSQL's.
pub(crate) fn by_pattern(number: &str, pattern: &str) -> String {
    let Some(digits) = Digits::of(number) else {
        return number.to_owned();
    };
    let upper = pattern.to_ascii_uppercase();
    let bare = upper.contains("FM");
    let upper = upper.replace("FM", "");
    let (whole, fraction) = match upper.find(['.', 'D']) {
        Some(at) => (&upper[..at], Some(&upper[at + 1..])),
        None => (&*upper, None),
    };
    let places = |text: &str| {
        text.bytes()
            .filter(|one| matches!(one, b'0' | b'9'))
            .count()
    };
    let room = places(whole);
    let after = fraction.map_or(0, places);
    let digits = digits.rounded(after);
    let negative = digits.negative;
    let signed = ["S", "MI", "PL", "SG", "PR"]
        .iter()
        .any(|sign| upper.contains(sign));
    let overflow = digits.whole.len() > room;
    let mut given = digits.whole.bytes().rev().collect::<Vec<u8>>();
    // A zero before the point is nothing, where the pattern has a place for it that need not be filled.
    if given == [b'0'] && after > 0 {
        given.clear();
    }
    let mut made = String::new();
    let mut left = room;
    let mut begun = false;
    let mut sign_at = None;
    let mut before = false;
    let mut letters = whole.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '0' | '9' => {
                left -= 1;
                let digit = given.get(left).copied();
                let shown = match (overflow, digit) {
                    (true, _) => Some('#'),
                    (false, Some(digit)) => Some(char::from(digit)),
                    (false, None) if letter == '0' || begun => Some('0'),
                    (false, None) => None,
                };
                if shown.is_some() && !begun {
                    begun = true;
                    sign_at = Some(made.len());
                }
                match shown {
                    Some(shown) => made.push(shown),
                    None if !bare => made.push(' '),
                    None => {}
                }
            }
            ',' | 'G' if begun => made.push(','),
            ',' | 'G' if !bare => made.push(' '),
            ',' | 'G' => {}
            'M' if letters.next_if_eq(&'I').is_some() => {
                made.push(if negative { '-' } else { ' ' })
            }
            'P' if letters.next_if_eq(&'L').is_some() => {
                made.push(if negative { ' ' } else { '+' })
            }
            'P' if letters.next_if_eq(&'R').is_some() => {}
            'S' => {
                let anchored = letters.next_if_eq(&'G').is_some();
                match left == room && !anchored {
                    true => before = true,
                    false => made.push(if negative { '-' } else { '+' }),
                }
            }
            'L' => made.push('$'),
            other => made.push(other),
        }
    }
    // A sign before the number stands right before its first digit.
    if before {
        made.insert(
            sign_at.unwrap_or(made.len()),
            if negative { '-' } else { '+' },
        );
    }
    let sign_at = sign_at.unwrap_or(made.len());
    if let Some(fraction) = fraction {
        made.push('.');
        let mut at = 0;
        let kept = match bare {
            true => digits
                .fraction
                .trim_end_matches('0')
                .len()
                .max(required(fraction)),
            false => after,
        };
        let mut letters = fraction.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '0' | '9' => {
                    if at < kept {
                        let digit = digits.fraction.as_bytes().get(at).copied().unwrap_or(b'0');
                        made.push(if overflow { '#' } else { char::from(digit) });
                    }
                    at += 1;
                }
                'M' if letters.next_if_eq(&'I').is_some() => {
                    if negative {
                        made.push('-');
                    } else if !bare {
                        made.push(' ');
                    }
                }
                'S' => {
                    letters.next_if_eq(&'G');
                    made.push(if negative { '-' } else { '+' });
                }
                'P' if letters.next_if_eq(&'R').is_some() => {}
                'L' => made.push('$'),
                other => made.push(other),
            }
        }
    }
    if upper.contains("PR") {
        return match (negative, bare) {
            (true, _) => {
                made.insert(sign_at, '<');
                made + ">"
            }
            (false, true) => made,
            (false, false) => format!(" {made} "),
        };
    }
    if signed {
        return made;
    }
    match (negative, bare) {
        (true, _) => made.insert(sign_at, '-'),
        (false, false) => made.insert(0, ' '),
        (false, true) => {}
    }
    made
}

/// So many digits after the point have to be shown.
fn required(fraction: &str) -> usize {
    let places = fraction.bytes().filter(|one| matches!(one, b'0' | b'9'));
    places
        .enumerate()
        .filter(|(_, one)| *one == b'0')
        .last()
        .map_or(0, |(at, _)| at + 1)
}

struct Digits {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Digits {
    fn of(number: &str) -> Option<Digits> {
        let number = number.trim();
        let plain = match number.split_once(['e', 'E']) {
            Some(_) => number.parse::<f64>().ok().map(|value| format!("{value}"))?,
            None => number.to_owned(),
        };
        let (negative, plain) = match plain.strip_prefix('-') {
            Some(rest) => (true, rest.to_owned()),
            None => (false, plain),
        };
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .all(|one| one.is_ascii_digit());
        (digits && !whole.is_empty()).then(|| Digits {
            negative,
            whole: whole.to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    /// With so many digits after the point, half away from zero.
    fn rounded(mut self, places: usize) -> Digits {
        let up = self
            .fraction
            .as_bytes()
            .get(places)
            .is_some_and(|next| *next >= b'5');
        self.fraction.truncate(places);
        while self.fraction.len() < places {
            self.fraction.push('0');
        }
        if up {
            let mut all: Vec<u8> = self.whole.bytes().chain(self.fraction.bytes()).collect();
            let mut carry = true;
            for digit in all.iter_mut().rev() {
                if !carry {
                    break;
                }
                carry = *digit == b'9';
                *digit = if carry { b'0' } else { *digit + 1 };
            }
            let mut text: String = all.into_iter().map(char::from).collect();
            if carry {
                text.insert(0, '1');
            }
            let at = text.len() - places;
            self.fraction = text.split_off(at);
            self.whole = text;
        }
        let whole = self.whole.trim_start_matches('0');
        self.whole = if whole.is_empty() {
            "0".to_owned()
        } else {
            whole.to_owned()
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_patterns() {
        for (number, pattern, expected) in [
            ("1234.5", "999,999.00", "   1,234.50"),
            ("1234567.891", "9,999,999.99", " 1,234,567.89"),
            ("-12", "999", " -12"),
            ("12", "999", "  12"),
            ("12", "FM999", "12"),
            ("0.5", "9.9", "  .5"),
            ("0.5", "0.9", " 0.5"),
            ("0", "9", " 0"),
            ("485", "0000", " 0485"),
            ("148.5", "FM999.990", "148.500"),
            ("148.5", "FM999.99", "148.5"),
            ("1234", "999", " ###"),
            ("-485", "999MI", "485-"),
            ("485", "S999", "+485"),
            ("-5", "S99", " -5"),
            ("5", "99S", " 5+"),
            ("-485", "999PR", "<485>"),
            ("0.999", "0.99", " 1.00"),
        ] {
            assert_eq!(by_pattern(number, pattern), expected, "{number} {pattern}");
        }
    }
}
