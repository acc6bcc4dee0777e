//! EXPLAIN's own rows: for each scan the method, what binds and prunes it, how many calls it makes as a formula and its value with both
//! bounds, and how much of the service's limits they take. EXPLAIN ANALYZE prints the fact beside. Nothing is sent for it.

mod certain;
pub(crate) mod document;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::common::format::ExplainFormat as PlanFormat;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{ExplainOption, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use futures::stream;
use restable_http::Allotment;
use restable_spec::SINGLE_GETS;
use restable_spec::names::fold;
use restable_sql::{Explain, ExplainFormat};

use self::certain::{Certain, LIMIT, NARROWED};
use crate::Result;
use crate::forecast::{Count, Forecaster, Reading, noun, symbol};
use crate::memory;
use crate::narrowing;
use crate::once::wants::Want;
use crate::outcome::{counted, grouped};
use crate::planning::on_deep_stack;
use crate::prompt::may_stop_early;
use crate::scan::{Scan, ScanExec};
use crate::session::Session;
use crate::statement::{Running, Statement};

/// What a plan will call.
#[derive(Debug, Default)]
pub struct Forecast {
    /// Its scans, in the order of the plan.
    pub scans: Vec<ScanForecast>,
    /// All calls: what several scans share is read once.
    pub calls: Option<Count>,
    /// How much of the service's limits they take, the tightest first.
    pub shares: Vec<Share>,
    /// The parts of the plan, with what each is predicted to call.
    parts: BTreeMap<String, Count>,
}

/// What one scan will call, with the listings of its scopes.
#[derive(Debug, Clone)]
pub struct ScanForecast {
    /// The table.
    pub table: String,
    /// The method: `GET BackupInstances_List`.
    pub method: String,
    /// What the statement binds: `vaultName = bv-x`.
    pub binds: Vec<String>,
    /// What it asks of the scopes beside.
    pub prunes: Vec<String>,
    /// How many calls, as `1 + S + V + pages`.
    pub formula: String,
    /// The same in numbers, where they are known.
    pub value: Option<String>,
    /// What the symbols stand for.
    pub legend: Vec<String>,
    /// The bounds.
    pub calls: Count,
    /// Why they differ.
    pub reasons: Vec<String>,
    /// When the oldest of what is known was read, in seconds since 1970.
    pub oldest: Option<u64>,
    /// The parts of the statement that its calls are counted by: its own, then the listings of its scopes.
    parts: Vec<String>,
}

/// How much of one of the service's limits the calls take.
#[derive(Debug, Clone)]
pub struct Share {
    /// What is limited: `reads of subscription …`.
    pub name: String,
    /// The calls.
    pub calls: Count,
    /// How many go at once: what is left, or what there is after a rest.
    pub at_once: f64,
    /// Whether the service told what is left.
    pub told: bool,
    /// How many more each second.
    pub per_second: f64,
}

/// What a part of a plan will call: a call that several scans need is made once.
#[derive(Default)]
struct PartForecast {
    known: BTreeMap<String, (Count, Option<Allotment>)>,
    others: Option<Count>,
}

impl PartForecast {
    /// Adds what one scan needs of it, `surely` or perhaps.
    fn add(&mut self, reading: &Reading, surely: bool) {
        let bounded = |count: Count| match surely {
            true => count,
            false => Count::between(0, count.most),
        };
        for (name, (calls, allotment)) in &reading.known {
            let calls = bounded(*calls);
            let known = self.known.entry(name.clone());
            let known = known.or_insert_with(|| (calls, allotment.clone()));
            known.0.least = known.0.least.max(calls.least);
        }
        let others = bounded(reading.others());
        self.others = Some(match self.others {
            None => others,
            // They may be the same ones.
            Some(known) => Count {
                least: known.least.max(others.least),
                ..known.and(others)
            },
        });
    }

    /// Adds so many that may come beside.
    fn more(&mut self, most: u64) {
        let others = self.others.unwrap_or(Count::NONE);
        self.others = Some(others.and(Count::between(0, Some(most))));
    }

    fn calls(&self) -> Count {
        let known = self.known.values().map(|(count, _)| *count);
        known.fold(self.others.unwrap_or(Count::NONE), Count::and)
    }
}

/// Whether a part of a plan is known to have no rows.
fn is_empty(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<EmptyExec>() || plan.children().into_iter().any(is_empty)
}

/// The forecast of a plan. Sends nothing.
pub(crate) fn forecast(statement: &Statement, plan: &Arc<dyn ExecutionPlan>) -> Result<Forecast> {
    let mut found = Vec::new();
    // What was read before may be used again, or not any more.
    let cached = statement.cache_ttl().map(|_| "the cache");
    let mut forecaster = Forecaster {
        registry: &statement.registry,
        memory: statement.memory(),
        clients: &statement.clients,
        subscriptions: &statement.subscriptions,
        spellings: &statement.spellings,
        is_alone: scans_of(plan) == 1,
        lists: lists_of(plan),
        listings: HashMap::new(),
        known: HashMap::new(),
        spelled: HashMap::new(),
    };
    Certain::new(&mut forecaster, plan).find(plan, cached, &mut found)?;
    let mut forecast = Forecast::default();
    let alone = found.len() == 1;
    let mut parts: BTreeMap<String, PartForecast> = BTreeMap::new();
    let mut open = false;
    // What a scan that is narrowed may ask in another way than those that share its parts.
    let mut otherwise: Vec<(String, u64)> = Vec::new();
    let mut readers: BTreeMap<String, usize> = BTreeMap::new();
    for found in found {
        let Scan {
            resource,
            bindings,
            prunes,
            ..
        } = &found.scan;
        // What waits may be given names that are asked for without what depends on their spelling.
        let blind = found.waits.then(|| prunes.blind());
        let prunes = blind.as_ref().unwrap_or(prunes);
        let reading = match forecaster.scan(found.part.clone(), resource, bindings, prunes) {
            // Without what it is given it could not be read at all.
            Err(_) if found.waits => {
                forecast.scans.push(unknown(&found.scan, found.part));
                open = true;
                continue;
            }
            reading => reading?,
        };
        let chain = Arc::new(reading).chain();
        for reading in &chain {
            let part = parts.entry(reading.part.clone()).or_default();
            part.add(reading, found.partly.is_none());
            *readers.entry(reading.part.clone()).or_default() += 1;
            if found.waits
                && reading.has_narrower_lists()
                && let Some(most) = reading.lists.most
            {
                otherwise.push((reading.part.clone(), most));
            }
        }
        if found.waits && resource.one_row_reader().is_some() {
            // A few rows are asked for one by one, where the list would have been one call.
            let part = parts.entry(found.part.clone()).or_default();
            part.more(SINGLE_GETS as u64 - 1);
        }
        let least = found.partly.map(|why| match alone && why == LIMIT {
            true => fewest(&chain),
            false => 0,
        });
        let mut scan = describe(&found.scan, &chain, least);
        scan.reasons.extend(found.partly.map(str::to_owned));
        if found.waits && resource.one_row_reader().is_some() {
            scan.calls = scan
                .calls
                .and(Count::between(0, Some(SINGLE_GETS as u64 - 1)));
        }
        forecast.scans.push(scan);
    }
    for (name, most) in otherwise {
        if readers.get(&name).is_some_and(|readers| *readers > 1)
            && let Some(part) = parts.get_mut(&name)
        {
            part.more(most);
        }
    }
    let mut total = Count::NONE;
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for (name, part) in parts {
        let calls = part.calls();
        total = total.and(calls);
        forecast.parts.insert(name, calls);
        for (count, allotment) in part.known.into_values() {
            let Some(allotment) = allotment else { continue };
            let share = shares
                .entry(allotment.name.clone())
                .or_insert_with(|| Share {
                    name: allotment.name,
                    calls: Count::NONE,
                    at_once: allotment.left.unwrap_or(allotment.size),
                    told: allotment.left.is_some(),
                    per_second: allotment.per_second,
                });
            share.calls = share.calls.and(count);
        }
    }
    if open {
        total.most = None;
    }
    if alone && let [scan] = forecast.scans.as_slice() {
        total.least = scan.calls.least;
    }
    // What no row can fulfil was left out of the plan, with its calls.
    let reads = !forecast.scans.is_empty() || is_empty(plan);
    forecast.calls = reads.then_some(total);
    forecast.shares = shares.into_values().collect();
    let weight = |share: &Share| {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let calls = share.calls.most.unwrap_or(share.calls.least) as f64;
        calls / share.at_once.max(1.0)
    };
    forecast
        .shares
        .sort_by(|one, other| weight(other).total_cmp(&weight(one)));
    Ok(forecast)
}

/// Refuses a plan that surely makes more calls than its statement may, before it makes one.
pub(crate) fn allowed(statement: &Statement, plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    let left = statement.left_of_hour();
    if statement.allowance.most().is_none() && left.is_none() {
        return Ok(());
    }
    let forecast = forecast(statement, plan)?;
    let line = forecast.line();
    let Some(calls) = forecast.calls else {
        return Ok(());
    };
    let most = statement.allowance.most().unwrap_or(u64::MAX);
    if calls.least > most {
        return Err(crate::allow::refused(calls, most, &line));
    }
    statement.predict(line);
    match left {
        Some(left) if calls.least > left => Err(statement.over_by(calls.least)),
        _ => Ok(()),
    }
}

/// What is to be explained.
#[derive(Debug)]
pub(crate) struct Explaining {
    /// DataFusion's plan for EXPLAIN.
    pub shown: LogicalPlan,
    /// That of the query.
    pub plan: LogicalPlan,
    pub analyze: bool,
    pub format: ExplainFormat,
}

impl Explaining {
    /// EXPLAIN of a plan, as it was asked for.
    pub(crate) fn new(plan: LogicalPlan, said: &Explain) -> Result<Explaining> {
        let format = match said.format {
            ExplainFormat::Tree => PlanFormat::Tree,
            ExplainFormat::Text | ExplainFormat::Json => PlanFormat::Indent,
        };
        let option = ExplainOption::default()
            .with_verbose(said.verbose)
            .with_analyze(said.analyze)
            .with_format(format);
        let shown = LogicalPlanBuilder::from(plan.clone())
            .explain_option_format(option)?
            .build()?;
        Ok(Explaining {
            shown,
            plan,
            analyze: said.analyze,
            format: said.format,
        })
    }

    /// The columns of its rows.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self.format {
            ExplainFormat::Json => document::schema(),
            ExplainFormat::Text | ExplainFormat::Tree => Arc::clone(self.shown.schema().inner()),
        }
    }
}

/// Runs EXPLAIN: DataFusion's rows, then ours; or one document. With ANALYZE the query is run for it.
pub(crate) async fn run(
    session: &Session,
    statement: Arc<Statement>,
    explaining: Explaining,
) -> Result<(Running, SendableRecordBatchStream)> {
    let running = Running(Arc::clone(&statement));
    let mut state = session.shared().ground.state();
    state.config_mut().set_extension(Arc::clone(&statement));
    state.mark_start_execution();
    let schema = explaining.schema();
    let Explaining {
        shown,
        plan,
        analyze,
        format,
    } = explaining;
    let document = format == ExplainFormat::Json;
    let physical = match document {
        true => None,
        false => Some(on_deep_stack(async { state.create_physical_plan(&shown).await }).await??),
    };
    // ANALYZE has the plan that it runs below it; EXPLAIN has its text only.
    let explained = match &physical {
        Some(physical) if analyze => Arc::clone(physical),
        _ => on_deep_stack(async { state.create_physical_plan(&plan).await }).await??,
    };
    narrowing::check(&explained)?;
    let forecast = forecast(&statement, &explained)?;
    if analyze {
        if may_stop_early(&explained) {
            statement.sample();
        } else {
            statement.read_ahead();
        }
        allowed(&statement, &explained)?;
    }
    let Some(physical) = physical else {
        let logical = on_deep_stack(async { state.optimize(&plan) }).await??;
        let logical = logical.display_indent().to_string();
        let task = state.task_ctx();
        let one = stream::once(async move {
            let began = Instant::now();
            if analyze {
                let mut rows = execute_stream(Arc::clone(&explained), task)?;
                while let Some(batch) = rows.next().await {
                    batch?;
                }
            }
            let ran = analyze.then(|| (&*statement, began.elapsed().as_secs_f64()));
            let row = document::of_query(&document::Told {
                logical,
                physical: &explained,
                forecast: &forecast,
                ran,
            })?;
            Ok::<RecordBatch, DataFusionError>(row)
        });
        let rows = RecordBatchStreamAdapter::new(schema, one);
        return Ok((running, Box::pin(rows)));
    };
    let first = execute_stream(physical, state.task_ctx())?;
    let headed = Arc::clone(&schema);
    let ours = stream::once(async move {
        let ran = analyze.then_some(&*statement);
        let rows = forecast.rows(ran)?;
        let rows = RecordBatch::try_new(headed, rows.columns().to_vec())?;
        Ok::<RecordBatch, DataFusionError>(rows)
    });
    let rows = RecordBatchStreamAdapter::new(schema, first.chain(ours));
    Ok((running, Box::pin(rows)))
}

/// The fewest calls of a walk that may stop early: one of each kind, as long as there surely is one.
fn fewest(chain: &[Arc<Reading>]) -> u64 {
    chain
        .iter()
        .take_while(|reading| reading.lists.least > 0)
        .count() as u64
}

/// The lists that a plan surely reads, from which others take what they want.
fn lists_of(plan: &Arc<dyn ExecutionPlan>) -> Vec<Want> {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return scan.lists().to_vec();
    }
    let mut inputs = plan.children().into_iter().map(lists_of);
    inputs.find(|lists| !lists.is_empty()).unwrap_or_default()
}

fn scans_of(plan: &Arc<dyn ExecutionPlan>) -> usize {
    match plan.is::<ScanExec>() {
        true => 1,
        false => plan.children().into_iter().map(scans_of).sum(),
    }
}

/// A scan that only what it is given makes readable: how much that is, nobody knows before.
fn unknown(scan: &Scan, part: String) -> ScanForecast {
    ScanForecast {
        table: scan.resource.full_name(),
        method: "the method that takes what it is given".to_owned(),
        binds: Vec::new(),
        prunes: Vec::new(),
        formula: "N".to_owned(),
        value: None,
        legend: vec!["N: what it is given".to_owned()],
        calls: Count::between(0, None),
        reasons: vec![NARROWED.to_owned()],
        oldest: None,
        parts: vec![part],
    }
}

fn describe(scan: &Scan, chain: &[Arc<Reading>], least: Option<u64>) -> ScanForecast {
    let mut formula: Vec<String> = Vec::new();
    let mut value: Vec<String> = Vec::new();
    let mut legend = Vec::new();
    let mut calls = Count::NONE;
    let mut further = Count::NONE;
    let mut reasons: BTreeSet<String> = BTreeSet::new();
    let mut oldest: Option<u64> = None;
    for (at, reading) in chain.iter().enumerate() {
        calls = calls.and(reading.calls());
        further = further.and(reading.further);
        reasons.extend(reading.reasons.iter().cloned());
        oldest = [oldest, reading.oldest].into_iter().flatten().min();
        value.push(number(reading.lists));
        match at.checked_sub(1).and_then(|above| chain.get(above)) {
            None => formula.push(number(reading.lists)),
            Some(above) => {
                let symbol = symbol(&above.resource);
                let taken = formula.iter().any(|known| known.starts_with(symbol));
                let symbol = if taken {
                    format!("{symbol}{at}")
                } else {
                    symbol.to_string()
                };
                let noun = noun(&above.resource);
                legend.push(match reading.lists {
                    Count {
                        least: 0,
                        most: None,
                    } => format!("{symbol}: {noun}"),
                    Count {
                        least,
                        most: Some(most),
                    } if least == most => {
                        format!("{symbol} = {}", counted(least, noun.trim_end_matches('s')))
                    }
                    count => format!("{symbol} = {} {noun}", number(count)),
                });
                formula.push(symbol);
            }
        }
    }
    if chain.iter().any(|reading| reading.is_paged()) {
        formula.push("pages".to_owned());
        value.push(number(further));
    }
    if let Some(least) = least {
        calls.least = calls.least.min(least);
    }
    let known = chain
        .last()
        .is_some_and(|reading| reading.lists.most.is_some());
    let last = chain.last();
    let method = last.map_or_else(String::new, |reading| {
        format!("{} {}", reading.method.http, reading.method.operation_id)
    });
    let shown = |name: &String| {
        let parameter = scan.resource.parameter(name);
        parameter.map_or_else(|| name.clone(), |parameter| parameter.name.clone())
    };
    let binds = scan.bindings.iter().map(|(name, values)| {
        let name = shown(name);
        match values.as_slice() {
            [] => format!("{name} is a contradiction"),
            [value] => format!("{name} = {value}"),
            [first, second, third] => format!("{name} in ({first}, {second}, {third})"),
            [first, second] => format!("{name} in ({first}, {second})"),
            [first, ..] => format!("{name} in ({first}, … {} values)", values.len()),
        }
    });
    ScanForecast {
        table: scan.resource.full_name(),
        method,
        binds: binds.collect(),
        prunes: scan
            .prunes
            .shown(|name| shown(&fold(name)))
            .into_iter()
            // What binds is shown as that.
            .filter(|text| !text.starts_with("arm_equal(") && !text.starts_with("arm_in("))
            .collect(),
        formula: formula.join(" + "),
        value: known.then(|| value.join(" + ")),
        legend,
        calls,
        reasons: reasons.into_iter().collect(),
        oldest,
        parts: chain
            .iter()
            .rev()
            .map(|reading| reading.part.clone())
            .collect(),
    }
}

/// A count as it is printed: `12`, `12 to 15`, `at least 12`.
fn number(count: Count) -> String {
    match count {
        Count {
            least: 0,
            most: None,
        } => "?".to_owned(),
        Count { least, most: None } => format!("at least {}", grouped(least)),
        Count {
            least,
            most: Some(most),
        } if least == most => grouped(least),
        Count {
            least,
            most: Some(most),
        } => format!("({} to {})", grouped(least), grouped(most)),
    }
}

impl ScanForecast {
    /// In a few lines.
    fn text(&self, now: u64, fact: Option<(u64, Count)>) -> String {
        let mut text = format!("{}: {}", self.table, self.method);
        for (word, list) in [("binds", &self.binds), ("prunes", &self.prunes)] {
            if !list.is_empty() {
                let _ = write!(text, "\n  {word}: {}", list.join(", "));
            }
        }
        let _ = write!(text, "\n  calls: {}", self.formula);
        if let Some(value) = &self.value
            && *value != self.formula
        {
            let _ = write!(text, " = {value}");
        }
        if self.calls.is_exact() && self.formula != number(self.calls) {
            let _ = write!(text, " = {}", number(self.calls));
        }
        if !self.legend.is_empty() {
            let _ = write!(text, "; {}", self.legend.join(", "));
        }
        if let Some(oldest) = self.oldest {
            let _ = write!(text, "; as of {} ago", age(now.saturating_sub(oldest)));
        }
        let _ = write!(text, "\n  bounds: {}", bounds(self.calls));
        if !self.calls.is_exact() && !self.reasons.is_empty() {
            let _ = write!(text, "; they differ by {}", self.reasons.join(", "));
        }
        if let Some((fact, predicted)) = fact {
            let _ = write!(text, "\n  fact: {}", told(predicted, fact));
        }
        text
    }
}

/// `12`, `1 to 12`, `at least 1`.
fn bounds(count: Count) -> String {
    match count {
        Count { least, most: None } => format!("at least {}", grouped(least)),
        Count {
            least,
            most: Some(most),
        } if least == most => grouped(least),
        Count {
            least,
            most: Some(most),
        } => format!("{} to {}", grouped(least), grouped(most)),
    }
}

fn told(count: Count, fact: u64) -> String {
    let verdict = if count.holds(fact) {
        "as predicted"
    } else if fact < count.least {
        "fewer than predicted: the estate is not what it was"
    } else {
        "more than predicted: the estate is not what it was"
    };
    format!("{}, {verdict}", counted(fact, "call"))
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

impl Share {
    fn text(&self) -> String {
        let most = self.calls.most.unwrap_or(self.calls.least);
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let calls = most as f64;
        let what = if self.told {
            "that are left"
        } else {
            "that go at once"
        };
        let mut text = format!(
            "{} of {:.0} {} {what} ({:.0} %)",
            bounds(self.calls),
            self.at_once,
            self.name,
            100.0 * calls / self.at_once.max(1.0)
        );
        let over = calls - self.at_once;
        if over > 0.0 {
            let _ = write!(
                text,
                "; {:.0} a second after that, {:.0} s in all",
                self.per_second,
                (over / self.per_second).ceil()
            );
        }
        text
    }
}

impl Forecast {
    /// All of it in one line, for an error.
    pub(crate) fn line(&self) -> String {
        let now = memory::now();
        let scans = self.scans.iter().map(|scan| {
            let mut text = format!("{}: {}", scan.table, scan.formula);
            if let Some(value) = &scan.value
                && *value != scan.formula
            {
                let _ = write!(text, " = {value}");
            }
            if let Some(oldest) = scan.oldest {
                let _ = write!(text, ", as of {} ago", age(now.saturating_sub(oldest)));
            }
            text
        });
        scans.collect::<Vec<_>>().join("; ")
    }

    /// The rows that EXPLAIN adds; with the statement that has run, those of EXPLAIN ANALYZE.
    pub(crate) fn rows(&self, ran: Option<&Statement>) -> Result<RecordBatch> {
        let now = memory::now();
        let mut rows: Vec<(&str, String)> = Vec::new();
        let mut told_of: BTreeSet<&str> = BTreeSet::new();
        for scan in &self.scans {
            let fact = ran.map(|ran| {
                let parts = scan.parts.iter();
                parts.map(|part| ran.part(part).totals().calls).sum()
            });
            let own = scan.parts.first();
            let with_others = self.scans.iter().filter(|other| {
                let mut parts = other.parts.iter();
                parts.any(|part| Some(part) == own)
            });
            let shares = with_others.count() > 1;
            let predicted = match shares {
                true => {
                    let parts = scan.parts.iter().filter_map(|part| self.parts.get(part));
                    parts.fold(Count::NONE, |sum, count| sum.and(*count))
                }
                false => scan.calls,
            };
            let mut text = scan.text(now, fact.map(|fact| (fact, predicted)));
            if shares {
                text.push_str("\n  another part of the plan reads the same: each call is made once, and the fact is that of both");
            } else if scan.parts.iter().any(|part| told_of.contains(&**part)) {
                text.push_str("\n  its scopes are those of a scan above, and are listed once");
            }
            told_of.extend(scan.parts.iter().map(String::as_str));
            rows.push(("calls", text));
        }
        if let Some(calls) = self.calls {
            let mut text = bounds(calls);
            let reasons = self.scans.iter().flat_map(|scan| &scan.reasons);
            let mut reasons: BTreeSet<&str> = reasons.map(String::as_str).collect();
            if reasons.is_empty() {
                reasons.insert("what parts of the plan have in common");
            }
            if !calls.is_exact() && self.scans.len() > 1 {
                let reasons: Vec<&str> = reasons.into_iter().collect();
                let _ = write!(text, "; they differ by {}", reasons.join(", "));
            }
            if let Some(ran) = ran {
                let _ = write!(text, "\n  fact: {}", told(calls, ran.meter.totals().calls));
            }
            rows.push(("calls in all", text));
        }
        if let Some(share) = self.shares.first() {
            let mut text = share.text();
            let others = self.shares.len() - 1;
            if others > 0 {
                let _ = write!(text, "\n  the largest share of {} limits", others + 1);
            }
            rows.push(("limits", text));
        }
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let schema = Schema::new(vec![text("plan_type"), text("plan")]);
        let kinds: StringArray = rows.iter().map(|(kind, _)| Some(*kind)).collect();
        let plans: StringArray = rows.iter().map(|(_, plan)| Some(plan.as_str())).collect();
        Ok(RecordBatch::try_new(
            Arc::new(schema),
            vec![Arc::new(kinds), Arc::new(plans)],
        )?)
    }

    /// The parts whose facts are not what was predicted.
    pub fn surprises(&self, ran: &Statement) -> Vec<String> {
        let parts = self.parts.iter().filter_map(|(part, count)| {
            let fact = ran.part(part).totals().calls;
            (!count.holds(fact)).then(|| format!("{part}: {}", told(*count, fact)))
        });
        parts.collect()
    }
}
