//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, World};
pub(crate) fn operations(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn feature_support(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn export_jobs(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
