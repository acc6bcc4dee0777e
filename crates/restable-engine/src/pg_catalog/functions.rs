//! Functions of PostgreSQL that its clients apply to what the catalog holds, and that DataFusion has not: names with their
//! quotes, and texts made of a pattern. They are pure.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, StringArray, StringBuilder, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::keywords::{
    ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS,
};

use super::{keywords, kinds, others};
use crate::functions::bounded::Making;

/// The function by which a `regproc` becomes text.
pub const FUNCTION_NAME: &str = "restable_function_name";

/// The function that gives the items of a list their places: `_pg_expandarray` of them all.
pub const EXPANDED: &str = "restable_expanded";

/// The functions.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let expanded = Arc::new(ScalarUDF::from(Expanded {
        signature: Signature::any(1, Volatility::Immutable),
    }));
    let texts = [
        Which::QuoteIdent,
        Which::QuoteLiteral,
        Which::QuoteNullable,
        Which::Format,
        Which::FunctionName,
    ]
    .into_iter()
    .map(|which| {
        Arc::new(ScalarUDF::from(Own {
            which,
            signature: Signature::variadic_any(Volatility::Immutable),
        }))
    });
    texts.chain([expanded]).chain(others::functions()).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    QuoteIdent,
    QuoteLiteral,
    QuoteNullable,
    Format,
    /// restable's own: the name of a function by its OID.
    FunctionName,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Own {
    which: Which,
    signature: Signature,
}

impl ScalarUDFImpl for Own {
    fn name(&self) -> &str {
        match self.which {
            Which::QuoteIdent => "quote_ident",
            Which::QuoteLiteral => "quote_literal",
            Which::QuoteNullable => "quote_nullable",
            Which::FunctionName => FUNCTION_NAME,
            Which::Format => "format",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let texts: Vec<StringArray> = arguments
            .args
            .into_iter()
            .map(|value| {
                let array = cast(&value.into_array(rows)?, &DataType::Utf8)?;
                Ok(array.as_string::<i32>().clone())
            })
            .collect::<Result<_>>()?;
        let Some((first, rest)) = texts.split_first() else {
            return exec_err!("`{}` needs a text", self.name());
        };
        let mut made = StringBuilder::new();
        let name = match self.which {
            Which::Format => "format",
            _ => "quote_literal",
        };
        let mut making = Making::new(name, &arguments.config_options);
        for row in 0..rows {
            if first.is_null(row) {
                match self.which {
                    Which::QuoteNullable => made.append_value("NULL"),
                    _ => made.append_null(),
                }
                continue;
            }
            match self.which {
                Which::QuoteIdent => made.append_value(quoted(first.value(row))),
                Which::QuoteLiteral | Which::QuoteNullable => {
                    // Each letter may become two.
                    making.add(first.value(row).len() * 2)?;
                    made.append_value(literal(first.value(row)));
                }
                Which::FunctionName => {
                    let oid = first.value(row).parse().unwrap_or_default();
                    made.append_value(kinds::function_shown(oid));
                }
                Which::Format => {
                    let given: Vec<Option<&str>> = rest
                        .iter()
                        .map(|text| text.is_valid(row).then(|| text.value(row)))
                        .collect();
                    made.append_value(format(first.value(row), &given, &mut making)?);
                }
            }
        }
        Ok(ColumnarValue::Array(Arc::new(made.finish()) as ArrayRef))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Expanded {
    signature: Signature,
}

/// An item `x` with its place `n`.
fn placed(item: &DataType) -> Fields {
    let field = |name: &str, kind: &DataType| Field::new(name, kind.clone(), true);
    Fields::from(vec![field("x", item), field("n", &DataType::Int32)])
}

fn list_of(fields: Fields) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(fields), true))
}

impl ScalarUDFImpl for Expanded {
    fn name(&self) -> &str {
        EXPANDED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds {
            [DataType::List(item)] => Ok(DataType::List(list_of(placed(item.data_type())))),
            _ => plan_err!("`_pg_expandarray` needs a list"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let mut given = arguments.args.into_iter();
        let Some(list) = given.next().map(|list| list.into_array(rows)).transpose()? else {
            return exec_err!("`_pg_expandarray` needs a list");
        };
        let Some(list) = list.as_list_opt::<i32>() else {
            return exec_err!("`_pg_expandarray` needs a list");
        };
        let mut places = vec![0; list.values().len()];
        for bounds in list.offsets().windows(2) {
            let (from, to) = (bounds[0] as usize, bounds[1] as usize);
            for (place, number) in places[from..to].iter_mut().zip(1_i32..) {
                *place = number;
            }
        }
        let fields = placed(&list.value_type());
        let columns: Vec<ArrayRef> = vec![
            Arc::clone(list.values()),
            Arc::new(Int32Array::from(places)),
        ];
        let items = StructArray::try_new(fields.clone(), columns, None)?;
        let made = ListArray::try_new(
            list_of(fields),
            list.offsets().clone(),
            Arc::new(items),
            list.nulls().cloned(),
        )?;
        Ok(ColumnarValue::Array(Arc::new(made)))
    }
}

/// A name as it can be written in a statement: with quotes where it needs them.
pub fn quoted(name: &str) -> String {
    let mut letters = name.chars();
    let plain = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if plain && !is_reserved(name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn is_reserved(name: &str) -> bool {
    // Also those that only restable does not take.
    let upper = name.to_ascii_uppercase();
    let mut known = ALL_KEYWORDS.iter().zip(ALL_KEYWORDS_INDEX);
    let own = known.find(|(word, _)| **word == upper);
    keywords::is_quoted(name)
        || own.is_some_and(|(_, keyword)| RESERVED_FOR_COLUMN_ALIAS.contains(keyword))
}

/// As PostgreSQL does it: a backslash makes it an escaped one.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// `%s`, `%I`, `%L` and `%%`, and `%1$s` with the number of an argument.
fn format(pattern: &str, given: &[Option<&str>], making: &mut Making) -> Result<String> {
    making.add(pattern.len())?;
    let mut made = String::new();
    let mut next = 0;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        let mut number = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        if number.is_empty() && letters.next_if_eq(&'%').is_some() {
            made.push('%');
            continue;
        }
        let at = if number.is_empty() {
            next
        } else {
            let position: usize = number.parse().unwrap_or(0);
            if letters.next_if_eq(&'$').is_none() || position == 0 {
                return exec_err!("`format` does not know `%{number}`");
            }
            position - 1
        };
        next = at + 1;
        let Some(value) = given.get(at) else {
            return exec_err!("`format` has too few arguments");
        };
        making.add(value.map_or(0, str::len))?;
        match (letters.next(), value) {
            (Some('s'), value) => made.push_str(value.unwrap_or_default()),
            (Some('I'), Some(value)) => made.push_str(&quoted(value)),
            (Some('I'), None) => return exec_err!("`format` has NULL for a name"),
            (Some('L'), Some(value)) => made.push_str(&literal(value)),
            (Some('L'), None) => made.push_str("NULL"),
            (other, _) => {
                let other = other.map(String::from).unwrap_or_default();
                return exec_err!("`format` does not know `%{other}`");
            }
        }
    }
    Ok(made)
}

/// The parts of a name: lower case unless they stand in quotes.
pub fn parsed(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => {
                parts.last_mut().into_iter().for_each(|part| part.push('"'));
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            letter if quoted => parts
                .last_mut()
                .into_iter()
                .for_each(|part| part.push(letter)),
            letter if letter.is_whitespace() => {}
            letter => parts
                .last_mut()
                .into_iter()
                .for_each(|part| part.extend(letter.to_lowercase())),
        }
    }
    parts
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datafusion::common::config::ConfigOptions;

    use super::*;

    #[test]
    fn names_have_quotes_where_they_need_them() {
        assert_eq!(quoted("vw_jobs"), "vw_jobs");
        assert_eq!(quoted("systemData"), "\"systemData\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("select"), "\"select\"");
        assert_eq!(quoted("1a"), "\"1a\"");
        assert_eq!(parsed("a.\"B.c\""), ["a", "B.c"]);
        assert_eq!(parsed("Vw_Jobs"), ["vw_jobs"]);
    }

    #[test]
    fn a_pattern_takes_names_texts_and_literals() {
        let format = |pattern: &str, given: &[Option<&str>]| {
            let options = ConfigOptions::default();
            super::format(pattern, given, &mut Making::new("format", &options))
        };
        let made = format(
            "%I.%I %s %L %% %1$s",
            &[Some("a"), Some("B"), None, Some("x'y")],
        );
        assert_eq!(made.unwrap(), "a.\"B\"  'x''y' % a");
        assert!(format("%s", &[]).is_err());
        assert!(format("%q", &[Some("a")]).is_err());
    }
}
