//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::World;
pub(crate) fn backup(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn resume_backups(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn resume_protection(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn stop_protection(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn suspend_backups(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn sync(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
