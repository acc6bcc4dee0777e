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

/// Seconds of `PT3M5.58S` or of `00:03:12.71` (`d.hh:mm:ss.fffffff`), the two forms that Azure mixes.
pub fn duration_seconds(text: &str) -> Option<f64> {
    if let Some(iso) = text.strip_prefix('P') {
        let (mut seconds, mut number, mut in_time) = (0.0, String::new(), false);
        for letter in iso.chars() {
            match letter {
                '0'..='9' | '.' => number.push(letter),
                'T' => in_time = true,
                _ => {
                    let value: f64 = std::mem::take(&mut number).parse().ok()?;
                    seconds += value
                        * match (letter, in_time) {
                            ('W', false) => 604_800.0,
                            ('D', false) => 86_400.0,
                            ('H', true) => 3_600.0,
                            ('M', true) => 60.0,
                            ('S', true) => 1.0,
                            _ => return None,
                        };
                }
            }
        }
        return number.is_empty().then_some(seconds);
    }
    let mut parts = text.split(':').rev();
    let seconds: f64 = parts.next()?.parse().ok()?;
    let minutes: f64 = parts.next()?.parse().ok()?;
    let hours = parts.next()?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (days, hours): (f64, f64) = (days.parse().ok()?, hours.parse().ok()?);
    parts
        .next()
        .is_none()
        .then_some(((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds)
}
