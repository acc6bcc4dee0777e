//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, World};
pub(crate) fn one(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn cross_region_one(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn cross_region_list(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn list_form(job: &serde_json::Value) -> serde_json::Value {
    job.clone()
}
