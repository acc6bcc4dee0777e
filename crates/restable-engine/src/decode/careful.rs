//! The careful reader: serde's, which takes all JSON and says of anything else what it is. The quick reader is held to it by tests.

use std::borrow::Cow;
use std::fmt;

use restable_spec::Items;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::demands::{ERROR, Shown};
use super::rows::Rows;
use super::{Decoder, Source};
use crate::json::Step;

/// Reads a page into `rows`, and its link into `next`.
pub(super) fn read<'d>(
    decoder: &'d Decoder,
    text: &str,
    rows: &mut Rows<'d>,
    next: &mut Option<String>,
) -> Result<(), serde_json::Error> {
    let fields = Fields::of(decoder);
    let mut reader = serde_json::Deserializer::from_str(text);
    let fields = &fields;
    match &decoder.items {
        Items::One => RowSeed { rows, fields }.deserialize(&mut reader)?,
        Items::Array => {
            let key = "";
            ItemsSeed { rows, fields, key }.deserialize(&mut reader)?;
        }
        Items::At(key) => PageSeed {
            rows,
            fields,
            key,
            next_link: decoder.next_link.as_deref(),
            next,
        }
        .deserialize(&mut reader)?,
    }
    reader.end()
}

/// The fields that are captured of each row.
struct Fields<'d> {
    decoder: &'d Decoder,
    names: Vec<&'d str>,
    /// For each column that is one, or a part of one, its place among the names; last the row's own id.
    places: Vec<Option<usize>>,
}

impl<'d> Fields<'d> {
    fn of(decoder: &'d Decoder) -> Fields<'d> {
        let mut names: Vec<&str> = Vec::new();
        let mut place = |name: &'d str| match names.iter().position(|known| *known == name) {
            Some(at) => at,
            None => {
                names.push(name);
                names.len() - 1
            }
        };
        let columns = decoder.columns.iter().map(|column| match &column.source {
            Source::Field(name) | Source::Path(name, _) => Some(place(name)),
            Source::Identity(..) | Source::Constant(_) => None,
        });
        let mut places: Vec<Option<usize>> = columns.collect();
        places.push(decoder.needs_id.then(|| place("id")));
        Fields {
            decoder,
            names,
            places,
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.names.iter().position(|name| *name == key)
    }

    fn push(&self, rows: &mut Rows<'_>, captured: &[Option<&RawValue>]) {
        let places = self.places.iter();
        let found: Vec<Option<&str>> = places
            .map(|place| place.and_then(|at| captured[at]).map(RawValue::get))
            .collect();
        let columns = &self.decoder.columns;
        rows.push(&found, |column| -> &[Step] {
            match &columns[column].source {
                Source::Path(_, path) => &path.steps,
                _ => &[],
            }
        });
    }
}

struct PageSeed<'r, 'd> {
    rows: &'r mut Rows<'d>,
    fields: &'r Fields<'d>,
    key: &'r str,
    next_link: Option<&'r str>,
    next: &'r mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for PageSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object with the array `{}`", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        let mut error: Option<String> = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.key {
                found = map.next_value_seed(ItemsSeed {
                    rows: &mut *self.rows,
                    fields: self.fields,
                    key: self.key,
                })?;
            } else if Some(&*key) == self.next_link {
                *self.next = map.next_value::<Option<String>>()?;
            } else if key == ERROR {
                error = Some(map.next_value::<&RawValue>()?.get().to_owned());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found {
            let demands = &self.fields.decoder.demands;
            return match error.filter(|error| demands.is_error(error)) {
                None => Ok(()),
                Some(error) => Err(A::Error::custom(format!(
                    "the answer has an error beside its `{}`, which may not be all: {error}",
                    self.key
                ))),
            };
        }
        Err(match error {
            Some(error) => A::Error::custom(format!(
                "the answer has no `{}` but an error: {error}",
                self.key
            )),
            None => A::Error::custom(format!("the answer has no array `{}`", self.key)),
        })
    }
}

/// Reads the array of items.
struct ItemsSeed<'r, 'd> {
    rows: &'r mut Rows<'d>,
    fields: &'r Fields<'d>,
    key: &'r str,
}

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_, '_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return formatter.write_str("an array of items");
        }
        write!(formatter, "an array of items in `{}`", self.key)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items
            .next_element_seed(RowSeed {
                rows: &mut *self.rows,
                fields: self.fields,
            })?
            .is_some()
        {}
        Ok(true)
    }
}

struct RowSeed<'r, 'd> {
    rows: &'r mut Rows<'d>,
    fields: &'r Fields<'d>,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.rows.within = true;
        if self.fields.decoder.scalar_rows {
            let raw = <&'de RawValue as serde::Deserialize>::deserialize(deserializer)?;
            let names = self.fields.names.iter();
            let captured: Vec<Option<&RawValue>> = names
                .map(|name| (*name == "value").then_some(raw))
                .collect();
            self.fields.push(self.rows, &captured);
            return Ok(());
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an item that is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = self.fields;
        let mut captured: Vec<Option<&'de RawValue>> = vec![None; fields.names.len()];
        let mut properties: Option<&'de RawValue> = None;
        let decoder = fields.decoder;
        let (mut error, mut shown) = (None, Shown::Nothing);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if decoder.demands.shows_row(&key) {
                shown = Shown::Field;
            }
            if decoder.items == Items::One && key == ERROR && fields.place(ERROR).is_none() {
                error = Some(map.next_value::<&RawValue>()?.get());
            } else if fields.decoder.flatten && key == "properties" {
                properties = Some(map.next_value()?);
                shown = Shown::Field;
            } else if let Some(place) = fields.place(&key) {
                captured[place] = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if decoder.items == Items::One {
            let id = fields.places.last().copied().flatten();
            let id = id.and_then(|at| captured[at]).map(RawValue::get);
            if let Some(wrong) = decoder.demands.wrong_row(error, shown, id) {
                return Err(A::Error::custom(wrong));
            }
        }
        if let Some(properties) = properties.filter(|raw| raw.get().starts_with('{')) {
            let found = serde_json::Deserializer::from_str(properties.get())
                .deserialize_map(Inner { fields })
                .map_err(A::Error::custom)?;
            for (captured, value) in captured.iter_mut().zip(found) {
                // The row's own field wins over one of the same name in `properties`.
                *captured = captured.or(value);
            }
        }
        fields.push(self.rows, &captured);
        Ok(())
    }
}

/// Captures the fields of the object in `properties`.
struct Inner<'r, 'd> {
    fields: &'r Fields<'d>,
}

impl<'de> Visitor<'de> for Inner<'_, '_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut captured = vec![None; self.fields.names.len()];
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match self.fields.place(&key) {
                Some(place) => captured[place] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(captured)
    }
}
