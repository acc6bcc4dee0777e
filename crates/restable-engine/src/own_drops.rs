//! DROP of tables and views that a session created. What others read stays unless CASCADE says that they go as well.

use datafusion::sql::sqlparser::ast;
use restable_sql::Diagnostic;

use crate::own_views;
use crate::session::Session;
use crate::snapshots::{in_use, name_of};
use crate::{Error, Result};

/// DROP of what there is.
#[derive(Debug)]
pub(crate) struct Dropping {
    words: &'static str,
    if_exists: bool,
    /// Those that there are, and those that read them.
    names: Vec<String>,
    /// Those that there are not.
    pub(crate) skipped: Vec<String>,
}

impl Session {
    /// What DROP TABLE or DROP VIEW does to what the session created.
    pub(crate) fn dropping(
        &self,
        object: ast::ObjectType,
        written: &[ast::ObjectName],
        (if_exists, cascade): (bool, bool),
    ) -> Result<Dropping> {
        let own = &self.shared().own;
        let is_view = object == ast::ObjectType::View;
        let words = if is_view { "view" } else { "table" };
        let (mut names, mut skipped) = (Vec::new(), Vec::new());
        for written in written {
            let Some(name) = name_of(&self.shared().without_database(written)) else {
                let told = format!("`{written}` is not the session's own, and cannot be dropped");
                return Err(Diagnostic::new("R0331", told).into());
            };
            if !own.is_of_session(&name) {
                if !if_exists {
                    let known = own.session_names();
                    return Err(Error::unknown(words, &name, &known, "SHOW TABLES"));
                }
                skipped.push(name);
                continue;
            }
            if own_views::definition(self.shared(), &name).is_some() != is_view {
                let other = if is_view { "table" } else { "view" };
                let told = format!("`{name}` is a {other}");
                let help = format!("DROP {} removes it", other.to_uppercase());
                return Err(Diagnostic::new("R0349", told).help(help).into());
            }
            names.push(name);
        }
        let readers = own_views::readers(self.shared(), &names);
        if !readers.is_empty() && !cascade {
            return Err(in_use(&names, &readers));
        }
        names.extend(readers);
        Ok(Dropping {
            words,
            if_exists,
            names,
            skipped,
        })
    }

    /// Drops them. The answer says so.
    pub(crate) fn drop_own(&self, dropping: &Dropping) -> Result<String> {
        let all = dropping.names.iter().chain(&dropping.skipped);
        let all: Vec<String> = all.map(|name| format!("`{name}`")).collect();
        for name in &dropping.names {
            self.shared().own.put(name, None)?;
        }
        let done = match (dropping.if_exists, all.len()) {
            (false, _) => "dropped",
            (true, 1) => "is gone",
            (true, _) => "are gone",
        };
        Ok(format!("{} {} {done}", dropping.words, all.join(", ")))
    }
}

/// What is said of a name that there is not, where that is no error.
pub(crate) fn skipped(words: &str, name: &str) -> String {
    format!("there is no {words} `{name}`, which is skipped")
}
