//! Places in a body as text: `backupRuleOptions.ruleName`, `policyRules[0].name`. The root is the empty text.
//! Refuses nothing; a key that holds a dot is put in brackets and quotes, so that two places never read alike.

/// A path of keys.
pub(super) fn dotted(path: &[String]) -> String {
    path.iter()
        .fold(String::new(), |place, key| under(&place, key))
}

/// An attribute of the object at a place.
pub(super) fn under(place: &str, key: &str) -> String {
    let plain =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '$' | '@');
    if key.is_empty() || !key.chars().all(plain) {
        let key: String = key.chars().flat_map(char::escape_debug).collect();
        return format!("{place}['{key}']");
    }
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

/// An element of the array at a place.
pub(super) fn element(place: &str, at: usize) -> String {
    format!("{place}[{at}]")
}

/// True if `place` is `outer` or inside it.
pub(super) fn is_within(place: &str, outer: &str) -> bool {
    place
        .strip_prefix(outer)
        .is_some_and(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}
