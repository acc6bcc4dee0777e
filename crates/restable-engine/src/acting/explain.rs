//! EXPLAIN of a statement that acts: which call it makes for each row, and how its rows are found. It sends nothing.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use restable_sql::{Explain, ExplainFormat};

use super::Access;
use super::plan::{Acting, Rows, Target, Wait};
use crate::Result;
use crate::explain::document;
use crate::planning::on_deep_stack;
use crate::session::Session;

/// The plan as rows, in the columns that EXPLAIN of a query has.
pub(crate) async fn explain(
    session: &Session,
    acting: &Acting,
    said: &Explain,
) -> Result<RecordBatch> {
    let method = &acting.method;
    let mut call = format!("{} {}", method.http, method.path);
    let asks = if acting.only_asks() {
        "only asks"
    } else if acting.preview {
        "is shown, not sent"
    } else if acting.is_destructive(&[]) || method.destructive {
        "destroys, so that consent is needed"
    } else if acting.rows == Rows::Read || acting.rows == Rows::Selected {
        "needs consent for more than one target"
    } else {
        "changes something"
    };
    let _ = write!(call, "\n  {}: {asks}", acting.title());
    let reads_only = session.access() == Access::ReadOnly;
    if reads_only && !acting.only_asks() && !acting.preview {
        let _ = write!(call, "\n  refused here: this session only reads");
    }
    let _ = write!(
        call,
        "\n  one call for each row; what finding the rows costs stands below"
    );
    let _ = match (acting.rows, acting.only_asks()) {
        (Rows::Keyed, _) => write!(call, "\n  the key is spelt out: nothing is read before"),
        (Rows::Named, _) => write!(call, "\n  the rows are spelt out"),
        (Rows::Read | Rows::Selected, _) => write!(
            call,
            "\n  the source is read to its end before the first call; a row is a target"
        ),
    };
    if method.long_running.is_some() && !acting.only_asks() {
        let _ = write!(
            call,
            "\n  {}",
            match acting.wait {
                Wait::No => "its operation is not waited for",
                Wait::Operation => "its operation is waited for",
                Wait::Job => "its operation and the job of it are waited for",
            }
        );
    }
    for (at, column) in acting.columns.iter().enumerate() {
        let place = match &column.target {
            Target::Parameter(name) => format!("parameter `{name}`"),
            Target::Attribute(path) => format!("`{}` of the body", path.join(".")),
            Target::Id(form) => format!("the parameters of {form}"),
            Target::Body => "the body".to_owned(),
        };
        let _ = write!(call, "\n  argument{at}: {} -> {place}", column.shown);
    }
    let statement = Arc::new(session.begin_statement());
    let planning = session.shared().ground.planning_of(&statement);
    let source = on_deep_stack(async { planning.optimized(&acting.source) }).await??;
    let source = if said.verbose {
        source.display_indent_schema().to_string()
    } else {
        source.display_indent().to_string()
    };
    // What finding the rows costs; then it is one call for each.
    let physical = on_deep_stack(planning.physical(&acting.source)).await??;
    crate::narrowing::check(&physical)?;
    let forecast = crate::explain::forecast(&statement, &physical)?;
    if said.format == ExplainFormat::Json {
        return document::of_acting(&call, &source, &forecast);
    }
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![text("plan_type"), text("plan")]));
    let columns = vec![
        Arc::new(StringArray::from(vec!["call", "source"])) as Arc<_>,
        Arc::new(StringArray::from(vec![call, source])) as Arc<_>,
    ];
    let own = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let told = forecast.rows(None)?;
    Ok(arrow::compute::concat_batches(&schema, [&own, &told])?)
}
