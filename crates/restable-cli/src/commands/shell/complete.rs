//! Completion in the shell: keywords, names of providers, services, tables and methods, columns of the tables that the statement names. All of
//! it from documents; nothing is called.

use std::sync::Arc;

use restable_engine::catalog::Current;
use restable_spec::names::fold;
use restable_spec::{Registry, Resource, Service};
use rustyline::completion::{Completer, Pair};
use rustyline::{Context, Helper, highlight::Highlighter, hint::Hinter, validate::Validator};

use super::backslash;

/// Words of statements, without those that nobody would complete.
const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT JOIN",
    "USING",
    "DISTINCT",
    "UNION ALL",
    "WITH",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "BETWEEN",
    "IS NULL",
    "IS NOT NULL",
    "LIKE",
    "ILIKE",
    "COUNT(*)",
    "SHOW PROVIDERS",
    "SHOW SERVICES IN",
    "SHOW RESOURCES IN",
    "SHOW METHODS IN",
    "SHOW VIEWS IN",
    "SHOW TABLES",
    "SHOW CALLS",
    "SHOW WARNINGS",
    "SHOW SETTINGS",
    "SHOW OPERATIONS",
    "SHOW INSERT INTO",
    "SHOW EXEC",
    "INSERT INTO",
    "REPLACE INTO",
    "UPDATE",
    "DELETE FROM",
    "EXEC",
    "FOR EACH",
    "RETURNING",
    "ON CONFLICT DO NOTHING",
    "PREVIEW",
    "DESCRIBE",
    "DESCRIBE EXTENDED",
    "DESCRIBE METHOD",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "USE",
    "SET",
    "RESET",
    "CREATE VIEW",
    "CREATE TABLE",
    "CREATE MATERIALIZED VIEW",
    "REFRESH MATERIALIZED VIEW",
    "DROP VIEW",
    "DROP TABLE",
    "VALUES",
];

/// What names there are.
pub struct Names {
    registry: Arc<Registry>,
    current: Current,
    /// The lines of the statement before the one that is edited.
    before: String,
}

impl Names {
    /// Names of these documents.
    pub fn new(registry: Arc<Registry>) -> Names {
        Names {
            registry,
            current: Current::default(),
            before: String::new(),
        }
    }

    /// Takes note of what `USE` named and of the lines before.
    pub fn see(&mut self, current: &Current, before: &str) {
        self.current = current.clone();
        before.clone_into(&mut self.before);
    }

    /// Where the word begins that ends at the end of `line`, and what it may become.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        if let Some(command) = line.strip_prefix('\\').filter(|_| self.before.is_empty()) {
            return match command.split_once(' ') {
                None => (
                    0,
                    backslash::names()
                        .filter(|name| name.starts_with(line))
                        .map(|name| format!("{name} "))
                        .collect(),
                ),
                Some((_, word)) => self.word(line, word.rsplit(' ').next().unwrap_or_default()),
            };
        }
        let word = line
            .rsplit(|character: char| {
                !(character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))
            })
            .next()
            .unwrap_or_default();
        self.word(line, word)
    }

    fn word(&self, line: &str, word: &str) -> (usize, Vec<String>) {
        let start = line.len() - word.len();
        let (path, last) = word
            .rsplit_once('.')
            .map_or((Vec::new(), word), |(path, last)| {
                (path.split('.').collect(), last)
            });
        let mut names = match path.as_slice() {
            [] => self.bare(line, word),
            [provider] if self.registry.provider(provider).is_some() => self.services(provider),
            [service] => self
                .current
                .provider
                .as_deref()
                .and_then(|provider| self.service(provider, service))
                .map(|service| resources(&service))
                .unwrap_or_default(),
            [provider, service] => self
                .service(provider, service)
                .map(|service| resources(&service))
                .unwrap_or_default(),
            [provider, service, resource] => self
                .resource(provider, service, resource)
                .map(|resource| resource.methods.keys().cloned().collect())
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        let beginning = fold(last);
        names.retain(|name| fold(name).starts_with(&beginning));
        names.sort();
        names.dedup();
        (start + word.len() - last.len(), names)
    }

    fn bare(&self, line: &str, word: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .registry
            .providers()
            .map(|provider| provider.name.clone())
            .collect();
        if let (Some(provider), Some(service)) = (&self.current.provider, &self.current.service) {
            names.extend(
                self.service(provider, service)
                    .map(|service| resources(&service))
                    .unwrap_or_default(),
            );
        } else if let Some(provider) = &self.current.provider {
            names.extend(self.services(provider));
        }
        for resource in self.mentioned(line) {
            names.extend(resource.fields.iter().map(|field| field.name.clone()));
            names.extend(
                resource
                    .parameters
                    .iter()
                    .map(|parameter| parameter.name.clone()),
            );
        }
        // Keywords in the letters that the user types.
        let lower = word.chars().any(char::is_lowercase);
        names.extend(KEYWORDS.iter().map(|keyword| {
            if lower {
                keyword.to_ascii_lowercase()
            } else {
                (*keyword).to_owned()
            }
        }));
        names
    }

    /// The tables that the statement names.
    fn mentioned(&self, line: &str) -> Vec<Arc<Resource>> {
        let words = self
            .before
            .split_whitespace()
            .chain(line.split_whitespace())
            .map(|word| word.trim_matches([',', ';', '(', ')']));
        let found = words.filter_map(|word| match *word.split('.').collect::<Vec<_>>() {
            [provider, service, resource] => self.resource(provider, service, resource),
            [service, resource] => {
                self.resource(self.current.provider.as_deref()?, service, resource)
            }
            [resource] => self.resource(
                self.current.provider.as_deref()?,
                self.current.service.as_deref()?,
                resource,
            ),
            _ => None,
        });
        found.collect()
    }

    fn services(&self, provider: &str) -> Vec<String> {
        self.registry
            .provider(provider)
            .map(|provider| {
                provider
                    .services()
                    .map(|service| service.name.clone())
                    .collect()
            })
            .unwrap_or_default()
    }

    fn service(&self, provider: &str, service: &str) -> Option<Arc<Service>> {
        // A document that cannot be read is told when it is used, not while a name is typed.
        self.registry
            .provider(provider)?
            .service(service)
            .ok()
            .flatten()
    }

    fn resource(&self, provider: &str, service: &str, resource: &str) -> Option<Arc<Resource>> {
        self.service(provider, service)?
            .resource(resource)
            .map(Arc::clone)
    }
}

fn resources(service: &Service) -> Vec<String> {
    service
        .resources
        .values()
        .map(|resource| resource.name.clone())
        .collect()
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, names) = self.candidates(line.get(..pos).unwrap_or_default());
        Ok((
            start,
            names
                .into_iter()
                .map(|name| Pair {
                    display: name.clone(),
                    replacement: name,
                })
                .collect(),
        ))
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}
impl Validator for Names {}
impl Helper for Names {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use restable_spec::Builtin;

    use super::*;

    fn candidates(current: Option<(&str, &str)>, before: &str, line: &str) -> (usize, Vec<String>) {
        let mut names = Names::new(Arc::new(Registry::open(vec![Arc::new(Builtin)]).unwrap()));
        let current = current.map_or_else(Current::default, |(provider, service)| Current {
            provider: Some(provider.to_owned()),
            service: Some(service.to_owned()),
        });
        names.see(&current, before);
        names.candidates(line)
    }

    #[test]
    fn names_part_by_part() {
        assert_eq!(
            candidates(None, "", "SELECT * FROM az"),
            (14, vec!["azure".to_owned()])
        );
        assert_eq!(
            candidates(None, "", "use azure.data"),
            (10, vec!["data_protection".to_owned()])
        );
        let (start, found) = candidates(None, "", "FROM azure.data_protection.backup_inst");
        assert_eq!(start, 27);
        assert!(found.contains(&"backup_instances".to_owned()), "{found:?}");
        let (_, found) = candidates(Some(("azure", "data_protection")), "", "FROM backupInst");
        assert!(found.contains(&"backup_instances".to_owned()), "{found:?}");
        let (_, found) = candidates(
            None,
            "",
            "EXEC azure.data_protection.backup_instances.adhoc",
        );
        assert!(found.contains(&"adhoc_backup".to_owned()), "{found:?}");
    }

    #[test]
    fn keywords_columns_and_commands() {
        assert_eq!(candidates(None, "", "sel"), (0, vec!["select".to_owned()]));
        assert_eq!(candidates(None, "", "SEL"), (0, vec!["SELECT".to_owned()]));
        let (_, found) = candidates(
            Some(("azure", "data_protection")),
            "SELECT name FROM backup_instances\n",
            "WHERE vaultN",
        );
        assert_eq!(found, ["vaultName"]);
        assert_eq!(
            candidates(None, "", "\\tim"),
            (0, vec!["\\timing ".to_owned()])
        );
    }
}
