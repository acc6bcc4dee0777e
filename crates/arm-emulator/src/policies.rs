//! Stub of the first slice.
use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, World};
pub(crate) fn put(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
pub(crate) fn delete(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Err(Problem::absent())
}
