//! Names of snapshots. They are names of folders, too, so that the rule is narrow: nothing that a file system reads as more
//! than a name, and no two names that differ by case only.

use datafusion::sql::sqlparser::ast::ObjectName;
use restable_spec::names::fold;
use restable_sql::Diagnostic;

use crate::Result;
use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};

/// As long as a name of PostgreSQL's.
const LONGEST: usize = 63;

/// The name that a statement writes: `name`, `public.name` or `restable.public.name`; in lower case unless it is quoted.
pub fn of(name: &ObjectName) -> Option<String> {
    let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    if parts.len() != name.0.len() {
        return None;
    }
    let (last, scope) = parts.split_last()?;
    let scope: Vec<String> = scope.iter().map(|part| fold(&part.value)).collect();
    let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
    let ours = matches!(
        scope.as_slice(),
        [] | [OWN_SCHEMA] | [OWN_CATALOG, OWN_SCHEMA]
    );
    ours.then(|| match last.quote_style {
        Some(_) => last.value.clone(),
        None => last.value.to_ascii_lowercase(),
    })
}

/// The name for a snapshot that is to be made.
pub fn checked(name: &ObjectName) -> Result<String> {
    let told = of(name).filter(|name| is_allowed(name));
    told.ok_or_else(|| {
        let problem = format!("`{name}` is no name for what is kept in the data directory");
        let rule = "a name has a letter or `_` first, then letters of `a` to `z`, digits and `_`, 63 at most; none begins with `pg_`";
        Diagnostic::new("R0342", problem).help(rule).into()
    })
}

/// Whether the name is one of a snapshot's.
pub fn is_allowed(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= LONGEST
        && name.bytes().all(plain)
        && name
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
        && !name.starts_with("pg_")
        && !is_device(name)
}

/// Names that Windows gives to devices, in any folder.
fn is_device(name: &str) -> bool {
    matches!(name, "con" | "prn" | "aux" | "nul")
        || ["com", "lpt"].iter().any(|kind| {
            let number = name.strip_prefix(kind);
            number.is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|it| it.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn no_name_is_a_path() {
        for name in ["a", "_", "estate_2026"] {
            assert!(is_allowed(name), "{name}");
        }
        let longest = "a".repeat(63);
        assert!(is_allowed(&longest));
        let refused = [
            "", ".", "..", "a/b", "a\\b", "../a", "a.b", "A", "é", "1a", "a b", "a\0", "pg_class",
            "con", "nul", "com1", "lpt9", "-a", "~a", "a:b", "a@b", "a%2fb",
        ];
        for name in refused {
            assert!(!is_allowed(name), "{name}");
        }
        assert!(!is_allowed(&format!("{longest}a")));
    }
}
