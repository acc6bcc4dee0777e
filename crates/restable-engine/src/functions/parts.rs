//! Texts that Azure composes, taken apart: parts of an id, seconds of a duration. Refuses nothing; what is of another form
//! has no parts.

/// The part of an id that `name` names: `subscriptionId`, `resourceGroupName`, `provider`, or the singular of a
/// type segment with or without `Name` (`vaultName` for `backupVaults`, `backupInstanceName` for `backupInstances`).
pub fn arm_part<'i>(id: &'i str, name: &str) -> Option<&'i str> {
    let wanted = restable_spec::names::fold(name);
    let wanted = wanted
        .strip_suffix("name")
        .or_else(|| wanted.strip_suffix("id"))
        .unwrap_or(&wanted);
    let segments: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
    let mut pairs = segments.chunks_exact(2);
    let named = |segment: &str| {
        let folded = restable_spec::names::fold(segment);
        let singular = match folded.strip_suffix("ies") {
            Some(stem) => format!("{stem}y"),
            None => folded.strip_suffix('s').unwrap_or(&folded).to_owned(),
        };
        singular == wanted || singular.strip_prefix("backup") == Some(wanted)
    };
    pairs.find(|pair| named(pair[0])).map(|pair| pair[1])
}

/// Seconds of `PT3M5.58S` or of `00:03:12.71` (`d.hh:mm:ss.fffffff`), the two forms that Azure mixes: the float nearest to them, so that no
/// digits appear that nobody wrote.
pub fn duration_seconds(text: &str) -> Option<f64> {
    if let Some(iso) = text.strip_prefix('P') {
        let (mut nanos, mut number, mut in_time) = (0_i128, String::new(), false);
        for letter in iso.chars() {
            match letter {
                '0'..='9' | '.' => number.push(letter),
                'T' => in_time = true,
                _ => {
                    let seconds = match (letter, in_time) {
                        ('W', false) => 604_800,
                        ('D', false) => 86_400,
                        ('H', true) => 3_600,
                        ('M', true) => 60,
                        ('S', true) => 1,
                        _ => return None,
                    };
                    let value = nanoseconds(&std::mem::take(&mut number))?;
                    nanos = nanos.checked_add(value.checked_mul(seconds)?)?;
                }
            }
        }
        return number.is_empty().then_some(seconds(nanos));
    }
    let mut parts = text.split(':').rev();
    let second = nanoseconds(parts.next()?)?;
    let minutes: i128 = parts.next()?.parse().ok()?;
    let hours = parts.next()?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (days, hours): (i128, i128) = (days.parse().ok()?, hours.parse().ok()?);
    let whole = days
        .checked_mul(24)?
        .checked_add(hours)?
        .checked_mul(60)?
        .checked_add(minutes)?
        .checked_mul(60)?;
    let nanos = whole.checked_mul(NANOS)?.checked_add(second)?;
    parts.next().is_none().then_some(seconds(nanos))
}

const NANOS: i128 = 1_000_000_000;

/// A number that is written out, in its thousand millionth parts; more of its digits nobody measures.
fn nanoseconds(written: &str) -> Option<i128> {
    let (whole, fraction) = written.split_once('.').unwrap_or((written, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let whole: i128 = whole.parse().ok()?;
    whole
        .checked_mul(NANOS)?
        .checked_add(fraction.parse().ok()?)
}

/// One division, which rounds once.
fn seconds(nanos: i128) -> f64 {
    nanos as f64 / NANOS as f64
}
