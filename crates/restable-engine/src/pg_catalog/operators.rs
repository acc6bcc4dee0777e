//! The casts, operators and collations of the types in `kinds.rs`, as far as a query can use them here, and what an index would
//! order them by.

use super::rows::{Cell, OWNER, PG_CATALOG, Row, oid, oid_of, text};

/// Numbers, from those that fit into all others to those that fit into none.
const NUMBERS: [u32; 6] = [21, 23, 20, 1700, 700, 701];
/// Types whose values are compared with each other.
const COMPARED: [u32; 17] = [
    16, 17, 20, 21, 23, 25, 26, 700, 701, 1043, 1082, 1083, 1114, 1184, 1186, 1700, 2950,
];
/// Comparisons, each with the one that is true where it is not, and the one that says the same with its sides exchanged.
const COMPARISONS: [(&str, &str, &str); 6] = [
    ("=", "<>", "="),
    ("<>", "=", "<>"),
    ("<", ">=", ">"),
    ("<=", ">", ">="),
    (">", "<=", "<"),
    (">=", "<", "<="),
];
/// Patterns, each with its opposite.
const PATTERNS: [(&str, &str); 8] = [
    ("~", "!~"),
    ("!~", "~"),
    ("~*", "!~*"),
    ("!~*", "~*"),
    ("~~", "!~~"),
    ("!~~", "~~"),
    ("~~*", "!~~*"),
    ("!~~*", "~~*"),
];
/// Casts beside those between numbers: from, to, when they are made (`i` anywhere, `a` where a value is stored, `e` where they are
/// written), and how (`b`: nothing is done, `i`: through text).
const CASTS: &[(u32, u32, &str, &str)] = &[
    (16, 23, "e", "i"),
    (23, 16, "e", "i"),
    (16, 25, "a", "i"),
    (25, 1043, "i", "b"),
    (1043, 25, "i", "b"),
    (19, 25, "i", "i"),
    (25, 19, "i", "i"),
    (1042, 25, "i", "i"),
    (23, 26, "i", "b"),
    (20, 26, "i", "i"),
    (26, 23, "a", "b"),
    (26, 20, "a", "i"),
    (26, 2205, "i", "b"),
    (2205, 26, "i", "b"),
    (26, 2206, "i", "b"),
    (2206, 26, "i", "b"),
    (26, 24, "i", "b"),
    (24, 26, "i", "b"),
    (114, 3802, "a", "i"),
    (3802, 114, "a", "i"),
    (1082, 1114, "i", "i"),
    (1082, 1184, "i", "i"),
    (1083, 1186, "i", "i"),
    (1114, 1082, "a", "i"),
    (1114, 1083, "a", "i"),
    (1114, 1184, "i", "i"),
    (1184, 1082, "a", "i"),
    (1184, 1083, "a", "i"),
    (1184, 1114, "a", "i"),
];
/// Operators beside comparisons and arithmetic: name, left, right, result.
const OTHERS: &[(&str, u32, u32, u32)] = &[
    ("||", 25, 25, 25),
    ("->", 114, 25, 114),
    ("->", 114, 23, 114),
    ("->>", 114, 25, 25),
    ("->>", 114, 23, 25),
    ("+", 1082, 1186, 1114),
    ("-", 1082, 1186, 1114),
    ("+", 1114, 1186, 1114),
    ("-", 1114, 1186, 1114),
    ("-", 1114, 1114, 1186),
    ("+", 1184, 1186, 1184),
    ("-", 1184, 1186, 1184),
    ("-", 1184, 1184, 1186),
    ("+", 1186, 1186, 1186),
    ("-", 1186, 1186, 1186),
];

/// OID of the method of access that indexes have.
pub const BTREE: u32 = 403;
/// OID of the class of operators by which an index has texts.
pub const TEXT_CLASS: u32 = 3126;
/// OID of its family.
const TEXT_FAMILY: u32 = 1994;

/// `pg_am`.
pub fn methods() -> Vec<Row> {
    let one = |(own, name, handler, kind): (u32, &str, u32, &str)| {
        vec![
            ("oid", oid(own)),
            ("amname", text(name)),
            ("amhandler", oid(handler)),
            ("amtype", text(kind)),
        ]
    };
    [(2, "heap", 3, "t"), (BTREE, "btree", 330, "i")]
        .map(one)
        .into()
}

/// `pg_opclass`.
pub fn classes() -> Vec<Row> {
    vec![vec![
        ("oid", oid(TEXT_CLASS)),
        ("opcmethod", oid(BTREE)),
        ("opcname", text("text_ops")),
        ("opcnamespace", oid(PG_CATALOG)),
        ("opcowner", oid(OWNER)),
        ("opcfamily", oid(TEXT_FAMILY)),
        ("opcintype", oid(25)),
        ("opcdefault", Cell::Is(true)),
        ("opckeytype", oid(0)),
    ]]
}

/// `pg_opfamily`.
pub fn families() -> Vec<Row> {
    vec![vec![
        ("oid", oid(TEXT_FAMILY)),
        ("opfmethod", oid(BTREE)),
        ("opfname", text("text_ops")),
        ("opfnamespace", oid(PG_CATALOG)),
        ("opfowner", oid(OWNER)),
    ]]
}

/// `pg_cast`.
pub fn casts() -> Vec<Row> {
    let numbers = NUMBERS.iter().enumerate().flat_map(|(at, from)| {
        let others = NUMBERS.iter().enumerate().filter(move |(to, _)| *to != at);
        others.map(move |(to, target)| (*from, *target, if to > at { "i" } else { "a" }, "i"))
    });
    let one = |(from, to, context, method): (u32, u32, &str, &str)| {
        vec![
            ("oid", oid(oid_of(&format!("cast {from} {to}")))),
            ("castsource", oid(from)),
            ("casttarget", oid(to)),
            ("castfunc", oid(0)),
            ("castcontext", text(context)),
            ("castmethod", text(method)),
        ]
    };
    numbers.chain(CASTS.iter().copied()).map(one).collect()
}

/// An operator with its opposite and the one that says the same with its sides exchanged.
struct Operator {
    name: &'static str,
    left: u32,
    right: u32,
    result: u32,
    negated: Option<&'static str>,
    exchanged: Option<&'static str>,
}

fn plain(name: &'static str, left: u32, right: u32, result: u32) -> Operator {
    Operator {
        name,
        left,
        right,
        result,
        negated: None,
        exchanged: None,
    }
}

/// `pg_operator`.
pub fn operators() -> Vec<Row> {
    all().map(row).collect()
}

/// The names of operators by their OIDs.
pub fn names() -> impl Iterator<Item = (u32, &'static str)> {
    all().map(|one| (one.oid(one.name), one.name))
}

fn all() -> impl Iterator<Item = Operator> {
    let compared = COMPARED.iter().flat_map(|kind| {
        COMPARISONS.map(|(name, negated, exchanged)| Operator {
            negated: Some(negated),
            exchanged: Some(exchanged),
            ..plain(name, *kind, *kind, 16)
        })
    });
    let patterns = PATTERNS.map(|(name, negated)| Operator {
        negated: Some(negated),
        ..plain(name, 25, 25, 16)
    });
    let numbers = NUMBERS.iter().flat_map(|kind| {
        let kind = *kind;
        let both = ["+", "-", "*", "/"].map(move |name| plain(name, kind, kind, kind));
        let rest = (kind != 700 && kind != 701).then(|| plain("%", kind, kind, kind));
        both.into_iter()
            .chain(rest)
            .chain([plain("-", 0, kind, kind)])
    });
    let others = OTHERS
        .iter()
        .map(|(name, left, right, result)| plain(name, *left, *right, *result));
    compared.chain(patterns).chain(numbers).chain(others)
}

impl Operator {
    /// The OID of the operator of this name with the same sides.
    fn oid(&self, name: &str) -> u32 {
        oid_of(&format!("operator {} {name} {}", self.left, self.right))
    }
}

fn row(operator: Operator) -> Row {
    let own = |name: &str| operator.oid(name);
    let of = |name: Option<&str>| oid(name.map_or(0, own));
    let equals = operator.name == "=";
    vec![
        ("oid", oid(own(operator.name))),
        ("oprname", text(operator.name)),
        ("oprnamespace", oid(PG_CATALOG)),
        ("oprowner", oid(OWNER)),
        ("oprkind", text(if operator.left == 0 { "l" } else { "b" })),
        ("oprcanmerge", Cell::Is(equals)),
        ("oprcanhash", Cell::Is(equals)),
        ("oprleft", oid(operator.left)),
        ("oprright", oid(operator.right)),
        ("oprresult", oid(operator.result)),
        ("oprcom", of(operator.exchanged)),
        ("oprnegate", of(operator.negated)),
        ("oprcode", oid(0)),
        ("oprrest", oid(0)),
        ("oprjoin", oid(0)),
    ]
}

/// `pg_collation`: texts are compared byte by byte, whatever that is called.
pub fn collations() -> Vec<Row> {
    let one = |(own, name, provider): (u32, &str, &str)| {
        let locale = match provider {
            "d" => Cell::Null,
            _ => text("C"),
        };
        vec![
            ("oid", oid(own)),
            ("collname", text(name)),
            ("collnamespace", oid(PG_CATALOG)),
            ("collowner", oid(OWNER)),
            ("collprovider", text(provider)),
            ("collisdeterministic", Cell::Is(true)),
            ("collencoding", Cell::Number(-1)),
            ("collcollate", locale.clone()),
            ("collctype", locale),
        ]
    };
    [(100, "default", "d"), (950, "C", "c"), (951, "POSIX", "c")]
        .map(one)
        .into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::kinds;
    use super::*;

    fn number(row: &Row, column: &str) -> Option<i64> {
        row.iter().find_map(|(name, cell)| match cell {
            Cell::Number(value) if *name == column => Some(*value),
            _ => None,
        })
    }

    #[test]
    fn every_type_and_operator_that_is_referred_to_is_there() {
        let kinds: HashSet<i64> = kinds::ALL.iter().map(|kind| kind.oid.into()).collect();
        for row in casts() {
            for column in ["castsource", "casttarget"] {
                assert!(number(&row, column).is_some_and(|one| kinds.contains(&one)));
            }
        }
        let operators = operators();
        let own: HashSet<_> = operators.iter().map(|row| number(row, "oid")).collect();
        assert_eq!(own.len(), operators.len());
        for row in &operators {
            for column in ["oprcom", "oprnegate"] {
                let other = number(row, column);
                assert!(other == Some(0) || own.contains(&other), "{row:?}");
            }
            for column in ["oprleft", "oprright", "oprresult"] {
                let kind = number(row, column);
                assert!(kind.is_some_and(|one| one == 0 || kinds.contains(&one)));
            }
        }
    }
}
