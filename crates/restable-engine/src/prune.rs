//! Conditions on the names of scopes, asked as the parents are listed: what no row below a scope can fulfil makes no call there. Like
//! bindings they only narrow: DataFusion asks each condition again of the rows.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, NotExpr};
use datafusion::physical_expr::utils::collect_columns;
use restable_spec::names::fold;
use restable_spec::{Parent, Resource};

use crate::contradictions::Outcomes;
use crate::id_patterns::IdPatterns;
use crate::relation::Relation;
use crate::walk::Scope;

/// Conditions that the scopes of a table have to fulfil.
#[derive(Clone, Default)]
pub struct Prunes {
    conditions: Vec<Arc<Prune>>,
    relations: Vec<Arc<Relation>>,
    /// Whether a subscription is named by rows alone: then it is asked for only if the credential sees it.
    unseen_subscription: bool,
}

#[derive(Debug)]
struct Prune {
    condition: Condition,
    schema: SchemaRef,
    /// The parameter of the table that each column is, by folded name.
    columns: Vec<String>,
    sight: Sight,
}

/// Whether a condition may come out otherwise for another spelling of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Names in any case are the same to it.
    Blind,
    /// It sees a difference in case.
    SeesCase,
}

/// What conditions say of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There may be rows below it.
    Allowed,
    /// That depends on how a name is spelled, which is not known yet.
    DependsOnSpelling,
    /// No row below it can be wanted.
    Refused,
}

#[derive(Clone)]
enum Condition {
    /// It is true.
    True(Arc<dyn PhysicalExpr>),
    /// Its text is one of these, which are in lower case.
    Among(Arc<dyn PhysicalExpr>, Arc<HashSet<String>>),
    /// The id of a row fits one of these patterns. Its columns are called otherwise where they are a parent's, and may be none of it.
    Ids(Arc<IdPatterns>),
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::True(condition) => condition.fmt(formatter),
            // Its address tells a set from all others for as long as there is a condition with it.
            Condition::Among(value, set) => {
                let (number, place) = (set.len(), Arc::as_ptr(set));
                write!(formatter, "{value:?} in {number} values at {place:?}")
            }
            Condition::Ids(patterns) => patterns.fmt(formatter),
        }
    }
}

impl fmt::Debug for Prunes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.conditions.iter();
        let shown = shown.map(|prune| format!("{:?} of {:?}", prune.condition, prune.columns));
        let related = self.relations.iter();
        let related = related.map(|relation| format!("{relation:?}"));
        formatter
            .debug_list()
            .entries(shown)
            .entries(related)
            .finish()
    }
}

impl Prunes {
    /// Adds a condition over text columns of these folded names, in this order.
    pub(crate) fn add(
        &mut self,
        condition: Arc<dyn PhysicalExpr>,
        columns: Vec<String>,
        sight: Sight,
    ) {
        self.add_condition(Condition::True(condition), columns, sight);
    }

    /// Adds the condition that the ids of rows fit patterns.
    pub(crate) fn add_ids(&mut self, patterns: IdPatterns) {
        let columns = patterns.names().cloned().collect();
        self.add_condition(Condition::Ids(Arc::new(patterns)), columns, Sight::Blind);
    }

    /// Adds the condition that a text over such columns is one of `values`, without regard to ASCII case.
    pub(crate) fn add_among<'v>(
        &mut self,
        text: Arc<dyn PhysicalExpr>,
        values: impl Iterator<Item = &'v str>,
        columns: Vec<String>,
    ) {
        let values = values.map(str::to_ascii_lowercase).collect();
        let condition = Condition::Among(text, Arc::new(values));
        self.add_condition(condition, columns, Sight::Blind);
    }

    fn add_condition(&mut self, condition: Condition, columns: Vec<String>, sight: Sight) {
        self.conditions.push(Arc::new(Prune {
            schema: schema(&columns),
            condition,
            columns,
            sight,
        }));
    }

    /// Adds values that belong together: a scope has those of one row.
    pub(crate) fn relate(&mut self, relation: Relation) {
        self.relations.push(Arc::new(relation));
    }

    /// Says that a subscription is named by rows alone.
    pub(crate) fn doubt_subscription(&mut self) {
        self.unseen_subscription = true;
    }

    /// Whether a subscription is named by rows alone.
    pub(crate) fn doubts_subscription(&self) -> bool {
        self.unseen_subscription
    }

    /// Whether there is no condition.
    pub(crate) fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.relations.is_empty()
    }

    /// The values that belong together.
    pub(crate) fn relations(&self) -> &[Arc<Relation>] {
        &self.relations
    }

    /// The conditions on these names alone, and the values that belong together.
    pub(crate) fn over(&self, names: &HashSet<String>) -> Prunes {
        let mut prunes = self.clone();
        let over = |prune: &Arc<Prune>| prune.columns.iter().all(|name| names.contains(name));
        prunes.conditions.retain(over);
        prunes
    }

    /// Whether values that belong together are known only since the statement runs.
    pub(crate) fn are_found(&self) -> bool {
        let mut relations = self.relations.iter();
        relations.any(|relation| !relation.is_written())
    }

    /// Without those that see a difference in case: what is left may be asked of names in any spelling.
    pub(crate) fn blind(&self) -> Prunes {
        let mut prunes = self.clone();
        prunes
            .conditions
            .retain(|prune| prune.sight == Sight::Blind);
        prunes
    }

    /// Only the values that belong together.
    pub(crate) fn without_conditions(&self) -> Prunes {
        Prunes {
            conditions: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether what these conditions leave away others leave away as well, as far as that is seen.
    pub(crate) fn are_among(&self, others: &Prunes) -> bool {
        let same = |one: &Prune, other: &Prune| {
            one.columns == other.columns
                && format!("{:?}", one.condition) == format!("{:?}", other.condition)
        };
        let mut conditions = self.conditions.iter();
        self.relations.is_empty()
            && conditions.all(|one| others.conditions.iter().any(|other| same(one, other)))
    }

    /// The parameters that the conditions are about, by folded name.
    pub(crate) fn names(&self) -> HashSet<String> {
        let names = self.conditions.iter().flat_map(|prune| &prune.columns);
        names.cloned().collect()
    }

    /// The conditions as they are printed, over the names of parameters.
    pub(crate) fn shown(&self, name: impl Fn(&String) -> String) -> Vec<String> {
        let shown = self.conditions.iter().map(|prune| {
            let mut text = match &prune.condition {
                Condition::True(condition) => condition.to_string(),
                Condition::Among(value, set) => format!("{value} in {} values", set.len()),
                Condition::Ids(patterns) => return patterns.shown().to_owned(),
            };
            for (at, column) in prune.columns.iter().enumerate().rev() {
                text = text.replace(&format!("scope{at}@{at}"), &name(column));
            }
            text
        });
        shown.collect()
    }

    /// Whether there may be rows below a scope. A condition on what the scope does not say lets it through.
    pub(crate) fn allow(&self, scope: &Scope) -> bool {
        self.relations.iter().all(|relation| relation.allows(scope))
            && self.conditions.iter().all(|prune| prune.allows(scope))
    }

    /// The same, where only of some names it is sure how they are spelled.
    pub(crate) fn verdict(&self, scope: &Scope, is_sure: impl Fn(&str, &str) -> bool) -> Verdict {
        let mut verdict = Verdict::Allowed;
        let depends = |prune: &Prune| {
            let mut said = prune
                .columns
                .iter()
                .filter_map(|it| Some((it, scope.get(it)?)));
            prune.sight == Sight::SeesCase && said.any(|(name, value)| !is_sure(name, value))
        };
        for prune in &self.conditions {
            match depends(prune) {
                true if prune.says_all(scope) || !prune.allows(scope) => {
                    verdict = Verdict::DependsOnSpelling;
                }
                false if !prune.allows(scope) => return Verdict::Refused,
                true | false => {}
            }
        }
        match self.relations.iter().all(|relation| relation.allows(scope)) {
            true => verdict,
            false => Verdict::Refused,
        }
    }

    /// Whether one of the conditions sees a difference in case.
    pub(crate) fn see_case(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|prune| prune.sight == Sight::SeesCase)
    }

    /// Whether a scope says all that is asked of it, so that no row below it is left out by what is asked.
    pub(crate) fn decide(&self, scope: &Scope) -> bool {
        let mut relations = self.relations.iter();
        self.conditions.iter().all(|prune| prune.says_all(scope))
            && relations.all(|it| it.names().iter().all(|name| scope.contains_key(name)))
    }

    /// The conditions as the parent of a table may ask them of its own scopes.
    pub(crate) fn of_parent(&self, parent: &Parent, resource: &Resource) -> Prunes {
        let own = |column: &str| {
            let (_, own) = parent
                .parameters
                .iter()
                .find(|(child, _)| fold(child) == column)?;
            // A parameter of the parent's; whether a scope of it says its value is seen then.
            resource.parameter(own).map(|_| fold(own))
        };
        let conditions = self.conditions.iter().filter_map(|prune| {
            let columns = prune.columns.iter().map(|column| own(column));
            let columns: Option<Vec<String>> = match prune.condition {
                // What a scope does not say may be any name; no parameter has this one.
                Condition::Ids(_) | Condition::True(_) => {
                    Some(columns.map(Option::unwrap_or_default).collect())
                }
                Condition::Among(..) => columns.collect(),
            };
            Some(Arc::new(Prune {
                condition: prune.condition.clone(),
                schema: Arc::clone(&prune.schema),
                columns: columns.filter(|it| it.iter().any(|name| !name.is_empty()))?,
                sight: prune.sight,
            }))
        });
        let relations = self.relations.iter();
        let relations = relations.filter_map(|relation| relation.renamed(own).map(Arc::new));
        Prunes {
            conditions: conditions.collect(),
            relations: relations.collect(),
            unseen_subscription: self.unseen_subscription,
        }
    }
}

/// What a condition may come to where only some of its columns are known.
fn outcomes(condition: &Arc<dyn PhysicalExpr>, row: &RecordBatch, known: &[bool]) -> Outcomes {
    let of = |part: &Arc<dyn PhysicalExpr>| outcomes(part, row, known);
    if let Some(both) = condition.downcast_ref::<BinaryExpr>() {
        match both.op() {
            Operator::And => return of(both.left()).and(of(both.right())),
            Operator::Or => return of(both.left()).or(of(both.right())),
            _ => {}
        }
    }
    if let Some(inner) = condition.downcast_ref::<NotExpr>() {
        return of(inner.arg()).not();
    }
    let columns = collect_columns(condition);
    let is_known = |column: &Column| known.get(column.index()) == Some(&true);
    if !columns.iter().all(is_known) {
        return Outcomes::ANY;
    }
    let answer = condition.evaluate(row).and_then(|it| it.into_array(1));
    let answer = answer.ok();
    let answer = answer.as_ref().and_then(|it| it.as_boolean_opt());
    match answer {
        // What cannot be computed here is computed, and told, where the rows are.
        None => Outcomes::ANY,
        Some(answer) if !answer.is_valid(0) => Outcomes::UNKNOWN,
        Some(answer) if answer.value(0) => Outcomes::TRUE,
        Some(_) => Outcomes::FALSE,
    }
}

/// The columns of a condition: text, since names of scopes are.
pub(crate) fn schema(columns: &[String]) -> SchemaRef {
    let fields = columns.iter().enumerate();
    let fields = fields.map(|(at, _)| Field::new(format!("scope{at}"), DataType::Utf8, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Prune {
    fn says_all(&self, scope: &Scope) -> bool {
        self.columns.iter().all(|column| scope.contains_key(column))
    }

    fn allows(&self, scope: &Scope) -> bool {
        if let Condition::Ids(patterns) = &self.condition {
            return patterns.allow(|name| {
                let at = patterns.names().position(|known| known == name)?;
                scope.get(self.columns.get(at)?).map(|value| &**value)
            });
        }
        let mut values: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let mut known: Vec<bool> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = scope.get(column).map(|value| &**value);
            known.push(value.is_some());
            values.push(Arc::new(StringArray::from(vec![value])));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let Ok(row) = RecordBatch::try_new_with_options(Arc::clone(&self.schema), values, &options)
        else {
            return true;
        };
        if known.contains(&false) {
            return match &self.condition {
                Condition::True(condition) if known.contains(&true) => {
                    outcomes(condition, &row, &known).yes
                }
                _ => true,
            };
        }
        let value = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(&row).ok()?.into_array(1).ok();
        // What cannot be computed here is computed, and told, where the rows are.
        let allowed = match &self.condition {
            Condition::True(condition) => value(condition).and_then(|answer| {
                let answer = answer.as_boolean_opt()?;
                Some(answer.is_valid(0) && answer.value(0))
            }),
            Condition::Among(text, set) => value(text).and_then(|text| {
                let text = cast(&text, &DataType::Utf8).ok()?;
                let text = text.as_string_opt::<i32>()?;
                Some(text.is_valid(0) && set.contains(&text.value(0).to_ascii_lowercase()))
            }),
            Condition::Ids(_) => None,
        };
        allowed.unwrap_or(true)
    }
}
