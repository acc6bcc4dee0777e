//! Errors as gRPC knows them. One match over the engine's kinds gives each its code; the message has what the user should
//! know in its lines, the hint last, and restable's own code stands in the metadata.

use restable_engine::Error;
use restable_engine::sql::Diagnostic;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// The name under which an error's own code is sent.
const OWN: &str = "restable-code";
/// So long a message may be: it travels in a header.
const LONGEST: usize = 4000;

/// The gRPC code of an error.
pub fn code(error: &Error) -> Code {
    if error.is_out_of_time() {
        return Code::DeadlineExceeded;
    }
    match error {
        Error::Diagnostic(diagnostic) => of_diagnostic(diagnostic),
        Error::Route { .. } | Error::Bind(_) => Code::InvalidArgument,
        // A document that cannot be used.
        Error::Spec(_) => Code::FailedPrecondition,
        // Another service's error, which says nothing about whether to ask this one again.
        Error::Http { .. } | Error::Answer(_) => Code::Unknown,
        Error::Plan { message, .. } => of_plan(message),
        Error::Told { cause, .. } => code(cause),
        // Nobody can be asked.
        Error::Unconfirmed { .. } => Code::FailedPrecondition,
        Error::Journal(_) | Error::Audit(_) => Code::Unavailable,
        Error::Timeout(_) => Code::DeadlineExceeded,
        Error::Internal(_) => Code::Internal,
    }
}

fn of_diagnostic(diagnostic: &Diagnostic) -> Code {
    if diagnostic.is_limit() {
        return Code::ResourceExhausted;
    }
    match diagnostic.code {
        "R0202" | "R0405" => Code::NotFound,
        "R0406" | "R0407" => Code::ResourceExhausted,
        "R0105" | "R0308" | "R0309" | "R0315" | "R0346" => Code::Unimplemented,
        "R0320" | "R0331" => Code::PermissionDenied,
        "R0404" => Code::FailedPrecondition,
        code if code.starts_with("R06") => Code::Unknown,
        _ => Code::InvalidArgument,
    }
}

/// What DataFusion refused is told by its text only.
fn of_plan(message: &str) -> Code {
    match message {
        text if text.starts_with("not supported") => Code::Unimplemented,
        text if text.contains("memory") || text.contains("Resources exhausted") => {
            Code::ResourceExhausted
        }
        _ => Code::InvalidArgument,
    }
}

/// An error as it is sent.
pub(super) fn told(error: &Error) -> Status {
    of(&error.diagnostic(), code(error))
}

/// A fault in the text of a statement as it is sent.
pub(super) fn fault(diagnostic: &Diagnostic) -> Status {
    of(diagnostic, of_diagnostic(diagnostic))
}

/// An error of Arrow's, which is ours.
pub(super) fn ours(problem: impl std::fmt::Display) -> Status {
    told(&Error::Internal(problem.to_string()))
}

fn of(diagnostic: &Diagnostic, code: Code) -> Status {
    let mut text = diagnostic.message.clone();
    for note in &diagnostic.notes {
        text.push('\n');
        text.push_str(note);
    }
    if text.len() > LONGEST {
        let end = text.floor_char_boundary(LONGEST);
        text.truncate(end);
        text.push('…');
    }
    if let Some(help) = &diagnostic.help {
        text.push_str("\nhint: ");
        text.push_str(help);
    }
    let mut metadata = MetadataMap::new();
    metadata.insert(OWN, MetadataValue::from_static(diagnostic.code));
    Status::with_metadata(code, text, metadata)
}
