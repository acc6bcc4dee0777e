//! The SQL functions that restable adds: paths into JSON text and comparison of Azure Resource Manager ids. They are
//! pure: nothing here calls a provider.

pub(crate) mod averages;
pub(crate) mod bounded;
mod clocks;
pub(crate) mod counted;
pub(crate) mod decimals;
pub(crate) mod edited;
pub(crate) mod extremes;
pub(crate) mod floats;
pub(crate) mod held;
pub mod interval_styles;
pub(crate) mod listed;
pub(crate) mod made;
pub(crate) mod merged;
mod numbers;
pub(crate) mod own;
mod parts;
mod patterns;
pub(crate) mod percentiles;
pub(crate) mod plain;
mod reading;
pub(crate) mod shifts;
pub(crate) mod single;
mod sleep;
pub(crate) mod spans;
pub(crate) mod sums;
pub(crate) mod times;
pub(crate) mod written;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, ListBuilder, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use restable_sql::Diagnostic;

pub use self::parts::{arm_part, duration_seconds};
use crate::json::{self, Step};

/// Metadata key of fields whose text is a part of JSON: `object` for JSON text, `scalar` for text taken out of JSON.
/// A comparison with a number or boolean casts such text, never the literal.
pub const JSON_METADATA: &str = "restable.json";
/// Metadata key of fields that compare without regard to ASCII case.
pub const FOLD_METADATA: &str = "restable.fold";
/// The value of that metadata where a session shows each value in one spelling only.
pub const FOLD_ONE_SPELLING: &str = "one spelling";
/// Metadata key of columns of JSON that a scan decodes: paths into them can be decoded with them.
pub const SCAN_METADATA: &str = "restable.scan";
/// Metadata key of columns that are inputs of the call: the full name of the resource.
pub const INPUT_METADATA: &str = "restable.input";
/// Metadata key of the OID of a column of `pg_catalog` whose type is written unlike others of its kind.
pub const OID_METADATA: &str = "restable.oid";
/// Metadata key of a field's name as the document spells it.
pub const NAME_METADATA: &str = "restable.name";

/// The metadata of a column of JSON text: the Arrow extension type `arrow.json`.
pub fn json_metadata() -> HashMap<String, String> {
    HashMap::from([
        ("ARROW:extension:name".to_owned(), "arrow.json".to_owned()),
        ("ARROW:extension:metadata".to_owned(), String::new()),
        (JSON_METADATA.to_owned(), "object".to_owned()),
    ])
}

/// Every function that restable adds to a session.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    [
        Function::JsonGet,
        Function::JsonGetText,
        Function::JsonExtract,
        Function::JsonElements,
        Function::JsonLength,
        Function::JsonKeys,
        Function::JsonType,
        Function::JsonValid,
        Function::ArmEqual,
        Function::ArmIn,
        Function::ArmId,
        Function::JobSeconds,
        Function::ArmText,
        Function::JsonText,
        Function::ArmFold,
        Function::JsonBoolean,
        Function::JsonNumber,
        Function::JsonScalar,
    ]
    .into_iter()
    .map(|function| Arc::new(ScalarUDF::from(Restable::new(function, Place::Anywhere))))
    .chain(bounded::all())
    .chain(floats::all())
    .chain([sleep::sleep()])
    .chain(
        [
            clocks::all(),
            edited::all(),
            listed::all(),
            made::all(),
            merged::all(),
            patterns::all(),
            plain::all(),
            shifts::all(),
        ]
        .into_iter()
        .flatten()
        .map(own::Own::shared),
    )
    .collect()
}

/// `function` called with `arguments`.
pub fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    ScalarUDF::from(Restable::new(function, Place::Anywhere)).call(arguments)
}

/// The same over JSON that a scan decodes: the call is best made there.
pub(crate) fn moved_to_scan(function: Function, arguments: Vec<Expr>) -> Expr {
    ScalarUDF::from(Restable::new(function, Place::Scan)).call(arguments)
}

/// Which function of restable's this is, if it takes a path into JSON, and whether it is to be moved to the scan.
pub(crate) fn function_of(function: &ScalarUDF) -> Option<(Function, bool)> {
    let own = function.inner().downcast_ref::<Restable>()?;
    let takes_path = matches!(
        own.function,
        Function::JsonGet
            | Function::JsonGetText
            | Function::JsonExtract
            | Function::JsonElements
            | Function::JsonLength
            | Function::JsonKeys
            | Function::JsonType
    );
    takes_path.then_some((own.function, own.place == Place::Scan))
}

/// The steps of a constant path as `function` takes it, one at least; `None` if it has none or is no path.
pub(crate) fn steps_of(function: Function, path: &[ScalarValue]) -> Option<Vec<Step>> {
    let steps: Option<Vec<Step>> = match (function, path) {
        (Function::JsonExtract, [text]) => json::path(text.try_as_str()??),
        (Function::JsonExtract, _) => None,
        _ => path.iter().map(step).collect(),
    };
    steps.filter(|steps| !steps.is_empty())
}

/// Where a call is best made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// Where it stands.
    Anywhere,
    /// As near to the scan as it can be brought.
    Scan,
}

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `json_get(json, key, …)`: JSON text at a path, the operator `->`.
    JsonGet,
    /// `json_get_text(json, key, …)`: text of a scalar, JSON text of the rest, the operator `->>` and dotted paths.
    JsonGetText,
    /// `json_extract(json, '$.a.b')`: like `json_get_text` with a JSON path.
    JsonExtract,
    /// `json_elements(json, key, …)`: the elements of an array, as a list of JSON texts, for `unnest`.
    JsonElements,
    /// `json_array_length(json, key, …)`.
    JsonLength,
    /// `json_keys(json, key, …)`: the keys of an object as a list.
    JsonKeys,
    /// `json_typeof(json, key, …)`: `object`, `array`, `string`, `number`, `boolean` or `null`.
    JsonType,
    /// `json_valid(text)`.
    JsonValid,
    /// `arm_equal(a, b)`: equal without regard to ASCII case.
    ArmEqual,
    /// `arm_in(a, b, …)`: `a` is one of the others without regard to ASCII case.
    ArmIn,
    /// `arm_id(id, 'vaultName')`: the part of an Azure Resource Manager id.
    ArmId,
    /// `duration_seconds(text)`: seconds of an ISO 8601 duration or of a .NET time span.
    JobSeconds,
    /// `json_text(text)`: the text itself, marked as JSON: it is shown as JSON, not as a string.
    JsonText,
    /// `arm_text(text)`: the text itself, marked as an id: it compares without regard to ASCII case.
    ArmText,
    /// `json_boolean(x)`: text out of JSON as a condition; NULL where it is neither `true` nor `false`. Booleans as they are.
    JsonBoolean,
    /// `json_number(x)`: text out of JSON as a number; NULL where it is none. Anything else as it is.
    JsonNumber,
    /// `json_scalar(text)`: the text itself, marked as taken out of JSON.
    JsonScalar,
    /// `arm_fold(text)`: the text with its ASCII letters in lower case; two ids are the same iff this is equal.
    ArmFold,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Function::JsonGet => "json_get",
            Function::JsonGetText => "json_get_text",
            Function::JsonExtract => "json_extract",
            Function::JsonElements => "json_elements",
            Function::JsonLength => "json_array_length",
            Function::JsonKeys => "json_keys",
            Function::JsonType => "json_typeof",
            Function::JsonValid => "json_valid",
            Function::ArmEqual => "arm_equal",
            Function::ArmIn => "arm_in",
            Function::ArmId => "arm_id",
            Function::JobSeconds => "duration_seconds",
            Function::ArmText => "arm_text",
            Function::JsonText => "json_text",
            Function::ArmFold => "arm_fold",
            Function::JsonBoolean => "json_boolean",
            Function::JsonNumber => "json_number",
            Function::JsonScalar => "json_scalar",
        }
    }

    /// The smallest number of arguments, and the largest if there is one.
    fn arity(self) -> (usize, Option<usize>) {
        match self {
            Function::JsonExtract | Function::ArmEqual | Function::ArmId => (2, Some(2)),
            Function::JsonGet | Function::JsonGetText => (2, None),
            Function::ArmIn => (1, None),
            Function::JsonValid
            | Function::JobSeconds
            | Function::ArmText
            | Function::JsonText
            | Function::JsonBoolean
            | Function::JsonNumber
            | Function::JsonScalar
            | Function::ArmFold => (1, Some(1)),
            _ => (1, None),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Restable {
    function: Function,
    signature: Signature,
    place: Place,
}

impl ScalarUDFImpl for Restable {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let (least, most) = self.function.arity();
        if arguments.len() < least || most.is_some_and(|most| arguments.len() > most) {
            return plan_err!(
                "`{}` takes {least} or more arguments, {} given",
                self.name(),
                arguments.len()
            );
        }
        Ok(match self.function {
            Function::JsonElements | Function::JsonKeys => {
                DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
            }
            Function::JsonLength => DataType::Int64,
            Function::JsonValid | Function::ArmEqual | Function::ArmIn | Function::JsonBoolean => {
                DataType::Boolean
            }
            Function::JobSeconds => DataType::Float64,
            Function::JsonNumber => arguments[0].clone(),
            // A list is folded element by element.
            Function::ArmFold if matches!(arguments[0], DataType::List(_)) => {
                DataType::new_list(DataType::Utf8, true)
            }
            _ => DataType::Utf8,
        })
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let field = Field::new(self.name(), self.return_type(&types)?, true);
        let first = arguments.arg_fields.first();
        let is_json = first.is_some_and(|first| {
            first.metadata().contains_key(JSON_METADATA) && is_text(first.data_type())
        });
        Ok(Arc::new(match self.function {
            Function::JsonNumber => match first {
                Some(first) if !is_json => first.as_ref().clone().with_name(self.name()),
                _ => field.with_data_type(DataType::Float64),
            },
            Function::JsonBoolean => match first.map(|first| first.data_type()) {
                Some(kind) if !is_json && !matches!(kind, DataType::Boolean | DataType::Null) => {
                    return Err(no_condition(kind).into());
                }
                _ => field,
            },
            Function::JsonGet | Function::JsonText => field.with_metadata(json_metadata()),
            Function::JsonGetText | Function::JsonExtract | Function::JsonScalar => field
                .with_metadata(HashMap::from([(
                    JSON_METADATA.to_owned(),
                    "scalar".to_owned(),
                )])),
            Function::ArmId | Function::ArmText => {
                field.with_metadata(HashMap::from([(FOLD_METADATA.to_owned(), "1".to_owned())]))
            }
            Function::JsonElements => {
                let item = Field::new("item", DataType::Utf8, true).with_metadata(json_metadata());
                Field::new(self.name(), DataType::List(Arc::new(item)), true)
            }
            _ => field,
        }))
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        use ExpressionPlacement::{Column, KeepInPlace, Literal, MoveTowardsLeafNodes};
        match (self.place, arguments) {
            (Place::Scan, [Column | MoveTowardsLeafNodes, path @ ..])
                if path.iter().all(|step| *step == Literal) =>
            {
                MoveTowardsLeafNodes
            }
            _ => KeepInPlace,
        }
    }

    // Where NULL goes in, NULL comes out: a predicate on the outer side of a join makes it an inner join. `a` may be in a
    // list that holds NULL beside it.
    fn is_strict(&self) -> bool {
        self.function != Function::ArmIn
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let all_scalars = arguments
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if all_scalars {
            1
        } else {
            arguments.number_rows
        };
        if matches!(
            self.function,
            Function::JsonLength | Function::JsonElements | Function::JsonKeys
        ) {
            let texts = arguments.args[0].clone().into_array(rows)?;
            bounded::readable(&texts, &arguments.config_options)?;
        }
        let array = self.evaluate(&arguments.args, rows, &arguments.return_field)?;
        if !all_scalars {
            return Ok(ColumnarValue::Array(array));
        }
        // A list keeps the metadata of its items only as it is; DataFusion's conversion would drop it.
        let list = array
            .as_list_opt::<i32>()
            .map(|list| ScalarValue::List(Arc::new(list.clone())));
        Ok(ColumnarValue::Scalar(match list {
            Some(list) => list,
            None => ScalarValue::try_from_array(&array, 0)?,
        }))
    }
}

impl Restable {
    fn new(function: Function, place: Place) -> Restable {
        Restable {
            function,
            signature: Signature::variadic_any(Volatility::Immutable),
            place,
        }
    }

    fn evaluate(
        &self,
        arguments: &[ColumnarValue],
        rows: usize,
        field: &FieldRef,
    ) -> Result<ArrayRef> {
        let whole = arguments[0].clone().into_array(rows)?;
        if let (Function::ArmFold, Some(list)) = (self.function, whole.as_list_opt::<i32>()) {
            let items = ColumnarValue::Array(Arc::clone(list.values()));
            let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
            let items = self.evaluate(&[items], list.values().len(), &item)?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            return Ok(Arc::new(ListArray::try_new(item, offsets, items, nulls)?));
        }
        if matches!(self.function, Function::JsonNumber | Function::JsonBoolean) {
            return Ok(cast(&whole, field.data_type())?);
        }
        let first = texts(&arguments[0], rows)?;
        let first = first.as_string::<i32>();
        match self.function {
            Function::ArmEqual => {
                let second = texts(&arguments[1], rows)?;
                let second = second.as_string::<i32>();
                let equal = first.iter().zip(second).map(|pair| match pair {
                    (Some(left), Some(right)) => Some(left.eq_ignore_ascii_case(right)),
                    _ => None,
                });
                Ok(Arc::new(equal.collect::<BooleanArray>()))
            }
            Function::ArmIn => {
                let others = arguments[1..]
                    .iter()
                    .map(|other| texts(other, rows))
                    .collect::<Result<Vec<_>>>()?;
                let others: Vec<_> = others
                    .iter()
                    .map(|other| other.as_string::<i32>())
                    .collect();
                let found = first.iter().enumerate().map(|(row, value)| {
                    let value = value?;
                    let mut unknown = false;
                    for other in &others {
                        if other.is_null(row) {
                            unknown = true;
                        } else if other.value(row).eq_ignore_ascii_case(value) {
                            return Some(true);
                        }
                    }
                    (!unknown).then_some(false)
                });
                Ok(Arc::new(found.collect::<BooleanArray>()))
            }
            Function::ArmId => {
                let names = texts(&arguments[1], rows)?;
                let names = names.as_string::<i32>();
                let mut builder = StringBuilder::new();
                for (id, name) in first.iter().zip(names) {
                    builder.append_option(id.zip(name).and_then(|(id, name)| arm_part(id, name)));
                }
                Ok(Arc::new(builder.finish()))
            }
            Function::ArmText | Function::JsonText | Function::JsonScalar => {
                texts(&arguments[0], rows)
            }
            Function::ArmFold => {
                let folded = first.iter().map(|text| text.map(str::to_ascii_lowercase));
                Ok(Arc::new(folded.collect::<arrow::array::StringArray>()))
            }
            Function::JobSeconds => Ok(Arc::new(
                first
                    .iter()
                    .map(|text| text.and_then(duration_seconds))
                    .collect::<arrow::array::Float64Array>(),
            )),
            Function::JsonValid => {
                let valid = first.iter().map(|text| text.map(json::is_json));
                Ok(Arc::new(valid.collect::<BooleanArray>()))
            }
            _ => self.json(first, &arguments[1..], rows, field),
        }
    }

    fn json(
        &self,
        json: &arrow::array::StringArray,
        path: &[ColumnarValue],
        rows: usize,
        field: &FieldRef,
    ) -> Result<ArrayRef> {
        let path = Path::new(self.function, path, rows)?;
        let found = |row: usize| {
            if json.is_null(row) {
                None
            } else {
                path.at(row)
                    .and_then(|path| json::find(json.value(row), &path))
            }
        };
        Ok(match self.function {
            Function::JsonLength => {
                let lengths = (0..rows).map(|row| {
                    found(row).and_then(|json| i64::try_from(json::elements(&json)?.len()).ok())
                });
                Arc::new(lengths.collect::<Int64Array>())
            }
            Function::JsonElements | Function::JsonKeys => {
                let DataType::List(item) = field.data_type() else {
                    return exec_err!("`{}` returns a list", self.name());
                };
                let mut builder =
                    ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(item));
                for row in 0..rows {
                    let values: Option<Vec<String>> = match self.function {
                        Function::JsonKeys => found(row).and_then(|json| json::keys(&json)),
                        _ => found(row).and_then(|json| {
                            Some(
                                json::elements(&json)?
                                    .into_iter()
                                    .map(str::to_owned)
                                    .collect(),
                            )
                        }),
                    };
                    builder.append_option(
                        values.map(|values| values.into_iter().map(Some).collect::<Vec<_>>()),
                    );
                }
                Arc::new(builder.finish())
            }
            Function::JsonType => {
                let kinds = (0..rows).map(|row| found(row).map(|json| kind(&json)));
                Arc::new(kinds.collect::<arrow::array::StringArray>())
            }
            Function::JsonGet => {
                let mut builder = StringBuilder::new();
                (0..rows).for_each(|row| builder.append_option(found(row)));
                Arc::new(builder.finish())
            }
            _ => {
                let mut builder = StringBuilder::new();
                (0..rows).for_each(|row| {
                    builder.append_option(found(row).as_deref().and_then(json::text))
                });
                Arc::new(builder.finish())
            }
        })
    }
}

fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The path arguments of a JSON function: constant, as nearly always, or another one for each row.
enum Path {
    Constant(Option<Vec<Step>>),
    Rows(Vec<ArrayRef>, bool),
}

impl Path {
    fn new(function: Function, arguments: &[ColumnarValue], rows: usize) -> Result<Path> {
        let is_path = function == Function::JsonExtract;
        let constants: Option<Vec<ScalarValue>> = arguments
            .iter()
            .map(|argument| match argument {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let Some(constants) = constants else {
            let arrays = arguments
                .iter()
                .map(|argument| argument.clone().into_array(rows))
                .collect::<Result<_>>()?;
            return Ok(Path::Rows(arrays, is_path));
        };
        if is_path && let Some(Some(Some(text))) = constants.first().map(ScalarValue::try_as_str) {
            return match json::path(text) {
                Some(steps) => Ok(Path::Constant(Some(steps))),
                None => exec_err!(
                    "`{text}` is no JSON path; write it like `$.policyInfo.policyId` or `$.rules[0].name`"
                ),
            };
        }
        Ok(Path::Constant(constants.iter().map(step).collect()))
    }

    fn at(&self, row: usize) -> Option<std::borrow::Cow<'_, [Step]>> {
        match self {
            Path::Constant(steps) => steps.as_deref().map(std::borrow::Cow::Borrowed),
            Path::Rows(arrays, is_path) => {
                let values = arrays
                    .iter()
                    .map(|array| ScalarValue::try_from_array(array, row).ok());
                let values: Vec<ScalarValue> = values.collect::<Option<_>>()?;
                if *is_path {
                    return json::path(values.first()?.try_as_str()??).map(std::borrow::Cow::Owned);
                }
                values
                    .iter()
                    .map(step)
                    .collect::<Option<Vec<_>>>()
                    .map(std::borrow::Cow::Owned)
            }
        }
    }
}

fn step(value: &ScalarValue) -> Option<Step> {
    if let Some(text) = value.try_as_str() {
        return text.map(|text| Step::Key(text.to_owned()));
    }
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(index))) => Some(Step::Index(index)),
        _ => None,
    }
}

fn is_text(kind: &DataType) -> bool {
    use DataType::{LargeUtf8, Utf8, Utf8View};
    matches!(kind, Utf8 | LargeUtf8 | Utf8View)
}

/// What is no condition, told with what it is.
pub(crate) fn no_condition(kind: &DataType) -> crate::Error {
    let kind = if is_text(kind) { "text" } else { "a number" };
    let message = format!("a condition must be true or false, and this one is {kind}");
    let problem = Diagnostic::new("R0205", message);
    crate::Error::from(problem.help("compare it, like `name = 'x'` or `name IS NOT NULL`"))
}

/// An argument as an array of text.
fn texts(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let array = value.clone().into_array(rows)?;
    if array.data_type() == &DataType::Utf8 {
        Ok(array)
    } else {
        Ok(cast(&array, &DataType::Utf8)?)
    }
}
