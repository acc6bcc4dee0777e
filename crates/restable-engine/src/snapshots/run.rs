//! CREATE MATERIALIZED VIEW, CREATE TABLE AS, REFRESH and DROP of what is kept in the data directory.
//!
//! A materialized view is planned in a session of its own that has nothing but what is kept with it (`USE`, search path,
//! subscriptions, time zone): so that it means the same when somebody else refreshes it, and reads nothing that only this session has.
//! A table is read once, in the session that makes it.

use std::sync::Arc;
use std::time::Instant;

use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::sqlparser::ast;
use restable_sql::{Diagnostic, Parsed, Statement as Sql};

use super::depends;
use super::estate;
use super::fill::{Source, fill};
use super::list::nowhere;
use super::manifest::{Context, FORMAT, Failed, Kind, Manifest};
use super::name;
use super::store::{Store, Writer};
use crate::acting::Access;
use crate::catalog::Current;
use crate::door::Door;
use crate::outcome::{Outcome, Report};
use crate::parameters::Given;
use crate::session::Session;
use crate::settings::Origin;
use crate::shared::unique_columns;
use crate::statement::Statement;
use crate::{Error, Result, own_views, zone};

/// A statement about what is kept.
#[derive(Debug)]
pub(crate) enum Keeping {
    /// CREATE.
    Create(Box<Create>),
    /// REFRESH MATERIALIZED VIEW.
    Refresh(String),
    /// DROP, of those that there are.
    Drop {
        kind: Kind,
        /// Those that there are, and those that read them.
        names: Vec<String>,
        if_exists: bool,
        /// Those that there are not.
        skipped: Vec<String>,
        /// Views of the session that read them.
        views: Vec<String>,
    },
}

/// CREATE MATERIALIZED VIEW, or CREATE TABLE AS.
#[derive(Debug)]
pub(crate) struct Create {
    name: String,
    kind: Kind,
    statement: String,
    query: String,
    or_replace: bool,
    if_not_exists: bool,
    context: Context,
    /// The session that reads, if it is not the one that creates.
    apart: Option<Box<Session>>,
    plan: LogicalPlan,
}

impl Keeping {
    /// What is named and not there, where that is no error.
    pub(crate) fn skipped(&self) -> &[String] {
        match self {
            Keeping::Drop { skipped, .. } => skipped,
            Keeping::Create(_) | Keeping::Refresh(_) => &[],
        }
    }

    /// Whether nothing is done at all.
    fn is_nothing(&self) -> bool {
        matches!(self, Keeping::Drop { names, .. } if names.is_empty())
    }

    /// What is done, to what, and whether something is lost by it.
    pub(super) fn about(&self) -> (String, Vec<&str>, bool) {
        match self {
            Keeping::Create(create) => {
                let action = format!("CREATE {}", create.kind.words().to_uppercase());
                (action, vec![&create.name], create.or_replace)
            }
            Keeping::Refresh(name) => ("REFRESH MATERIALIZED VIEW".to_owned(), vec![name], false),
            Keeping::Drop { kind, names, .. } => {
                let action = format!("DROP {}", kind.words().to_uppercase());
                (action, names.iter().map(String::as_str).collect(), true)
            }
        }
    }
}

impl Session {
    /// What a statement asks of the data directory; `None` if it is about something else.
    pub(crate) async fn keeping(
        &self,
        parsed: &Parsed,
        statement: &Sql,
        given: &Given,
    ) -> Result<Option<Keeping>> {
        let statement = match statement {
            Sql::Refresh(refresh) => {
                let name = self.existing(&refresh.name, Kind::MaterializedView);
                let name = name.map_err(|problem| at(problem, refresh.name_span))?;
                self.may_write("REFRESH MATERIALIZED VIEW", None)?;
                return Ok(Some(Keeping::Refresh(name)));
            }
            Sql::Query(statement) => &**statement,
            _ => return Ok(None),
        };
        match statement {
            ast::Statement::CreateView(view) if view.materialized => {
                self.store()?;
                self.may_write("CREATE MATERIALIZED VIEW", None)?;
                self.view(parsed, given, view).await.map(Some)
            }
            ast::Statement::CreateView(view) => {
                self.is_free(&view.name, "view")?;
                Ok(None)
            }
            ast::Statement::CreateTable(table)
                if name::of(&self.shared().without_database(&table.name)).is_none() =>
            {
                let told = format!(
                    "`{}` cannot be created: schemas of providers hold their tables only",
                    table.name
                );
                let help = "a table without a schema is created in `public`";
                Err(Diagnostic::new("R0331", told).help(help).into())
            }
            ast::Statement::CreateTable(table) if table.temporary || table.query.is_none() => {
                self.is_free(&table.name, "table of the session")?;
                Ok(None)
            }
            ast::Statement::CreateTable(table) if self.has_store() => {
                self.may_write(
                    "CREATE TABLE",
                    Some("`CREATE TEMP TABLE … AS` keeps rows for as long as the session lives"),
                )?;
                self.table(parsed, given, table).await.map(Some)
            }
            ast::Statement::Drop {
                object_type,
                names,
                if_exists,
                cascade,
                purge,
                ..
            } => {
                if *purge {
                    let told = "PURGE is not supported: what is dropped is gone";
                    return Err(Diagnostic::new("R0308", told).into());
                }
                self.drop_of(*object_type, names, (*if_exists, *cascade))
            }
            _ => Ok(None),
        }
    }

    fn has_store(&self) -> bool {
        self.shared().own.store().is_some()
    }

    fn store(&self) -> Result<Arc<Store>> {
        self.shared().own.store().cloned().ok_or_else(nowhere)
    }

    /// Files are written for sessions that may change something, through whichever door they came.
    fn may_write(&self, what: &str, help: Option<&str>) -> Result<()> {
        if self.access() != Access::ReadOnly {
            return Ok(());
        }
        let problem = format!("this session only reads, and {what} writes to the data directory");
        let told = Diagnostic::new("R0320", problem);
        Err(match help {
            Some(help) => told.help(help).into(),
            None => told.into(),
        })
    }

    /// An error if the name that the session is to use is one of what is kept.
    fn is_free(&self, name: &ast::ObjectName, what: &str) -> Result<()> {
        let name = self.shared().without_database(name);
        let (Some(store), Some(name)) = (self.shared().own.store(), name::of(&name)) else {
            return Ok(());
        };
        if self.shared().own.is_of_session(&name) {
            return Ok(());
        }
        match store.load(&name)? {
            Some(known) => Err(exists(&known, &format!("a {what} would hide it"))),
            None => Ok(()),
        }
    }

    /// The name of what is to be kept, which hides nothing of a provider.
    fn free_name(&self, written: &ast::ObjectName) -> Result<String> {
        let name = name::checked(&self.shared().without_database(written))?;
        match self.shared().of_provider(&name)? {
            Some(known) => {
                let told = format!("`{name}` is `{known}` here, and can be nothing else");
                let help = "another name tells the two apart";
                Err(Diagnostic::new("R0341", told).help(help).into())
            }
            None => Ok(name),
        }
    }

    /// The name of something of this kind that there is.
    fn existing(&self, written: &ast::ObjectName, kind: Kind) -> Result<String> {
        let store = self.store()?;
        let name = name::of(&self.shared().without_database(written));
        let name = name.unwrap_or_else(|| written.to_string());
        let known = match self.shared().own.is_of_session(&name) {
            true => None,
            false => store.load(&name)?,
        };
        match known {
            Some(known) if known.kind == kind => Ok(name),
            Some(known) => Err(mismatch(&known, kind)),
            None => Err(Error::unknown(
                kind.words(),
                &name,
                &store.names()?,
                "SELECT * FROM information_schema.restable_snapshots",
            )),
        }
    }

    async fn view(
        &self,
        parsed: &Parsed,
        given: &Given,
        view: &ast::CreateView,
    ) -> Result<Keeping> {
        let name = self.free_name(&view.name)?;
        let statement = bound_text(parsed, given);
        let context = self.context();
        let apart = apart(self, &context)?;
        let (plan, query) = match planned(&apart, &statement).await {
            Ok(planned) => planned,
            Err(problem) => return Err(self.of_session_only(problem)),
        };
        unique_columns(&plan)?;
        Ok(Keeping::Create(Box::new(Create {
            name,
            kind: Kind::MaterializedView,
            statement,
            query,
            or_replace: view.or_replace,
            if_not_exists: view.if_not_exists,
            context,
            apart: Some(Box::new(apart)),
            plan,
        })))
    }

    async fn table(
        &self,
        parsed: &Parsed,
        given: &Given,
        table: &ast::CreateTable,
    ) -> Result<Keeping> {
        let name = self.free_name(&table.name)?;
        let statement = bound_text(parsed, given);
        let query = table.query.as_ref().map(ToString::to_string);
        let mut plain = table.clone();
        (plain.or_replace, plain.if_not_exists) = (false, false);
        let plan = self.plan(ast::Statement::CreateTable(plain), given).await?;
        let plan = input(plan.into_plan()?)?;
        unique_columns(&plan)?;
        Ok(Keeping::Create(Box::new(Create {
            name,
            kind: Kind::Table,
            statement,
            query: query.unwrap_or_default(),
            or_replace: table.or_replace,
            if_not_exists: table.if_not_exists,
            context: self.context(),
            apart: None,
            plan,
        })))
    }

    /// DROP of what is kept. What the session created is dropped by the planner, and goes first where both have the name.
    fn drop_of(
        &self,
        object: ast::ObjectType,
        names: &[ast::ObjectName],
        (if_exists, cascade): (bool, bool),
    ) -> Result<Option<Keeping>> {
        let own = &self.shared().own;
        let known = |name: &ast::ObjectName| -> Result<Option<Arc<Manifest>>> {
            match (name::of(&self.shared().without_database(name)), own.store()) {
                (Some(name), Some(store)) if !own.is_of_session(&name) => store.load(&name),
                _ => Ok(None),
            }
        };
        let wanted = match object {
            ast::ObjectType::MaterializedView => Kind::MaterializedView,
            ast::ObjectType::Table => Kind::Table,
            ast::ObjectType::View => {
                for name in names {
                    if let Some(known) = known(name)? {
                        let told = format!("`{}` is a {}", known.name, known.kind.words());
                        let help = format!("DROP {} removes it", known.kind.words().to_uppercase());
                        return Err(Diagnostic::new("R0349", told).help(help).into());
                    }
                }
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let is_view = wanted == Kind::MaterializedView;
        let (mut found, mut skipped) = (Vec::new(), Vec::new());
        for name in names {
            let plain = name::of(&self.shared().without_database(name)).unwrap_or_default();
            match known(name) {
                Ok(Some(known)) if known.kind == wanted => found.push(plain),
                Ok(Some(known)) => return Err(mismatch(&known, wanted)),
                Ok(None) if is_view && !if_exists => {
                    return Err(self.existing(name, wanted).err().unwrap_or_else(nowhere));
                }
                Ok(None) => skipped.push(plain),
                // Of what is damaged nobody knows what it was: it is what it is called.
                Err(problem) if is_damaged(&problem) => found.push(plain),
                Err(problem) => return Err(problem),
            }
        }
        if !is_view && found.len() < names.len() {
            let of_session = skipped.iter().any(|name| own.is_of_session(name));
            if !found.is_empty() && (of_session || !if_exists) {
                let told = "tables of the session and of the data directory are dropped by statements of their own";
                return Err(Diagnostic::new("R0349", told).into());
            }
            if found.is_empty() {
                return Ok(None);
            }
        }
        self.may_write("DROP", None)?;
        let others = match own.store() {
            Some(store) => depends::dependents(store, &found)?,
            None => Vec::new(),
        };
        let base = found.clone();
        found.extend(others);
        let views = own_views::readers(self.shared(), &found);
        if !cascade && (found.len() > base.len() || !views.is_empty()) {
            let mut by = found.split_off(base.len());
            by.extend(views);
            return Err(depends::in_use(&base, &by));
        }
        Ok(Some(Keeping::Drop {
            kind: wanted,
            names: found,
            if_exists,
            skipped,
            views,
        }))
    }

    fn context(&self) -> Context {
        let (current, settings) = (self.current(), self.settings());
        let config = self.shared().ground.config();
        let zone = zone::zone_name(config.options());
        Context {
            provider: current.provider,
            service: current.service,
            search_path: self.shared().search_path(),
            default_subscription: settings.default_subscription.clone(),
            subscriptions: settings.subscriptions.clone(),
            time_zone: (zone != "UTC").then(|| zone.to_owned()),
        }
    }

    /// A table that cannot be found may be one that only this session has.
    fn of_session_only(&self, problem: Error) -> Error {
        let told = problem.diagnostic();
        let names = self.shared().own.session_names();
        let named = names
            .iter()
            .find(|name| told.code == "R0202" && told.message.ends_with(&format!("`{name}`")));
        match named {
            Some(name) => {
                let message = format!("`{name}` exists in this session only");
                let help = "a materialized view is refreshed by other sessions: it reads providers' tables and what is in the data directory";
                problem.told_as(Diagnostic {
                    message,
                    help: Some(help.to_owned()),
                    ..told
                })
            }
            None => problem,
        }
    }

    /// The names of all materialized views, in an order in which they can be refreshed.
    pub fn materialized_views(&self) -> Result<Vec<String>> {
        match self.shared().own.store() {
            Some(store) => super::depends::in_order(store),
            None => Ok(Vec::new()),
        }
    }

    /// Does what a statement asks of the data directory.
    pub(crate) async fn run_keeping(
        &self,
        keeping: Keeping,
        sql: &str,
        (started, whole): (Instant, &Statement),
    ) -> Result<Outcome> {
        if self.access() == Access::Preview {
            return Ok(previewed(&keeping));
        }
        let audited = match keeping.is_nothing() {
            true => None,
            false => self.audit_keeping(&keeping, sql)?,
        };
        let outcome = self.do_keeping(keeping, started, whole).await;
        if let Some(audited) = audited {
            audited.end(outcome.as_ref().err());
        }
        outcome
    }

    async fn do_keeping(
        &self,
        keeping: Keeping,
        started: Instant,
        whole: &Statement,
    ) -> Result<Outcome> {
        match keeping {
            Keeping::Create(create) => Box::pin(self.create(*create, started, whole)).await,
            Keeping::Refresh(name) => Box::pin(self.refresh(&name, started, whole)).await,
            Keeping::Drop {
                kind,
                names,
                if_exists,
                views,
                ..
            } => {
                let dropped = self.drop_all(kind, &names, if_exists)?;
                for view in &views {
                    self.shared().own.put(view, None)?;
                }
                Ok(dropped)
            }
        }
    }

    /// The right to write a snapshot: nobody gets it past this place.
    fn writer(&self, name: &str) -> Result<Writer> {
        self.may_write("the statement", None)?;
        if self.access() == Access::Preview {
            return Err(Error::internal("a preview would have changed a snapshot"));
        }
        self.store()?.writer(name)
    }

    async fn create(&self, create: Create, started: Instant, whole: &Statement) -> Result<Outcome> {
        let words = create.kind.words();
        let own = &self.shared().own;
        if own.is_of_session(&create.name) {
            let told = format!(
                "the session has a table `{}`, which would hide it",
                create.name
            );
            return Err(Diagnostic::new("R0341", told).into());
        }
        let writer = self.writer(&create.name)?;
        let known = match writer.load() {
            Err(problem) if is_damaged(&problem) && create.or_replace => None,
            known => known?,
        };
        if let Some(known) = &known {
            if known.kind != create.kind {
                return Err(exists(known, "drop it first"));
            }
            if create.if_not_exists {
                let message = format!("{words} `{}` exists", create.name);
                let told = self.begin_statement();
                told.note_notice(format!("{message}: it stays what it is"));
                let report = Report::of(&told, 0, started);
                let report = self.postgres().is_some().then_some(report);
                return Ok(Outcome::Done { message, report });
            }
            if !create.or_replace {
                let verb = words.to_uppercase();
                let help =
                    format!("`CREATE OR REPLACE {verb}` makes it anew, without what it was before");
                return Err(exists(known, &help));
            }
        }
        let estates = match create.apart.as_deref() {
            Some(apart) => estate::estates(apart, &create.plan).await?,
            None => estate::estates(self, &create.plan).await?,
        };
        let reads = depends::reads(&create.plan)?;
        let settings = self.settings();
        let reading = create.apart.as_deref().unwrap_or(self);
        let source = Source {
            session: reading,
            plan: create.plan,
            running: self.begin_with(&reading.settings(), whole),
            keeps_partial: settings.partial_refresh,
        };
        let filled = fill(&writer, source, &create.statement, None).await;
        self.take_last(create.apart.as_deref());
        let (refresh, report) = match filled {
            Ok(filled) => filled,
            Err(problem) => {
                writer.clear();
                let note = match writer.load() {
                    Ok(Some(_)) => format!("`{}` stays what it was", create.name),
                    _ => format!("`{}` was not created", create.name),
                };
                return Err(noted(problem, note));
            }
        };
        let rows = refresh.rows;
        let mut manifest = Manifest {
            format: FORMAT,
            name: create.name,
            kind: create.kind,
            statement: create.statement,
            query: create.query,
            created: refresh.at,
            context: create.context,
            estates,
            reads,
            refreshes: vec![refresh],
            retired: Vec::new(),
            last_failure: None,
        };
        if let Some(known) = known {
            manifest.retired = known.retired.clone();
            let files = known.refreshes.iter().map(|one| one.file.clone());
            manifest.retire(files, manifest.created);
        }
        writer.commit(&manifest)?;
        Ok(done(
            format!("{words} `{}` created: {}", manifest.name, counted(rows)),
            report,
        ))
    }

    async fn refresh(&self, name: &str, started: Instant, whole: &Statement) -> Result<Outcome> {
        let writer = self.writer(name)?;
        let Some(known) = writer.load()? else {
            return Err(Error::unknown(
                "materialized view",
                name,
                &[],
                "SHOW MATERIALIZED VIEWS",
            ));
        };
        let mut manifest = Manifest::clone(&known);
        let settings = self.settings();
        let apart = apart(self, &manifest.context)?;
        let mut underway = Underway {
            writer: &writer,
            manifest: Some(manifest.clone()),
        };
        let filled = async {
            let (plan, _) = planned(&apart, &manifest.statement).await?;
            let estates = estate::estates(&apart, &plan).await?;
            estate::check(&known, &estates)?;
            let reads = depends::reads(&plan)?;
            let source = Source {
                session: &apart,
                plan,
                running: self.begin_with(&apart.settings(), whole),
                keeps_partial: settings.partial_refresh,
            };
            let filled = fill(&writer, source, &manifest.statement, known.newest()).await?;
            Ok::<_, Error>((filled, estates, reads))
        };
        let filled = filled.await;
        underway.manifest = None;
        self.take_last(Some(&apart));
        match filled {
            Ok(((refresh, mut report), estates, reads)) => {
                manifest.reads = reads;
                let rows = refresh.rows;
                manifest.estates = estates;
                manifest.push(refresh, settings.keep_refreshes);
                writer.commit(&manifest)?;
                report.elapsed = started.elapsed();
                let message = format!("materialized view `{name}` refreshed: {}", counted(rows));
                Ok(done(message, report))
            }
            Err(problem) => {
                let told = problem.diagnostic();
                // A session of another estate has no part in this one: nothing of it is noted.
                if told.code != estate::OTHER_ESTATE {
                    manifest.last_failure = Some(Failed {
                        at: writer.store().now(),
                        code: told.code.to_owned(),
                        message: told.message,
                    });
                    // The failure is what has to be told; where it cannot be noted, it is told all the same.
                    let _ = writer.commit(&manifest);
                }
                let note = manifest.newest().map(|newest| {
                    format!(
                        "`{name}` keeps its {} of {}",
                        counted(newest.rows),
                        newest.at.shown()
                    )
                });
                Err(noted(problem, note.unwrap_or_default()))
            }
        }
    }

    fn drop_all(&self, kind: Kind, names: &[String], if_exists: bool) -> Result<Outcome> {
        for name in names {
            self.writer(name)?.remove()?;
        }
        let words = kind.words();
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = match names.as_slice() {
            [] if if_exists => format!("no such {words}"),
            [] => "nothing dropped".to_owned(),
            names => format!(
                "{words} {} dropped, with all its refreshes",
                names.join(", ")
            ),
        };
        Ok(Outcome::Done {
            message,
            report: None,
        })
    }

    /// What SHOW CALLS and SHOW WARNINGS tell is of the session that read.
    fn take_last(&self, apart: Option<&Session>) {
        if let Some(statement) = apart.and_then(Session::last_statement) {
            *crate::statement::lock(&self.last) = Some(statement);
        }
    }
}

/// A refresh that is being read. When it is given up before its end, it leaves word of that: its client cancelled it or is gone, its time
/// was up, or the process ends.
struct Underway<'w> {
    writer: &'w Writer,
    /// What there was before; `None`: the refresh has come to an end.
    manifest: Option<Manifest>,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let Some(mut manifest) = self.manifest.take() else {
            return;
        };
        manifest.last_failure = Some(Failed {
            at: self.writer.store().now(),
            code: "R0602".to_owned(),
            message: "the refresh was stopped before its end".to_owned(),
        });
        // Nobody is there to be told where it cannot be noted.
        let _ = self.writer.commit(&manifest);
    }
}

/// What a statement would do.
fn previewed(keeping: &Keeping) -> Outcome {
    let of_all = |words: &str, names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("{words} {}", names.join(", "))
    };
    let would = match keeping {
        Keeping::Create(create) => {
            let (words, name) = (create.kind.words(), &create.name);
            format!("{words} `{name}` would be created, or filled anew")
        }
        Keeping::Refresh(name) => format!("materialized view `{name}` would be refreshed"),
        Keeping::Drop { names, .. } if names.is_empty() => "nothing would be dropped".to_owned(),
        Keeping::Drop { kind, names, .. } => {
            let all = of_all(kind.words(), names);
            format!("{all} would be dropped, with all its refreshes")
        }
    };
    Outcome::Done {
        message: format!("{would}; this is a preview, nothing was read or changed"),
        report: None,
    }
}

/// The session that a materialized view is read in: this one's settings, and of what a statement means that which is kept.
fn apart(session: &Session, context: &Context) -> Result<Session> {
    let mut settings = (*session.settings()).clone();
    let texts = [
        (
            "default_subscription",
            context.default_subscription.clone().unwrap_or_default(),
        ),
        ("subscriptions", context.subscriptions.join(",")),
        // A refresh is of what is there now.
        ("cache_ttl", "0".to_owned()),
    ];
    for (name, value) in texts {
        settings.set(name, &value, Origin::Statement)?;
    }
    let door = Door {
        access: Access::ReadOnly,
        reach: session.reach,
        memory: session.memory.clone(),
        ..Door::default()
    };
    let apart = session.engine().session_of(settings, door)?;
    apart.set_current(Current {
        provider: context.provider.clone(),
        service: context.service.clone(),
    });
    apart
        .shared()
        .set_search_path(&context.search_path.join(","));
    let ground = &apart.shared().ground;
    ground.configure(|config| zone::set_zone(config, context.zone()));
    Ok(apart)
}

/// The plan of a materialized view, and its query, from the text that is kept.
async fn planned(apart: &Session, statement: &str) -> Result<(LogicalPlan, String)> {
    let mut parsed = restable_sql::parse(statement)?;
    let Some(Sql::Query(query)) = parsed.pop().map(|parsed| parsed.statement) else {
        return Err(Error::internal(
            "what is kept is no CREATE MATERIALIZED VIEW",
        ));
    };
    let ast::Statement::CreateView(mut view) = *query else {
        return Err(Error::internal(
            "what is kept is no CREATE MATERIALIZED VIEW",
        ));
    };
    let query = written(statement, &view.query);
    view.materialized = false;
    view.or_replace = false;
    view.if_not_exists = false;
    let given = Given::default();
    let planning = apart.plan(ast::Statement::CreateView(view), &given);
    // The plan is made where the refresh runs, which may be no deep stack.
    let prepared = crate::planning::on_deep_stack(planning).await??;
    Ok((input(prepared.into_plan()?)?, query))
}

/// The query as it is written; as it is understood, where its place is not known.
fn written(statement: &str, query: &ast::Query) -> String {
    let place = restable_sql::byte_span(statement, ast::Spanned::span(query));
    let text = place.and_then(|place| statement.get(place.start..));
    let whole = text.filter(|text| restable_sql::parse(text).is_ok_and(|all| all.len() == 1));
    whole.map_or_else(|| query.to_string(), str::to_owned)
}

/// The query of a CREATE, with its columns named as they were given.
fn input(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => Ok(Arc::unwrap_or_clone(view.input)),
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => {
            Ok(Arc::unwrap_or_clone(table.input))
        }
        _ => Err(Error::internal("a CREATE without a query")),
    }
}

/// The text of a statement with values in the place of its placeholders.
fn bound_text(parsed: &Parsed, given: &Given) -> String {
    let mut text = String::new();
    let mut done = 0;
    for placeholder in &parsed.placeholders {
        let from = placeholder.span.start.saturating_sub(parsed.span.start);
        let to = placeholder.span.end.saturating_sub(parsed.span.start);
        let Some(before) = parsed.text.get(done..from) else {
            continue;
        };
        let counts = before.split_whitespace().next_back().is_some_and(|word| {
            ["LIMIT", "OFFSET"]
                .iter()
                .any(|it| it.eq_ignore_ascii_case(word))
        });
        let value = match given.named.get(&placeholder.name) {
            Some(value) if counts && value.parse::<u64>().is_ok() => Some(value.clone()),
            Some(value) => Some(format!("'{}'", value.replace('\'', "''"))),
            None => {
                let at: Option<usize> = placeholder.name.parse().ok();
                let value = at.and_then(|at| given.positional.get(at.checked_sub(1)?)?.as_ref());
                value.map(|value| value.expr().to_string())
            }
        };
        if let Some(value) = value {
            text.push_str(before);
            text.push_str(&value);
            done = to;
        }
    }
    text.push_str(parsed.text.get(done..).unwrap_or_default());
    text
}

fn done(message: String, report: Report) -> Outcome {
    Outcome::Done {
        message,
        report: Some(report),
    }
}

fn counted(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        many => format!("{many} rows"),
    }
}

fn at(problem: Error, span: restable_sql::Span) -> Error {
    let told = problem.diagnostic();
    match told.span {
        None => problem.told_as(told.at(span)),
        Some(_) => problem,
    }
}

fn noted(problem: Error, note: String) -> Error {
    let told = problem.diagnostic().note(note);
    problem.told_as(told)
}

fn exists(known: &Manifest, help: &str) -> Error {
    let told = format!("the {} `{}` exists", known.kind.words(), known.name);
    Diagnostic::new("R0341", told).help(help).into()
}

/// Whether nothing can be known of a snapshot. DROP and CREATE OR REPLACE go on all the same.
fn is_damaged(problem: &Error) -> bool {
    problem.diagnostic().code == "R0711"
}

fn mismatch(known: &Manifest, wanted: Kind) -> Error {
    let told = format!(
        "`{}` is a {}, no {}",
        known.name,
        known.kind.words(),
        wanted.words()
    );
    let help = match known.kind {
        Kind::Table => "a table keeps the rows it was made with; DROP TABLE removes it",
        Kind::MaterializedView => "DROP MATERIALIZED VIEW removes it",
    };
    Diagnostic::new("R0349", told).help(help).into()
}
