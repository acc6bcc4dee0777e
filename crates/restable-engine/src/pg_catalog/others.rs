//! The other connections of the server that a client of PostgreSQL came to, as far as it may know of them and stop them: those of the same
//! user, or all where nobody has to show who he is. `pg_stat_activity` shows them; `pg_cancel_backend` ends what one computes, `pg_terminate_backend` the connection.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use restable_sql::Diagnostic;

use crate::zone;

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its number.
    pub process: i32,
    /// The user that its client named.
    pub user: String,
    /// The database that its client named.
    pub database: String,
    /// Its statement, or its last one.
    pub statement: String,
    /// Whether a statement runs.
    pub runs: bool,
}

/// What is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// What the connection computes.
    Statement,
    /// The connection.
    Connection,
}

/// Ends what a connection does, if it may; answers whether there is such a one.
type Stopping = dyn Fn(i32, Stop) -> bool + Send + Sync;

/// What a server knows of the connections of one user, or of all.
pub struct Others {
    list: Box<dyn Fn() -> Vec<Other> + Send + Sync>,
    stop: Box<Stopping>,
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((self.list)()).finish()
    }
}

impl PartialEq for Others {
    fn eq(&self, other: &Others) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Others {}

impl Others {
    /// What lists them, and what stops one.
    pub fn new(
        list: impl Fn() -> Vec<Other> + Send + Sync + 'static,
        stop: impl Fn(i32, Stop) -> bool + Send + Sync + 'static,
    ) -> Others {
        Others {
            list: Box::new(list),
            stop: Box::new(stop),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Other> {
        (self.list)()
    }
}

/// The functions that stop one.
pub(super) fn functions() -> [Arc<ScalarUDF>; 2] {
    [Stop::Statement, Stop::Connection].map(|what| {
        Arc::new(ScalarUDF::from(Stopped {
            what,
            // The second argument is how long PostgreSQL waits for the end.
            signature: Signature::variadic_any(Volatility::Volatile),
        }))
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Stopped {
    what: Stop,
    signature: Signature,
}

impl ScalarUDFImpl for Stopped {
    fn name(&self) -> &str {
        match self.what {
            Stop::Statement => "pg_cancel_backend",
            Stop::Connection => "pg_terminate_backend",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let Some(first) = arguments.args.into_iter().next() else {
            return exec_err!("`{}` needs the number of a connection", self.name());
        };
        let numbers = cast(&first.into_array(rows)?, &DataType::Int64)?;
        let others = zone::others(&arguments.config_options);
        if others.is_none() && rows > 0 {
            return exec_err!("`{}` is for clients of PostgreSQL", self.name());
        }
        // PostgreSQL answers `false`, with a warning that scripts do not see.
        let stop = |number: i64| {
            let known = i32::try_from(number).ok();
            let stopped = others
                .zip(known)
                .is_some_and(|(others, number)| (others.stop)(number, self.what));
            match stopped {
                true => Ok(true),
                false => Err(crate::Error::from(
                    Diagnostic::new(
                        "R0402",
                        format!("there is no connection {number}, or not for you"),
                    )
                    .help("`pg_stat_activity` lists those that this session may stop"),
                )),
            }
        };
        let numbers = numbers.as_primitive::<Int64Type>();
        let done = numbers.iter().map(|number| number.map(stop).transpose());
        let done: BooleanArray = done.collect::<Result<_, crate::Error>>()?;
        Ok(ColumnarValue::Array(Arc::new(done) as ArrayRef))
    }
}
