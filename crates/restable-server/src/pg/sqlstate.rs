//! Errors as PostgreSQL's clients know them. One match over the engine's kinds gives each its SQLSTATE.

use restable_engine::Error;
use restable_engine::sql::Diagnostic;

use super::messages::Told;

/// The SQLSTATE of an error.
pub fn sqlstate(error: &Error) -> &'static str {
    // query_canceled, as PostgreSQL's own statement_timeout.
    if error.is_out_of_time() {
        return "57014";
    }
    match error {
        Error::Diagnostic(diagnostic) => of_diagnostic(diagnostic),
        // A parameter without which no call can be made is missing: undefined_parameter.
        Error::Route { .. } => "42P02",
        // A value that cannot be sent: invalid_parameter_value.
        Error::Bind(_) => "22023",
        // A document that cannot be used: config_file_error.
        Error::Spec(_) => "F0000",
        // The other side: system_error.
        Error::Http { .. } | Error::Answer(_) => "58000",
        Error::Plan { message, .. } => of_plan(message),
        Error::Told { cause, .. } => sqlstate(cause),
        // object_not_in_prerequisite_state: nobody can be asked.
        Error::Unconfirmed { .. } => "55000",
        // io_error
        Error::Journal(_) | Error::Audit(_) => "58030",
        Error::Timeout(_) => "57014",
        Error::Internal(_) => "XX000",
    }
}

fn of_diagnostic(diagnostic: &Diagnostic) -> &'static str {
    if diagnostic.is_limit() {
        return "54000";
    }
    match diagnostic.code {
        "R0101" | "R0102" | "R0104" | "R0106" => "42601",
        "R0103" => "22021",
        "R0105" | "R0308" | "R0315" | "R0346" => "0A000",
        "R0202" => "42P01",
        // What DataFusion refused, with its place.
        "R0201" => of_plan(&diagnostic.message),
        // Nobody could be asked.
        "R0317" => "55000",
        // A text that is no value of a type, a value beyond its type, a value that would be too large.
        "R0208" => of_syntax(&diagnostic.message),
        "R0209" => "22003",
        "R0210" => "54000",
        // string_data_right_truncation
        "R0211" => "22001",
        "R0203" => "42703",
        // undefined_function and undefined_object: an operator, a type.
        "R0204" => "42883",
        "R0212" => "42704",
        "R0306" => "42P10",
        "R0307" => "42P02",
        // A transaction or cursor where there is none.
        "R0309" => "25P01",
        // Prepared queries: values that do not fit, a name that is taken or none.
        "R0360" => "42601",
        "R0361" => "42P05",
        "R0362" => "26000",
        // cardinality_violation
        "R0363" => "21000",
        "R0320" => "25006",
        "R0401" => "42704",
        "R0402" | "R0403" => "22023",
        "R0404" => "55P02",
        // More calls than are allowed: program_limit_exceeded.
        "R0406" | "R0407" => "54000",
        "R0331" => "42501",
        // Snapshots: no place for them, a name that is taken or none, a writer before, a time before all of them.
        "R0340" | "R0350" => "55000",
        "R0341" => "42P07",
        "R0342" => "42602",
        "R0343" => "55006",
        "R0344" => "72000",
        "R0347" | "R0349" => "42809",
        // duplicate_column
        "R0351" => "42701",
        // A view that reads itself, a column of several types, what others read.
        "R0352" => "42P17",
        "R0353" => "42804",
        "R0354" => "2BP01",
        "R0348" => "22007",
        // io_error and data_corrupted.
        "R0710" => "58030",
        "R0711" => "XX001",
        "R0405" => "3D000",
        code if code.starts_with("R01") => "42601",
        code if code.starts_with("R06") => "58000",
        _ => "42000",
    }
}

/// A text that is no value of a type; of times there is a code of its own.
fn of_syntax(message: &str) -> &'static str {
    let times = ["date", "time", "interval"];
    let kind = message.strip_prefix("invalid input syntax for type ");
    match kind.is_some_and(|kind| times.iter().any(|time| kind.starts_with(time))) {
        true => "22007",
        false => "22P02",
    }
}

/// What DataFusion refused is told by its text only.
fn of_plan(message: &str) -> &'static str {
    match message {
        "division by zero" => "22012",
        text if text.starts_with("invalid input syntax for type") => of_syntax(text),
        text if text.contains("out of range") => "22003",
        text if text.contains("in more than one table") => "42702",
        text if let Some(code) = of_phrase(text) => code,
        text if text.contains("GROUP BY") => "42803",
        text if text.starts_with("Table '") && text.ends_with("doesn't exist") => "42P01",
        text if text.starts_with("operator does not exist") => "42883",
        text if ["square root", "zero raised to", "number raised to"]
            .iter()
            .any(|words| text.contains(words)) =>
        {
            "2201F"
        }
        text if text.contains("logarithm") => "2201E",
        text if text.starts_with("not supported") => "0A000",
        text if text.contains("Cannot cast")
            || text.contains("Cast error")
            || text.contains("Error parsing") =>
        {
            "22P02"
        }
        text if text.contains("Invalid function") || text.contains("function") => "42883",
        text if text.contains("memory") || text.contains("Resources exhausted") => "53200",
        _ => "42000",
    }
}

/// The phrases of the engine for what DataFusion refused, with their codes.
fn of_phrase(text: &str) -> Option<&'static str> {
    const PHRASES: &[(&str, &str)] = &[
        ("window functions are not allowed", "42P20"),
        ("window function calls cannot be nested", "42P20"),
        ("a frame cannot end before", "42P20"),
        ("aggregate function", "42803"),
        ("ORDER BY position", "42P10"),
        ("GROUP BY position", "42P10"),
        ("SELECT DISTINCT, ORDER BY", "42P10"),
        ("SELECT DISTINCT ON expressions", "42P10"),
        ("its alias names", "42P10"),
        ("must have the same number of columns", "42601"),
        ("must all be the same length", "42601"),
        ("must return only one column", "42601"),
        ("more than one row returned by a subquery", "21000"),
        ("cannot be matched", "42804"),
        ("take conditions, and one", "42804"),
        ("takes a condition, and this", "42804"),
        ("a condition must be true or false", "42804"),
        ("specified more than once", "42712"),
        ("LIMIT must not be negative", "2201W"),
        ("OFFSET must not be negative", "2201X"),
        ("violates its NOT NULL constraint", "23502"),
        ("requires an OVER clause", "42809"),
        ("argument of ntile", "22014"),
        ("invalid regular expression", "2201B"),
        ("step size cannot equal zero", "22023"),
        ("not recognized for type", "22023"),
        ("numeric field overflow", "22003"),
        ("unnest takes an array", "42883"),
    ];
    if text.starts_with("view `") || text.starts_with("table `") {
        return text.ends_with("` does not exist").then_some("42P01");
    }
    for kind in ["type `", "window `"] {
        if text.starts_with(kind) && text.contains("` does not exist") {
            return Some("42704");
        }
    }
    let known = PHRASES.iter().find(|(words, _)| text.contains(words));
    known.map(|(_, code)| *code)
}

/// An error as it is sent. `text` is what the client wrote, for the place in it.
pub fn told(error: &Error, text: &str) -> Told {
    of(&error.diagnostic(), sqlstate(error), text)
}

/// A fault in the text of a statement as it is sent.
pub fn fault(diagnostic: &Diagnostic, text: &str) -> Told {
    of(diagnostic, of_diagnostic(diagnostic), text)
}

fn of(diagnostic: &Diagnostic, code: &'static str, text: &str) -> Told {
    let position = diagnostic
        .span
        .and_then(|span| text.get(..span.start))
        .map(|before| before.chars().count() + 1);
    Told {
        severity: "ERROR",
        code,
        message: diagnostic.message.clone(),
        detail: (!diagnostic.notes.is_empty()).then(|| diagnostic.notes.join("\n")),
        hint: diagnostic.help.clone(),
        position,
        own: Some(diagnostic.code),
    }
}
