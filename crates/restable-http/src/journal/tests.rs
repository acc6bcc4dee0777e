//! The journal: what is durable when, who may go on with what, and which files are refused.
