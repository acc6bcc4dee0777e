//! Owns the way from a path to a row of the table: literal segments compare without case, parameters are decoded.

use std::sync::LazyLock;

use http::Method;

use crate::operations::{OPERATIONS, Operation, Verb};
use crate::request::decode;

/// A row that a path matched, with the parameters of its template.
pub(crate) type Matched = (&'static Operation, Vec<(&'static str, String)>);

#[derive(Debug)]
enum Segment {
    Literal(&'static str),
    Parameter(&'static str),
    /// Any number of segments; only as the first.
    Rest(&'static str),
}

static ROUTES: LazyLock<Vec<(Vec<Segment>, &'static Operation)>> = LazyLock::new(|| {
    let parse = |segment: &'static str| match segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        Some(name) => match name.strip_prefix('*') {
            Some(name) => Segment::Rest(name),
            None => Segment::Parameter(name),
        },
        None => Segment::Literal(segment),
    };
    OPERATIONS
        .iter()
        .map(|row| (row.path.split('/').skip(1).map(parse).collect(), row))
        .collect()
});

/// The method of a request, if the API knows it.
pub(crate) fn verb(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET => Some(Verb::Get),
        Method::HEAD => Some(Verb::Head),
        Method::PUT => Some(Verb::Put),
        Method::POST => Some(Verb::Post),
        Method::PATCH => Some(Verb::Patch),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}

/// The row of a method and raw path, or whether another method has that path.
pub(crate) fn route(method: &Method, path: &str) -> Result<Matched, bool> {
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
    let wanted = verb(method);
    let mut other_verb = false;
    for (template, row) in ROUTES.iter() {
        if !fits(template, &segments) {
            continue;
        }
        if Some(row.verb) != wanted {
            other_verb = true;
            continue;
        }
        return Ok((row, bind(template, &segments)));
    }
    Err(other_verb)
}

fn fits(template: &[Segment], segments: &[&str]) -> bool {
    if let Some(Segment::Rest(_)) = template.first() {
        let fixed = template.len() - 1;
        let Some(start) = segments.len().checked_sub(fixed).filter(|start| *start > 0) else {
            return false;
        };
        return fits(&template[1..], &segments[start..]);
    }
    template.len() == segments.len()
        && template
            .iter()
            .zip(segments)
            .all(|(template, segment)| match template {
                Segment::Literal(literal) => literal.eq_ignore_ascii_case(segment),
                Segment::Parameter(_) | Segment::Rest(_) => !segment.is_empty(),
            })
}

fn bind(template: &[Segment], segments: &[&str]) -> Vec<(&'static str, String)> {
    let surplus = segments.len() - template.len();
    let mut parameters = Vec::new();
    for (index, segment) in template.iter().enumerate() {
        match segment {
            Segment::Literal(_) => {}
            Segment::Parameter(name) => parameters.push((*name, decode(segments[index + surplus]))),
            Segment::Rest(name) => {
                parameters.push((*name, decode(&segments[..=surplus].join("/"))))
            }
        }
    }
    parameters
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn example(path: &str) -> String {
        let fill = |segment: &str| match segment {
            "{subscriptionId}" => "00000000-0000-0000-0000-000000000001".to_owned(),
            "{*resourceId}" => {
                "subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d".to_owned()
            }
            _ => segment.trim_matches(['{', '}']).to_owned(),
        };
        path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }

    fn method(verb: Verb) -> Method {
        format!("{verb:?}").to_ascii_uppercase().parse().unwrap()
    }

    #[test]
    fn every_row_is_found_by_its_own_path_in_any_case() {
        for row in OPERATIONS {
            let path = example(row.path);
            for path in [
                path.clone(),
                path.to_ascii_lowercase(),
                path.to_ascii_uppercase(),
            ] {
                let (found, _) = route(&method(row.verb), &path).unwrap();
                assert_eq!(found.id, row.id, "{path}");
            }
        }
    }

    #[test]
    fn the_table_has_every_operation_of_the_provider_once() {
        let mut ids: Vec<&str> = OPERATIONS.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), OPERATIONS.len());
        let own = OPERATIONS
            .iter()
            .filter(|row| row.owner == crate::operations::Owner::DataProtection);
        // 75 requests of the SDK, the real path of a vault's deletion, and two lists that go on with GET.
        assert_eq!(own.count(), 75 + 1 + 2);
    }

    #[test]
    fn parameters_are_decoded_and_keep_their_spelling() {
        let path = "/subscriptions/S/resourcegroups/My%20Group/providers/microsoft.dataprotection/BACKUPVAULTS/v";
        let (row, parameters) = route(&Method::GET, path).unwrap();
        assert_eq!(row.id, "BackupVaults_Get");
        assert!(parameters.contains(&("resourceGroupName", "My Group".to_owned())));
        assert!(route(&Method::DELETE, "/subscriptions").unwrap_err());
        assert!(!route(&Method::GET, "/nothing").unwrap_err());
    }
}
