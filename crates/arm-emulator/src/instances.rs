//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, World};
pub(crate) fn one(w: &mut World, c: &Call) -> Result<Answer, Problem> {
    crate::paging::one(w, c, crate::store::Kind::Instance)
}
pub(crate) fn undelete(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn of_datasource(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn put(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn delete(_: &mut World, _: &Call) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn validate_for_backup(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
pub(crate) fn validate_for_modify(
    _: &mut World,
    _: &Call,
) -> Result<crate::long_running::Started, Problem> {
    Err(Problem::absent())
}
