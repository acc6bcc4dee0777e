//! Owns what Azure Resource Manager refuses, in its order and its words, and the three forms of an error body: the
//! gateway's, the service's long one and its short one.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::operations::{API_VERSIONS, Owner, Verb};
use crate::request::{Call, Target};
use crate::state::World;
use crate::store::Kind;

/// A refusal: what becomes an error answer.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) form: Form,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The form of an error body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// `code` and `message` only.
    Gateway,
    /// The service's error with its `UserFacingError`.
    Service { recommended: String },
    /// The service's error without additional information.
    Short,
}

impl Problem {
    pub(crate) fn gateway(status: u16, code: &str, message: impl Into<String>) -> Problem {
        let headers = vec![("x-ms-failure-cause", "gateway".to_owned())];
        Problem {
            status,
            code: code.to_owned(),
            message: message.into(),
            form: Form::Gateway,
            headers,
        }
    }

    pub(crate) fn service(code: &str, message: impl Into<String>, recommended: &str) -> Problem {
        let form = Form::Service {
            recommended: recommended.to_owned(),
        };
        Problem {
            status: 400,
            code: code.to_owned(),
            message: message.into(),
            form,
            headers: Vec::new(),
        }
    }

    /// A body that the service cannot use.
    pub(crate) fn invalid_input(what: &str) -> Problem {
        Problem::service(
            "BMSUserErrorInvalidInput",
            "Input provided for the call is invalid",
            &format!("Please check the inputs provided: {what}"),
        )
    }

    /// A resource of the service that is not there.
    pub(crate) fn absent() -> Problem {
        let code = "UserErrorGenericResourceNotFound";
        Problem {
            status: 404,
            code: code.to_owned(),
            message: "Azure resource does not exist. Please make sure required resources exist. If the issue persists, contact Microsoft support.".to_owned(),
            form: Form::Short,
            headers: vec![("x-ms-error-code", code.to_owned()), ("content-language", "en-US".to_owned())],
        }
    }

    /// A tracked resource that the gateway does not know.
    pub(crate) fn resource_not_found(kind: Kind, group: &str, name: &str) -> Problem {
        let resource = format!("Microsoft.DataProtection/{}/{name}", kind.segment());
        Problem::gateway(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// The headers, as an answer takes them.
    pub(crate) fn header_pairs(&self) -> Vec<(Cow<'static, str>, String)> {
        self.headers
            .iter()
            .map(|(name, value)| (Cow::Borrowed(*name), value.clone()))
            .collect()
    }

    /// The service's `UserFacingError` object.
    pub(crate) fn user_facing(&self, activity: &str) -> Value {
        let recommended = match &self.form {
            Form::Service { recommended } => json!([recommended]),
            _ => json!([]),
        };
        json!({
            "message": self.message,
            "recommendedAction": recommended,
            "details": null,
            "code": self.code,
            "target": "",
            "innerError": null,
            "isRetryable": false,
            "isUserError": false,
            "properties": {"ActivityId": activity},
        })
    }

    /// The `error` object, in the service's order of keys.
    pub(crate) fn error(&self, activity: &str) -> Value {
        match &self.form {
            Form::Gateway => json!({"code": self.code, "message": self.message}),
            Form::Short => {
                json!({"code": self.code, "message": self.message, "target": null, "details": null})
            }
            Form::Service { .. } => json!({
                "additionalInfo": [{"type": "UserFacingError", "info": self.user_facing(activity)}],
                "code": self.code,
                "message": self.message,
                "target": null,
                "details": null,
            }),
        }
    }
}

/// The checks before a path is looked at.
pub(crate) fn check_version(target: &Target) -> Result<(), Problem> {
    match target.api_version() {
        None => Err(Problem::gateway(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )),
        Some(version) if target.path.contains("//") => Err(invalid_version(version)),
        Some(_) => Ok(()),
    }
}

fn invalid_version(version: &str) -> Problem {
    let supported = "2022-12-01,2022-09-01,2021-04-01,2021-01-01,2020-10-01,2020-06-01,2020-01-01,2019-10-01,2018-05-01,2016-06-01,2016-02-01,2015-11-01,2015-01-01";
    let message = format!(
        "The api-version '{version}' is invalid. The supported versions are '{supported}'."
    );
    Problem::gateway(400, "InvalidApiVersionParameter", message)
}

/// What an unmatched path is refused with.
pub(crate) fn unknown_path(target: &Target, other_verb: bool) -> Problem {
    let version = target.api_version().unwrap_or_default();
    if other_verb {
        let mut problem = Problem::gateway(
            405,
            "HttpMethodNotSupported",
            "The http method of the request is not supported for this resource type.",
        );
        problem.headers.push(("allow", "GET".to_owned()));
        return problem;
    }
    let mut segments = target.path.split('/');
    let namespace = segments
        .by_ref()
        .find(|segment| segment.eq_ignore_ascii_case("providers"));
    match namespace.and_then(|_| segments.next()) {
        Some(namespace) => invalid_type(namespace, version),
        None => Problem::gateway(404, "NotFound", "The requested path was not found."),
    }
}

fn invalid_type(namespace: &str, version: &str) -> Problem {
    let message = format!(
        "The resource type could not be found in the namespace '{namespace}' for api version '{version}'."
    );
    Problem::gateway(404, "InvalidResourceType", message)
}

/// ARM's checks of a request whose path is known, in ARM's order.
pub(crate) fn check(world: &mut World, call: &Call) -> Result<(), Problem> {
    check_subscription(world, call)?;
    check_token(world, &call.headers)?;
    check_enabled(world, call)?;
    check_group(world, call)?;
    check_provider(call)?;
    check_vault(world, call)
}

fn check_subscription(world: &World, call: &Call) -> Result<(), Problem> {
    if !call.has("subscriptionId") {
        return Ok(());
    }
    let id = call.subscription();
    if !crate::ids::is_guid(id) {
        let message =
            format!("The provided subscription identifier '{id}' is malformed or invalid.");
        return Err(Problem::gateway(400, "InvalidSubscriptionId", message));
    }
    match world.subscriptions.find(id) {
        Some(subscription) if subscription.state != "Deleted" => Ok(()),
        _ => {
            let message = format!("The subscription '{id}' could not be found.");
            Err(Problem::gateway(404, "SubscriptionNotFound", message))
        }
    }
}

fn check_token(world: &mut World, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get("authorization");
    let Some(given) = given else {
        if !world.options.require_token {
            return Ok(());
        }
        return Err(unauthorized(
            world,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            "error=\"invalid_token\", error_description=\"The authentication failed because of missing 'Authorization' header.\"",
        ));
    };
    let token = given.to_str().ok().and_then(|text| text.split_once(' '));
    let token = token.filter(|(scheme, token)| {
        scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()
    });
    let Some((_, token)) = token else {
        return Err(unauthorized(
            world,
            "AuthenticationFailedInvalidHeader",
            "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            "error=\"invalid_request\", error_description=\"The authentication header is invalid.\"",
        ));
    };
    if world.tokens.expired(token) {
        Err(expired_token(world))
    } else {
        Ok(())
    }
}

/// The refusal of a token that was good before.
pub(crate) fn expired_token(world: &World) -> Problem {
    let now = world.clock.now();
    let spell =
        |time: chrono::DateTime<chrono::Utc>| time.format("%-m/%-d/%Y %-I:%M:%S %p").to_string();
    let message = format!(
        "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
        spell(now - chrono::TimeDelta::seconds(18)),
        spell(now)
    );
    unauthorized(
        world,
        "ExpiredAuthenticationToken",
        &message,
        "error=\"invalid_token\", error_description=\"The access token has expired.\"",
    )
}

fn unauthorized(world: &World, code: &str, message: &str, challenge: &str) -> Problem {
    let mut problem = Problem::gateway(401, code, message);
    let authority = format!("https://login.windows.net/{}", world.tenant);
    problem.headers.push((
        "www-authenticate",
        format!("Bearer authorization_uri=\"{authority}\", {challenge}"),
    ));
    problem
}

fn check_enabled(world: &World, call: &Call) -> Result<(), Problem> {
    let writes = call.operation.writes();
    let state = world
        .subscriptions
        .find(call.subscription())
        .map(|subscription| subscription.state.as_str());
    if !writes || state != Some("Disabled") {
        return Ok(());
    }
    let message = format!(
        "The subscription '{}' is disabled and therefore marked as read only. You cannot perform any write actions on this subscription until it is re-enabled.",
        call.subscription()
    );
    Err(Problem::gateway(
        409,
        "ReadOnlyDisabledSubscription",
        message,
    ))
}

fn check_group(world: &World, call: &Call) -> Result<(), Problem> {
    let creates = call.operation.id == "ResourceGroups_CreateOrUpdate";
    if !call.has("resourceGroupName") || creates || world.store.holds(&call.group_key()) {
        return Ok(());
    }
    let message = format!(
        "Resource group '{}' could not be found.",
        call.parameter("resourceGroupName")
    );
    Err(Problem::gateway(404, "ResourceGroupNotFound", message))
}

fn check_provider(call: &Call) -> Result<(), Problem> {
    let version = call.api_version();
    match call.operation.owner {
        Owner::ResourceManager => {
            let mut parts = version.splitn(4, '-');
            let numbers = [parts.next(), parts.next(), parts.next()];
            let dated = numbers
                .iter()
                .all(|part| part.is_some_and(|part| part.parse::<u16>().is_ok()));
            if dated {
                Ok(())
            } else {
                Err(invalid_version(version))
            }
        }
        Owner::DataProtection => {
            let folded = version.to_ascii_lowercase();
            if !API_VERSIONS.contains(&folded.as_str()) {
                let message = format!(
                    "No registered resource provider found for location '{}' and API version '{version}' for type '{}'. The supported api-versions are '{}'. The supported locations are '{}'.",
                    if call.has("location") {
                        call.parameter("location")
                    } else {
                        ""
                    },
                    call.operation.resource_type(),
                    API_VERSIONS.join(", "),
                    crate::subscriptions::LOCATIONS
                        .map(|(name, _)| name)
                        .join(", "),
                );
                return Err(Problem::gateway(400, "NoRegisteredProviderFound", message));
            }
            if folded.as_str() < call.operation.since {
                return Err(invalid_type("Microsoft.DataProtection", version));
            }
            Ok(())
        }
    }
}

fn check_vault(world: &World, call: &Call) -> Result<(), Problem> {
    let below = call.has("vaultName") && !call.operation.path.ends_with("/{vaultName}");
    if !below || world.store.holds(&call.vault_key()) {
        return Ok(());
    }
    if call.operation.verb == Verb::Put {
        let vault = call.vault_key();
        let message = format!(
            "Failed to perform 'write' on resource(s) of type '{}', because the parent resource '{}/resourceGroups/{}/providers/Microsoft.DataProtection/backupVaults/{}' could not be found.",
            call.operation.resource_type(),
            call.subscription_id(),
            call.parameter("resourceGroupName"),
            vault.name,
        );
        return Err(Problem::gateway(404, "ParentResourceNotFound", message));
    }
    Err(Problem::resource_not_found(
        Kind::Vault,
        call.parameter("resourceGroupName"),
        call.parameter("vaultName"),
    ))
}
