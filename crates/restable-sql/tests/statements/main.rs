//! What each form of statement is read as. A case is the text and a sketch of the statement; the sketch leaves out spans,
//! which `faults.rs` and `writes::spans_are_bytes_of_the_script` look at.

mod queries;
mod sketch;
mod writes;
