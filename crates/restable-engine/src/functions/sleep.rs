//! `pg_sleep(seconds)`: waits, and holds up nobody else. A statement that is cancelled, or whose time is up, wakes at once.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray as _, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

/// The function.
pub(crate) fn sleep() -> Arc<ScalarUDF> {
    let signature = Signature::one_of(
        vec![TypeSignature::Exact(vec![DataType::Float64])],
        Volatility::Volatile,
    );
    let sleep = Arc::new(Sleep { signature });
    Arc::new(AsyncScalarUDF::new(sleep).into_scalar_udf())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sleep {
    signature: Signature,
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("`pg_sleep` waits, which only a plan that waits can")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        /// Whoever waits for longer waits for ever.
        const LONGEST: f64 = 1e9;
        let rows = arguments.number_rows;
        let mut values = arguments.args.into_iter();
        let Some(seconds) = values.next() else {
            return internal_err!("`pg_sleep` without a time");
        };
        let seconds = cast(&seconds.into_array(rows)?, &DataType::Float64)?;
        let seconds = seconds.as_primitive::<Float64Type>();
        for seconds in seconds.iter().flatten() {
            let seconds = seconds.clamp(0.0, LONGEST);
            let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            tokio::time::sleep(time).await;
        }
        let nothing = seconds.iter().map(|seconds| seconds.map(|_| ""));
        Ok(ColumnarValue::Array(Arc::new(
            nothing.collect::<StringArray>(),
        )))
    }
}
