//! A resource as a DataFusion table: its columns, and which predicates narrow the calls. A predicate only ever narrows:
//! DataFusion applies it again to the rows, so that a pushed-down predicate and a local one cannot disagree.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result as PlanResult, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use restable_spec::names::{fold, same};
use restable_spec::{Kind, Location, Resource, Segment};

use crate::Error;
use crate::contradictions::{self, is_blind_to_case, is_strict};
use crate::functions::{
    FOLD_METADATA, FOLD_ONE_SPELLING, INPUT_METADATA, NAME_METADATA, SCAN_METADATA, json_metadata,
};
use crate::id_patterns::IdPatterns;
use crate::prune::{self, Prunes, Sight};
use crate::ranges;
use crate::relation::Relation;
use crate::scan::{Scan, ScanExec, next_number};
use crate::statement::Statement;
use crate::walk::{Asked, Bindings};

/// What a column of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A field of the rows; `*` shows it.
    Field,
    /// A parameter whose value each row has; found by name only.
    Parameter,
    /// An input of the call, such as `api-version`: it may be given by `=`, and is no property of a row.
    Input,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub struct TableColumn {
    /// The name in the document.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it is.
    pub role: Role,
    /// What it means.
    pub description: Option<String>,
}

/// The columns of a resource's table: its fields, then its parameters.
pub fn columns(resource: &Resource) -> Vec<TableColumn> {
    let mut columns: Vec<TableColumn> = Vec::new();
    for field in &resource.fields {
        let known = columns.iter().any(|column| same(&column.name, &field.name));
        if !known {
            let description = field.description.clone();
            columns.push(TableColumn {
                name: field.name.clone(),
                kind: field.kind,
                role: Role::Field,
                description,
            });
        }
    }
    for parameter in &resource.parameters {
        if columns
            .iter()
            .any(|column| same(&column.name, &parameter.name))
        {
            continue;
        }
        let role = if parameter.location == Location::Path {
            Role::Parameter
        } else {
            Role::Input
        };
        let description = parameter.description.clone();
        columns.push(TableColumn {
            name: parameter.name.clone(),
            kind: Kind::Text,
            role,
            description,
        });
    }
    columns
}

/// Folded names, and values for them that belong together.
type NamedKeys = (Vec<String>, Vec<Vec<Arc<str>>>);

/// A resource as a table.
#[derive(Debug)]
pub struct ResourceTable {
    resource: Arc<Resource>,
    columns: Vec<TableColumn>,
    schema: SchemaRef,
}

impl ResourceTable {
    /// The table of a resource that can be read.
    pub fn new(resource: Arc<Resource>) -> ResourceTable {
        let columns = columns(&resource);
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| arrow_field(&resource, column))
            .collect();
        ResourceTable {
            resource,
            columns,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// What it is a table of.
    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The error for a condition on the input `name` of `resource`, if this is its table.
    pub(crate) fn input_problem(&self, resource: &str, name: &str) -> Option<Error> {
        (self.resource.full_name() == resource)
            .then(|| Error::input_predicate(&self.resource, name))
    }

    fn column(&self, expr: &Expr) -> Option<&TableColumn> {
        let Expr::Column(column) = expr else {
            return None;
        };
        self.columns
            .iter()
            .find(|known| fold(&known.name) == column.name)
    }

    fn binds(&self, column: &TableColumn) -> bool {
        binds(&self.resource, column)
    }

    /// What a predicate binds.
    fn binding(&self, expr: &Expr) -> Option<(&TableColumn, Vec<Arc<str>>)> {
        let (column, texts) = equality(expr)?;
        if let Some(column) = self.column(column).filter(|column| self.binds(column)) {
            return Some((column, texts));
        }
        let column = self.part_of_id(column)?;
        // A part of an id that is no such name is no row's, and no mistake either.
        let parameter = self.resource.parameter(&column.name);
        let possible = |text: &Arc<str>| parameter.is_none_or(|it| it.check(text).is_ok());
        Some((column, texts.into_iter().filter(possible).collect()))
    }

    /// The parameters that `id = '…'` binds: those of the id's own path, so that one row is one GET.
    fn bound_by_id(&self, expr: &Expr) -> Option<Vec<(String, String)>> {
        let (column, texts) = equality(expr)?;
        let [id] = texts.as_slice() else {
            return None;
        };
        let is_id = self
            .column(column)
            .is_some_and(|column| same(&column.name, "id"));
        let reader = self.resource.one_row_reader().filter(|_| is_id)?;
        let form = reader.id_form(&self.resource, "id")?;
        let filled = form.fill(id).ok()?;
        let possible = filled.iter().all(|(name, value)| {
            let parameter = self.resource.parameter(name);
            parameter.is_some_and(|parameter| parameter.check(value).is_ok())
        });
        (possible && filled.len() == self.resource.key.len()).then_some(filled)
    }

    /// The keys that `id IN ('…', '…')` names, with the folded names of their values, if each of them is a whole id: what belongs together.
    fn listed_ids(&self, expr: &Expr) -> Option<NamedKeys> {
        let (column, ids) = one_of(expr)?;
        let is_id = self
            .column(column)
            .is_some_and(|column| same(&column.name, "id"));
        let reader = self.resource.one_row_reader().filter(|_| is_id)?;
        let form = reader.id_form(&self.resource, "id")?;
        let names: Vec<String> = self.resource.key.iter().map(|name| fold(name)).collect();
        let mut rows: Vec<Vec<Arc<str>>> = Vec::with_capacity(ids.len());
        for id in &ids {
            let filled: HashMap<String, String> = form
                .fill(id)
                .ok()?
                .into_iter()
                .map(|(name, value)| (fold(&name), value))
                .collect();
            let mut row = Vec::with_capacity(names.len());
            for name in &names {
                let value = filled.get(name)?;
                self.resource.parameter(name)?.check(value).ok()?;
                row.push(Arc::from(value.as_str()));
            }
            rows.push(row);
        }
        // One is an id like any other, and none names nothing.
        (rows.len() > 1).then_some((names, rows))
    }

    /// The parameter that an expression takes out of the row's own id: `arm_id(id, 'vaultName')`, `split_part(id, '/', 9)`. Values
    /// that are bound compare without regard to case, so that this lets more through than the expression, never less.
    fn part_of_id(&self, expr: &Expr) -> Option<&TableColumn> {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
            return None;
        };
        let is_id = |expr: &Expr| {
            self.column(expr)
                .is_some_and(|column| same(&column.name, "id"))
        };
        let literal = |expr: &Expr| match expr {
            Expr::Literal(value, _) => text(value)?,
            _ => None,
        };
        let name = match (func.name(), args.as_slice()) {
            ("arm_id", [id, name]) if is_id(id) => literal(name)?.to_string(),
            ("split_part", [id, slash, at]) if is_id(id) && &*literal(slash)? == "/" => {
                name_at(&self.resource, literal(at)?.parse().ok()?)?
            }
            _ => return None,
        };
        let is_key = self.resource.key.iter().any(|key| same(key, &name));
        self.columns
            .iter()
            .find(|column| is_key && same(&column.name, &name))
            .filter(|column| self.binds(column))
    }

    /// The same, where the case of the id is changed before: `split_part(lower(id), '/', 9)`, as an expression over the parameter.
    fn name_in_id(&self, expr: &Expr) -> Option<Expr> {
        let name = |it: &TableColumn| Expr::Column(Column::from_name(fold(&it.name)));
        if let Some(column) = self.part_of_id(expr) {
            return Some(name(column));
        }
        let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
            return None;
        };
        let (
            Expr::ScalarFunction(ScalarFunction {
                func: case,
                args: cased,
            }),
            rest,
        ) = args.split_first()?
        else {
            return None;
        };
        let ([id], "lower" | "upper") = (cased.as_slice(), case.name()) else {
            return None;
        };
        let args = [id].into_iter().chain(rest).cloned().collect();
        let plain = ScalarFunction::new_udf(Arc::clone(func), args);
        let column = self.part_of_id(&Expr::ScalarFunction(plain))?;
        Some(case.call(vec![name(column)]))
    }

    /// Whether a condition is about the names of scopes alone, so that it can be asked before there are rows.
    fn prunes(&self, expr: &Expr) -> bool {
        let columns = expr.column_refs();
        !columns.is_empty()
            && !expr.is_volatile()
            && columns.iter().all(|column| {
                self.columns
                    .iter()
                    .any(|known| fold(&known.name) == column.name && known.role == Role::Parameter)
            })
            && !has_subquery(expr)
    }

    /// The condition over names of scopes alone that a condition comes to, or that is true wherever it is: of what AND joins one part may be left out.
    fn over_names(&self, filter: &Expr) -> Option<Expr> {
        if let Some(whole) = self.whole_over_names(filter) {
            return Some(whole);
        }
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
            return None;
        };
        let (left, right) = (self.over_names(left), self.over_names(right));
        match (op, left, right) {
            (Operator::And, Some(left), Some(right)) => Some(left.and(right)),
            (Operator::And, Some(one), None) | (Operator::And, None, Some(one)) => Some(one),
            (Operator::Or, Some(left), Some(right)) => Some(left.or(right)),
            _ => None,
        }
    }

    /// The condition over names of scopes alone that a condition comes to: what it takes out of the row's own id is one of them.
    fn whole_over_names(&self, filter: &Expr) -> Option<Expr> {
        if self.prunes(filter) {
            return Some(filter.clone());
        }
        self.renamed(filter, |part| self.name_in_id(part))
    }

    /// The same, where the name of a row is what its key ends with, as that of a resource of Azure Resource Manager is.
    fn over_key(&self, filter: &Expr) -> Option<Expr> {
        let key = self.resource.key.last()?;
        let reader = self.resource.one_row_reader()?;
        let ends_id = reader.path.segments().last()?.parameter()?;
        let is_name = |it: &TableColumn| it.role == Role::Field && same(&it.name, "name");
        let is_sure = is_arm(&self.resource) && same(ends_id, key);
        let part = |part: &Expr| match self.column(part).filter(|it| is_sure && is_name(it)) {
            Some(_) => Some(Expr::Column(Column::from_name(fold(key)))),
            None => self.name_in_id(part),
        };
        self.renamed(filter, part)
    }

    /// A condition with names of scopes for parts of it, which have other spellings, or are NULL where an id is of no form.
    fn renamed(&self, filter: &Expr, part: impl Fn(&Expr) -> Option<Expr>) -> Option<Expr> {
        let renamed = filter.clone().transform_down(|it| {
            Ok(match part(&it) {
                Some(name) => Transformed::new(name, true, TreeNodeRecursion::Jump),
                None => Transformed::no(it),
            })
        });
        let renamed = renamed.ok().filter(|it| it.transformed)?.data;
        (self.prunes(&renamed) && is_strict(&renamed) && is_blind_to_case(&renamed))
            .then_some(renamed)
    }

    /// The patterns that the ids of the rows have to fit.
    fn id_patterns(&self, filter: &Expr) -> Option<IdPatterns> {
        let is_id = |expr: &Expr| self.column(expr).is_some_and(|it| same(&it.name, "id"));
        let columns = filter.column_refs();
        let of_id_alone = columns.len() == 1 && is_arm(&self.resource) && !filter.is_volatile();
        let by_key = || self.bound_by_id(filter).is_some() || self.listed_ids(filter).is_some();
        (of_id_alone && !by_key())
            .then(|| IdPatterns::of(&self.resource, filter, &is_id))
            .flatten()
    }

    /// The conditions that the scopes have to fulfil.
    fn pruning(&self, state: &dyn Session, filters: &[Expr]) -> PlanResult<Prunes> {
        let mut prunes = Prunes::default();
        let over_names = filters.iter().filter_map(|filter| self.over_names(filter));
        for filter in over_names {
            let sight = match is_blind_to_case(&filter) {
                true => Sight::Blind,
                false => Sight::SeesCase,
            };
            let mut names: Vec<String> = filter
                .column_refs()
                .iter()
                .map(|column| column.name.clone())
                .collect();
            names.sort();
            let schema = prune::schema(&names);
            let renamed = filter.clone().transform_up(|part| {
                Ok(match &part {
                    Expr::Column(column) => {
                        match names.iter().position(|name| *name == column.name) {
                            Some(at) => Transformed::yes(Expr::Column(Column::from_name(format!(
                                "scope{at}"
                            )))),
                            None => Transformed::no(part),
                        }
                    }
                    _ => Transformed::no(part),
                })
            })?;
            let schema = DFSchema::try_from(schema)?;
            let condition = state.create_physical_expr(renamed.data, &schema)?;
            prunes.add(condition, names, sight);
        }
        for patterns in filters.iter().filter_map(|filter| self.id_patterns(filter)) {
            prunes.add_ids(patterns);
        }
        for (names, rows) in filters.iter().filter_map(|filter| self.listed_ids(filter)) {
            if let Some(relation) = Relation::new(names, rows) {
                prunes.relate(relation.written());
            }
        }
        Ok(prunes)
    }

    /// Takes out of the bindings what cannot be, with the conditions on names of scopes; of a contradiction nothing is left.
    fn without_contradictions(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        bindings: &mut Bindings,
    ) -> PlanResult<()> {
        let about = filters.iter().filter_map(|it| {
            let whole = self.whole_over_names(it).or_else(|| self.over_key(it));
            whole.or_else(|| self.over_names(it))
        });
        let about: Vec<Expr> = about.collect();
        let never_null = |name: &str| self.resource.key.iter().any(|key| fold(key) == name);
        let never = |filter: &&Expr| !contradictions::outcomes(filter, &never_null).yes;
        if let Some(filter) = about.iter().find(never)
            && let Some(column) = filter.column_refs().iter().next()
        {
            bindings.insert(column.name.clone(), Vec::new());
            return Ok(());
        }
        let mut patterns = filters.iter().filter_map(|filter| self.id_patterns(filter));
        if patterns.any(|patterns| !patterns.allow(|_| None))
            && let Some(key) = self.resource.key.last()
        {
            bindings.insert(fold(key), Vec::new());
            return Ok(());
        }
        let mut possible = bindings.clone();
        for column in self.columns.iter().filter(|it| it.role == Role::Parameter) {
            let name = fold(&column.name);
            let candidates = about.iter();
            let candidates =
                candidates.filter_map(|filter| contradictions::candidates(filter, &name));
            for candidates in candidates {
                match possible.get_mut(&name) {
                    Some(known) => known.retain(|known| {
                        let mut candidates = candidates.iter();
                        candidates.any(|value| value.eq_ignore_ascii_case(known))
                    }),
                    None => {
                        possible.insert(name.clone(), candidates);
                    }
                }
            }
        }
        let blind = about.into_iter();
        let blind: Vec<Expr> = blind.filter(is_blind_to_case).collect();
        if !possible.is_empty() && !blind.is_empty() {
            contradictions::narrow(&mut possible, &self.pruning(state, &blind)?);
        }
        for (name, values) in possible {
            match bindings.get_mut(&name) {
                Some(known) => *known = values,
                None if values.is_empty() => {
                    bindings.insert(name, values);
                }
                // What it is confined to is asked of the parents' names as they are listed.
                None => {}
            }
        }
        Ok(())
    }

    /// Binds the subscriptions that the session is confined to, as if the statement named them: who says which need not list them.
    fn confine(&self, state: &dyn Session, bindings: &mut Bindings) {
        const SUBSCRIPTION: &str = "subscriptionid";
        let Some(statement) = state.config().get_extension::<Statement>() else {
            return;
        };
        let walks = self.resource.parent.is_some() && self.resource.enumerates(SUBSCRIPTION);
        if walks && !statement.subscriptions.is_empty() && !bindings.contains_key(SUBSCRIPTION) {
            let mut confined: Vec<Arc<str>> = Vec::new();
            for one in &statement.subscriptions {
                if !confined.iter().any(|known| known.eq_ignore_ascii_case(one)) {
                    confined.push(Arc::from(one.as_str()));
                }
            }
            bindings.insert(SUBSCRIPTION.to_owned(), confined);
        }
    }

    fn bindings(&self, filters: &[Expr]) -> Bindings {
        let mut bindings = Bindings::new();
        let mut bind = |name: String, values: Vec<Arc<str>>| match bindings.get_mut(&name) {
            // Two predicates on one column: what both allow.
            Some(known) => {
                let known: &mut Vec<Arc<str>> = known;
                known.retain(|known| values.iter().any(|value| value.eq_ignore_ascii_case(known)));
            }
            None => {
                bindings.insert(name, values);
            }
        };
        for filter in filters {
            if let Some((column, values)) = self.binding(filter) {
                bind(fold(&column.name), values);
            }
            for (name, value) in self.bound_by_id(filter).into_iter().flatten() {
                bind(fold(&name), vec![Arc::from(value)]);
            }
            let said = self.id_patterns(filter).map(|it| it.said());
            for (name, value) in said.into_iter().flatten() {
                // What can be no name is no row's.
                let parameter = self.resource.parameter(&name);
                let possible = parameter.is_none_or(|parameter| parameter.check(&value).is_ok());
                bind(
                    name,
                    possible.then(|| Arc::from(value)).into_iter().collect(),
                );
            }
            if let Some((names, rows)) = self.listed_ids(filter) {
                for (at, name) in names.into_iter().enumerate() {
                    let mut values: Vec<Arc<str>> = Vec::new();
                    for row in &rows {
                        if !values.iter().any(|it| it.eq_ignore_ascii_case(&row[at])) {
                            values.push(Arc::clone(&row[at]));
                        }
                    }
                    bind(name, values);
                }
            }
        }
        bindings
    }
}

/// The parameter that stands in an id where `split_part(id, '/', at)` takes it from.
pub(crate) fn name_at(resource: &Resource, at: i64) -> Option<String> {
    let segments = resource.one_row_reader()?.path.segments();
    let at = match at {
        // From the end.
        ..0 => segments
            .len()
            .checked_sub(usize::try_from(at.unsigned_abs()).ok()?)?,
        // The id begins with a slash: its first part is empty, and SQL counts from 1.
        _ => usize::try_from(at).ok()?.checked_sub(2)?,
    };
    segments.get(at)?.parameter().map(str::to_owned)
}

/// Whether values of this column are bound in calls.
pub(crate) fn binds(resource: &Resource, column: &TableColumn) -> bool {
    match column.role {
        Role::Parameter | Role::Input => true,
        // A field that is named like a part of the resource's own key is that part.
        Role::Field => resource.key.iter().any(|key| same(key, &column.name)),
    }
}

/// The two sides of a comparison of something with constants: `=`, IN, and what stands for them where names are compared.
pub(crate) fn equality(expr: &Expr) -> Option<(&Expr, Vec<Arc<str>>)> {
    let (column, values): (&Expr, Vec<&Expr>) = match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (&**left, &**right) {
            (column, value @ Expr::Literal(..)) => (column, vec![value]),
            (value @ Expr::Literal(..), column) => (column, vec![value]),
            _ => return None,
        },
        Expr::ScalarFunction(ScalarFunction { func, args })
            if matches!(func.name(), "arm_equal" | "arm_in") =>
        {
            (args.first()?, args[1..].iter().collect())
        }
        Expr::InList(list) if !list.negated => (&list.expr, list.list.iter().collect()),
        _ => return None,
    };
    let mut texts: Vec<Arc<str>> = Vec::new();
    for value in values {
        let Expr::Literal(value, _) = value else {
            return None;
        };
        // NULL equals nothing: it names no scope.
        if let Some(text) = text(value)?
            && !texts.iter().any(|known| known.eq_ignore_ascii_case(&text))
        {
            texts.push(text);
        }
    }
    Some((unfolded(column), texts))
}

/// The expression without its fold: what is equal when folded is equal as names are.
fn unfolded(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if func.name() == "arm_fold" && args.len() == 1 =>
        {
            unfolded(&args[0])
        }
        other => other,
    }
}

/// The same, where OR stands between comparisons of one thing.
fn one_of(expr: &Expr) -> Option<(&Expr, Vec<Arc<str>>)> {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Or,
        right,
    }) = expr
    else {
        return equality(expr);
    };
    let (column, mut texts) = one_of(left)?;
    let (other, others) = one_of(right)?;
    for text in others {
        if !texts.iter().any(|known| known.eq_ignore_ascii_case(&text)) {
            texts.push(text);
        }
    }
    (column == other).then_some((column, texts))
}

pub(crate) fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        ))
    })
    .unwrap_or(true)
}

pub(crate) fn text(value: &ScalarValue) -> Option<Option<Arc<str>>> {
    match value {
        ScalarValue::Null => Some(None),
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            Some(text.as_deref().map(Arc::from))
        }
        number if number.data_type().is_integer() => {
            Some((!number.is_null()).then(|| Arc::from(number.to_string())))
        }
        _ => None,
    }
}

fn arrow_field(resource: &Resource, column: &TableColumn) -> Field {
    let mut metadata = match column.kind {
        Kind::Json => json_metadata(),
        _ => HashMap::new(),
    };
    metadata.insert(NAME_METADATA.to_owned(), column.name.clone());
    if column.kind == Kind::Json && column.role == Role::Field {
        metadata.insert(SCAN_METADATA.to_owned(), "1".to_owned());
    }
    let folded = fold(&column.name);
    let is_arm = is_arm(resource);
    let names_scope = match column.role {
        Role::Parameter => true,
        Role::Input => false,
        Role::Field => {
            column.kind == Kind::Text
                && (is_arm && folded.ends_with("id")
                    || is_arm && folded == "name" && !resource.key.is_empty()
                    || resource.key.iter().any(|key| same(key, &folded)))
        }
    };
    if names_scope {
        // The last name of a resource's own id names the row; the session keeps spellings of what is above it.
        let is_row = resource.key.last().is_some_and(|key| same(key, &folded));
        let mark = if column.role == Role::Parameter && !is_row {
            FOLD_ONE_SPELLING
        } else {
            "1"
        };
        metadata.insert(FOLD_METADATA.to_owned(), mark.to_owned());
    }
    if column.role == Role::Input {
        metadata.insert(INPUT_METADATA.to_owned(), resource.full_name());
    }
    Field::new(folded, data_type(column.kind), true).with_metadata(metadata)
}

/// True if the resource is one of Azure Resource Manager: its paths go through subscriptions or providers.
pub(crate) fn is_arm(resource: &Resource) -> bool {
    let is_scope = |literal: &str| {
        literal.eq_ignore_ascii_case("subscriptions") || literal.eq_ignore_ascii_case("providers")
    };
    resource.readers().iter().any(|method| {
        let mut literals = method.path.segments().iter().filter_map(Segment::literal);
        literals.any(is_scope)
    })
}

/// The Arrow type of a kind of value.
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Number => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
    }
}

#[async_trait]
impl TableProvider for ResourceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let mut support = Vec::with_capacity(filters.len());
        // Conditions on the name of a row are of use beside those on its key.
        let key = self.resource.key.last();
        let key_is_bound = filters.iter().any(|filter| {
            let column = self.binding(filter).map(|(column, _)| &column.name);
            key.zip(column).is_some_and(|(key, name)| same(key, name))
        });
        for filter in filters {
            let binding = self.binding(filter);
            if let Some((column, values)) = &binding
                && column.role == Role::Input
                && values.len() == 1
            {
                support.push(TableProviderFilterPushDown::Exact);
                continue;
            }
            let input = filter.column_refs().into_iter().find_map(|column| {
                self.columns
                    .iter()
                    .find(|known| known.role == Role::Input && fold(&known.name) == column.name)
            });
            if let Some(input) = input {
                return Err(Error::input_predicate(&self.resource, &input.name).into());
            }
            support.push(match binding {
                Some(_) => TableProviderFilterPushDown::Inexact,
                None if self.over_names(filter).is_some()
                    || key_is_bound && self.over_key(filter).is_some()
                    || self.bound_by_id(filter).is_some()
                    || self.listed_ids(filter).is_some()
                    || self.id_patterns(filter).is_some()
                    || ranges::confines(&self.resource, filter) =>
                {
                    TableProviderFilterPushDown::Inexact
                }
                None => TableProviderFilterPushDown::Unsupported,
            });
        }
        Ok(support)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let chosen = projection.unwrap_or(&all);
        let schema = Arc::new(self.schema.project(chosen)?);
        let asked = chosen
            .iter()
            .map(|at| Asked {
                name: self.columns[*at].name.clone(),
                kind: self.columns[*at].kind,
                path: None,
            })
            .collect();
        let mut bindings = self.bindings(filters);
        // A literal that can name nothing is a mistake, also where it would only select among rows.
        for (name, values) in &bindings {
            let parameter = self.resource.parameter(name);
            for value in values {
                parameter
                    .map_or(Ok(()), |parameter| parameter.check(value))
                    .map_err(Error::from)?;
            }
        }
        self.confine(state, &mut bindings);
        self.without_contradictions(state, filters, &mut bindings)?;
        ranges::bind(&self.resource, &mut bindings, filters);
        let scan = Scan {
            number: next_number(),
            resource: Arc::clone(&self.resource),
            bindings,
            prunes: self.pruning(state, filters)?,
            asked,
            schema,
        };
        Ok(Arc::new(ScanExec::new(scan, limit)))
    }
}

/// A table of rows that are at hand.
pub fn at_hand(
    schema: SchemaRef,
    batch: arrow::array::RecordBatch,
) -> PlanResult<Arc<dyn TableProvider>> {
    #[derive(Debug)]
    struct AtHand(SchemaRef, arrow::array::RecordBatch);
    impl PartitionStream for AtHand {
        fn schema(&self) -> &SchemaRef {
            &self.0
        }
        fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
            let batch = futures::stream::once(futures::future::ready(Ok(self.1.clone())));
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0), batch))
        }
    }
    Ok(Arc::new(StreamingTable::try_new(
        Arc::clone(&schema),
        vec![Arc::new(AtHand(schema, batch))],
    )?))
}
