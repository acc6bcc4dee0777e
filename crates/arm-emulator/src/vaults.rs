//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, World};
pub(crate) fn check_name(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn put(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn patch(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn delete(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
