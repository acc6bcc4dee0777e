//! JSON in the form of `jsonb`, and what PostgreSQL changes in it: members and items taken out (`-`, `#-`), set and inserted, NULLs left out,
//! lines for people. It works on the texts of the parts, so that every number keeps its digits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use restable_sql::Diagnostic;

use super::bounded::readable;
use super::json_metadata;
use super::made::{binary_form, formed, no_json, quote};
use super::own::{Called, Own};
use crate::json;
use crate::parameters;

/// The functions that have a name in SQL.
pub(crate) fn all() -> Vec<Own> {
    vec![
        of_json("jsonb_text", (1, 1), |called| {
            each(called, |text, _| Ok(Some(text.to_owned())))
        }),
        of_json("json_checked", (1, 1), checked),
        of_json("jsonb_set", (3, 4), |called| changed(called, Change::Set)),
        of_json("jsonb_insert", (3, 4), |called| {
            changed(called, Change::Insert)
        }),
        of_json("json_strip_nulls", (1, 1), |called| {
            each(called, |text, _| Ok(stripped(text)))
        }),
        of_json("json_without_path", (2, 2), |called| {
            let paths = paths(&called.arrays[1])?;
            each(called, |text, row| {
                let Some(path) = &paths[row] else {
                    return Ok(None);
                };
                Ok(Some(deleted(text, path)?))
            })
        }),
        of_json("json_without", (2, 2), without_any),
        Own::new("jsonb_pretty", (1, 1), text_kind, |called| {
            each(called, |text, _| Ok(pretty(text, 0)))
        }),
        lists("json_values", (1, 1), |called| {
            members_of(called, |value| Some(value.to_owned()))
        }),
        lists("json_value_texts", (1, 1), |called| {
            members_of(called, |value| json::text(value).map(|it| it.into_owned()))
        }),
        lists("json_record_texts", (2, 2), records),
    ]
}

/// `a - 'key'`, `a - 1`, `a - ARRAY['k', 'l']` and `a #- '{a,b}'`.
pub(crate) fn without(op: BinaryOperator, left: Expr, right: Expr) -> Expr {
    let name = match op {
        BinaryOperator::HashMinus => "json_without_path",
        _ => "json_without",
    };
    match all().into_iter().find(|own| own.name == name) {
        Some(own) => own.call(vec![left, right]),
        None => Expr::default(),
    }
}

/// What is the same of JSON that is equal: `1.0` is 1, and `{"a": 1, "b": 2}` is `{"b": 2, "a": 1}`. What is no JSON is what it is.
pub(crate) fn key() -> Own {
    Own::new("json_key", (1, 1), text_kind, |called| {
        readable(&called.arrays[0], &called.options)?;
        let texts = cast(&called.arrays[0], &DataType::Utf8)?;
        let texts = texts.as_string::<i32>().iter();
        let keys = texts.map(|text| {
            text.map(|text| formed(text, &plain_number).unwrap_or_else(|| text.to_owned()))
        });
        Ok(Arc::new(keys.collect::<StringArray>()))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Insert,
}

type Run = fn(&Called) -> Result<ArrayRef>;

fn of_json(name: &'static str, arity: (usize, usize), run: Run) -> Own {
    Own::new(name, arity, text_kind, run).marked(json_metadata())
}

fn lists(name: &'static str, arity: (usize, usize), run: Run) -> Own {
    let kind =
        |_: &[DataType], _: &[Option<&ScalarValue>]| Ok(DataType::new_list(DataType::Utf8, true));
    Own::new(name, arity, kind, run)
}

fn text_kind(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Utf8)
}

fn refused(problem: impl Into<String>) -> DataFusionError {
    crate::Error::from(Diagnostic::new("R0402", problem)).into()
}

/// Each text in the form of `jsonb`, made into another.
fn each(called: &Called, run: impl Fn(&str, usize) -> Result<Option<String>>) -> Result<ArrayRef> {
    readable(&called.arrays[0], &called.options)?;
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let made = texts.as_string::<i32>().iter().enumerate();
    let made = made.map(|(row, text)| {
        let Some(text) = text else {
            return Ok(None);
        };
        let valid = json::is_json(text).then(|| binary_form(text)).flatten();
        run(&valid.ok_or_else(|| no_json(text))?, row)
    });
    Ok(Arc::new(made.collect::<Result<StringArray>>()?))
}

/// JSON as it is written, if it is some.
fn checked(called: &Called) -> Result<ArrayRef> {
    readable(&called.arrays[0], &called.options)?;
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let mut all = texts.as_string::<i32>().iter().flatten();
    match all.find(|text| !json::is_json(text)) {
        Some(text) => Err(no_json(text)),
        None => Ok(texts),
    }
}

/// What a text becomes that is kept in a column of such a type.
pub(crate) fn kept(kind: &str, value: Expr) -> Expr {
    let name = match kind {
        "json" => "json_checked",
        "jsonb" => "jsonb_text",
        _ => return super::merged::as_uuid().call(vec![value]),
    };
    match all().into_iter().find(|own| own.name == name) {
        Some(own) => own.call(vec![value]),
        None => value,
    }
}

/// A number without what does not count: `1.50e1` is `15`.
fn plain_number(text: &str) -> Option<String> {
    let (minus, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let all = format!("{whole}{fraction}");
    let shown = all.trim_start_matches('0').trim_end_matches('0');
    if shown.is_empty() {
        return Some("0".to_owned());
    }
    let behind = all.len() - all.trim_end_matches('0').len();
    let power = i64::try_from(behind).ok()? - i64::try_from(fraction.len()).ok()?;
    Some(format!("{minus}{shown}e{}", power.checked_add(exponent)?))
}

fn object(members: &[(String, String)]) -> String {
    let members = members.iter();
    let members = members.map(|(key, value)| format!("{}: {value}", quote(key)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

fn array(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

fn members(text: &str) -> Option<Vec<(String, String)>> {
    let members = json::members(text)?.into_iter();
    Some(
        members
            .map(|(key, value)| (key, value.trim_ascii().to_owned()))
            .collect(),
    )
}

fn items(text: &str) -> Option<Vec<String>> {
    let items = json::elements(text)?.into_iter();
    Some(items.map(|item| item.trim_ascii().to_owned()).collect())
}

/// The place that an index names among so many items; those below zero count from the end.
fn place(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { index + length } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}

fn index(step: &str, at: usize) -> Result<i64> {
    step.trim().parse().map_err(|_| {
        refused(format!(
            "path element at position {} is not an integer: `{step}`",
            at + 1
        ))
    })
}

/// Paths, written as `{a,0,b}` or lists of texts.
fn paths(array: &ArrayRef) -> Result<Vec<Option<Vec<String>>>> {
    let whole = |steps: Vec<Option<String>>| steps.into_iter().collect::<Option<Vec<String>>>();
    if let Some(lists) = array.as_list_opt::<i32>() {
        let lists = lists.iter().map(|list| {
            let Some(list) = list else { return Ok(None) };
            let steps = cast(&list, &DataType::Utf8)?;
            let steps = steps.as_string::<i32>().iter();
            Ok(whole(steps.map(|it| it.map(str::to_owned)).collect()))
        });
        return lists.collect();
    }
    let texts = cast(array, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter().map(|text| {
        let Some(text) = text else { return Ok(None) };
        let steps = parameters::elements(text);
        let steps =
            steps.ok_or_else(|| refused(format!("`{text}` is no path: write `{{a,b}}`")))?;
        Ok(whole(steps))
    });
    texts.collect()
}

fn without_any(called: &Called) -> Result<ArrayRef> {
    let taken = &called.arrays[1];
    if taken.data_type().is_integer() {
        let places = cast(taken, &DataType::Int64)?;
        let places = places.as_primitive::<Int64Type>();
        return each(called, |text, row| {
            if places.is_null(row) {
                return Ok(None);
            }
            let Some(mut all) = items(text) else {
                return Err(refused("cannot delete from object using integer index"));
            };
            if let Some(at) = place(places.value(row), all.len()) {
                all.remove(at);
            }
            Ok(Some(array(&all)))
        });
    }
    let keys = match taken.data_type() {
        DataType::List(_) => paths(taken)?,
        _ => {
            let texts = cast(taken, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>().iter();
            texts.map(|it| it.map(|it| vec![it.to_owned()])).collect()
        }
    };
    each(called, |text, row| {
        let Some(keys) = &keys[row] else {
            return Ok(None);
        };
        if let Some(mut all) = members(text) {
            all.retain(|(key, _)| !keys.contains(key));
            return Ok(Some(object(&all)));
        }
        let Some(mut all) = items(text) else {
            return Err(refused("cannot delete from scalar"));
        };
        all.retain(|item| {
            let text = item.starts_with('"').then(|| json::text(item)).flatten();
            !text.is_some_and(|text| keys.iter().any(|key| *key == *text))
        });
        Ok(Some(array(&all)))
    })
}

fn deleted(text: &str, path: &[String]) -> Result<String> {
    fn inner(text: &str, path: &[String], at: usize) -> Result<String> {
        let Some(step) = path.get(at) else {
            return Ok(text.to_owned());
        };
        let last = at + 1 == path.len();
        if let Some(mut all) = members(text) {
            if last {
                all.retain(|(key, _)| key != step);
            } else if let Some((_, value)) = all.iter_mut().find(|(key, _)| key == step) {
                *value = inner(value, path, at + 1)?;
            }
            return Ok(object(&all));
        }
        let Some(mut all) = items(text) else {
            return Ok(text.to_owned());
        };
        if let Some(found) = place(index(step, at)?, all.len()) {
            match last {
                true => drop(all.remove(found)),
                false => all[found] = inner(&all[found], path, at + 1)?,
            }
        }
        Ok(array(&all))
    }
    inner(text, path, 0)
}

/// `jsonb_set(json, path, value, create)` and `jsonb_insert(json, path, value, after)`.
fn changed(called: &Called, change: Change) -> Result<ArrayRef> {
    let paths = paths(&called.arrays[1])?;
    let values = cast(&called.arrays[2], &DataType::Utf8)?;
    let values = values.as_string::<i32>();
    let flags = match called.arrays.get(3) {
        Some(flags) => Some(cast(flags, &DataType::Boolean)?),
        None => None,
    };
    each(called, |text, row| {
        let (Some(path), false) = (&paths[row], values.is_null(row)) else {
            return Ok(None);
        };
        let flag = match &flags {
            Some(flags) if flags.is_null(row) => return Ok(None),
            Some(flags) => flags.as_boolean().value(row),
            None => change == Change::Set,
        };
        let value = values.value(row);
        let value = binary_form(value)
            .filter(|_| json::is_json(value))
            .ok_or_else(|| no_json(value))?;
        let made = put(text, path, 0, &value, change, flag)?;
        // A member that was added has its place among the others.
        Ok(binary_form(&made))
    })
}

fn put(
    text: &str,
    path: &[String],
    at: usize,
    value: &str,
    change: Change,
    flag: bool,
) -> Result<String> {
    let Some(step) = path.get(at) else {
        return Ok(text.to_owned());
    };
    let last = at + 1 == path.len();
    if let Some(mut all) = members(text) {
        let found = all.iter_mut().find(|(key, _)| key == step);
        match (found, last, change) {
            (Some(_), true, Change::Insert) => {
                return Err(refused("cannot replace existing key"));
            }
            (Some((_, old)), true, Change::Set) => *old = value.to_owned(),
            (Some((_, old)), false, _) => *old = put(old, path, at + 1, value, change, flag)?,
            (None, true, _) if flag || change == Change::Insert => {
                all.push((step.clone(), value.to_owned()));
            }
            (None, ..) => {}
        }
        return Ok(object(&all));
    }
    let Some(mut all) = items(text) else {
        return Ok(text.to_owned());
    };
    let written = index(step, at)?;
    match (place(written, all.len()), last, change) {
        (Some(found), false, _) => {
            all[found] = put(&all[found], path, at + 1, value, change, flag)?
        }
        (Some(found), true, Change::Set) => all[found] = value.to_owned(),
        (Some(found), true, Change::Insert) => {
            all.insert(found + usize::from(flag), value.to_owned());
        }
        (None, true, _) if flag || change == Change::Insert => match written < 0 {
            true => all.insert(0, value.to_owned()),
            false => all.push(value.to_owned()),
        },
        (None, ..) => {}
    }
    Ok(array(&all))
}

fn stripped(text: &str) -> Option<String> {
    if let Some(mut all) = members(text) {
        all.retain(|(_, value)| value != "null");
        for (_, value) in &mut all {
            *value = stripped(value)?;
        }
        return Some(object(&all));
    }
    if let Some(mut all) = items(text) {
        for item in &mut all {
            *item = stripped(item)?;
        }
        return Some(array(&all));
    }
    Some(text.to_owned())
}

/// Four spaces for each step inwards.
fn pretty(text: &str, depth: usize) -> Option<String> {
    let (inside, outside) = ("    ".repeat(depth + 1), "    ".repeat(depth));
    let between = |open: char, lines: Vec<String>, close: char| match lines.is_empty() {
        true => format!("{open}\n{outside}{close}"),
        false => format!("{open}\n{}\n{outside}{close}", lines.join(",\n")),
    };
    if let Some(all) = members(text) {
        let lines = all.iter().map(|(key, value)| {
            let value = pretty(value, depth + 1)?;
            Some(format!("{inside}{}: {value}", quote(key)))
        });
        return Some(between('{', lines.collect::<Option<_>>()?, '}'));
    }
    if let Some(all) = items(text) {
        let lines = all.iter().map(|item| {
            let item = pretty(item, depth + 1)?;
            Some(format!("{inside}{item}"))
        });
        return Some(between('[', lines.collect::<Option<_>>()?, ']'));
    }
    Some(text.to_owned())
}

/// The values of an object's members, in the order of its keys as `json_keys` lists them.
fn members_of(called: &Called, run: impl Fn(&str) -> Option<String>) -> Result<ArrayRef> {
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let mut made = ListBuilder::new(StringBuilder::new());
    for text in texts.as_string::<i32>() {
        let Some(text) = text else {
            made.append_null();
            continue;
        };
        let Some(members) = json::members(text) else {
            return Err(refused("cannot take members of what is no JSON object"));
        };
        for (_, value) in members {
            made.values().append_option(run(value.trim_ascii()));
        }
        made.append(true);
    }
    Ok(Arc::new(made.finish()))
}

/// The texts of one member of each object of an array, or of one object.
fn records(called: &Called) -> Result<ArrayRef> {
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let names = cast(&called.arrays[1], &DataType::Utf8)?;
    let names = names.as_string::<i32>();
    let mut made = ListBuilder::new(StringBuilder::new());
    for (row, text) in texts.as_string::<i32>().iter().enumerate() {
        let (Some(text), false) = (text, names.is_null(row)) else {
            made.append_null();
            continue;
        };
        let all = json::elements(text).unwrap_or_else(|| vec![text]);
        for item in all {
            let Some(members) = json::members(item) else {
                return Err(refused("a row of a record set is a JSON object"));
            };
            let mut members = members.into_iter().rev();
            let found = members.find(|(key, _)| key == names.value(row));
            let text = found.and_then(|(_, value)| json::text(value.trim_ascii()));
            made.values().append_option(text);
        }
        made.append(true);
    }
    Ok(Arc::new(made.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_value_have_one_form() {
        for same in [
            ["1", "1.0"],
            ["150", "1.5e2"],
            ["-0.010", "-1E-2"],
            ["0", "-0.00"],
        ] {
            assert_eq!(plain_number(same[0]), plain_number(same[1]), "{same:?}");
        }
        assert_ne!(plain_number("1"), plain_number("10"));
        assert_ne!(plain_number("1"), plain_number("-1"));
    }

    #[test]
    fn parts_are_set_where_a_path_leads() {
        let path = |steps: &[&str]| steps.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let put = |text, steps: &[&str]| put(text, &path(steps), 0, "9", Change::Set, true);
        for (text, steps, expected) in [
            (r#"{"a": [1, 2]}"#, &["a", "-1"][..], r#"{"a": [1, 9]}"#),
            (r#"{"a": 1}"#, &["b"], r#"{"a": 1, "b": 9}"#),
            (r#"{"a": 1}"#, &["b", "c"], r#"{"a": 1}"#),
        ] {
            assert_eq!(put(text, steps).ok().as_deref(), Some(expected), "{text}");
        }
        let gone = deleted(r#"{"a": {"b": 1, "c": 2}}"#, &path(&["a", "b"]));
        assert_eq!(gone.ok().as_deref(), Some(r#"{"a": {"c": 2}}"#));
    }
}
