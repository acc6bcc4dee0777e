//! Values of parameters as a client sends them, text or binary, as the engine takes them: text with a type.

use bytes::{Buf as _, Bytes};
use chrono::{DateTime, NaiveDate, TimeDelta};
use restable_engine::arrow::datatypes::DataType;
use restable_engine::parameters::{Bound, Parameter, elements};

use super::messages::not_text;

const UUID: u32 = 2950;
const JSONB: u32 = 3802;

/// A value that is not of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The bytes are no value of the type.
    #[error("the value of `${0}` is no value of its type")]
    Value(usize),
    /// The bytes are no text.
    #[error("{0}")]
    Text(String),
}

impl Wrong {
    /// The SQLSTATE of it.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Wrong::Value(_) => "22P02",
            // character_not_in_repertoire
            Wrong::Text(_) => "22021",
        }
    }
}

/// The parameter `$number` from its bytes. `type_oid` is what the client said of its type, `kind` what the engine takes.
pub fn parameter(
    number: usize,
    type_oid: u32,
    kind: &DataType,
    binary: bool,
    bytes: Option<Bytes>,
) -> Result<Parameter, Wrong> {
    let bytes = match (type_oid, bytes) {
        (UUID, Some(bytes)) if binary => {
            let [a, b, c, d, e] = [0..4, 4..6, 6..8, 8..10, 10..16]
                .map(|part| bytes.get(part).map(hex).unwrap_or_default());
            if bytes.len() != 16 {
                return Err(Wrong::Value(number));
            }
            Some(Bytes::from(format!("{a}-{b}-{c}-{d}-{e}")))
        }
        // The version of the form stands before it.
        (JSONB, Some(bytes)) if binary && bytes.first() == Some(&1) => Some(bytes.slice(1..)),
        (_, bytes) => bytes,
    };
    // What has a form of its own says itself whether its bytes are right.
    if let Some(bytes) = &bytes
        && (!binary || *kind == DataType::Utf8)
        && let Some(problem) = not_text(bytes)
    {
        return Err(Wrong::Text(problem));
    }
    let value = match bytes {
        None => Bound::Null,
        Some(bytes) => value(kind, binary, bytes).ok_or(Wrong::Value(number))?,
    };
    Ok(Parameter {
        kind: kind.clone(),
        value,
    })
}

fn value(kind: &DataType, binary: bool, bytes: Bytes) -> Option<Bound> {
    match kind {
        DataType::List(item) if binary => list(item.data_type(), bytes).map(Bound::List),
        DataType::List(item) => {
            let items = elements(std::str::from_utf8(&bytes).ok()?)?;
            let one = |text: Option<String>| match text {
                None => Some(None),
                Some(text) => checked(item.data_type(), text).map(Some),
            };
            items
                .into_iter()
                .map(one)
                .collect::<Option<Vec<_>>>()
                .map(Bound::List)
        }
        kind if binary => scalar(kind, bytes).map(Bound::One),
        kind => checked(kind, String::from_utf8(bytes.to_vec()).ok()?).map(Bound::One),
    }
}

/// A value in text form, as the engine writes it. What has no form of its own here is checked where it is cast.
fn checked(kind: &DataType, text: String) -> Option<String> {
    match kind {
        DataType::Boolean => match &*text.trim().to_ascii_lowercase() {
            "t" | "true" | "yes" | "on" | "1" | "y" => Some("true".to_owned()),
            "f" | "false" | "no" | "off" | "0" | "n" => Some("false".to_owned()),
            _ => None,
        },
        kind if kind.is_integer() => text
            .trim()
            .parse::<i64>()
            .ok()
            .map(|number| number.to_string()),
        kind if kind.is_decimal() => plain_number(text.trim()),
        DataType::Binary => match text.strip_prefix("\\x") {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Some(digits.to_owned())
            }
            Some(_) => None,
            None => Some(hex(text.as_bytes())),
        },
        _ => Some(text),
    }
}

/// A number in digits and with a point at most: `1.5e3` is `1500`. `None`: it is none, or has more digits than any type of numbers.
fn plain_number(text: &str) -> Option<String> {
    const DIGITS: i64 = 100;
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?),
        None => (digits, 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{part}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if exponent == 0 {
        return Some(format!("{sign}{digits}"));
    }
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if point.abs() > DIGITS {
        return None;
    }
    let length = i64::try_from(all.len()).ok()?;
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let (whole, part) = match usize::try_from(point) {
        Ok(point) if point < all.len() => all.split_at(point),
        _ => {
            return Some(match point > 0 {
                true => format!("{sign}{all}{}", zeros(point - length)),
                false => format!("{sign}0.{}{all}", zeros(-point)),
            });
        }
    };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(format!("{sign}{whole}.{part}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn integer(bytes: &Bytes) -> Option<i64> {
    match **bytes {
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Some(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

fn scalar(kind: &DataType, bytes: Bytes) -> Option<String> {
    Some(match kind {
        DataType::Boolean => match bytes[..] {
            [0] => "false".to_owned(),
            [1] => "true".to_owned(),
            _ => return None,
        },
        DataType::UInt32 => u32::from_be_bytes((*bytes).try_into().ok()?).to_string(),
        kind if kind.is_integer() => integer(&bytes)?.to_string(),
        DataType::Float32 => f32::from_be_bytes((*bytes).try_into().ok()?).to_string(),
        DataType::Float64 => f64::from_be_bytes((*bytes).try_into().ok()?).to_string(),
        kind if kind.is_decimal() => numeric(bytes)?,
        DataType::Date32 => {
            let days = i32::from_be_bytes((*bytes).try_into().ok()?);
            NaiveDate::from_ymd_opt(2000, 1, 1)?
                .checked_add_signed(TimeDelta::days(days.into()))?
                .to_string()
        }
        DataType::Time64(_) => {
            let time = DateTime::from_timestamp_micros(integer(&bytes)?)?;
            time.format("%H:%M:%S%.6f").to_string()
        }
        DataType::Timestamp(_, zone) => {
            let time = DateTime::from_timestamp_micros(
                integer(&bytes)?.checked_add(946_684_800_000_000)?,
            )?;
            let text = time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
            if zone.is_some() { text + "Z" } else { text }
        }
        DataType::Interval(_) => {
            let mut bytes = bytes;
            if bytes.len() != 16 {
                return None;
            }
            let (microseconds, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            format!("{months} months {days} days {microseconds} microseconds")
        }
        DataType::Binary => hex(&bytes),
        _ => String::from_utf8(bytes.to_vec()).ok()?,
    })
}

fn numeric(mut bytes: Bytes) -> Option<String> {
    if bytes.len() < 8 {
        return None;
    }
    let (count, weight, sign, scale) = (
        bytes.get_u16(),
        bytes.get_i16(),
        bytes.get_u16(),
        bytes.get_u16(),
    );
    if bytes.len() != usize::from(count) * 2 || !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let groups: Vec<u16> = (0..count).map(|_| bytes.get_u16()).collect();
    let group = |at: i32| {
        usize::try_from(at)
            .ok()
            .and_then(|at| groups.get(at))
            .copied()
            .unwrap_or(0)
    };
    let weight = i32::from(weight);
    let whole: String = (0..=weight).map(|at| format!("{:04}", group(at))).collect();
    let parts = i32::from(scale.div_ceil(4));
    let part: String = (weight + 1..weight + 1 + parts)
        .map(|at| format!("{:04}", group(at)))
        .collect();
    let whole = whole.trim_start_matches('0');
    let part: String = part.chars().take(usize::from(scale)).collect();
    let sign = if sign == 0 { "" } else { "-" };
    let point = if part.is_empty() { "" } else { "." };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(format!("{sign}{whole}{point}{part}"))
}

fn list(item: &DataType, mut bytes: Bytes) -> Option<Vec<Option<String>>> {
    if bytes.len() < 12 {
        return None;
    }
    let (dimensions, _, _) = (bytes.get_i32(), bytes.get_i32(), bytes.get_i32());
    if dimensions == 0 {
        return Some(Vec::new());
    }
    if dimensions != 1 || bytes.len() < 8 {
        return None;
    }
    let (count, _) = (bytes.get_i32(), bytes.get_i32());
    let mut items = Vec::new();
    for _ in 0..count {
        if bytes.len() < 4 {
            return None;
        }
        items.push(match usize::try_from(bytes.get_i32()) {
            Err(_) => None,
            Ok(length) if length > bytes.len() => return None,
            Ok(length) => Some(scalar(item, bytes.split_to(length))?),
        });
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_in_text() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(elements("{}"), Some(vec![]));
        assert_eq!(elements("{1,2}"), Some(vec![some("1"), some("2")]));
        assert_eq!(elements("{ 1, 2 }"), Some(vec![some("1"), some("2")]));
        assert_eq!(
            elements("{\"a\", \" b \" , c d }"),
            Some(vec![some("a"), some(" b "), some("c d")])
        );
        assert_eq!(
            elements(r#"{"a,b",NULL,"NULL","c\"d",e f}"#),
            Some(vec![
                some("a,b"),
                None,
                some("NULL"),
                some("c\"d"),
                some("e f")
            ])
        );
        assert_eq!(elements("{{1}}"), None);
        assert_eq!(elements("1,2"), None);
        assert_eq!(elements("{\"a}"), None);
    }

    #[test]
    fn numbers_in_text() {
        let plain = |text: &str| plain_number(text);
        for (written, digits) in [
            ("1.50", "1.50"),
            ("+2", "2"),
            ("-1.5E+3", "-1500"),
            ("1E+30", "1000000000000000000000000000000"),
            ("12.5e-1", "1.25"),
            ("1e-3", "0.001"),
            ("-125e-3", "-0.125"),
        ] {
            assert_eq!(plain(written).as_deref(), Some(digits), "{written}");
        }
        for none in ["", ".", "1.2.3", "1e", "e5", "--1", "NaN", "1e999999999999"] {
            assert_eq!(plain(none), None, "{none}");
        }
    }

    #[test]
    fn numerics() {
        let of = |groups: &[u16]| {
            numeric(
                groups
                    .iter()
                    .flat_map(|group| group.to_be_bytes())
                    .collect::<Vec<_>>()
                    .into(),
            )
        };
        assert_eq!(
            of(&[3, 1, 0, 3, 1, 2345, 6780]).as_deref(),
            Some("12345.678")
        );
        assert_eq!(of(&[0, 0, 0, 0]).as_deref(), Some("0"));
        assert_eq!(
            of(&[2, 0xffff, 0x4000, 5, 1, 2000]).as_deref(),
            Some("-0.00012")
        );
        assert_eq!(of(&[1, 1, 0, 0, 1]).as_deref(), Some("10000"));
        assert_eq!(of(&[1, 0, 0xC000, 0, 1]), None);
        assert_eq!(of(&[9, 0, 0, 0]), None);
    }

    #[test]
    fn short_values_are_refused() {
        for kind in [
            DataType::Boolean,
            DataType::Int64,
            DataType::Float64,
            DataType::Date32,
        ] {
            let wrong = parameter(3, 0, &kind, true, Some(Bytes::from_static(b"xyz")));
            assert_eq!(wrong, Err(Wrong::Value(3)), "{kind}");
        }
    }
}
