//! JSON made of values, as PostgreSQL makes and writes it: `to_json`, `json_build_object`, what `json_agg` and its like make of a list; and
//! tests of JSON: `?`, `@>`. `jsonb` is text as well, written as PostgreSQL writes that: keys sorted, each once.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use restable_sql::Diagnostic;
use serde_json::Value;

use super::bounded::readable;
use super::own::{Called, Own};
use super::{JSON_METADATA, json_metadata, written};
use crate::json;
use crate::zone::{self, Look};

/// The functions that have a name in SQL.
pub(crate) fn all() -> Vec<Own> {
    let json = |name, arity, run| Own::new(name, arity, text_kind, run).marked(json_metadata());
    let many = (0, usize::MAX);
    vec![
        json("to_json", (1, 1), |called| Ok(of_texts(values(called, 0)?))),
        json("to_jsonb", (1, 1), |called| sorted(values(called, 0)?)),
        json("row_to_json", (1, 1), |called| {
            Ok(of_texts(values(called, 0)?))
        }),
        json("json_build_array", many, |called| {
            Ok(of_texts(built_array(called)?))
        }),
        json("jsonb_build_array", many, |called| {
            sorted(built_array(called)?)
        }),
        json("json_build_object", many, |called| {
            Ok(of_texts(built_object(called)?))
        }),
        json("jsonb_build_object", many, |called| {
            sorted(built_object(called)?)
        }),
        json("json_row", many, |called| Ok(of_texts(built_row(called)?))),
        json("json_pair", (2, 2), pair),
        json("json_items", (1, 1), |called| {
            Ok(of_texts(joined(called, "[", "]")?))
        }),
        json("jsonb_items", (1, 1), |called| {
            sorted(joined(called, "[", "]")?)
        }),
        json("json_members", (1, 1), |called| {
            Ok(of_texts(joined(called, "{ ", " }")?))
        }),
        json("jsonb_members", (1, 1), |called| {
            sorted(joined(called, "{ ", " }")?)
        }),
        Own::new("most_frequent", (1, 1), item_kind, most_frequent),
        Own::new("percentile_item", (2, 2), item_kind, percentile),
        Own::new("json_has_key", (2, 2), truth_kind, |called| {
            let keys = cast(&called.arrays[1], &DataType::Utf8)?;
            let keys = keys.as_string::<i32>();
            tested_rows(called, |json, row| {
                (!keys.is_null(row)).then(|| has(json, keys.value(row)))
            })
        }),
        Own::new("json_has_any", (2, 2), truth_kind, |called| {
            tested_keys(called, |json, keys| keys.iter().any(|key| has(json, key)))
        }),
        Own::new("json_has_all", (2, 2), truth_kind, |called| {
            tested_keys(called, |json, keys| keys.iter().all(|key| has(json, key)))
        }),
        Own::new("json_contains", (2, 2), truth_kind, |called| {
            let parts = cast(&called.arrays[1], &DataType::Utf8)?;
            let parts: Vec<Option<Value>> = read(called, &parts)?;
            tested_rows(called, |json, row| {
                parts[row].as_ref().map(|part| contains(json, part, true))
            })
        }),
    ]
}

/// The operators that ask JSON something.
pub(crate) fn tested(op: BinaryOperator, left: Expr, right: Expr) -> Expr {
    let (name, sides) = match op {
        BinaryOperator::Question => ("json_has_key", [left, right]),
        BinaryOperator::QuestionPipe => ("json_has_any", [left, right]),
        BinaryOperator::QuestionAnd => ("json_has_all", [left, right]),
        BinaryOperator::ArrowAt => ("json_contains", [right, left]),
        _ => ("json_contains", [left, right]),
    };
    let found = all().into_iter().find(|own| own.name == name);
    match found {
        Some(own) => own.call(sides.into()),
        None => Expr::default(),
    }
}

fn text_kind(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Utf8)
}

fn truth_kind(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Boolean)
}

fn item_kind(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &kinds[0] {
        DataType::List(item) => Ok(item.data_type().clone()),
        DataType::Null => Ok(DataType::Null),
        other => plan_err!("{other} is no list"),
    }
}

fn of_texts(texts: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from(texts))
}

/// The same as `jsonb` writes it.
fn sorted(texts: Vec<Option<String>>) -> Result<ArrayRef> {
    let texts = texts.into_iter().map(|text| match text {
        Some(text) => match binary_form(&text) {
            Some(sorted) => Ok(Some(sorted)),
            None => Err(no_json(&text)),
        },
        None => Ok(None),
    });
    Ok(of_texts(texts.collect::<Result<_>>()?))
}

pub(super) fn no_json(text: &str) -> datafusion::common::DataFusionError {
    let problem = format!("invalid input syntax for type json: `{text}`");
    crate::Error::from(Diagnostic::new("R0208", problem)).into()
}

fn refused(problem: impl Into<String>) -> datafusion::common::DataFusionError {
    crate::Error::from(Diagnostic::new("R0402", problem)).into()
}

/// An argument as JSON, row by row; `None` for NULL.
fn values(called: &Called, at: usize) -> Result<Vec<Option<String>>> {
    let look = zone::look(&called.options);
    of_array(&called.arrays[at], &called.fields[at], look)
}

fn of_array(array: &ArrayRef, field: &Field, look: Look<'_>) -> Result<Vec<Option<String>>> {
    let is_json = field
        .metadata()
        .get(JSON_METADATA)
        .is_some_and(|kind| kind == "object");
    let all = |quoted: bool, texts: ArrayRef| -> Vec<Option<String>> {
        let texts = texts.as_string::<i32>().iter();
        let one = |text: &str| if quoted { quote(text) } else { text.to_owned() };
        texts.map(|text| text.map(one)).collect()
    };
    Ok(match array.data_type() {
        DataType::Null => vec![None; array.len()],
        DataType::Boolean => all(false, cast(array, &DataType::Utf8)?),
        DataType::Float64 | DataType::Float32 => {
            let floats = cast(array, &DataType::Float64)?;
            let finite = floats.as_primitive::<Float64Type>().iter();
            let texts = written::texts(array, look)?;
            let texts = texts.as_string::<i32>().iter();
            let one = |(text, float): (Option<&str>, Option<f64>)| {
                Some(match float?.is_finite() {
                    true => text?.to_owned(),
                    false => quote(text?),
                })
            };
            texts.zip(finite).map(one).collect()
        }
        kind if kind.is_numeric() => all(false, cast(array, &DataType::Utf8)?),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            all(!is_json, cast(array, &DataType::Utf8)?)
        }
        DataType::Timestamp(..) => {
            let texts = written::texts(array, look)?;
            let texts = texts.as_string::<i32>().iter();
            texts
                .map(|text| text.map(|text| quote(&xsd(text))))
                .collect()
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let items = of_array(list.values(), item, look)?;
            let bounds = list.offsets().windows(2).enumerate();
            let rows = bounds.map(|(row, bounds)| {
                let bounds = usize::try_from(bounds[0]).ok()?..usize::try_from(bounds[1]).ok()?;
                let items = items.get(bounds).filter(|_| list.is_valid(row))?;
                let items = items.iter().map(|one| one.as_deref().unwrap_or("null"));
                Some(format!("[{}]", items.collect::<Vec<_>>().join(",")))
            });
            rows.collect()
        }
        DataType::Struct(fields) => {
            let whole = array.as_struct();
            let mut columns = Vec::with_capacity(fields.len());
            for (at, (field, column)) in fields.iter().zip(whole.columns()).enumerate() {
                let name = match field.name().strip_prefix('c') {
                    // Fields without a name.
                    Some(digits) if digits == at.to_string() => format!("f{}", at + 1),
                    _ => field.name().clone(),
                };
                columns.push((quote(&name), of_array(column, field, look)?));
            }
            let row = |row: usize| {
                let members = columns.iter().map(|(name, values)| {
                    format!("{name}:{}", values[row].as_deref().unwrap_or("null"))
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            };
            let rows = (0..array.len()).map(|at| whole.is_valid(at).then(|| row(at)));
            rows.collect()
        }
        DataType::Interval(_) | DataType::Duration(_) => all(true, written::texts(array, look)?),
        _ => all(true, cast(array, &DataType::Utf8)?),
    })
}

/// `2020-01-01 00:00:00+00` with its `T` and the whole of its offset.
fn xsd(text: &str) -> String {
    let mut made = text.replacen(' ', "T", 1);
    let clock = made.find('T').unwrap_or(0);
    if let Some(sign) = made[clock..].find(['+', '-'])
        && made.len() - (clock + sign) == 3
    {
        made.push_str(":00");
    }
    made
}

pub(super) fn quote(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn built_array(called: &Called) -> Result<Vec<Option<String>>> {
    let columns = (0..called.arrays.len()).map(|at| values(called, at));
    let columns: Vec<_> = columns.collect::<Result<_>>()?;
    let row = |row: usize| {
        let items = columns.iter().map(|items| items[row].as_deref());
        let items: Vec<&str> = items.map(|item| item.unwrap_or("null")).collect();
        Some(format!("[{}]", items.join(", ")))
    };
    Ok((0..called.rows).map(row).collect())
}

fn built_object(called: &Called) -> Result<Vec<Option<String>>> {
    if !called.arrays.len().is_multiple_of(2) {
        return Err(refused("argument list must have even number of elements"));
    }
    let look = zone::look(&called.options);
    let mut members = Vec::with_capacity(called.arrays.len() / 2);
    for at in (0..called.arrays.len()).step_by(2) {
        let keys = written::texts(&called.arrays[at], look)?;
        members.push((at, keys, values(called, at + 1)?));
    }
    let row = |row: usize| {
        let mut made = String::from("{");
        for (at, keys, values) in &members {
            let keys = keys.as_string::<i32>();
            if keys.is_null(row) {
                let problem = format!("argument {}: key must not be null", at + 1);
                return Err(refused(problem));
            }
            if made.len() > 1 {
                made.push_str(", ");
            }
            let value = values[row].as_deref().unwrap_or("null");
            let _ = write!(made, "{} : {value}", quote(keys.value(row)));
        }
        made.push('}');
        Ok(Some(made))
    };
    (0..called.rows).map(row).collect()
}

/// A row: names and values in turn.
fn built_row(called: &Called) -> Result<Vec<Option<String>>> {
    let look = zone::look(&called.options);
    let mut members = Vec::with_capacity(called.arrays.len() / 2);
    for at in (0..called.arrays.len().saturating_sub(1)).step_by(2) {
        members.push((
            written::texts(&called.arrays[at], look)?,
            values(called, at + 1)?,
        ));
    }
    let row = |row: usize| {
        let each = members.iter().map(|(names, values)| {
            let name = quote(names.as_string::<i32>().value(row));
            format!("{name}:{}", values[row].as_deref().unwrap_or("null"))
        });
        Some(format!("{{{}}}", each.collect::<Vec<_>>().join(",")))
    };
    Ok((0..called.rows).map(row).collect())
}

/// A member of an object, for `json_object_agg`.
fn pair(called: &Called) -> Result<ArrayRef> {
    let keys = written::texts(&called.arrays[0], zone::look(&called.options))?;
    let keys = keys.as_string::<i32>();
    let values = values(called, 1)?;
    let row = |row: usize| match keys.is_null(row) {
        true => Err(refused("field name must not be null")),
        false => {
            let value = values[row].as_deref().unwrap_or("null");
            Ok(Some(format!("{} : {value}", quote(keys.value(row)))))
        }
    };
    Ok(of_texts((0..called.rows).map(row).collect::<Result<_>>()?))
}

/// The items of a list between brackets.
fn joined(called: &Called, open: &str, close: &str) -> Result<Vec<Option<String>>> {
    let Some(list) = called.arrays[0].as_list_opt::<i32>() else {
        return Ok(vec![None; called.rows]);
    };
    let row = |items: Option<ArrayRef>| {
        let items = cast(&items?, &DataType::Utf8).ok()?;
        let items = items.as_string::<i32>().iter();
        let items: Vec<&str> = items.map(|item| item.unwrap_or("null")).collect();
        Some(format!("{open}{}{close}", items.join(", ")))
    };
    Ok(list.iter().map(row).collect())
}

/// JSON as `jsonb` writes it: shorter keys first, then by their bytes, the last of equal ones.
pub(super) fn binary_form(text: &str) -> Option<String> {
    formed(text, &|number| Some(number.to_owned()))
}

/// The same with numbers in a form of the caller's; `None` where it has none for one.
pub(super) fn formed(text: &str, number: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let text = text.trim_ascii();
    match text.as_bytes().first()? {
        b'{' => {
            let mut members: Vec<(String, &str)> = json::members(text)?;
            // A stable sort: of equal keys the last one stays the last.
            members.sort_by(|one, other| {
                (one.0.len(), one.0.as_bytes()).cmp(&(other.0.len(), other.0.as_bytes()))
            });
            let mut written: Vec<String> = Vec::with_capacity(members.len());
            let mut members = members.into_iter().peekable();
            while let Some((key, value)) = members.next() {
                if members.peek().is_some_and(|(next, _)| *next == key) {
                    continue;
                }
                written.push(format!("{}: {}", quote(&key), formed(value, number)?));
            }
            Some(format!("{{{}}}", written.join(", ")))
        }
        b'[' => {
            let items = json::elements(text)?.into_iter();
            let items = items.map(|item| formed(item, number));
            Some(format!(
                "[{}]",
                items.collect::<Option<Vec<_>>>()?.join(", ")
            ))
        }
        b'"' => Some(quote(&json::text(text)?)),
        b't' | b'f' | b'n' => Some(text.to_owned()),
        _ => number(text),
    }
}

fn read(called: &Called, texts: &ArrayRef) -> Result<Vec<Option<Value>>> {
    readable(texts, &called.options)?;
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter();
    let one = |text: Option<&str>| match text {
        Some(text) => match serde_json::from_str(text) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(no_json(text)),
        },
        None => Ok(None),
    };
    texts.map(one).collect()
}

fn tested_rows(called: &Called, test: impl Fn(&Value, usize) -> Option<bool>) -> Result<ArrayRef> {
    let all = read(called, &called.arrays[0])?.into_iter().enumerate();
    let all = all.map(|(row, value)| value.and_then(|value| test(&value, row)));
    Ok(Arc::new(all.collect::<BooleanArray>()))
}

fn tested_keys(called: &Called, test: fn(&Value, &[String]) -> bool) -> Result<ArrayRef> {
    let Some(list) = called.arrays[1].as_list_opt::<i32>() else {
        return Err(refused("`?|` and `?&` take an array of keys"));
    };
    let keys = |row: usize| -> Option<Vec<String>> {
        let keys = list.is_valid(row).then(|| list.value(row))?;
        let keys = cast(&keys, &DataType::Utf8).ok()?;
        Some(
            keys.as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect(),
        )
    };
    tested_rows(called, |json, row| Some(test(json, &keys(row)?)))
}

/// Whether JSON has a key, or is or holds that text.
fn has(json: &Value, key: &str) -> bool {
    match json {
        Value::Object(members) => members.contains_key(key),
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(key)),
        other => other.as_str() == Some(key),
    }
}

/// `@>`: what is in `part` is in `whole`, at the same place. An array contains a bare value too, but only as a whole.
fn contains(whole: &Value, part: &Value, top: bool) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part.iter().all(|(key, part)| {
            let own = whole.get(key);
            own.is_some_and(|whole| contains(whole, part, false))
        }),
        (Value::Array(whole), Value::Array(part)) => part
            .iter()
            .all(|part| whole.iter().any(|whole| contains(whole, part, false))),
        (Value::Array(whole), part) if top && !part.is_object() => {
            whole.iter().any(|whole| contains(whole, part, false))
        }
        (Value::Number(whole), Value::Number(part)) => {
            whole == part || (whole.as_f64() == part.as_f64() && whole.is_i64() != part.is_i64())
        }
        (whole, part) => whole == part,
    }
}

/// The value that is in a sorted list most often, the first of them.
fn most_frequent(called: &Called) -> Result<ArrayRef> {
    chosen(called, |items, _| {
        let (mut best, mut most, mut begin) = (None, 0, 0);
        for at in 0..items.len() {
            let same = ScalarValue::try_from_array(items, at).ok()
                == ScalarValue::try_from_array(items, begin).ok();
            if !same {
                begin = at;
            }
            if at + 1 - begin > most {
                most = at + 1 - begin;
                best = Some(begin);
            }
        }
        Ok(best)
    })
}

/// The first value of a sorted list up to which this share of them goes.
fn percentile(called: &Called) -> Result<ArrayRef> {
    let shares = cast(&called.arrays[1], &DataType::Float64)?;
    let shares = shares.as_primitive::<Float64Type>();
    chosen(called, |items, row| {
        if shares.is_null(row) || items.is_empty() {
            return Ok(None);
        }
        let share = shares.value(row);
        if !(0.0..=1.0).contains(&share) {
            let problem = format!("percentile value {share} is not between 0 and 1");
            return Err(crate::Error::from(Diagnostic::new("R0209", problem)).into());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a place in the list"
        )]
        let place = (share * items.len() as f64).ceil() as usize;
        Ok(Some(place.max(1) - 1))
    })
}

/// One value of each list, without its NULLs.
fn chosen(
    called: &Called,
    choose: impl Fn(&ArrayRef, usize) -> Result<Option<usize>>,
) -> Result<ArrayRef> {
    let Some(list) = called.arrays[0].as_list_opt::<i32>() else {
        return Ok(arrow::array::new_null_array(&called.kind, called.rows));
    };
    let mut places: Vec<Option<u32>> = Vec::with_capacity(called.rows);
    for row in 0..list.len() {
        if list.is_null(row) {
            places.push(None);
            continue;
        }
        let items = list.value(row);
        let known: Vec<u32> = (0..items.len())
            .filter(|at| items.is_valid(*at))
            .filter_map(|at| u32::try_from(at).ok())
            .collect();
        let valid = take(&items, &UInt32Array::from(known.clone()), None)?;
        let first = u32::try_from(list.value_offsets()[row]).unwrap_or(0);
        let place = choose(&valid, row)?.and_then(|at| known.get(at));
        places.push(place.map(|at| first + at));
    }
    Ok(take(list.values(), &UInt32Array::from(places), None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containment_is_that_of_jsonb() {
        for (whole, part, expected) in [
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            ("[1,2,3]", "[3,1]", true),
            ("[1,2]", "1", true),
            ("[[1,2]]", "[1]", false),
            ("[[1,2]]", "[[1]]", true),
            (r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[2]}}"#, true),
            ("1", "1.0", true),
            (r#"["a"]"#, r#""a""#, true),
            (r#"[{"a":1}]"#, r#"{"a":1}"#, false),
        ] {
            let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let found = contains(&parsed(whole), &parsed(part), true);
            assert_eq!(found, expected, "{whole} @> {part}");
        }
    }

    #[test]
    fn jsonb_is_sorted_and_has_each_key_once() {
        let text = r#" {"bb":1, "a":[1,{"y":"ä\n","x":null}], "bb":2.50} "#;
        assert_eq!(
            binary_form(text).as_deref(),
            Some(r#"{"a": [1, {"x": null, "y": "ä\n"}], "bb": 2.50}"#)
        );
        assert_eq!(
            xsd("2020-01-01 00:00:00.5+00"),
            "2020-01-01T00:00:00.5+00:00"
        );
        assert_eq!(
            xsd("2020-01-01 00:00:00-03:30"),
            "2020-01-01T00:00:00-03:30"
        );
        assert_eq!(xsd("2020-01-01 00:00:00"), "2020-01-01T00:00:00");
    }
}
