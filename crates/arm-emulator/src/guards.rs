//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, World};
pub(crate) fn put_proxy(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn delete_proxy(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn unlock_delete(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn put(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn patch(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn delete(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn requests(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn request(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
use serde_json::{Value, json};
pub(crate) fn guard_body(
    group: &str,
    name: &str,
    location: &str,
    _p: &Value,
    _t: Option<&Value>,
) -> Value {
    json!({"id": format!("{group}/providers/Microsoft.DataProtection/resourceGuards/{name}"), "location": location})
}
pub(crate) fn proxy_body(_v: &str, _n: &str, _g: &str, _t: chrono::DateTime<chrono::Utc>) -> Value {
    json!({})
}
