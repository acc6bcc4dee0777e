//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::World;
pub(crate) fn rehydrate(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn restore(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn validate(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn cross_region(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn validate_cross_region(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
