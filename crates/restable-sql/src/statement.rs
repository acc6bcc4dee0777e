//! The statements of the dialect as plain data. Owns their shapes only: nothing here parses or checks.

use sqlparser::ast::{self, Expr, Ident, ObjectName, Query, SelectItem};

use crate::Span;

/// The name of the table function that stands for `(EXEC …)` in a FROM clause; its one argument is the index of the
/// [`Exec`] in [`Parsed::calls`].
pub const EXEC_FUNCTION: &str = "restable_exec";

/// What stands in the place of the time after `FOR SYSTEM_TIME AS OF` where the text says `FOR SYSTEM_TIME ALL`: every
/// refresh that is kept.
pub const ALL_REFRESHES: &str = "restable_all";

/// One statement of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What the text says.
    pub statement: Statement,
    /// Where the statement stands in the script, without the spaces and comments around it.
    pub span: Span,
    /// The statement's own text, without the `;`.
    pub text: String,
    /// Every occurrence of a placeholder, in the order of the text.
    pub placeholders: Vec<Placeholder>,
    /// The EXECs that stand as row sources in FROM; see [`EXEC_FUNCTION`].
    pub calls: Vec<Exec>,
}

/// One occurrence of `:name`, `$name`, `$1` or `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// The name without its mark: `name`, or `1` for `$1` and for the first `?`.
    pub name: String,
    /// Where it stands in the script.
    pub span: Span,
}

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// SELECT, WITH, VALUES, TABLE, and what the planner of queries does by itself: CREATE VIEW, CREATE MATERIALIZED VIEW, CREATE TABLE,
    /// CREATE SCHEMA, DROP, PREPARE and EXECUTE of prepared queries.
    Query(Box<ast::Statement>),
    /// EXPLAIN of a query or of a mutating statement.
    Explain(Explain),
    /// INSERT INTO.
    Insert(Insert),
    /// REPLACE in either of its two forms.
    Replace(Replace),
    /// UPDATE.
    Update(Update),
    /// DELETE FROM.
    Delete(Delete),
    /// EXEC of a method.
    Exec(Exec),
    /// PREVIEW of a mutating statement: the inner statement is one of Insert, Replace, Update, Delete, Exec.
    Preview(Box<Statement>),
    /// SHOW.
    Show(Show),
    /// DESCRIBE.
    Describe(Describe),
    /// USE provider or USE provider.service.
    Use(ObjectName),
    /// SET key = value.
    Set(Set),
    /// RESET key, or RESET ALL.
    Reset(Reset),
    /// REFRESH MATERIALIZED VIEW.
    Refresh(Refresh),
    /// Transactions, cursors, prepared statements: what a connection keeps beside its queries.
    Connection(Connection),
}

/// EXPLAIN.
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    /// Run the statement and print what was measured.
    pub analyze: bool,
    /// Print the plans between.
    pub verbose: bool,
    /// How the plan is written.
    pub format: ExplainFormat,
    /// A Query, Insert, Replace, Update, Delete, Exec or Preview.
    pub statement: Box<Statement>,
}

/// How EXPLAIN writes a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExplainFormat {
    /// Rows of text, a plan in each.
    #[default]
    Text,
    /// One JSON document in one row.
    Json,
    /// Rows of text, the plan that runs drawn as a tree.
    Tree,
}

/// What `/*+ … */` right after INSERT, REPLACE, UPDATE, DELETE or EXEC asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// NOWAIT: answer as soon as the service has accepted.
    pub nowait: bool,
    /// AWAIT, the default, written out.
    pub wait: bool,
    /// AWAIT_JOB: wait also for the backup job that the operation started.
    pub await_job: bool,
    /// SHOWRESULTS.
    pub show_results: bool,
    /// NOSTATUS: no progress lines.
    pub no_status: bool,
}

/// A parameter or body attribute that a statement gives a value: an INSERT column, the left side of SET, an EXEC
/// argument's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The dotted parts as written, without quotes and without `data__`: never empty.
    pub path: Vec<String>,
    /// `data__` was written: the body is meant, never a parameter.
    pub data_prefix: bool,
    /// Where the name stands, without `@`.
    pub span: Span,
}

impl Attribute {
    /// The name as one dotted text, for messages.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// INSERT INTO table (columns) source, or REPLACE INTO.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// Hints after the verb.
    pub hints: Hints,
    /// The target.
    pub table: ObjectName,
    /// Where the target is named.
    pub table_span: Span,
    /// The columns in the order of the source's; empty where the text names none.
    pub columns: Vec<Attribute>,
    /// VALUES or SELECT; a VALUES list is a `Query` whose body is `SetExpr::Values`.
    pub source: Box<Query>,
    /// ON CONFLICT DO NOTHING.
    pub on_conflict_do_nothing: bool,
    /// RETURNING items.
    pub returning: Option<Vec<SelectItem>>,
    /// The whole statement.
    pub span: Span,
}

/// REPLACE.
#[derive(Debug, Clone, PartialEq)]
pub enum Replace {
    /// `REPLACE INTO t (…) VALUES …` and `INSERT OR REPLACE INTO`.
    Rows(Insert),
    /// StackQL's `REPLACE t SET … WHERE …`.
    Set(Box<Update>),
}

/// UPDATE table SET …, or REPLACE table SET ….
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Hints after the verb.
    pub hints: Hints,
    /// The target.
    pub table: ObjectName,
    /// Where the target is named.
    pub table_span: Span,
    /// `AS a`.
    pub alias: Option<Ident>,
    /// SET, in the order of the text; never empty.
    pub assignments: Vec<Assignment>,
    /// WHERE.
    pub selection: Option<Expr>,
    /// RETURNING items.
    pub returning: Option<Vec<SelectItem>>,
    /// The whole statement.
    pub span: Span,
}

/// `name = expr` in SET.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The left side.
    pub target: Attribute,
    /// The right side.
    pub value: Expr,
    /// Both sides.
    pub span: Span,
}

/// DELETE FROM.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// Hints after the verb.
    pub hints: Hints,
    /// The target.
    pub table: ObjectName,
    /// Where the target is named.
    pub table_span: Span,
    /// `AS a`.
    pub alias: Option<Ident>,
    /// WHERE.
    pub selection: Option<Expr>,
    /// RETURNING items.
    pub returning: Option<Vec<SelectItem>>,
    /// The whole statement.
    pub span: Span,
}

/// EXEC table.method.
#[derive(Debug, Clone, PartialEq)]
pub struct Exec {
    /// Hints after EXEC.
    pub hints: Hints,
    /// Everything before the last dot. Empty for `EXEC method` with no dot, which is refused while parsing.
    pub table: ObjectName,
    /// The method's document key or operation id.
    pub method: Ident,
    /// Where `table.method` stands.
    pub target_span: Span,
    /// The `@name = expr` arguments in the order of the text; no two have the same path.
    pub arguments: Vec<ExecArgument>,
    /// `@@json` or `@@json_file`.
    pub body: Option<ExecBody>,
    /// FOR EACH (SELECT …) AS x.
    pub for_each: Option<ForEach>,
    /// The whole EXEC.
    pub span: Span,
}

/// `@name = expr`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecArgument {
    /// What gets the value.
    pub name: Attribute,
    /// Any expression, scalar subqueries included.
    pub value: Expr,
    /// From `@` to the end of the value.
    pub span: Span,
    /// The value alone.
    pub value_span: Span,
}

/// The whole body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecBody {
    /// `@@json = expr`: JSON text.
    Json(Expr, Span),
    /// `@@json_file = expr`: the path of a file that holds JSON text.
    JsonFile(Expr, Span),
}

/// FOR EACH (SELECT …) AS x.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// The rows to run for.
    pub query: Box<Query>,
    /// The name by which values refer to the row.
    pub alias: Option<Ident>,
    /// From FOR to the end.
    pub span: Span,
}

/// SHOW.
#[derive(Debug, Clone, PartialEq)]
pub struct Show {
    /// What to list.
    pub object: ShowObject,
    /// EXTENDED was written (before or after the object).
    pub extended: bool,
    /// LIKE 'pattern'.
    pub like: Option<String>,
    /// The whole statement.
    pub span: Span,
}

/// What SHOW lists. A missing IN part is what USE named.
#[derive(Debug, Clone, PartialEq)]
pub enum ShowObject {
    /// PROVIDERS.
    Providers,
    /// SERVICES IN provider.
    Services(Option<ObjectName>),
    /// RESOURCES IN provider.service.
    Resources(Option<ObjectName>),
    /// METHODS IN provider.service.resource.
    Methods(Option<ObjectName>),
    /// VIEWS IN provider.service.
    Views(Option<ObjectName>),
    /// MATERIALIZED VIEWS.
    MaterializedViews,
    /// `TABLES [IN schema]`.
    Tables(Option<ObjectName>),
    /// COLUMNS IN table.
    Columns(ObjectName),
    /// FUNCTIONS.
    Functions,
    /// CREATE TABLE, CREATE VIEW or CREATE MATERIALIZED VIEW name.
    Create(ObjectName),
    /// INSERT INTO table: a template; `required_only` for the hint `/*+ REQUIRED */`.
    InsertTemplate {
        /// The table.
        table: ObjectName,
        /// Leave out what is optional.
        required_only: bool,
    },
    /// EXEC table.method: a template.
    ExecTemplate {
        /// Everything before the last dot.
        table: ObjectName,
        /// The method.
        method: Ident,
    },
    /// CALLS of the last statement.
    Calls,
    /// OPERATIONS: what the journal holds.
    Operations,
    /// WARNINGS of the last statement.
    Warnings,
    /// SETTINGS or ALL.
    Settings,
    /// `ALL`: every setting, as PostgreSQL shows them to its clients.
    All,
    /// One setting, dotted parts joined; `TRANSACTION ISOLATION LEVEL` is `transaction_isolation`, `TIME ZONE` `timezone`.
    Setting(String),
}

/// DESCRIBE, DESC, and EXPLAIN of a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Describe {
    /// `DESCRIBE [EXTENDED] table`.
    Table {
        /// The table.
        name: ObjectName,
        /// EXTENDED.
        extended: bool,
        /// The whole statement.
        span: Span,
    },
    /// `DESCRIBE METHOD [EXTENDED] table.method`.
    Method {
        /// Everything before the last dot.
        table: ObjectName,
        /// The method.
        method: Ident,
        /// EXTENDED.
        extended: bool,
        /// The whole statement.
        span: Span,
    },
    /// DESCRIBE SELECT …: the columns that a query would answer.
    Query(Box<Query>),
}

/// SET key = value.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Dotted parts joined, as written; `TIME ZONE` is `timezone`, `NAMES` is `client_encoding`.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: SetValue,
    /// Where the value stands.
    pub value_span: Span,
    /// LOCAL: for the transaction only.
    pub local: bool,
    /// The whole statement.
    pub span: Span,
}

/// A value of SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetValue {
    /// A bare word: `on`, `adaptive`, `true`.
    Word(String),
    /// A number with its sign.
    Number(String),
    /// A quoted text.
    Text(String),
    /// Several values with commas between.
    List(Vec<SetValue>),
    /// A placeholder, by name.
    Placeholder(String),
}

impl SetValue {
    /// The value as one plain text; the parts of a list are joined with commas.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            SetValue::Word(text) | SetValue::Number(text) | SetValue::Text(text) => text.clone(),
            SetValue::List(values) => values
                .iter()
                .map(SetValue::text)
                .collect::<Vec<_>>()
                .join(","),
            SetValue::Placeholder(name) => format!(":{name}"),
        }
    }
}

/// RESET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The setting, or `None` for RESET ALL.
    pub key: Option<String>,
    /// The whole statement.
    pub span: Span,
}

/// REFRESH MATERIALIZED VIEW.
#[derive(Debug, Clone, PartialEq)]
pub struct Refresh {
    /// The materialized view.
    pub name: ObjectName,
    /// Where it is named.
    pub name_span: Span,
    /// The whole statement.
    pub span: Span,
}

/// What a connection keeps beside its queries. Names are in lower case unless they were quoted.
#[derive(Debug, Clone, PartialEq)]
pub enum Connection {
    /// BEGIN, START TRANSACTION.
    Begin(Modes),
    /// COMMIT, END.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    /// SAVEPOINT name.
    Savepoint(String),
    /// ROLLBACK TO SAVEPOINT name.
    RollbackTo(String),
    /// RELEASE SAVEPOINT name.
    Release(String),
    /// SET TRANSACTION, or SET SESSION CHARACTERISTICS AS TRANSACTION.
    Characteristics {
        /// For the session, not for this transaction only.
        session: bool,
        /// What is set.
        modes: Modes,
    },
    /// DECLARE name CURSOR FOR query.
    Declare {
        /// The cursor.
        name: String,
        /// BINARY: its rows are sent in binary form.
        binary: bool,
        /// SCROLL: it goes back, too.
        scroll: bool,
        /// WITH HOLD: it outlives its transaction.
        hold: bool,
        /// A query and nothing else.
        query: Box<ast::Statement>,
    },
    /// FETCH, or MOVE.
    Fetch {
        /// The cursor.
        name: String,
        /// How far.
        count: Count,
        /// FETCH: the rows are answered. MOVE skips them.
        shown: bool,
    },
    /// CLOSE of one cursor, or of all.
    Close(Option<String>),
    /// DEALLOCATE of one prepared statement, or of all.
    Deallocate(Option<String>),
    /// DISCARD.
    Discard(Discard),
    /// UNLISTEN: nothing is listened to.
    Unlisten,
    /// SET CONSTRAINTS ALL: there are none that could wait.
    Constraints,
    /// COPY.
    Copy(Box<Copying>),
}

/// COPY of a query or a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Copying {
    /// A statement that answers rows; of a table, the query that reads it.
    pub source: Box<Statement>,
    /// FROM was written: rows are to come in.
    pub from: bool,
    /// The other end.
    pub place: CopyPlace,
    /// From TO or FROM to the end.
    pub place_span: Span,
    /// The options in the order of the text, those of older forms under their newer names.
    pub options: Vec<CopyOption>,
}

/// Where COPY writes to or reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPlace {
    /// STDOUT or STDIN: the client.
    Client,
    /// A file of the server.
    File,
    /// A program of the server.
    Program,
}

/// An option of COPY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOption {
    /// The name in lower case.
    pub name: String,
    /// What it is set to.
    pub value: Option<CopyValue>,
    /// Where it stands.
    pub span: Span,
}

/// A value of an option of COPY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyValue {
    /// A word, a number or a text.
    Text(String),
    /// Names of columns.
    Columns(Vec<String>),
    /// `*`.
    All,
}

/// The modes of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    /// ISOLATION LEVEL, in lower case.
    pub isolation: Option<String>,
    /// READ ONLY or READ WRITE.
    pub read_only: Option<bool>,
}

/// How far FETCH goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many rows.
    Rows(u64),
    /// All that are left.
    All,
    /// So many rows back.
    Back(u64),
    /// Back over all.
    BackAll,
    /// To the row of this number, from the end if it is negative.
    Absolute(i64),
    /// To the row so many behind this one, or before it.
    Relative(i64),
}

/// What DISCARD drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// Everything that the session has.
    All,
    /// Plans that are kept.
    Plans,
    /// Values of sequences, of which there are none.
    Sequences,
    /// What the session created.
    Temporary,
}

impl Parsed {
    /// The query of a DECLARE, or what a COPY takes its rows from, as a statement of its own.
    #[must_use]
    pub fn cursor_query(&self) -> Option<Parsed> {
        match &self.statement {
            Statement::Connection(Connection::Declare { query, .. }) => {
                Some(Statement::Query(query.clone()))
            }
            Statement::Connection(Connection::Copy(copy)) => Some((*copy.source).clone()),
            _ => None,
        }
        .map(|statement| Parsed {
            statement,
            ..self.clone()
        })
    }
}
