//! Floats as PostgreSQL computes them: where DataFusion answers infinity or no number for numbers that are neither, the statement ends.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result};
use datafusion::functions::math;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use restable_sql::Diagnostic;

use super::own::{Called, Own};

/// DataFusion's functions of floats in the place of what they are without a limit.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let all =
        [math::ln(), math::log(), math::log10(), math::log2()].map(|it| (it, Kind::Logarithm));
    let others = [(math::exp(), Kind::Power), (math::power(), Kind::Power)];
    all.into_iter()
        .chain(others)
        .map(|(inner, kind)| Arc::new(ScalarUDF::from(Finite { inner, kind })))
        .collect()
}

/// `a / b` of floats.
pub(crate) fn quotient() -> Own {
    Own::new(
        "float_quotient",
        (2, 2),
        |_, _| Ok(DataType::Float64),
        |called| {
            computed(called, |left, right| {
                if right == 0.0 && !left.is_nan() {
                    return Err(ArrowError::DivideByZero.into());
                }
                let made = left / right;
                // A quotient that is too small is no nothing.
                match made == 0.0 && left != 0.0 && right.is_finite() {
                    true => Err(beyond("underflow")),
                    false => Ok(made),
                }
            })
        },
    )
}

/// `a * b` of floats.
pub(crate) fn product() -> Own {
    Own::new(
        "float_product",
        (2, 2),
        |_, _| Ok(DataType::Float64),
        |called| {
            computed(called, |left, right| {
                let made = left * right;
                match made == 0.0 && left != 0.0 && right != 0.0 {
                    true => Err(beyond("underflow")),
                    false => Ok(made),
                }
            })
        },
    )
}

/// `a + b` of floats.
pub(crate) fn sum() -> Own {
    Own::new(
        "float_sum",
        (2, 2),
        |_, _| Ok(DataType::Float64),
        |called| computed(called, |left, right| Ok(left + right)),
    )
}

/// `a - b` of floats.
pub(crate) fn difference() -> Own {
    Own::new(
        "float_difference",
        (2, 2),
        |_, _| Ok(DataType::Float64),
        |called| computed(called, |left, right| Ok(left - right)),
    )
}

fn computed(called: &Called, run: fn(f64, f64) -> Result<f64>) -> Result<ArrayRef> {
    let left = cast(&called.arrays[0], &DataType::Float64)?;
    let right = cast(&called.arrays[1], &DataType::Float64)?;
    let pairs = left
        .as_primitive::<Float64Type>()
        .iter()
        .zip(right.as_primitive::<Float64Type>());
    let all = pairs.map(|pair| {
        let (Some(left), Some(right)) = pair else {
            return Ok(None);
        };
        let made = run(left, right)?;
        match made.is_infinite() && left.is_finite() && right.is_finite() {
            true => Err(beyond("overflow")),
            false => Ok(Some(made)),
        }
    });
    Ok(Arc::new(all.collect::<Result<Float64Array>>()?))
}

fn beyond(how: &str) -> DataFusionError {
    let problem = Diagnostic::new("R0209", format!("value out of range: {how}"));
    crate::Error::from(problem).into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Logarithm,
    Power,
}

/// A function whose answers are numbers where what it is given is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Finite {
    inner: Arc<ScalarUDF>,
    kind: Kind,
}

impl ScalarUDFImpl for Finite {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let given = arguments.args.clone();
        let made = self.inner.invoke_with_args(arguments)?;
        if !matches!(made.data_type(), DataType::Float64) {
            return Ok(made);
        }
        let rows = match &made {
            ColumnarValue::Scalar(_) => 1,
            ColumnarValue::Array(_) => rows,
        };
        let answers = made.to_array(rows)?;
        let answers = answers.as_primitive::<Float64Type>();
        // A power is nothing of nothing only.
        let odd = |at: usize| {
            let nothing = self.kind == Kind::Power && answers.value(at) == 0.0;
            answers.is_valid(at) && (nothing || !answers.value(at).is_finite())
        };
        if !(0..answers.len()).any(odd) {
            return Ok(made);
        }
        let given = given.iter().map(|value| {
            let array = value.to_array(rows)?;
            Ok(cast(&array, &DataType::Float64)?)
        });
        let given = given.collect::<Result<Vec<ArrayRef>>>()?;
        for at in (0..answers.len()).filter(|at| odd(*at)) {
            let values = given.iter().map(|array| {
                let array = array.as_primitive::<Float64Type>();
                array.is_valid(at).then(|| array.value(at))
            });
            let values: Option<Vec<f64>> = values.collect();
            let Some(values) = values.filter(|all| all.iter().all(|one| one.is_finite())) else {
                continue;
            };
            if answers.value(at) != 0.0 {
                return Err(self.refused(&values));
            }
            if values.len() == 1 || values.first() != Some(&0.0) {
                return Err(beyond("underflow"));
            }
        }
        Ok(made)
    }
}

impl Finite {
    fn refused(&self, values: &[f64]) -> DataFusionError {
        let plan = |message: &str| DataFusionError::Execution(message.to_owned());
        let zero = values.contains(&0.0);
        match (self.kind, values) {
            (Kind::Logarithm, _) if zero => plan("cannot take logarithm of zero"),
            (Kind::Logarithm, _) => plan("cannot take logarithm of a negative number"),
            (Kind::Power, [base, power]) if *base == 0.0 && *power < 0.0 => {
                plan("zero raised to a negative power is undefined")
            }
            (Kind::Power, [base, _]) if *base < 0.0 => {
                plan("a negative number raised to a non-integer power yields a complex result")
            }
            (Kind::Power, _) => beyond("overflow"),
        }
    }
}
