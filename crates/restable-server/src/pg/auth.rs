//! How a client shows who it is: SCRAM-SHA-256, without channel binding. What it knows is checked in `guard.rs`.

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncWrite};

use super::messages::{self, Request, Told};
use super::wire::{Ended, Wire};
use crate::guard::{Guard, Refused, Scram};

use super::connection::said;

const MECHANISM: &str = "SCRAM-SHA-256";

/// Asks a client for its password. `Err(told)`: it does not come in.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    guard: &Guard,
    user: &str,
) -> Result<Result<(), Told>, Ended> {
    let offered = format!("{MECHANISM}\0\0");
    messages::authentication(&mut wire.out, 10, offered.as_bytes());
    let first = match shown(wire).await? {
        Ok(message) => message,
        Err(told) => return Ok(Err(told)),
    };
    let Some(first) = first_message(&first) else {
        return Ok(Err(malformed("the password is shown in another way")));
    };
    let (scram, answer) = match Scram::begin(guard.of_user(user), &first) {
        Ok(begun) => begun,
        Err(refused) => return Ok(Err(told(&refused, user))),
    };
    messages::authentication(&mut wire.out, 11, answer.as_bytes());
    let last = match shown(wire).await? {
        Ok(message) => message,
        Err(told) => return Ok(Err(told)),
    };
    let Ok(last) = std::str::from_utf8(&last) else {
        return Ok(Err(malformed("a message is not UTF-8")));
    };
    Ok(match scram.end(last) {
        Ok(answer) => {
            messages::authentication(&mut wire.out, 12, answer.as_bytes());
            Ok(())
        }
        Err(refused) => Err(told(&refused, user)),
    })
}

async fn shown<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
) -> Result<Result<bytes::Bytes, Told>, Ended> {
    Ok(match wire.small_request().await? {
        Request::Password(message) => Ok(message),
        _ => Err(malformed("the client does not show its password")),
    })
}

/// The mechanism, its end, the length of the text, the text.
fn first_message(message: &[u8]) -> Option<String> {
    let mut rest = message
        .strip_prefix(MECHANISM.as_bytes())?
        .strip_prefix(&[0])?;
    if rest.len() < 4 {
        return None;
    }
    let length = usize::try_from(rest.get_i32()).ok()?;
    (rest.len() == length).then(|| String::from_utf8(rest.to_vec()).ok())?
}

fn malformed(what: &str) -> Told {
    said("08P01", what)
}

fn told(refused: &Refused, user: &str) -> Told {
    match refused {
        Refused::Malformed(what) => malformed(what),
        // invalid_password, also where there is no such user.
        Refused::Password => said(
            "28P01",
            format!("password authentication failed for user \"{user}\""),
        ),
    }
}
