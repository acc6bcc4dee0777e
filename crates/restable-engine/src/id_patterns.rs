//! What a pattern over ids says of scopes, before there are ids: `id LIKE '%/backupVaults/v1/%'` fits no row of another vault. The ids of a resource are
//! the path by which one of it is read, so that a pattern is followed along that path: through its fixed segments, the names that are known, and names that may be
//! any. Only narrows: a pattern that it does not understand fits everything.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode as _;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Like, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Operator};
use restable_spec::Resource;
use restable_spec::names::fold;

use crate::table::text;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// This character, in lower case.
    Character(char),
    /// Any character.
    One,
    /// Any characters, or none.
    Any,
}

/// What is compared with the id of a row: one of these patterns fits it.
#[derive(Debug, Clone)]
pub(crate) struct IdPatterns {
    segments: Vec<Part>,
    any_of: Vec<Vec<Step>>,
    /// Whether a pattern may fit other letters than those of ASCII in either case.
    folds_more: bool,
    shown: String,
}

#[derive(Debug, Clone)]
enum Part {
    Fixed(String),
    /// A parameter, by folded name.
    Name(String),
}

impl IdPatterns {
    /// The patterns of a condition on the column `id` of a resource alone; `is_id` knows the column.
    pub(crate) fn of(
        resource: &Resource,
        condition: &Expr,
        is_id: &impl Fn(&Expr) -> bool,
    ) -> Option<IdPatterns> {
        let any_of = patterns(condition, is_id)?;
        let reader = resource.one_row_reader()?;
        let segments = reader.path.segments().iter();
        let segments = segments.map(|segment| match segment.parameter() {
            Some(name) => Part::Name(fold(name)),
            None => {
                let text = segment.literal().unwrap_or_default();
                Part::Fixed(text.to_ascii_lowercase())
            }
        });
        Some(IdPatterns {
            segments: segments.collect(),
            any_of,
            folds_more: folds_more(condition),
            shown: condition.human_display().to_string(),
        })
    }

    /// The condition as it is printed.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The parameters that ids have in them, by folded name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.segments.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Fixed(_) => None,
        })
    }

    /// The names that the beginning of the only pattern says in full, by folded name.
    pub(crate) fn said(&self) -> Vec<(String, String)> {
        let [pattern] = self.any_of.as_slice() else {
            return Vec::new();
        };
        let characters = pattern.iter().map_while(|step| match step {
            Step::Character(character) => Some(*character),
            Step::One | Step::Any => None,
        });
        let start: String = characters.collect();
        // What stands before the last slash is whole.
        let Some((start, _)) = start.rsplit_once('/') else {
            return Vec::new();
        };
        let Some(start) = start.strip_prefix('/') else {
            return Vec::new();
        };
        let mut said = Vec::new();
        for (part, found) in self.segments.iter().zip(start.split('/')) {
            match part {
                Part::Fixed(text) if text == found => {}
                Part::Fixed(_) => return Vec::new(),
                Part::Name(name)
                    if is_plain(found) && !(self.folds_more && may_be_folded(found)) =>
                {
                    said.push((name.clone(), found.to_owned()));
                }
                Part::Name(_) => break,
            }
        }
        said
    }

    /// Whether an id may fit that has these values for names, and any others for those that have none.
    pub(crate) fn allow<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> bool {
        let fits = |pattern: &Vec<Step>| {
            let mut places = Places::at_start(pattern);
            for part in &self.segments {
                places.take('/');
                let known = match part {
                    Part::Fixed(text) => Some(text.to_owned()),
                    Part::Name(name) => value(name)
                        .filter(|value| is_plain(value))
                        .map(str::to_ascii_lowercase),
                };
                match known {
                    Some(text) => text.chars().for_each(|character| places.take(character)),
                    None => places.take_name(),
                }
            }
            places.are_at_end()
        };
        self.any_of.iter().any(fits)
    }
}

/// Whether a condition may be true of letters that are no other case of its own by ASCII's rules.
fn folds_more(condition: &Expr) -> bool {
    let folds = |part: &Expr| match part {
        Expr::Like(like) => like.case_insensitive,
        Expr::ScalarFunction(function) => matches!(function.name(), "lower" | "upper"),
        _ => false,
    };
    condition.exists(|part| Ok(folds(part))).unwrap_or(true)
}

/// Whether a name in ASCII may be what other letters become in lower or upper case: the sign of Kelvin, a long s, an i without its dot, letters that are written as one.
fn may_be_folded(name: &str) -> bool {
    name.contains(['k', 's', 'i']) || ["ff", "fl"].iter().any(|it| name.contains(it))
}

/// Whether a name is written in ids as it is: nothing in it may have another spelling than its case.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !name.is_empty() && name.bytes().all(plain)
}

/// The places in a pattern that what was read so far may lead to.
struct Places<'p> {
    pattern: &'p [Step],
    at: Vec<bool>,
}

impl Places<'_> {
    fn at_start(pattern: &[Step]) -> Places<'_> {
        let mut at = vec![false; pattern.len() + 1];
        at[0] = true;
        let mut places = Places { pattern, at };
        places.skip();
        places
    }

    /// What may be nothing is passed over.
    fn skip(&mut self) {
        for (place, step) in self.pattern.iter().enumerate() {
            if self.at[place] && *step == Step::Any {
                self.at[place + 1] = true;
            }
        }
    }

    fn step(&mut self, fits: impl Fn(char) -> bool) {
        let mut next = vec![false; self.at.len()];
        for (place, step) in self.pattern.iter().enumerate() {
            if !self.at[place] {
                continue;
            }
            match step {
                Step::Character(character) if fits(*character) => next[place + 1] = true,
                Step::Character(_) => {}
                Step::One => next[place + 1] = true,
                Step::Any => next[place] = true,
            }
        }
        self.at = next;
        self.skip();
    }

    fn take(&mut self, character: char) {
        self.step(|wanted| wanted == character);
    }

    /// Any name: one character that is no slash, or more.
    fn take_name(&mut self) {
        let mut reached = vec![false; self.at.len()];
        loop {
            self.step(|wanted| wanted != '/');
            let fresh = self.at.iter().zip(&mut reached);
            let mut more = false;
            for (at, reached) in fresh {
                more |= *at && !*reached;
                *reached |= *at;
            }
            if !more {
                break;
            }
        }
        self.at = reached;
    }

    fn are_at_end(&self) -> bool {
        self.at.last().copied().unwrap_or_default()
    }
}

/// The patterns one of which an id has to fit where the condition is true.
fn patterns(condition: &Expr, is_id: &impl Fn(&Expr) -> bool) -> Option<Vec<Vec<Step>>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == Operator::Or => {
            let mut all = patterns(left, is_id)?;
            all.extend(patterns(right, is_id)?);
            Some(all)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if *op == Operator::Eq && is_id(plain(left)) =>
        {
            let text = written(right)?;
            if folds_more(left) && !text.is_ascii() {
                return None;
            }
            Some(vec![text.chars().map(lower).map(Step::Character).collect()])
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Expr::ScalarFunction(ScalarFunction { func, args }) = &**left else {
                return None;
            };
            let (subject, rest) = args.split_first()?;
            if !is_id(plain(subject)) {
                return None;
            }
            let part = match (func.name(), rest) {
                // What an id begins with, however long that is.
                ("left", [_]) if *op == Operator::Eq => written(right)?,
                ("substr", [start, ..]) if *op == Operator::Eq && number(start)? == 1 => {
                    written(right)?
                }
                // It is somewhere.
                ("strpos", [part]) => {
                    let found = matches!(
                        (op, number(right)?),
                        (Operator::Gt | Operator::NotEq, 0) | (Operator::GtEq, 1)
                    );
                    found.then(|| written(part))??
                }
                _ => return None,
            };
            if folds_more(subject) && !part.is_ascii() {
                return None;
            }
            let part = part.chars().map(lower).map(Step::Character);
            let somewhere = (func.name() == "strpos").then_some(Step::Any);
            let pattern = somewhere.into_iter().chain(part).chain([Step::Any]);
            Some(vec![pattern.collect()])
        }
        Expr::Like(Like {
            negated: false,
            expr,
            pattern,
            escape_char,
            case_insensitive,
        }) if is_id(plain(expr)) => {
            let pattern = written(pattern)?;
            // What folds more than ASCII fits more.
            let knows = !(*case_insensitive || folds_more(expr)) || pattern.is_ascii();
            knows
                .then(|| steps(&pattern, escape_char.unwrap_or('\\')))?
                .map(|it| vec![it])
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            let [subject, part] = args.as_slice() else {
                return None;
            };
            if !is_id(plain(subject)) {
                return None;
            }
            let part = written(part)?;
            if folds_more(subject) && !part.is_ascii() {
                return None;
            }
            let part = part.chars().map(lower).map(Step::Character);
            let mut pattern: Vec<Step> = part.collect();
            if matches!(func.name(), "starts_with" | "contains") {
                pattern.push(Step::Any);
            }
            if matches!(func.name(), "ends_with" | "contains") {
                pattern.insert(0, Step::Any);
            }
            let known = matches!(
                func.name(),
                "starts_with" | "contains" | "ends_with" | "arm_equal"
            );
            known.then(|| vec![pattern])
        }
        _ => None,
    }
}

fn lower(character: char) -> char {
    character.to_ascii_lowercase()
}

fn number(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let number = value.cast_to(&DataType::Int64).ok()?;
    match number {
        ScalarValue::Int64(number) => number,
        _ => None,
    }
}

fn written(pattern: &Expr) -> Option<String> {
    match pattern {
        Expr::Literal(value, _) => Some(text(value)??.to_string()),
        _ => None,
    }
}

fn steps(pattern: &str, escape: char) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        steps.push(match character {
            // What an escape before anything else means is another's matter.
            it if it == escape => match characters.next()? {
                next if matches!(next, '%' | '_') || next == escape => Step::Character(lower(next)),
                _ => return None,
            },
            '%' => Step::Any,
            '_' => Step::One,
            other => Step::Character(lower(other)),
        });
    }
    Some(steps)
}

/// The expression without what changes only its case, its mark or the layout of its text.
fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if matches!(func.name(), "arm_fold" | "arm_text" | "lower" | "upper")
                && args.len() == 1 =>
        {
            plain(&args[0])
        }
        Expr::Cast(cast) => plain(&cast.expr),
        Expr::Alias(alias) => plain(&alias.expr),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(pattern: &str, known: &[(&str, &str)]) -> bool {
        let segments = ["subscriptions", "{s}", "vaults", "{v}", "items", "{i}"];
        let segments = segments.map(|text| match text.strip_prefix('{') {
            Some(name) => Part::Name(name.trim_end_matches('}').to_owned()),
            None => Part::Fixed(text.to_owned()),
        });
        let patterns = IdPatterns {
            segments: segments.to_vec(),
            any_of: vec![steps(pattern, '\\').unwrap_or_default()],
            folds_more: false,
            shown: String::new(),
        };
        patterns.allow(|name| {
            let known = known.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| *value)
        })
    }

    #[test]
    fn a_pattern_is_followed_along_the_path_of_an_id() {
        let vault = [("s", "S1"), ("v", "V1")];
        for (pattern, fits) in [
            ("/subscriptions/s1/vaults/v1/%", true),
            ("/subscriptions/s1/vaults/v2/%", false),
            ("/subscriptions/s2/%", false),
            ("%/vaults/v1/%", true),
            ("%/vaults/v2/%", false),
            ("%/vaults/v_/%", true),
            ("%/vaults/__/items/_", true),
            ("%/vaults/_/%", false),
            ("%v1%", true),
            // The name of the row may be anything, but has no slash.
            ("%v2%", true),
            ("%/v2%", true),
            ("%/v2/%", false),
            ("%/items/v2", true),
            ("%/items/%/v2", false),
            ("/subscriptions/s1/vaults/v1/items/", false),
            ("/subscriptions/s1/vaults/v1", false),
            ("", false),
            ("%", true),
        ] {
            assert_eq!(allowed(pattern, &vault), fits, "{pattern}");
        }
        // As long as the vault is not known it may be any.
        for (pattern, fits) in [
            ("%/vaults/v2/%", true),
            ("/subscriptions/s1/vaults/v2/%", true),
            ("/subscriptions/s2/vaults/v2/%", false),
            ("%/vaults/%/%/%/%", false),
        ] {
            assert_eq!(allowed(pattern, &vault[..1]), fits, "{pattern}");
        }
        // A name that ids may spell otherwise is any name.
        assert!(allowed("%/vaults/v2/%", &[("s", "s1"), ("v", "a b")]));
    }

    #[test]
    fn what_other_letters_may_become_is_not_bound() {
        let said = |pattern: &str, folds_more: bool| {
            let segments = [
                Part::Fixed("subscriptions".to_owned()),
                Part::Name("s".to_owned()),
            ];
            let patterns = IdPatterns {
                segments: segments.to_vec(),
                any_of: vec![steps(pattern, '\\').unwrap_or_default()],
                folds_more,
                shown: String::new(),
            };
            patterns.said().len()
        };
        for (name, bound) in [("0ab-9f", 1), ("kilo", 0), ("0aff9", 0), ("bus", 0)] {
            let pattern = format!("/subscriptions/{name}/%");
            assert_eq!(said(&pattern, true), bound, "{name}");
            assert_eq!(said(&pattern, false), 1, "{name}");
        }
    }
}
