//! Consent: when a statement asks before it sends, and what the question says.

use restable_spec::names::same;

use super::plan::Acting;
use super::rows::Targeted;
use super::{Attendant, Consent, Question};
use crate::settings::Confirm;
use crate::{Error, Result};

/// So many targets are named in the question.
const NAMED: usize = 10;

/// Asks for consent, if the statement needs any. An error if there is none.
pub(super) async fn consent(
    acting: &Acting,
    calls: &[Targeted],
    setting: Confirm,
    attendant: &Attendant,
) -> Result<()> {
    let destructive = acting.is_destructive(calls);
    let needed = match setting {
        Confirm::Never => false,
        Confirm::Always => true,
        Confirm::Auto => calls.len() > 1 || destructive,
    };
    if !needed || calls.is_empty() {
        return Ok(());
    }
    let question = question(acting, calls);
    let (count, action) = (question.count, question.action.clone());
    let asked = attendant.asker.is_some();
    let consent = match &attendant.asker {
        Some(asker) => asker(question).await,
        None => Consent::Refused,
    };
    match consent {
        Consent::Given => Ok(()),
        Consent::Refused => Err(Error::Unconfirmed {
            count,
            action,
            destructive,
            asked,
        }),
    }
}

fn question(acting: &Acting, calls: &[Targeted]) -> Question {
    let key = acting.resource.key.last();
    let mut scopes: Vec<String> = Vec::new();
    for call in calls {
        let scope = scope(call, key);
        if !scopes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&scope))
        {
            scopes.push(scope);
        }
    }
    let first = calls.iter().take(NAMED);
    Question {
        action: acting.title(),
        count: calls.len(),
        destructive: acting.is_destructive(calls),
        scopes,
        first: first.map(|call| call.call.scope.clone()).collect(),
    }
}

/// What the target is in: its parameters without its own name.
fn scope(call: &Targeted, key: Option<&String>) -> String {
    let of = call
        .parameters
        .iter()
        .filter(|(name, _)| key.is_none_or(|key| !same(name, key)));
    let values: Vec<&str> = of.map(|(_, value)| value.as_str()).collect();
    values.join(" / ")
}
