//! What DataFusion and Arrow refuse, in words of SQL: no names of their types, plans and functions, and what to do where that is known. Owns
//! the phrases; which error is which kind stands in `error.rs`.

/// What a message says first, with names and values as SQL has them.
pub(crate) fn first_line(message: &str) -> String {
    plain(line(message))
}

fn line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.strip_prefix("Error during planning: ")
        .unwrap_or(line)
        .trim_end_matches('.')
}

/// Types and literals of DataFusion as SQL writes them, and without the functions that only a plan has.
fn plain(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if !(first.is_ascii_alphabetic() || first == '_') || before.is_ascii_alphanumeric() {
            made.push(first);
            before = first;
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        let inside = after.strip_prefix('(').and_then(closed);
        let (shown, taken) = shown(word, inside);
        made.push_str(&shown);
        before = 'a';
        rest = match (taken, inside) {
            (true, Some(inside)) => &after[inside.len() + 2..],
            _ => after,
        };
    }
    made
}

/// What stands before the bracket that closes one that was opened.
fn closed(text: &str) -> Option<&str> {
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth == 0 => return Some(&text[..at]),
            ')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A word and what is in brackets behind it, and whether that was taken.
fn shown(word: &str, inside: Option<&str>) -> (String, bool) {
    let type_of = match word {
        "Utf8" | "LargeUtf8" | "Utf8View" => "text",
        "Boolean" => "boolean",
        "Int8" | "Int16" | "UInt8" => "smallint",
        "Int32" | "UInt16" => "integer",
        "Int64" | "UInt32" | "UInt64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Date32" | "Date64" => "date",
        "Binary" | "LargeBinary" | "BinaryView" => "bytea",
        _ => "",
    };
    match (word, inside) {
        // A value: in quotes, a number, `true`, NULL.
        (_, Some(value)) if !type_of.is_empty() => {
            let text = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            let shown = text.map_or_else(|| value.to_owned(), |text| format!("'{text}'"));
            (shown, true)
        }
        (_, None) if !type_of.is_empty() => (type_of.to_owned(), false),
        ("IntervalMonthDayNano", Some(value)) => {
            (format!("interval {}", value.replace('"', "'")), true)
        }
        ("Decimal128" | "Decimal256", Some(value)) => (decimal(value), true),
        ("Timestamp", Some(kind)) if kind.contains(',') => {
            ("timestamp with time zone".to_owned(), true)
        }
        ("Timestamp", Some(_)) => ("timestamp".to_owned(), true),
        ("Time64" | "Time32", Some(_)) => ("time".to_owned(), true),
        (
            "Interval" | "Duration",
            Some("MonthDayNano" | "YearMonth" | "DayTime" | "ns" | "s" | "ms" | "µs"),
        ) => ("interval".to_owned(), true),
        ("List" | "LargeList" | "ListView", Some(item)) => {
            let item = match item.split_once("data_type: ") {
                Some((_, kind)) => kind.split([',', ' ']).next().unwrap_or(kind),
                None => item,
            };
            (format!("{}[]", plain(item)), true)
        }
        ("Struct", Some(_)) => ("record".to_owned(), true),
        ("json_number" | "json_boolean" | "outer_ref", Some(inner)) => (plain(inner), true),
        _ => (word.to_owned(), false),
    }
}

/// `Some(15),2,1` is 1.5; anything else is the type.
fn decimal(inside: &str) -> String {
    let value = || {
        let (digits, rest) = inside.strip_prefix("Some(")?.split_once(')')?;
        let scale: usize = rest.rsplit(',').next()?.trim().parse().ok()?;
        let (minus, digits) = match digits.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", digits),
        };
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        Some(match scale {
            0 => format!("{minus}{whole}"),
            _ => format!("{minus}{whole}.{fraction}"),
        })
    };
    value().unwrap_or_else(|| "numeric".to_owned())
}

/// What stands between two parts of a text.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    if after.is_empty() {
        return Some(rest);
    }
    rest.split_once(after).map(|(found, _)| found)
}

/// A message of DataFusion's that has better words, and what to do.
pub(crate) fn phrase(message: &str) -> Option<(String, Option<String>)> {
    let raw = line(message);
    let text = plain(raw);
    let told = |message: String| Some((message, None));
    let hinted = |message: String, hint: &str| Some((message, Some(hint.to_owned())));
    let quoted = |before: &str, after: &str| between(&text, before, after);

    // Windows and aggregates where they cannot stand.
    if raw.contains("Physical plan does not support logical expression WindowFunction") {
        return hinted(
            "window functions are not allowed in WHERE, GROUP BY, HAVING or ON".to_owned(),
            "compute it in a subquery and filter its rows: `SELECT … FROM (SELECT …, row_number() OVER (…) AS n FROM t) s WHERE n = 1`",
        );
    }
    if raw.contains("Physical plan does not support logical expression AggregateFunction") {
        return hinted(
            "aggregate functions are not allowed here".to_owned(),
            "HAVING filters groups; in WHERE and ON there are no groups yet",
        );
    }
    if raw.contains("Aggregate functions are not allowed in the WHERE clause") {
        return hinted(
            "aggregate functions are not allowed in WHERE".to_owned(),
            "HAVING filters groups: `GROUP BY … HAVING count(*) > 1`",
        );
    }
    if raw.contains("Aggregate function calls cannot be nested") {
        return hinted(
            "aggregate function calls cannot be nested".to_owned(),
            "compute the inner one in a subquery: `SELECT sum(n) FROM (SELECT count(*) AS n FROM t GROUP BY x) s`",
        );
    }
    if raw.contains("Aggregate function calls cannot contain window function calls") {
        return hinted(
            "aggregate function calls cannot contain window function calls".to_owned(),
            "compute the window in a subquery",
        );
    }
    if raw.contains("Window function calls cannot be nested") {
        return hinted(
            "window function calls cannot be nested".to_owned(),
            "compute the inner one in a subquery",
        );
    }
    if let Some(column) = quoted("While expanding wildcard, column \"", "\" must appear") {
        return told(format!(
            "column `{column}` must appear in GROUP BY or be used in an aggregate function"
        ));
    }
    if let Some(what) = quoted("HAVING clause references: ", " must appear in the GROUP BY") {
        return told(format!(
            "{what} in HAVING must appear in GROUP BY or be used in an aggregate function"
        ));
    }
    if let Some(name) = quoted("The window \"", "\" is not defined") {
        return hinted(
            format!("window `{name}` does not exist"),
            "`WINDOW w AS (PARTITION BY … ORDER BY …)` behind HAVING defines one",
        );
    }
    if raw.contains("NTILE requires a positive integer") {
        return told("argument of ntile must be greater than zero".to_owned());
    }
    if raw.contains("Invalid window frame: start bound") {
        return told("a frame cannot end before it begins".to_owned());
    }

    // Places, rows and columns.
    if let Some(at) = quoted("Order by column out of bounds, specified: ", ",") {
        return told(format!("ORDER BY position {at} is not in the SELECT list"));
    }
    if let Some(at) = quoted("Cannot find column with position ", " in SELECT clause") {
        return told(format!("GROUP BY position {at} is not in the SELECT list"));
    }
    if raw.contains("UNION queries have different number of columns")
        || raw.contains("queries have different number of columns")
    {
        return told(
            "each query of UNION, INTERSECT and EXCEPT must have the same number of columns"
                .to_owned(),
        );
    }
    if raw.contains("Incompatible inputs for Union") {
        let first = quoted("Previous inputs were of type ", ", but got")?;
        let other = quoted("incompatible type ", " on column")?;
        return hinted(
            format!("UNION types {first} and {other} cannot be matched"),
            "`CAST(x AS …)` makes a value of another type",
        );
    }
    if raw.contains("Inconsistent data type across values list") {
        let row = quoted("at row ", " ")?;
        let column: usize = quoted("column ", ".")?.parse().ok()?;
        let first = quoted(". Was ", " but found")?;
        let other = quoted("but found ", "")?;
        let column = column + 1;
        return hinted(
            format!(
                "VALUES types {first} and {other} cannot be matched: row {row}, column {column}"
            ),
            "`CAST(x AS …)` makes a value of another type",
        );
    }
    if raw.contains("Inconsistent metadata across values list") {
        return hinted(
            "VALUES: a column has JSON in one row and text in another".to_owned(),
            "cast each of them: `'{}'::jsonb`",
        );
    }
    if raw.contains("Inconsistent data length across values list") {
        return told("VALUES lists must all be the same length".to_owned());
    }
    if raw.contains("names given as column alias") {
        let has = quoted("Source table contains ", " column")?;
        let given = quoted("but only ", " names")?;
        return told(format!(
            "the table has {has} columns, and its alias names {given}"
        ));
    }
    if raw.contains("Too many columns! The subquery should only return one column")
        || raw.contains("subquery should only return one column")
    {
        return told(
            "a subquery that is compared, or is a value, must return only one column".to_owned(),
        );
    }
    if raw.contains("Scalar subquery returned more than one row") {
        return hinted(
            "more than one row returned by a subquery used as an expression".to_owned(),
            "`max(…)`, `LIMIT 1` or a condition leaves one; `IN (SELECT …)` takes many",
        );
    }
    if let Some(name) = quoted("Schema contains duplicate qualified field name ", "") {
        let table = name.split('.').next().unwrap_or(name).trim_matches('"');
        return hinted(
            format!("table name `{table}` specified more than once"),
            "`AS` gives one of them another name",
        );
    }
    if raw.contains("SELECT DISTINCT, ORDER BY expressions") {
        return told(
            "for SELECT DISTINCT, ORDER BY expressions must appear in the SELECT list".to_owned(),
        );
    }
    if raw.contains("LIMIT must be >= 0") {
        return told("LIMIT must not be negative".to_owned());
    }
    if raw.contains("OFFSET must be >=0") {
        return told("OFFSET must not be negative".to_owned());
    }

    // Types and operators.
    if let Some(kind) = quoted("Unsupported SQL type ", "") {
        const KNOWN: [&str; 22] = [
            "money",
            "timetz",
            "xml",
            "inet",
            "cidr",
            "macaddr",
            "point",
            "line",
            "box",
            "path",
            "polygon",
            "circle",
            "bit",
            "varbit",
            "tsvector",
            "tsquery",
            "hstore",
            "int4range",
            "int8range",
            "daterange",
            "tsrange",
            "tstzrange",
        ];
        let name = kind.to_ascii_lowercase();
        if KNOWN.contains(&name.as_str()) || name.starts_with("time with") {
            return hinted(
                format!("not supported: values of type `{name}`"),
                "`text` keeps them as they are written",
            );
        }
        if matches!(&*name, "serial" | "bigserial" | "smallserial") {
            return hinted(
                format!("not supported: a column of type `{name}`"),
                "a table of the session has no sequences: `row_number() OVER ()` numbers the rows of a query",
            );
        }
        return hinted(
            format!("type `{kind}` does not exist"),
            "`SELECT typname FROM pg_type` lists types; numbers are smallint, integer, bigint, real, double precision and numeric",
        );
    }
    if raw.contains("common argument type for logical boolean operation") {
        let operation = quoted("logical boolean operation ", "")?;
        let wrong = operation
            .split([' '])
            .find(|word| !matches!(*word, "boolean" | "AND" | "OR"))?;
        return told(format!(
            "AND and OR take conditions, and one of these is {wrong}"
        ));
    }
    if raw.contains("Unary operator 'NOT' requires") {
        let kind = quoted("got ", "")?;
        return told(format!("NOT takes a condition, and this one is {kind}"));
    }
    if raw.contains("Unary operator '-' only supports") {
        return told("operator does not exist: - text".to_owned());
    }
    if let Some(kinds) = quoted("There isn't a common type to coerce ", " in LIKE") {
        let kinds = kinds.replace(" and ", " LIKE ");
        return hinted(
            format!("operator does not exist: {kinds}"),
            "LIKE takes texts: `CAST(x AS text) LIKE '…'`",
        );
    }
    if let Some(operation) = quoted("common string type for string concat operation ", "") {
        return hinted(
            format!("operator does not exist: {operation}"),
            "one side of `||` must be text: `CAST(x AS text) || …`",
        );
    }
    if let Some(operation) = quoted("Cannot get result type for temporal operation ", ":") {
        return told(format!("operator does not exist: {operation}"));
    }
    if raw.contains("Invalid input syntax for type interval") {
        let given = quoted("interval: \"", "\"")?;
        return told(format!("invalid input syntax for type interval: `{given}`"));
    }
    if raw.contains("Can't cast value") && raw.contains("Timestamp") {
        return None;
    }
    if let Some(value) = quoted("", " is too large to store in a ")
        .or_else(|| quoted("", " is too small to store in a "))
    {
        let value = value.rsplit(' ').next().unwrap_or(value);
        return told(format!(
            "numeric field overflow: `{value}` is out of range of the type it is cast to"
        ));
    }
    if raw.contains("is not Struct, Map, or Null") {
        return hinted(
            "an array takes a number between its brackets".to_owned(),
            "the first item is `[1]`",
        );
    }
    if raw.contains("unnest() can only be applied to") {
        return hinted(
            "unnest takes an array".to_owned(),
            "`json_elements(x)` makes one of a JSON array",
        );
    }
    if raw.contains("regex parse error") || raw.contains("Regular expression did not compile") {
        let why = message
            .lines()
            .rev()
            .find_map(|line| line.trim().strip_prefix("error: "));
        let why = why.unwrap_or("it cannot be read");
        return told(format!("invalid regular expression: {why}"));
    }
    if raw.contains("step can't be 0") || raw.contains("Step cannot be zero") {
        return told("step size cannot equal zero".to_owned());
    }
    if raw.contains("must be an INTEGER") {
        return hinted(
            "generate_series takes whole numbers, days or times, and a step of the same kind"
                .to_owned(),
            "`generate_series(DATE '2024-01-01', DATE '2024-01-31', INTERVAL '1 day')`; of columns of another table it is not computed",
        );
    }
    if let Some(name) = quoted("table function '", "' not found") {
        return told(format!(
            "function `{name}` does not exist, or makes no rows to stand in FROM"
        ));
    }
    if let Some(name) = quoted("View '", "' doesn't exist") {
        return told(format!("view `{name}` does not exist"));
    }
    if let Some(name) = quoted("Table '", "' doesn't exist") {
        return told(format!("table `{name}` does not exist"));
    }
    if let Some(operator) = quoted("Unsupported binary operator: ", "") {
        return told(format!("not supported: the operator {operator}"));
    }
    if raw.contains("Dot access not supported for non-string expr") {
        return hinted(
            "not supported: a field of a whole row".to_owned(),
            "write the column itself: `t.a`",
        );
    }
    if raw.contains("Unsupported Interval Expression") {
        return hinted(
            "not supported: an interval with two units".to_owned(),
            "write it out: `INTERVAL '1 year 2 months'`",
        );
    }
    if raw.contains("Unsupported Value 'SingleQuotedByteStringLiteral") {
        return told("not supported: bit strings (`b'101'`)".to_owned());
    }
    if raw.contains("Projections require unique expression names") {
        return hinted(
            "two columns of a subquery or list have one name".to_owned(),
            "`AS` gives one of them a name of its own",
        );
    }
    if raw.contains("single expression required") {
        return hinted(
            "IN takes values in its brackets, or a SELECT".to_owned(),
            "`IN (1, 2)`, `IN (SELECT …)`; `IN (SELECT * FROM (VALUES (1), (2)) v)`",
        );
    }
    if let Some(scale) = quoted("Decimal scale ", " exceeds") {
        return told(format!(
            "numeric out of range: 38 digits are kept, and these are of scale {scale}"
        ));
    }
    None
}

/// Words of DataFusion and Arrow for values that a type has no room for or that are none of it, in PostgreSQL's.
pub(crate) fn refused_value(message: &str) -> Option<String> {
    let message = line(message).to_owned();
    let beyond = |kind: &str| match kind.trim_end_matches(|letter: char| !letter.is_alphanumeric())
    {
        "Int8" | "Int16" => Some("smallint out of range".to_owned()),
        "Int32" => Some("integer out of range".to_owned()),
        "Int64" | "UInt64" | "UInt32" => Some("bigint out of range".to_owned()),
        _ => None,
    };
    if let Some((_, rest)) = message.split_once("Can't cast value ") {
        return beyond(rest.split_once(" to type ")?.1);
    }
    if let Some((_, kind)) = message.split_once(" is out of range ") {
        return beyond(kind);
    }
    let overflow = [
        "Int64Array overflow on",
        "Overflow happened on",
        "overflow on abs",
    ];
    if overflow.iter().any(|words| message.contains(words)) {
        return Some("bigint out of range".to_owned());
    }
    if message.contains("Cannot cast to Decimal") && message.contains("verflow") {
        return Some("numeric field overflow: the value is out of range".to_owned());
    }
    if let Some((_, rest)) = message.split_once("Cannot cast string '") {
        let (text, rest) = rest.rsplit_once("' to value of ")?;
        let kind = match rest.trim_end_matches(" type") {
            "Int8" | "Int16" => "smallint",
            "Int32" => "integer",
            "Int64" => "bigint",
            "Float64" | "Float32" => "double precision",
            "Boolean" => "boolean",
            kind if kind.starts_with("Decimal") => "numeric",
            kind if kind.starts_with("Date") => "date",
            kind if kind.starts_with("Timestamp") => "timestamp",
            kind if kind.starts_with("Time") => "time",
            _ => return None,
        };
        return Some(format!("invalid input syntax for type {kind}: `{text}`"));
    }
    if let Some((_, rest)) = message.split_once("Invalid function '") {
        let (name, _) = rest.split_once('\'')?;
        const WINDOWS: [&str; 9] = [
            "row_number",
            "rank",
            "dense_rank",
            "percent_rank",
            "cume_dist",
            "ntile",
            "lag",
            "lead",
            "nth_value",
        ];
        if WINDOWS.contains(&name) {
            return Some(format!("window function {name} requires an OVER clause"));
        }
        return Some(format!("function `{name}` does not exist"));
    }
    let known = [
        "cannot take square root",
        "cannot take logarithm",
        "zero raised to",
        "a negative number raised to",
    ];
    let at = known.iter().find_map(|words| message.find(words))?;
    Some(message[at..].to_owned())
}

/// DataFusion's words for values of a wrong type, in PostgreSQL's. `None` for everything else.
pub(crate) fn mismatch(message: &str) -> Option<String> {
    let message = first_line(message);
    if let Some((_, rest)) = message.split_once("Cannot coerce arithmetic expression ") {
        let (operation, _) = rest.split_once(" to valid types")?;
        return Some(format!("operator does not exist: {operation}"));
    }
    if let Some((_, operation)) =
        message.split_once("Cannot infer common argument type for comparison operation ")
    {
        return Some(format!("operator does not exist: {operation}"));
    }
    let called = |call: &str| {
        let (name, kinds) = call.split_once('(')?;
        let kinds = kinds.trim_end_matches(')');
        Some(format!("function does not exist: {name}({kinds})"))
    };
    if let Some((_, rest)) = message.split_once("given name and argument types '") {
        return called(rest.split_once(")'")?.0);
    }
    // Each signature that was tried is told, with the same types.
    let (_, rest) = message.split_once("Function '")?;
    let (name, rest) = rest.split_once("' failed to match any signature")?;
    let (_, kind) = rest.split_once("(DataType: ")?;
    called(&format!("{name}({}", kind.split_once(')')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_values_are_those_of_sql() {
        for (said, expected) in [
            ("count(Int64(1))", "count(1)"),
            ("x = Utf8(\"a b\")", "x = 'a b'"),
            (
                "Timestamp(ns, \"+00:00\") + Int64",
                "timestamp with time zone + bigint",
            ),
            ("f(Decimal128(2, 1), List(Utf8))", "f(numeric, text[])"),
            ("Decimal128(Some(-15),2,1)", "-1.5"),
            ("sum(json_number(t.x))", "sum(t.x)"),
            (
                "a column that is called Int64x",
                "a column that is called Int64x",
            ),
        ] {
            assert_eq!(plain(said), expected, "{said}");
        }
    }
}
