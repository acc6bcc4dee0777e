//! A function of PostgreSQL's as a value: its name, what it makes of which types, and how. Those of `times`, `written` and their like
//! are of this kind.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// What a function is called with.
pub(crate) struct Called {
    /// The values, each with as many rows.
    pub arrays: Vec<ArrayRef>,
    /// What is known of each beside its type.
    pub fields: Vec<FieldRef>,
    /// So many.
    pub rows: usize,
    /// The type of the answer.
    pub kind: DataType,
    /// What the session is.
    pub options: Arc<ConfigOptions>,
}

/// What comes of types; the second are the constants among the arguments.
pub(crate) type Kind = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;

/// A function.
#[derive(Debug)]
pub(crate) struct Own {
    pub name: &'static str,
    /// The least and the largest number of arguments.
    pub arity: (usize, usize),
    pub kind: Kind,
    pub run: fn(&Called) -> Result<ArrayRef>,
    signature: Signature,
    /// What the answer is beside its type.
    metadata: HashMap<String, String>,
}

impl Own {
    /// A function of values.
    pub(crate) fn new(
        name: &'static str,
        arity: (usize, usize),
        kind: Kind,
        run: fn(&Called) -> Result<ArrayRef>,
    ) -> Own {
        let signature = match arity {
            (_, 0) => Signature::nullary(Volatility::Stable),
            (0, _) => Signature::one_of(
                vec![
                    datafusion::logical_expr::TypeSignature::Nullary,
                    datafusion::logical_expr::TypeSignature::VariadicAny,
                ],
                Volatility::Stable,
            ),
            _ => Signature::variadic_any(Volatility::Stable),
        };
        Own {
            name,
            arity,
            kind,
            run,
            signature,
            metadata: HashMap::new(),
        }
    }

    /// The function with marks on its answer.
    pub(crate) fn marked(self, metadata: HashMap<String, String>) -> Own {
        Own { metadata, ..self }
    }

    /// The function as the planner takes it.
    pub(crate) fn shared(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(self))
    }

    /// The function, called.
    pub(crate) fn call(self, arguments: Vec<Expr>) -> Expr {
        ScalarUDF::from(self).call(arguments)
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Own) -> bool {
        self.name == other.name
    }
}

impl Eq for Own {}

impl Hash for Own {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Own {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let constants = vec![None; arguments.len()];
        self.kind_of(arguments, &constants)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let fields = arguments.arg_fields.iter();
        let kinds: Vec<DataType> = fields.map(|field| field.data_type().clone()).collect();
        let kind = self.kind_of(&kinds, arguments.scalar_arguments)?;
        let field = Field::new(self.name, kind, true);
        Ok(Arc::new(field.with_metadata(self.metadata.clone())))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut values = arguments.args.iter();
        let constant = values.all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let kind = arguments.return_field.data_type();
        // Of no rows nothing is computed: there is no first one to look at either.
        if rows == 0 {
            return Ok(ColumnarValue::Array(new_empty_array(kind)));
        }
        let values = arguments.args.into_iter();
        let made = (self.run)(&Called {
            arrays: values
                .map(|value| value.into_array(rows))
                .collect::<Result<_>>()?,
            fields: arguments.arg_fields,
            rows,
            kind: kind.clone(),
            options: arguments.config_options,
        })?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?),
            false => ColumnarValue::Array(made),
        })
    }
}

impl Own {
    fn kind_of(&self, kinds: &[DataType], constants: &[Option<&ScalarValue>]) -> Result<DataType> {
        let (least, most) = self.arity;
        if kinds.len() < least || kinds.len() > most {
            let shown = self.name.trim_start_matches("pg_");
            return plan_err!(
                "the function `{shown}` does not take {} arguments",
                kinds.len()
            );
        }
        (self.kind)(kinds, constants)
    }
}
