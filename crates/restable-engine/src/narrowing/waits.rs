//! What a scan waits for, and what it comes to when it is there: values for the parameters of its calls, and conditions on the names of scopes. A value that can
//! name nothing names nothing: no row has it, and nothing is asked for.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use restable_spec::Resource;
use restable_spec::names::fold;

use super::descend::{By, Sought};
use super::keys::{End, Keys};
use super::target::{Said, Target};
use crate::Result;
use crate::combinations::{Allowed, bound};
use crate::prune::Sight;
use crate::relation::Relation;
use crate::scan::Scan;
use crate::walk::Bindings;

/// What a scan waits for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits {
    keys: Vec<OfKeys>,
    /// Conditions with values that subqueries compute; they are there when the scan begins.
    said: Vec<Said>,
}

/// Keys, and what some of their values are to the scan.
#[derive(Debug, Clone)]
struct OfKeys {
    keys: Arc<Keys>,
    targets: Vec<(usize, Target)>,
}

impl Waits {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.said.is_empty()
    }

    /// The same and what is sought of the rows of a resource; `None` if that says nothing of its calls.
    pub(crate) fn narrowed(&self, resource: &Resource, sought: &Sought) -> Option<Waits> {
        let mut waits = self.clone();
        match &sought.by {
            By::Keys(keys) => {
                let parts = sought.parts.iter();
                let targets: Vec<(usize, Target)> = parts
                    .filter_map(|(at, part)| Some((*at, Target::of(resource, part)?)))
                    .collect();
                if targets.is_empty() {
                    return None;
                }
                let keys = Arc::clone(keys);
                waits.keys.push(OfKeys { keys, targets });
            }
            By::Condition => {
                let (_, condition) = sought.parts.first()?;
                waits.said.push(Said::by(resource, condition)?);
            }
        }
        Some(waits)
    }

    /// The same and the end of the keys.
    pub(crate) fn waiting(&self, keys: &Arc<Keys>) -> Waits {
        let mut waits = self.clone();
        if !waits
            .keys
            .iter()
            .any(|known| Arc::ptr_eq(&known.keys, keys))
        {
            let (keys, targets) = (Arc::clone(keys), Vec::new());
            waits.keys.push(OfKeys { keys, targets });
        }
        waits
    }

    /// The keys of which only the end is waited for; `None` if something narrows the scan.
    pub(crate) fn gates(&self) -> Option<Vec<&Arc<Keys>>> {
        let narrows = !self.said.is_empty() || self.keys.iter().any(|of| !of.targets.is_empty());
        (!narrows).then(|| self.keys.iter().map(|of| &of.keys).collect())
    }

    /// The values of the keys that are something to the scan.
    pub(crate) fn parts_of(&self, keys: &Arc<Keys>) -> Vec<usize> {
        let of = self.keys.iter().filter(|of| Arc::ptr_eq(&of.keys, keys));
        of.flat_map(|of| of.targets.iter().map(|(at, _)| *at))
            .collect()
    }

    /// The parameters that get values, by folded name.
    pub(crate) fn names(&self, resource: &Resource) -> Vec<String> {
        let keys = self.keys.iter().flat_map(|of| &of.targets);
        let keys = keys.flat_map(|(_, target)| target.names(resource));
        let said = self.said.iter().flat_map(|said| match said {
            Said::OneOf(target, _) => target.names(resource),
            Said::OfScopes(..) => Vec::new(),
        });
        let mut names: Vec<String> = keys.chain(said).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The keys with the parameters that they give values.
    pub(crate) fn keys(&self, resource: &Resource) -> Vec<(&Arc<Keys>, Vec<String>)> {
        let named = self.keys.iter().filter_map(|of| {
            let names = of.targets.iter();
            let names: Vec<String> = names.flat_map(|(_, it)| it.names(resource)).collect();
            (!names.is_empty()).then_some((&of.keys, names))
        });
        named.collect()
    }

    /// The scan as it is narrowed by what it waited for; `None` if no row can be wanted of it.
    pub(crate) async fn narrow(&self, mut scan: Scan) -> Result<Option<Scan>> {
        let mut relations = Vec::new();
        for of in &self.keys {
            match of.keys.end().await {
                End::Empty => return Ok(None),
                End::Unknown => {}
                End::Keys(rows) => relations.extend(relate(&mut scan, &of.targets, &rows)?),
            }
        }
        for said in &self.said {
            match said {
                Said::OneOf(target, values) => {
                    let mut rows = Vec::with_capacity(values.len());
                    for value in values {
                        rows.extend(text_of(value)?.map(|text| vec![text]));
                    }
                    relations.extend(relate(&mut scan, &[(0, target.clone())], &rows)?);
                }
                Said::OfScopes(condition, names) => {
                    let sight = Sight::SeesCase;
                    scan.prunes
                        .add(over(condition, names)?, names.clone(), sight);
                }
            }
        }
        if relations.iter().any(Relation::is_empty) {
            return Ok(None);
        }
        bind_best(&mut scan, relations);
        Ok(Some(scan))
    }
}

/// Whether calls can answer a scan.
fn readable(scan: &Scan) -> bool {
    let given = bound(&scan.resource, &scan.bindings, &scan.prunes);
    scan.resource.route(&given).is_ok()
}

/// Binds the parameters of calls to the values of the relation that says the most. Values of several relations do not belong together: there may be
/// more combinations of them than scopes, so that the others only choose among the scopes that are found, unless the scan cannot be read without them.
fn bind_best(scan: &mut Scan, mut relations: Vec<Relation>) {
    relations.sort_by_key(|relation| (usize::MAX - relation.names().len(), relation.len()));
    let written: HashSet<String> = scan.bindings.keys().cloned().collect();
    let mut known = false;
    for relation in relations {
        if !known || !readable(scan) {
            for name in relation.names() {
                bind(&mut scan.bindings, name, relation.values(name));
                if name == "subscriptionid" && !written.contains(name) {
                    scan.prunes.doubt_subscription();
                }
            }
            known = true;
        }
        scan.prunes.relate(relation);
    }
}

impl Target {
    /// The parameters that it gives values, by folded name.
    fn names(&self, resource: &Resource) -> Vec<String> {
        match self {
            Target::Name(name) => vec![name.clone()],
            Target::Id => resource.key.iter().map(|name| fold(name)).collect(),
            Target::Scopes(..) => Vec::new(),
        }
    }
}

/// The rows of values that a scan is narrowed to, if they are values of parameters: those that agree with what the statement writes.
fn relate(
    scan: &mut Scan,
    targets: &[(usize, Target)],
    rows: &[Vec<Arc<str>>],
) -> Result<Option<Relation>> {
    let resource = Arc::clone(&scan.resource);
    for (at, target) in targets {
        if let Target::Scopes(text, names) = target {
            let values = rows.iter().map(|row| &*row[*at]);
            scan.prunes
                .add_among(over(text, names)?, values, names.clone());
        }
    }
    let mut names: Vec<String> = Vec::new();
    for name in targets
        .iter()
        .flat_map(|(_, target)| target.names(&resource))
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let written = Allowed::new(&scan.bindings);
    let rows = rows.iter();
    let rows = rows.filter_map(|row| values(&resource, targets, &names, row));
    let rows = rows.filter(|row| {
        let mut values = names.iter().zip(row);
        values.all(|(name, value)| written.allows(name, value))
    });
    let rows: Vec<Vec<Arc<str>>> = rows.collect();
    Ok(Relation::new(names, rows))
}

/// The values that a row gives the parameters; `None` if it names nothing.
fn values(
    resource: &Resource,
    targets: &[(usize, Target)],
    names: &[String],
    row: &[Arc<str>],
) -> Option<Vec<Arc<str>>> {
    let mut values: Vec<Option<Arc<str>>> = vec![None; names.len()];
    let mut give = |name: &str, value: Arc<str>| {
        let at = names.iter().position(|known| known == name)?;
        let parameter = resource.parameter(name);
        let possible = parameter.is_none_or(|parameter| parameter.check(&value).is_ok());
        let agrees = |known: &Arc<str>| known.eq_ignore_ascii_case(&value);
        let agrees = values[at].as_ref().is_none_or(agrees);
        values[at] = Some(value);
        (possible && agrees).then_some(())
    };
    for (at, target) in targets {
        match target {
            Target::Name(name) => give(name, Arc::clone(&row[*at]))?,
            Target::Id => {
                let form = resource.one_row_reader()?.id_form(resource, "id")?;
                for (name, value) in form.fill(&row[*at]).ok()? {
                    give(&fold(&name), Arc::from(value))?;
                }
            }
            Target::Scopes(..) => {}
        }
    }
    values.into_iter().collect()
}

fn bind(bindings: &mut Bindings, name: &str, values: Vec<Arc<str>>) {
    match bindings.get_mut(name) {
        Some(known) => {
            let allowed = values.iter().map(|value| value.to_ascii_lowercase());
            let allowed: HashSet<String> = allowed.collect();
            known.retain(|known| allowed.contains(&known.to_ascii_lowercase()));
        }
        None => {
            bindings.insert(name.to_owned(), values);
        }
    }
}

/// A text that is over no columns; `None` if it is NULL.
fn text_of(value: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<str>>> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
    let value = value.evaluate(&row)?.into_array(1)?;
    let value = ScalarValue::try_from_array(&value, 0)?.cast_to(&DataType::Utf8)?;
    Ok(value.try_as_str().flatten().map(Arc::from))
}

/// An expression over the names of scopes, as conditions on scopes ask it.
fn over(expr: &Arc<dyn PhysicalExpr>, names: &[String]) -> Result<Arc<dyn PhysicalExpr>> {
    let over = Arc::clone(expr).transform_up(|part| {
        let at = part
            .downcast_ref::<Column>()
            .and_then(|column| names.iter().position(|name| name == column.name()));
        Ok(match at {
            Some(at) => {
                let column = Column::new(&format!("scope{at}"), at);
                Transformed::yes(Arc::new(column) as Arc<dyn PhysicalExpr>)
            }
            None => Transformed::no(part),
        })
    })?;
    Ok(over.data)
}
