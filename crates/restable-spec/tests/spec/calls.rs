//! Arguments into calls: what is sent, and what is refused before anything is sent.

use restable_spec::{AUXILIARY_HEADER, Arguments, BindError, BoundCall, CallClass, HttpMethod};

use crate::{SUBSCRIPTION, one_service, table};

const VAULT: [(&str, &str); 3] = [
    ("subscriptionId", SUBSCRIPTION),
    ("resourceGroupName", "rg-1"),
    ("vaultName", "vault-1"),
];

fn bind(
    resource: &str,
    method: &str,
    parameters: &[(&str, &str)],
    body: Option<&str>,
) -> Result<BoundCall, BindError> {
    let (service, resource) = table("data_protection", resource);
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let arguments = Arguments {
        parameters,
        body: body.map(str::to_owned),
    };
    resource.method(method).unwrap().bind(&service, &arguments)
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [VAULT.as_slice(), more].concat()
}

#[test]
fn a_list_is_bound() {
    let call = bind("backup_instances", "list", &VAULT, None).unwrap();
    insta::assert_debug_snapshot!(call, @r#"
    BoundCall {
        provider: "azure",
        operation_id: "BackupInstances_List",
        http: Get,
        class: Read,
        server: "https://management.azure.com",
        path: "/subscriptions/0f7e2c1a-6b0d-4f5e-9a43-2f9d1c5b7e10/resourceGroups/rg-1/providers/Microsoft.DataProtection/backupVaults/vault-1/backupInstances",
        query: [
            (
                "api-version",
                "2026-06-01",
            ),
        ],
        headers: [],
        auxiliary: false,
        body: None,
        scope: "subscriptions/0f7e2c1a-6b0d-4f5e-9a43-2f9d1c5b7e10/resourceGroups/rg-1/backupVaults/vault-1/backupInstances",
    }
    "#);
}

#[test]
fn an_action_is_bound() {
    let body = r#"{"backupRuleOptions":{"ruleName":"BackupWeekly"}}"#;
    let parameters = with(&[
        ("backup_instance_name", "disk (7)&é"),
        ("api_version", "2025-07-01"),
    ]);
    let call = bind(
        "backup_instances",
        "BackupInstances_AdhocBackup",
        &parameters,
        Some(body),
    )
    .unwrap();
    assert_eq!(
        (call.http, call.class),
        (HttpMethod::Post, CallClass::Action)
    );
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-1/providers/Microsoft.DataProtection/backupVaults/vault-1/backupInstances/disk%20%287%29%26%C3%A9/backup"
    );
    assert_eq!(call.path, path);
    assert_eq!(
        call.query,
        [(String::from("api-version"), String::from("2025-07-01"))]
    );
    assert_eq!(call.body.as_deref(), Some(body));
    assert_eq!(
        call.scope,
        format!(
            "subscriptions/{SUBSCRIPTION}/resourceGroups/rg-1/backupVaults/vault-1/backupInstances/disk (7)&é/backup"
        )
    );
}

#[test]
fn headers_are_sent_and_a_post_that_only_asks_takes_its_body_by_name() {
    let parameters = with(&[("x_ms_deleted_vault_id", "d-1")]);
    let call = bind("backup_vaults", "create_or_update", &parameters, Some("{}")).unwrap();
    assert_eq!(
        call.headers,
        [(String::from("x-ms-deleted-vault-id"), String::from("d-1"))]
    );

    let parameters = with(&[
        ("backupInstanceName", "b"),
        ("source_data_store_type", "VaultStore"),
    ]);
    let call = bind("restorable_time_ranges", "find", &parameters, None).unwrap();
    assert_eq!(call.class, CallClass::Read);
    assert_eq!(
        call.body.as_deref(),
        Some(r#"{"sourceDataStoreType":"VaultStore"}"#)
    );
}

#[test]
fn an_arm_id_spans_segments() {
    let bind = |id: &str| {
        bind(
            "backup_instances_extension_routing",
            "list",
            &[("resourceId", id)],
            None,
        )
    };
    for id in [
        "/subscriptions/s/resourceGroups/r g",
        "subscriptions/s/resourceGroups/r g/",
    ] {
        let call = bind(id).unwrap();
        assert_eq!(
            call.path,
            "/subscriptions/s/resourceGroups/r%20g/providers/Microsoft.DataProtection/backupInstances"
        );
    }
    for id in [
        "/subscriptions/../x",
        "//evil.example/x",
        "/a//b",
        "/a/%2e%2e/b",
        "/a/b?c",
        "/a/%2fb",
        "",
        "/",
        "a\nb",
    ] {
        assert!(bind(id).is_err(), "{id}");
    }
}

/// Values that must not leave their path segment, and values that look dangerous but are harmless once encoded.
#[test]
fn names_stay_in_their_segment() {
    let long = "x".repeat(100_000);
    let refused: Vec<(&str, &str)> = vec![
        ("..", "`.` and `..` leave their place in the path"),
        (".", "`.` and `..` leave their place in the path"),
        ("../../x", "a name in a path has no `/`"),
        ("%2e%2e", "`.` and `..` leave their place in the path"),
        ("%252e%252E", "`.` and `..` leave their place in the path"),
        ("%25252e.", "`.` and `..` leave their place in the path"),
        ("%2E./", "a name in a path has no `/`"),
        ("a/b", "a name in a path has no `/`"),
        ("a%2Fb", "a name in a path has no percent-encoded `/`"),
        ("a%252fb", "a name in a path has no percent-encoded `/`"),
        ("a%5Cb", "a name in a path has no percent-encoded `\\`"),
        ("a\\b", "a name in a path has no `\\`"),
        ("..\\..", "a name in a path has no `\\`"),
        ("a?b=c", "a name in a path has no `?`"),
        ("a#b", "a name in a path has no `#`"),
        ("a\tb", "it has a control character"),
        ("a\nb", "it has a control character"),
        ("a\0b", "it has a control character"),
        ("a%00b", "it has a control character"),
        ("a\r\nX-Evil: 1", "it has a control character"),
        ("", "it is empty"),
        ("   ", "it is blank"),
        ("\u{3000}", "it is blank"),
        (&long, "it has 100000 bytes, more than any name"),
        ("//evil.example", "a name in a path has no `/`"),
        ("https://evil.example/x", "a name in a path has no `/`"),
    ];
    for (value, problem) in refused {
        let error = bind(
            "backup_instances",
            "get",
            &with(&[("backupInstanceName", value)]),
            None,
        )
        .unwrap_err();
        assert_eq!(error.parameter(), Some("backupInstanceName"));
        let text = error.to_string();
        assert!(text.ends_with(&format!(": {problem}")), "{value:?}: {text}");
        assert!(
            text.len() < 400 && !text.contains(char::is_control),
            "{text}"
        );
    }
    let long = "x".repeat(2048);
    let allowed: Vec<(&str, &str)> = vec![
        ("a;b=c", "a%3Bb%3Dc"),
        ("a b+c", "a%20b%2Bc"),
        ("{vaultName}", "%7BvaultName%7D"),
        ("@evil.example", "%40evil.example"),
        ("100%", "100%25"),
        ("a%20b", "a%2520b"),
        ("...", "..."),
        ("／．．", "%EF%BC%8F%EF%BC%8E%EF%BC%8E"),
        (
            "begin!*'():@&=+$,[]end",
            "begin%21%2A%27%28%29%3A%40%26%3D%2B%24%2C%5B%5Dend",
        ),
        (&long, &long),
    ];
    for (value, encoded) in allowed {
        let call = bind(
            "backup_instances",
            "get",
            &with(&[("backupInstanceName", value)]),
            None,
        )
        .unwrap();
        assert_eq!(call.path.rsplit('/').next(), Some(encoded), "{value}");
        assert_eq!(call.path.matches('/').count(), 10);
    }
}

#[test]
fn refusals_name_the_parameter() {
    let refused =
        |resource: &str, method: &str, parameters: &[(&str, &str)], body: Option<&str>| {
            bind(resource, method, parameters, body)
                .unwrap_err()
                .to_string()
        };
    insta::assert_snapshot!(refused("backup_instances", "get", &VAULT[..2], None), @"`backup_instances.get` needs `vaultName` and `backupInstanceName`");
    insta::assert_snapshot!(refused("backup_instances", "list", &with(&[("vaultname", "b")]), None), @"`vaultName` is given twice");
    insta::assert_snapshot!(refused("backup_instances", "list", &with(&[("vault_nam", "b")]), None), @"`backup_instances.list` has no parameter `vault_nam`, did you mean `vaultName`");
    insta::assert_snapshot!(refused("backup_instances", "list", &with(&[("colour", "b")]), None), @"`backup_instances.list` has no parameter `colour`");
    insta::assert_snapshot!(refused("backup_instances", "list", &[("subscriptionId", "prod"), VAULT[1], VAULT[2]], None), @"`subscriptionId` cannot be `prod`: it is no UUID");
    insta::assert_snapshot!(refused("backup_instances", "list", &[("subscriptionId", "{0f7e2c1a-6b0d-4f5e-9a43-2f9d1c5b7e10}"), VAULT[1], VAULT[2]], None), @"`subscriptionId` cannot be `{0f7e2c1a-6b0d-4f5e-9a43-2f9d1c5b7e10}`: it is no UUID");
    insta::assert_snapshot!(refused("backup_instances", "list", &with(&[("api-version", "")]), None), @"`api-version` cannot be sent: it is empty");
    insta::assert_snapshot!(refused("backup_instances", "list", &with(&[("api-version", "1"), ("api_version", "2")]), None), @"`api-version` is given twice");
    insta::assert_snapshot!(refused("backup_instances", "list", &VAULT, Some("{}")), @"`backup_instances.list` takes no body");
    let key = with(&[("backupInstanceName", "b")]);
    insta::assert_snapshot!(refused("backup_instances", "adhoc_backup", &key, None), @"`backup_instances.adhoc_backup` needs a body");
    insta::assert_snapshot!(refused("backup_instances", "adhoc_backup", &key, Some("{'a': 1}")), @"the body of `backup_instances.adhoc_backup` is no JSON: key must be a string at line 1 column 2");
    insta::assert_snapshot!(refused("restorable_time_ranges", "find", &key, None), @"`restorable_time_ranges.find` needs `sourceDataStoreType`");
    let header = with(&[("x-ms-deleted-vault-id", "t\r\nX-Evil: 1")]);
    insta::assert_snapshot!(refused("backup_vaults", "create_or_update", &header, Some("{}")), @"`x-ms-deleted-vault-id` cannot be sent: it has a control character");
    let name = "x".repeat(91);
    insta::assert_snapshot!(refused("backup_instances", "list", &[VAULT[0], ("resourceGroupName", &name), VAULT[2]], None), @"`resourceGroupName` cannot be `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: it has more than 90 characters");
    let proxy = with(&[("resourceGuardProxyName", "dpp-proxy")]);
    insta::assert_snapshot!(refused("dpp_resource_guard_proxy", "get", &proxy, None), @"`resourceGuardProxyName` cannot be `dpp-proxy`: it does not match `^[A-Za-z0-9]*$`");
}

/// The second credential: which methods take it, and that it is no value of any.
#[test]
fn the_auxiliary_credential_is_no_value() {
    let (service, _) = table("data_protection", "backup_instances");
    let methods = || {
        service
            .resources
            .values()
            .flat_map(|it| it.methods.values())
    };
    let mut taking: Vec<&str> = methods()
        .filter(|method| method.auxiliary)
        .map(|method| method.operation_id.as_str())
        .collect();
    taking.sort_unstable();
    taking.dedup();
    assert_eq!(
        taking,
        [
            "BackupInstances_CreateOrUpdate",
            "BackupInstances_Delete",
            "BackupInstances_StopProtection",
            "BackupInstances_SuspendBackups",
            "BackupInstances_TriggerRestore",
            "BackupVaults_CreateOrUpdate",
            "BackupVaults_Update",
            "DppResourceGuardProxy_UnlockDelete",
        ]
    );
    for resource in service.resources.values() {
        assert!(resource.parameter(AUXILIARY_HEADER).is_none());
    }
    assert!(methods().all(|method| method.parameter(AUXILIARY_HEADER).is_none()));

    let key = with(&[("backupInstanceName", "b")]);
    let call = bind("backup_instances", "delete", &key, None).unwrap();
    assert!(call.auxiliary && call.headers.is_empty());
    assert!(
        !bind("backup_instances", "get", &key, None)
            .unwrap()
            .auxiliary
    );

    for spelling in [
        AUXILIARY_HEADER,
        "x_ms_authorization_auxiliary",
        "X-MS-Authorization-Auxiliary",
    ] {
        let token = [key.as_slice(), &[(spelling, "Bearer hunter2")]].concat();
        for (method, told) in [
            (
                "delete",
                "`x-ms-authorization-auxiliary` is a credential, no value: `--auth azure.auxiliary=…` gives it",
            ),
            (
                "adhoc_backup",
                "`x-ms-authorization-auxiliary` is a credential, no value, and `backup_instances.adhoc_backup` takes none",
            ),
        ] {
            let refused = bind("backup_instances", method, &token, None).unwrap_err();
            assert_eq!(refused.to_string(), told);
            assert_eq!(refused.parameter(), Some(AUXILIARY_HEADER));
            assert!(!format!("{refused:?}").contains("hunter2"));
        }
    }
}

const TWO_CREDENTIALS: &str = "
servers: [{url: 'https://example.com'}]
components:
  parameters:
    second: {name: X-Ms-Authorization-Auxiliary, in: header, required: true, schema: {type: string}}
  x-stackQL-resources:
    things:
      methods:
        get: {operation: {$ref: '#/paths/~1things~1{id}/get'}}
        list: {operation: {$ref: '#/paths/~1things/get'}}
      sqlVerbs: {select: [{$ref: '#/components/x-stackQL-resources/things/methods/get'}]}
paths:
  /things/{id}:
    parameters: [{$ref: '#/components/parameters/second'}]
    get: {responses: {200: {content: {application/json: {schema: {properties: {id: {type: string}}}}}}}}
  /things:
    get:
      parameters: [{name: x-ms-authorization-auxiliary, in: query, schema: {type: string}}]
      responses: {200: {description: ok}}
";

#[test]
fn any_document_and_spelling_declares_the_auxiliary_credential() {
    let registry = one_service(TWO_CREDENTIALS);
    let service = registry.provider("p").unwrap().service("s").unwrap();
    let service = service.unwrap();
    let things = service.resource("things").unwrap();
    let get = things.method("get").unwrap();
    assert!(get.auxiliary && get.parameters.len() == 1);
    assert_eq!(things.parameters.len(), 1);
    let arguments = |name: &str| Arguments {
        parameters: vec![(name.to_owned(), "7".to_owned())],
        body: None,
    };
    let call = get.bind(&service, &arguments("id")).unwrap();
    assert!(call.auxiliary && call.headers.is_empty());
    // Under that name elsewhere than in a header it is a parameter like any other.
    let list = things.method("list").unwrap();
    assert!(!list.auxiliary);
    let call = list.bind(&service, &arguments(AUXILIARY_HEADER)).unwrap();
    assert_eq!(call.query[0].1, "7");
}

const SERVER_VARIABLES: &str = "
servers: [{url: 'https://{subdomain}.example.com/', variables: {subdomain: {default: my-org}}}]
components:
  x-stackQL-resources:
    users:
      methods:
        get: {operation: {$ref: '#/paths/~1users~1{id}?kind=full&api-version=3/get'}}
        put: {operation: {$ref: '#/paths/~1users~1{id}?kind=full&api-version=3/put'}}
paths:
  /users/{id}?kind=full&api-version=3:
    parameters: [{name: id, in: path, schema: {type: integer}}, {name: deep, in: query, schema: {type: boolean}}]
    get: {responses: {200: {content: {application/json: {schema: {properties: {id: {type: integer}}}}}}}}
    put:
      parameters: [{name: If-Match, in: header, schema: {type: string}}]
      responses: {200: {description: ok}}
";

#[test]
fn servers_constants_and_shared_parameters() {
    let registry = one_service(SERVER_VARIABLES);
    let service = registry
        .provider("p")
        .unwrap()
        .service("s")
        .unwrap()
        .unwrap();
    let users = service.resource("users").unwrap();
    let bind = |method: &str, parameters: &[(&str, &str)]| {
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        users.method(method).unwrap().bind(
            &service,
            &Arguments {
                parameters,
                body: None,
            },
        )
    };
    let call = bind("get", &[("id", "7"), ("deep", "true")]).unwrap();
    assert_eq!(call.server, "https://my-org.example.com");
    assert_eq!(call.path, "/users/7");
    let query: Vec<String> = call
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(query, ["kind=full", "deep=true", "api-version=3"]);
    assert_eq!(
        bind("get", &[("id", "7"), ("subdomain", "acme")])
            .unwrap()
            .server,
        "https://acme.example.com"
    );
    for host in [
        "evil.example/",
        "a@b",
        "a:1",
        "",
        "a..b",
        "-a",
        "{subdomain}",
    ] {
        assert!(
            bind("get", &[("id", "7"), ("subdomain", host)]).is_err(),
            "{host}"
        );
    }
    for (name, value) in [("id", "7a"), ("id", "9223372036854775808"), ("deep", "yes")] {
        let others = if name == "id" {
            vec![(name, value)]
        } else {
            vec![("id", "7"), (name, value)]
        };
        assert_eq!(
            bind("get", &others).unwrap_err().parameter(),
            Some(name),
            "{value}"
        );
    }
    assert_eq!(
        bind("put", &[("id", "7")]).unwrap().class,
        CallClass::IdempotentWrite
    );
    assert_eq!(
        bind("put", &[("id", "7"), ("if_match", "*")])
            .unwrap()
            .class,
        CallClass::Conditional
    );
}
