//! Owns what the provider answers that is about no resource: its own operations, supported features, exports of jobs.

use serde_json::{Value, json};

use crate::arm::Problem;
use crate::long_running::Started;
use crate::operations::{OPERATIONS, Owner, Verb};
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::Items;

/// `GET /providers/Microsoft.DataProtection/operations`: derived from the table, paged.
pub(crate) fn operations(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let mut names: Vec<String> = Vec::new();
    for row in OPERATIONS
        .iter()
        .filter(|row| row.owner == Owner::DataProtection)
    {
        let kind = row.resource_type();
        let name = match row.verb {
            Verb::Get | Verb::Head => format!("Microsoft.DataProtection/{kind}/read"),
            Verb::Put | Verb::Patch => format!("Microsoft.DataProtection/{kind}/write"),
            Verb::Delete => format!("Microsoft.DataProtection/{kind}/delete"),
            Verb::Post => format!("Microsoft.DataProtection/{kind}/action"),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let from = call
        .target
        .value("$skipToken")
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let to = usize::min(
        usize::saturating_add(from, world.options.page_size.max(1)),
        names.len(),
    );
    let values: Vec<Value> = names[from.min(to)..to]
        .iter()
        .map(|name| operation(name))
        .collect();
    let next = (to < names.len()).then(|| Some(crate::paging::link(call, &to.to_string())));
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(values), next),
    })
}

fn operation(name: &str) -> Value {
    let mut parts = name.rsplit('/');
    let verb = parts.next().unwrap_or_default();
    let resource = parts.next().unwrap_or_default();
    json!({
        "name": name,
        "display": {
            "provider": "Microsoft.DataProtection",
            "resource": resource,
            "operation": format!("{verb} {resource}"),
            "description": format!("The {verb} operation of {resource}"),
        },
        "origin": "user",
        "isDataAction": false,
    })
}

/// `POST .../checkFeatureSupport`.
pub(crate) fn feature_support(_: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call.json().unwrap_or_default();
    if given["objectType"] != "FeatureValidationRequest" {
        return Err(Problem::invalid_input(
            "`objectType` is to be `FeatureValidationRequest`",
        ));
    }
    let feature = json!({
        "featureName": given["featureName"],
        "supportStatus": "GenerallyAvailable",
        "exposureControlledFeatures": [],
    });
    let body = json!({
        "objectType": "FeatureValidationResponse",
        "featureType": given["featureType"],
        "features": [feature],
    });
    Ok(Answer::json(200, body))
}

/// `POST V/exportBackupJobs`.
pub(crate) fn export_jobs(world: &mut World, call: &Call) -> Result<Started, Problem> {
    world.note(call, &call.vault_key().id());
    Ok(Started::default())
}
