//! What the rows of a COPY look like: its options, checked as PostgreSQL checks them, and a row in its text, its CSV and its
//! binary form.

use bytes::{BufMut as _, BytesMut};
use restable_engine::arrow::datatypes::Schema;
use restable_engine::sql::{CopyOption, CopyValue};

use super::connection::said;
use super::encode::{Cells, OutOfRange};
use super::messages::Told;

/// What binary rows begin with: a signature, no flags, nothing more.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    kind: Kind,
    header: bool,
    delimiter: u8,
    null: String,
    quote: u8,
    escape: u8,
    forced: Forced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Csv,
    Binary,
}

/// Columns that have quotes whether they need them or not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Forced {
    All,
    Named(Vec<String>),
    At(Vec<bool>),
}

fn syntax(message: impl Into<String>) -> Box<Told> {
    Box::new(said("42601", message))
}

fn unsupported(message: impl Into<String>) -> Box<Told> {
    Box::new(said("0A000", message))
}

fn invalid(message: impl Into<String>) -> Box<Told> {
    Box::new(said("22023", message))
}

fn text_of(option: &CopyOption) -> Result<&str, Box<Told>> {
    match &option.value {
        Some(CopyValue::Text(text)) => Ok(text),
        _ => Err(syntax(format!("`{}` needs a value", option.name))),
    }
}

fn header(option: &CopyOption) -> Result<bool, Box<Told>> {
    let Some(value) = &option.value else {
        return Ok(true);
    };
    let CopyValue::Text(word) = value else {
        return Err(syntax("`header` is true or false"));
    };
    match &*word.to_ascii_lowercase() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        "match" => Err(unsupported("`header match` is for COPY FROM only")),
        _ => Err(syntax("`header` is true or false")),
    }
}

/// One byte that is a character by itself.
fn single(what: &str, text: &str) -> Result<u8, Box<Told>> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(unsupported(format!(
            "COPY: the {what} is one character of one byte"
        ))),
    }
}

impl Form {
    /// The form that options ask for.
    pub fn of(options: &[CopyOption]) -> Result<Form, Box<Told>> {
        let mut seen: Vec<&str> = Vec::new();
        let find = |name: &str| options.iter().find(|option| option.name == name);
        for option in options {
            if seen.contains(&&*option.name) {
                return Err(syntax(format!("`{}` is said more than once", option.name)));
            }
            seen.push(&option.name);
            match &*option.name {
                "format" | "delimiter" | "null" | "header" | "quote" | "escape" | "force_quote"
                | "encoding" => {}
                "freeze" | "force_not_null" | "force_null" | "default" | "on_error"
                | "log_verbosity" => {
                    let problem = format!("`{}` is for COPY FROM only", option.name);
                    return Err(unsupported(problem));
                }
                other => return Err(syntax(format!("COPY has no option `{other}`"))),
            }
        }
        let kind = match find("format").map(text_of).transpose()? {
            None => Kind::Text,
            Some(word) => match &*word.to_ascii_lowercase() {
                "text" => Kind::Text,
                "csv" => Kind::Csv,
                "binary" => Kind::Binary,
                _ => return Err(invalid(format!("COPY has no format `{word}`"))),
            },
        };
        for (name, code) in [
            ("delimiter", "42601"),
            ("null", "42601"),
            ("header", "0A000"),
        ] {
            if kind == Kind::Binary && find(name).is_some() {
                return Err(Box::new(said(
                    code,
                    format!("the binary form has no `{name}`"),
                )));
            }
        }
        for name in ["quote", "escape", "force_quote"] {
            if kind != Kind::Csv && find(name).is_some() {
                return Err(unsupported(format!(
                    "`{name}` is for the format `csv` only"
                )));
            }
        }
        if let Some(encoding) = find("encoding").map(text_of).transpose()?
            && !["utf8", "utf-8", "unicode"].contains(&&*encoding.to_ascii_lowercase())
        {
            return Err(unsupported(format!(
                "rows are copied in UTF8, not in `{encoding}`"
            )));
        }
        let one = |name: &str, default: u8| match find(name).map(text_of).transpose()? {
            Some(text) => single(name, text),
            None => Ok(default),
        };
        let csv = kind == Kind::Csv;
        let quote = one("quote", b'"')?;
        let form = Form {
            kind,
            header: find("header").map(header).transpose()?.unwrap_or(false),
            delimiter: one("delimiter", if csv { b',' } else { b'\t' })?,
            null: match find("null").map(text_of).transpose()? {
                Some(text) => text.to_owned(),
                None => if csv { "" } else { "\\N" }.to_owned(),
            },
            quote,
            escape: one("escape", quote)?,
            forced: match find("force_quote").map(|option| &option.value) {
                None => Forced::Named(Vec::new()),
                Some(Some(CopyValue::All)) => Forced::All,
                Some(Some(CopyValue::Columns(names))) => Forced::Named(names.clone()),
                Some(_) => return Err(invalid("`force_quote` takes names of columns, or `*`")),
            },
        };
        form.check()?;
        Ok(form)
    }

    fn check(&self) -> Result<(), Box<Told>> {
        if b"\n\r".contains(&self.delimiter) {
            return Err(invalid("COPY: the delimiter cannot end a line"));
        }
        if self.null.contains(['\n', '\r']) {
            return Err(invalid("COPY: what stands for NULL cannot end a line"));
        }
        let delimiter = char::from(self.delimiter);
        if self.kind == Kind::Text
            && (delimiter.is_ascii_lowercase()
                || delimiter.is_ascii_digit()
                || r"\.".contains(delimiter))
        {
            return Err(invalid(format!(
                "COPY: the delimiter cannot be `{delimiter}`"
            )));
        }
        if self.kind == Kind::Csv && self.delimiter == self.quote {
            return Err(invalid("COPY: the delimiter and the quote must differ"));
        }
        if self.kind != Kind::Binary && self.null.contains(delimiter) {
            return Err(invalid(
                "COPY: what stands for NULL cannot hold the delimiter",
            ));
        }
        if self.kind == Kind::Csv && self.null.contains(char::from(self.quote)) {
            return Err(invalid("COPY: what stands for NULL cannot hold the quote"));
        }
        Ok(())
    }

    /// Finds the columns that options name.
    pub fn of_columns(mut self, schema: &Schema) -> Result<Form, Box<Told>> {
        if let Forced::Named(names) = &self.forced {
            let fields = schema.fields();
            let unknown = names.iter().find(|name| {
                !fields
                    .iter()
                    .any(|field| field.name().eq_ignore_ascii_case(name))
            });
            if let Some(name) = unknown {
                let problem = format!("`force_quote`: no column `{name}` is copied");
                return Err(Box::new(said("42P10", problem)));
            }
            let forced = |name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
            let at = fields.iter().map(|field| forced(field.name()));
            self.forced = Forced::At(at.collect());
        }
        Ok(self)
    }

    /// 0: text, 1: binary.
    pub fn code(&self) -> i16 {
        i16::from(self.kind == Kind::Binary)
    }

    /// What stands before the first row.
    pub fn head(&self, schema: &Schema, out: &mut BytesMut) {
        if self.kind == Kind::Binary {
            out.put_slice(SIGNATURE);
        } else if self.header {
            let fields = schema.fields();
            for (at, field) in fields.iter().enumerate() {
                if at > 0 {
                    out.put_u8(self.delimiter);
                }
                match self.kind {
                    Kind::Csv => self.csv(field.name().as_bytes(), false, fields.len() == 1, out),
                    _ => self.text(field.name().as_bytes(), out),
                }
            }
            out.put_u8(b'\n');
        }
    }

    /// What stands behind the last row.
    pub fn foot(&self, out: &mut BytesMut) {
        if self.kind == Kind::Binary {
            out.put_i16(-1);
        }
    }

    /// A row. `scratch` is emptied before it is used.
    pub fn row(
        &self,
        cells: &[Cells],
        row: usize,
        scratch: &mut BytesMut,
        out: &mut BytesMut,
    ) -> Result<(), OutOfRange> {
        if self.kind == Kind::Binary {
            out.put_i16(i16::try_from(cells.len()).unwrap_or(i16::MAX));
            return cells.iter().try_for_each(|cell| cell.write(row, true, out));
        }
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                out.put_u8(self.delimiter);
            }
            if cell.is_null(row) {
                out.put_slice(self.null.as_bytes());
                continue;
            }
            scratch.clear();
            cell.text(row, scratch)?;
            match self.kind {
                Kind::Csv => {
                    let forced = match &self.forced {
                        Forced::All => true,
                        Forced::At(columns) => columns.get(at).copied().unwrap_or(false),
                        Forced::Named(_) => false,
                    };
                    self.csv(scratch, forced, cells.len() == 1, out);
                }
                _ => self.text(scratch, out),
            }
        }
        out.put_u8(b'\n');
        Ok(())
    }

    /// A value in text form: what would end a line or a value has a backslash.
    fn text(&self, value: &[u8], out: &mut BytesMut) {
        let mut from = 0;
        for (at, byte) in value.iter().enumerate() {
            let mark = match byte {
                8 => b'b',
                9 => b't',
                10 => b'n',
                11 => b'v',
                12 => b'f',
                13 => b'r',
                b'\\' => b'\\',
                byte if *byte == self.delimiter => *byte,
                _ => continue,
            };
            out.put_slice(&value[from..at]);
            out.put_slice(&[b'\\', mark]);
            from = at + 1;
        }
        out.put_slice(&value[from..]);
    }

    /// A value of CSV, in quotes where it could be read as something else.
    fn csv(&self, value: &[u8], forced: bool, only: bool, out: &mut BytesMut) {
        let quoted = forced
            || value == self.null.as_bytes()
            // By itself on a line it would end the rows.
            || only && value == b"\\."
            || value
                .iter()
                .any(|byte| [self.delimiter, self.quote, b'\n', b'\r'].contains(byte));
        if !quoted {
            out.put_slice(value);
            return;
        }
        out.put_u8(self.quote);
        let mut from = 0;
        for (at, byte) in value.iter().enumerate() {
            if *byte == self.quote || *byte == self.escape {
                out.put_slice(&value[from..at]);
                out.put_u8(self.escape);
                from = at;
            }
        }
        out.put_slice(&value[from..]);
        out.put_u8(self.quote);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use restable_engine::sql::{self, Connection, Statement};

    use super::*;

    fn form(options: &str) -> Result<Form, Box<Told>> {
        let all = sql::parse(&format!("COPY (SELECT 1) TO STDOUT {options}")).unwrap();
        match &all[0].statement {
            Statement::Connection(Connection::Copy(copy)) => Form::of(&copy.options),
            _ => unreachable!("it is a COPY"),
        }
    }

    fn shown(form: &Form, value: &str, only: bool) -> String {
        let mut out = BytesMut::new();
        match form.kind {
            Kind::Csv => form.csv(value.as_bytes(), form.forced == Forced::All, only, &mut out),
            _ => form.text(value.as_bytes(), &mut out),
        }
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn options_of_both_forms_mean_the_same() {
        assert_eq!(form("").unwrap(), form("WITH (FORMAT text)").unwrap());
        assert_eq!(
            form("csv header").unwrap(),
            form("(format csv, header)").unwrap()
        );
        assert_eq!(
            form("WITH DELIMITER AS '|' NULL AS '' CSV HEADER QUOTE '''' ESCAPE '!' FORCE QUOTE *").unwrap(),
            form("(FORMAT 'csv', DELIMITER '|', NULL '', HEADER 1, QUOTE '''', ESCAPE '!', FORCE_QUOTE *)").unwrap(),
        );
        assert_eq!(
            form("BINARY").unwrap(),
            form("WITH (FORMAT BINARY)").unwrap()
        );
        assert_eq!(form("(DELIMITER E'\\t')").unwrap(), form("").unwrap());
        assert!(!form("(HEADER off)").unwrap().header);
    }

    #[test]
    fn options_are_checked_as_postgres_checks_them() {
        // SQLSTATEs of PostgreSQL 16 for the same statements.
        for (options, code) in [
            ("(FORMAT parquet)", "22023"),
            ("(COLOUR 'red')", "42601"),
            ("(FORMAT csv, FORMAT csv)", "42601"),
            ("(FORMAT binary, DELIMITER ',')", "42601"),
            ("(FORMAT binary, NULL '')", "42601"),
            ("(FORMAT binary, HEADER)", "0A000"),
            ("(DELIMITER 'ab')", "0A000"),
            ("(DELIMITER 'a')", "22023"),
            ("(DELIMITER E'\\n')", "22023"),
            ("(NULL E'\\r')", "22023"),
            ("(QUOTE '\"')", "0A000"),
            ("(FORMAT csv, QUOTE ',')", "22023"),
            ("(FORMAT csv, NULL 'a,b')", "22023"),
            ("(FORMAT csv, NULL '\"')", "22023"),
            ("(ESCAPE '\"')", "0A000"),
            ("(FORCE_QUOTE *)", "0A000"),
            ("(FORMAT csv, FORCE_NOT_NULL (a))", "0A000"),
            ("(HEADER match)", "0A000"),
            ("(HEADER perhaps)", "42601"),
            ("(FREEZE)", "0A000"),
            ("(ENCODING 'LATIN1')", "0A000"),
        ] {
            assert_eq!(form(options).unwrap_err().code, code, "{options}");
        }
    }

    #[test]
    fn values_as_postgres_writes_them() {
        let text = form("").unwrap();
        assert_eq!(
            shown(&text, "a\tb\\c\nd\u{8}\u{b}\u{c}\r", false),
            r"a\tb\\c\nd\b\v\f\r"
        );
        assert_eq!(
            shown(&form("(DELIMITER '|')").unwrap(), "a|b\tc", false),
            r"a\|b\tc"
        );
        let csv = form("csv").unwrap();
        for (value, expected) in [
            ("plain", "plain"),
            ("a b", "a b"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("{\"x\": 1}", "\"{\"\"x\"\": 1}\""),
        ] {
            assert_eq!(shown(&csv, value, false), expected);
        }
        assert_eq!(shown(&csv, "\\.", true), "\"\\.\"");
        assert_eq!(shown(&csv, "\\.", false), "\\.");
        let own = form("(FORMAT csv, NULL 'none', QUOTE '''', ESCAPE '\\')").unwrap();
        assert_eq!(shown(&own, "none", false), "'none'");
        assert_eq!(shown(&own, "", false), "");
        assert_eq!(shown(&own, "it's \\, so", false), "'it\\'s \\\\, so'");
        assert_eq!(
            shown(&form("(FORMAT csv, FORCE_QUOTE *)").unwrap(), "a", false),
            "\"a\""
        );
    }
}
