//! The paths into JSON that a scan decodes, as a tree: what they have in common is gone through once.

use super::scan::{Cursor, Scanned, Unusual};
use crate::json::Step;
use restable_spec::names::same;

/// A member of an object that is looked for.
#[derive(Debug)]
pub(super) struct Member {
    key: String,
    /// The places in which the text of its value is wanted.
    places: Vec<usize>,
    /// What is looked for in its value.
    inner: Vec<Member>,
}

/// How keys are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// As they are: the fields of a row.
    Exact,
    /// Exactly, else by the one key that differs in case and underscores: what a path names.
    Tolerant,
}

/// Adds the member at the end of `keys`; its value is wanted in `place`.
pub(super) fn add(members: &mut Vec<Member>, keys: &[&str], place: usize) {
    let Some((key, inner)) = keys.split_first() else {
        return;
    };
    let at = match members.iter().position(|member| member.key == *key) {
        Some(at) => at,
        None => {
            members.push(Member {
                key: (*key).to_owned(),
                places: Vec::new(),
                inner: Vec::new(),
            });
            members.len() - 1
        }
    };
    match inner {
        [] => members[at].places.push(place),
        _ => add(&mut members[at].inner, inner, place),
    }
}

/// The keys of a path into a field, the field's name first, and the steps behind them.
pub(super) fn keys<'k>(field: &'k str, steps: &'k [Step]) -> (Vec<&'k str>, &'k [Step]) {
    let mut keys = vec![field];
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Key(key) => keys.push(key),
            _ => return (keys, &steps[at..]),
        }
    }
    (keys, &[])
}

/// Whether two members of one object are looked for under spellings of one name: a key may then be both's.
pub(super) fn has_twins(members: &[Member]) -> bool {
    members.iter().enumerate().any(|(at, member)| {
        let twin = |other: &Member| same(&member.key, &other.key);
        members[at + 1..].iter().any(twin) || has_twins(&member.inner)
    })
}

/// Goes through an object and captures what is looked for in it. The texts of its members' values are put in their places; where there is
/// nothing a place is left as it is.
pub(super) fn object<'j>(
    cursor: &mut Cursor<'j>,
    members: &[Member],
    keys: Keys,
    found: &mut [Option<&'j str>],
) -> Scanned<()> {
    let mut more = cursor.begin(b'{', b'}')?;
    // One bit for each member that was found under its own key.
    let mut exact = 0_u64;
    let mut similar: Vec<(usize, &'j str)> = Vec::new();
    while more {
        let key = cursor.key()?;
        match members.iter().position(|member| member.key == key) {
            Some(at) => {
                let bit = 1_u64.checked_shl(at as u32).ok_or(Unusual)?;
                if exact & bit != 0 {
                    // The last of several wins.
                    members[at].forget(found);
                }
                exact |= bit;
                members[at].capture(cursor, found)?;
            }
            None if keys == Keys::Tolerant => {
                match members.iter().position(|member| same(&member.key, key)) {
                    Some(at) => similar.push((at, cursor.value()?)),
                    None => cursor.skip()?,
                }
            }
            None => cursor.skip()?,
        }
        more = cursor.another(b'}')?;
    }
    for (at, value) in &similar {
        let others = similar.iter().filter(|(other, _)| other == at).count();
        if others == 1 && exact & (1 << at) == 0 {
            members[*at].capture(&mut Cursor::new(value), found)?;
        }
    }
    Ok(())
}

/// The most members that are looked for in one object.
pub(super) fn widest(members: &[Member]) -> usize {
    let inner = members.iter().map(|member| widest(&member.inner));
    inner.fold(members.len(), usize::max)
}

impl Member {
    pub fn inner(&self) -> &[Member] {
        &self.inner
    }

    fn capture<'j>(&self, cursor: &mut Cursor<'j>, found: &mut [Option<&'j str>]) -> Scanned<()> {
        let is_object = !self.inner.is_empty() && cursor.peek()? == b'{';
        if self.places.is_empty() {
            return match is_object {
                true => object(cursor, &self.inner, Keys::Tolerant, found),
                false => cursor.skip(),
            };
        }
        let value = cursor.value()?;
        for place in &self.places {
            found[*place] = Some(value);
        }
        match is_object {
            true => object(&mut Cursor::new(value), &self.inner, Keys::Tolerant, found),
            false => Ok(()),
        }
    }

    fn forget(&self, found: &mut [Option<&str>]) {
        for place in &self.places {
            found[*place] = None;
        }
        for inner in &self.inner {
            inner.forget(found);
        }
    }
}
