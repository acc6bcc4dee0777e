//! Bodies made of arguments, and what is found wrong with bodies.

use std::sync::Arc;

use restable_spec::{
    BodyArgument, BodyError, BodyValue, Kind, Method, Service, Severity, Strictness,
};

use crate::{one_service, table};

fn method(resource: &str, method: &str) -> (Arc<Service>, Arc<Method>) {
    let (service, resource) = table("data_protection", resource);
    let method = Arc::clone(resource.method(method).unwrap());
    (service, method)
}

fn arguments(given: &[(&str, BodyValue)]) -> Vec<BodyArgument> {
    let numbered = given.iter().enumerate();
    numbered
        .map(|(origin, (path, value))| BodyArgument::new(path, value.clone(), origin))
        .collect()
}

/// The body, then what is wrong with it, a line each; or the error.
fn build(resource: &str, key: &str, given: &[(&str, BodyValue)]) -> String {
    let (service, method) = method(resource, key);
    shown(&service, &method, given)
}

fn shown(service: &Service, method: &Method, given: &[(&str, BodyValue)]) -> String {
    match method.body(service, &arguments(given), Strictness::Strict) {
        Ok(None) => String::from("no body"),
        Ok(Some(body)) => [body.text.clone(), problems(service, method, &body.text)]
            .join("\n")
            .trim_end()
            .to_owned(),
        Err(error) => with_hint(&error.to_string(), error.hint()),
    }
}

fn with_hint(text: &str, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{text}\n  hint: {hint}"),
        None => text.to_owned(),
    }
}

fn problems(service: &Service, method: &Method, body: &str) -> String {
    let problems = method.check_body(service, body, Strictness::Strict);
    let lines = problems.iter().map(|problem| {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        with_hint(&format!("{severity}: {problem}"), problem.hint())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn check(resource: &str, key: &str, body: &str) -> String {
    let (service, method) = method(resource, key);
    problems(&service, &method, body)
}

fn text(value: &str) -> BodyValue {
    BodyValue::from(value)
}

fn json(value: &str) -> BodyValue {
    BodyValue::Json(value.to_owned())
}

const FULL: &str = r#"{"backupRuleOptions":{"ruleName":"BackupWeekly","triggerOption":{"retentionTagOverride":"Default"}}}"#;
const SHORT: &str = r#"{"backupRuleOptions":{"ruleName":"BackupWeekly","triggerOption":{}}}"#;

#[test]
fn every_way_to_write_an_adhoc_backup_sends_the_same() {
    let rule = "BackupWeekly";
    let cases: Vec<(Vec<(&str, BodyValue)>, &str)> = vec![
        (vec![("backupRuleOptions.ruleName", text(rule))], SHORT),
        (vec![("backup_rule_options.rule_name", text(rule))], SHORT),
        (
            vec![("data__backupRuleOptions.RULENAME", text(rule))],
            SHORT,
        ),
        (
            vec![
                (
                    "backupRuleOptions.triggerOption.retentionTagOverride",
                    text("Default"),
                ),
                ("backupRuleOptions.ruleName", text(rule)),
            ],
            FULL,
        ),
        (
            vec![
                ("backupRuleOptions.ruleName", text(rule)),
                (
                    "backupRuleOptions.triggerOption.retentionTagOverride",
                    BodyValue::Null,
                ),
            ],
            SHORT,
        ),
        (
            vec![
                ("backupRuleOptions.ruleName", text(rule)),
                ("backupRuleOptions.triggerOption", text("{}")),
            ],
            SHORT,
        ),
        (
            vec![
                ("backupRuleOptions.ruleName", text(rule)),
                ("backupRuleOptions.triggerOption", BodyValue::Null),
            ],
            SHORT,
        ),
        (
            vec![("backupRuleOptions", text(r#"{"ruleName": "BackupWeekly"}"#))],
            SHORT,
        ),
        (
            vec![(
                "data__backup_rule_options",
                json(
                    r#"{"ruleName":"BackupWeekly","triggerOption":{"retentionTagOverride":"Default"}}"#,
                ),
            )],
            FULL,
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(
            build("backup_instances", "adhoc_backup", &given),
            expected,
            "{given:?}"
        );
    }
}

/// Each shows what is sent, and what is wrong with it.
#[test]
fn values_become_json_by_the_schema() {
    let instances = "backup_instances";
    // Text for a string is never parsed; a number for a string is no accident that is passed over.
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[("backupRuleOptions.ruleName", text(r#"{"a":1}"#))]), @r#"{"backupRuleOptions":{"ruleName":"{\"a\":1}","triggerOption":{}}}"#);
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[("backupRuleOptions.ruleName", 5_i64.into())]), @r#"
    {"backupRuleOptions":{"ruleName":5,"triggerOption":{}}}
    error: `backupRuleOptions.ruleName` is text, not an integer
    "#);
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[("backupRuleOptions.ruleName", json("[1]"))]), @r#"
    {"backupRuleOptions":{"ruleName":[1],"triggerOption":{}}}
    error: `backupRuleOptions.ruleName` is text, not an array
    "#);
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[("backupRuleOptions", text("BackupWeekly"))]), @"
    `backupRuleOptions` is an object, and `BackupWeekly` is no JSON: expected value at line 1 column 1
      hint: write `backupRuleOptions` as JSON text, '{…}', or give its attributes by name
    ");
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[("backupRuleOptions", text("7"))]), @r#"
    {"backupRuleOptions":7}
    error: `backupRuleOptions` is an object, not an integer
    "#);
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[("backupRuleOptions", json("{"))]), @"
    `backupRuleOptions` is an object, and `{` is no JSON: EOF while parsing an object at line 1 column 1
      hint: write `backupRuleOptions` as JSON text, '{…}', or give its attributes by name
    ");
    insta::assert_snapshot!(build(instances, "stop_protection", &[("resourceGuardOperationRequests", text("a"))]), @"
    `resourceGuardOperationRequests` is an array, and `a` is no JSON: expected value at line 1 column 1
      hint: write `resourceGuardOperationRequests` as JSON text: '[…]'
    ");
    insta::assert_snapshot!(build(instances, "stop_protection", &[("resourceGuardOperationRequests", text(r#"["a"]"#))]), @r#"{"resourceGuardOperationRequests":["a"]}"#);
    insta::assert_snapshot!(build(instances, "stop_protection", &[("resourceGuardOperationRequests.x", text("a"))]), @"
    `resourceGuardOperationRequests` is an array, so it has no attribute `x`
      hint: give all of `resourceGuardOperationRequests` as JSON text: '[…]'
    ");

    let soft = "properties.securitySettings.softDeleteSettings.retentionDurationInDays";
    let vaults = "backup_vaults";
    insta::assert_snapshot!(build(vaults, "update", &[(soft, text("14"))]), @r#"{"properties":{"securitySettings":{"softDeleteSettings":{"retentionDurationInDays":14}}}}"#);
    insta::assert_snapshot!(build(vaults, "update", &[(soft, 14_i64.into())]), @r#"{"properties":{"securitySettings":{"softDeleteSettings":{"retentionDurationInDays":14}}}}"#);
    insta::assert_snapshot!(build(vaults, "update", &[(soft, 14.5_f64.into())]), @r#"{"properties":{"securitySettings":{"softDeleteSettings":{"retentionDurationInDays":14.5}}}}"#);
    insta::assert_snapshot!(build(vaults, "update", &[(soft, BodyValue::Number(String::from("14.50")))]), @r#"{"properties":{"securitySettings":{"softDeleteSettings":{"retentionDurationInDays":14.50}}}}"#);
    insta::assert_snapshot!(build(vaults, "update", &[(soft, text("14 days"))]), @"`properties.securitySettings.softDeleteSettings.retentionDurationInDays` is a number, which `14 days` is not");
    insta::assert_snapshot!(build(vaults, "update", &[(soft, true.into())]), @r#"
    {"properties":{"securitySettings":{"softDeleteSettings":{"retentionDurationInDays":true}}}}
    error: `properties.securitySettings.softDeleteSettings.retentionDurationInDays` is a number, not a boolean
    "#);
    insta::assert_snapshot!(build(vaults, "update", &[(soft, f64::INFINITY.into())]), @"`properties.securitySettings.softDeleteSettings.retentionDurationInDays` is a number, which `inf` is not");
}

#[test]
fn names_are_found_and_targets_are_given_once() {
    let instances = "backup_instances";
    let key = "create_or_update";
    // The case of names is a trap: dataSourceInfo here, datasourceInfo in a restore, and a resourceID in both.
    insta::assert_snapshot!(build(instances, key, &[
        ("properties.data_source_info.resource_id", text("/subscriptions/s/disk")),
        ("properties.policy_info.policy_id", text("/subscriptions/s/policy")),
        ("tags.cost_center", text("7")),
        ("properties.validation_type", text("DeepValidation")),
    ]), @r#"{"properties":{"dataSourceInfo":{"resourceID":"/subscriptions/s/disk"},"policyInfo":{"policyId":"/subscriptions/s/policy"},"validationType":"DeepValidation","objectType":"BackupInstance"},"tags":{"cost_center":"7"}}"#);
    insta::assert_snapshot!(build(instances, "trigger_restore", &[
        ("restore_target_info.data_source_info.resource_id", text("/subscriptions/s/disk")),
        ("restore_target_info.object_type", text("RestoreTargetInfo")),
        ("object_type", text("AzureBackupRecoveryPointBasedRestoreRequest")),
        ("recovery_point_id", text("r")),
        ("source_data_store_type", text("VaultStore")),
    ]), @r#"{"objectType":"AzureBackupRecoveryPointBasedRestoreRequest","restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","datasourceInfo":{"resourceID":"/subscriptions/s/disk"}},"sourceDataStoreType":"VaultStore","recoveryPointId":"r"}"#);
    insta::assert_snapshot!(build(instances, key, &[("propertie.x", text("a"))]), @"
    the body of `backup_instances.create_or_update` has no attribute `propertie.x`, did you mean `properties`
      hint: `SHOW EXEC backup_instances.create_or_update` lists the attributes
    ");
    insta::assert_snapshot!(build(instances, key, &[("properties.policyInfo.policId", BodyValue::Null)]), @"
    the body of `backup_instances.create_or_update` has no attribute `properties.policyInfo.policId`, did you mean `properties.policyInfo.policyId`
      hint: `SHOW EXEC backup_instances.create_or_update` lists the attributes
    ");
    insta::assert_snapshot!(build(instances, key, &[("colour", text("a"))]), @"
    the body of `backup_instances.create_or_update` has no attribute `colour`
      hint: `SHOW EXEC backup_instances.create_or_update` lists the attributes
    ");
    insta::assert_snapshot!(build(instances, key, &[("properties.friendlyName", text("a")), ("properties.friendly_name", text("b"))]), @"`properties.friendlyName` is given twice");
    insta::assert_snapshot!(build(instances, key, &[("properties.policyInfo.policyId", text("a")), ("properties.policyInfo", BodyValue::Null)]), @"
    `properties.policyInfo` is given whole, so `properties.policyInfo.policyId` cannot be given beside it
      hint: give all of `properties.policyInfo` as JSON, or each of its attributes by name
    ");
    insta::assert_snapshot!(build(instances, key, &[("properties", text("{}")), ("properties.policyInfo.policyId", text("a"))]), @"
    `properties` is given whole, so `properties.policyInfo.policyId` cannot be given beside it
      hint: give all of `properties` as JSON, or each of its attributes by name
    ");
    insta::assert_snapshot!(build(instances, key, &[("properties.friendlyName.x", text("a"))]), @"`properties.friendlyName` is text, so it has no attribute `x`");
    insta::assert_snapshot!(build(instances, key, &[("name", text("a"))]), @"
    `name` is read-only: the service gives it its value
      hint: leave `name` out; names in the path are given as parameters
    ");
    insta::assert_snapshot!(build(instances, key, &[("properties.protectionStatus.status", text("a"))]), @"
    `properties.protectionStatus` is read-only: the service gives it its value
      hint: leave `properties.protectionStatus` out; names in the path are given as parameters
    ");
    insta::assert_snapshot!(build(instances, "resume_backups", &[("x.y", text("a"))]), @"`backup_instances.resume_backups` takes no body, so it has no attribute `x.y`");
    // Keys of a map are the user's, to the letter.
    insta::assert_snapshot!(build("backup_vaults", "update", &[("tags.Owner", text("a")), ("tags.owner", text("b"))]), @r#"{"tags":{"Owner":"a","owner":"b"}}"#);
    insta::assert_snapshot!(build("backup_vaults", "update", &[("tags.Owner", 5_i64.into())]), @r#"
    {"tags":{"Owner":5}}
    error: `tags.Owner` is text, not an integer
    "#);
}

#[test]
fn the_fifteen_methods_have_their_bodies() {
    let instances = "backup_instances";
    for key in [
        "resume_backups",
        "resume_protection",
        "stop_protection",
        "suspend_backups",
        "delete",
        "get",
        "list",
    ] {
        assert_eq!(build(instances, key, &[]), "no body", "{key}");
    }
    insta::assert_snapshot!(build(instances, "adhoc_backup", &[]), @"
    {}
    error: `backup_instances.adhoc_backup` needs `backupRuleOptions.ruleName`
    ");
    insta::assert_snapshot!(build(instances, "sync_backup_instance", &[]), @"{}");
    insta::assert_snapshot!(build(instances, "sync_backup_instance", &[("syncType", text("forceresync"))]), @r#"
    {"syncType":"forceresync"}
    warning: `syncType` has the value `forceresync`, which the document does not know, did you mean `ForceResync`
      hint: known values are `Default` and `ForceResync`
    "#);
    insta::assert_snapshot!(build(instances, "sync_backup_instance", &[("syncType", text("ForceResinc"))]), @r#"
    {"syncType":"ForceResinc"}
    warning: `syncType` has the value `ForceResinc`, which the document does not know, did you mean `ForceResync`
      hint: known values are `Default` and `ForceResync`
    "#);
    insta::assert_snapshot!(build(instances, "trigger_rehydrate", &[("rehydrationPriority", text("High"))]), @r#"
    {"rehydrationPriority":"High"}
    error: `backup_instances.trigger_rehydrate` needs `recoveryPointId`
    error: `backup_instances.trigger_rehydrate` needs `rehydrationRetentionDuration`
    "#);
    insta::assert_snapshot!(build(instances, "trigger_rehydrate", &[
        ("recoveryPointId", text("r")), ("rehydrationRetentionDuration", text("P10D")),
    ]), @r#"{"recoveryPointId":"r","rehydrationRetentionDuration":"P10D"}"#);
    insta::assert_snapshot!(build(instances, "validate_for_backup", &[("backupInstance", text("{}"))]), @r#"
    {"backupInstance":{"objectType":"BackupInstance"}}
    error: `backup_instances.validate_for_backup` needs `backupInstance.dataSourceInfo.resourceID`
    error: `backup_instances.validate_for_backup` needs `backupInstance.policyInfo.policyId`
    "#);
    insta::assert_snapshot!(build(instances, "validate_for_restore", &[
        ("restoreRequestObject", text(r#"{"objectType": "AzureBackupRecoveryTimeBasedRestoreRequest"}"#)),
    ]), @r#"
    {"restoreRequestObject":{"objectType":"AzureBackupRecoveryTimeBasedRestoreRequest"}}
    error: `backup_instances.validate_for_restore` needs `restoreRequestObject.restoreTargetInfo`
    error: `backup_instances.validate_for_restore` needs `restoreRequestObject.sourceDataStoreType`
      hint: `restoreRequestObject.sourceDataStoreType` is 'ArchiveStore', 'SnapshotStore', 'OperationalStore' or 'VaultStore'
    error: `backup_instances.validate_for_restore` needs `restoreRequestObject.recoveryPointTime`
    "#);
}

#[test]
fn a_restore_is_of_one_kind() {
    let target = (
        "restoreTargetInfo",
        text(
            r#"{"objectType":"RestoreTargetInfo","datasourceInfo":{"resourceID":"/d"},"restoreLocation":"westeurope"}"#,
        ),
    );
    let store = ("sourceDataStoreType", text("VaultStore"));
    let restore = |more: &[(&'static str, BodyValue)]| {
        let given = [&[target.clone(), store.clone()], more].concat();
        build("backup_instances", "trigger_restore", &given)
    };
    let kind = |name: &str| ("objectType", text(name));
    insta::assert_snapshot!(restore(&[kind("AzureBackupRecoveryPointBasedRestoreRequest"), ("recoveryPointId", text("r"))]), @r#"{"objectType":"AzureBackupRecoveryPointBasedRestoreRequest","restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","restoreLocation":"westeurope","datasourceInfo":{"resourceID":"/d"}},"sourceDataStoreType":"VaultStore","recoveryPointId":"r"}"#);
    insta::assert_snapshot!(restore(&[kind("AzureBackupRecoveryTimeBasedRestoreRequest"), ("recoveryPointTime", BodyValue::Timestamp(String::from("2026-01-31T08:30:00Z")))]), @r#"{"objectType":"AzureBackupRecoveryTimeBasedRestoreRequest","restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","restoreLocation":"westeurope","datasourceInfo":{"resourceID":"/d"}},"sourceDataStoreType":"VaultStore","recoveryPointTime":"2026-01-31T08:30:00Z"}"#);
    insta::assert_snapshot!(restore(&[kind("AzureBackupRestoreWithRehydrationRequest"), ("recoveryPointId", text("r")), ("rehydrationPriority", text("High"))]), @r#"
    {"objectType":"AzureBackupRestoreWithRehydrationRequest","restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","restoreLocation":"westeurope","datasourceInfo":{"resourceID":"/d"}},"sourceDataStoreType":"VaultStore","recoveryPointId":"r","rehydrationPriority":"High"}
    error: `backup_instances.trigger_restore` needs `rehydrationRetentionDuration`
    "#);
    insta::assert_snapshot!(restore(&[kind("AzureBackupRecoveryPointBasedRestoreRequest"), ("recoveryPointTime", text("t"))]), @r#"
    {"objectType":"AzureBackupRecoveryPointBasedRestoreRequest","restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","restoreLocation":"westeurope","datasourceInfo":{"resourceID":"/d"}},"sourceDataStoreType":"VaultStore","recoveryPointTime":"t"}
    error: the body of `backup_instances.trigger_restore` has no attribute `recoveryPointTime`
      hint: it is an attribute where `objectType` is 'AzureBackupRecoveryTimeBasedRestoreRequest'
    error: `backup_instances.trigger_restore` needs `recoveryPointId`
    "#);
    insta::assert_snapshot!(restore(&[kind("AzureBackupRecoveryPointRestoreRequest"), ("recoveryPointId", text("r"))]), @r#"
    {"objectType":"AzureBackupRecoveryPointRestoreRequest","restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","restoreLocation":"westeurope","datasourceInfo":{"resourceID":"/d"}},"sourceDataStoreType":"VaultStore","recoveryPointId":"r"}
    error: `objectType` cannot be `AzureBackupRecoveryPointRestoreRequest`, did you mean `AzureBackupRecoveryPointBasedRestoreRequest`
      hint: `objectType` is 'AzureBackupRecoveryPointBasedRestoreRequest', 'AzureBackupRecoveryTimeBasedRestoreRequest' or 'AzureBackupRestoreWithRehydrationRequest'
    "#);
    insta::assert_snapshot!(restore(&[("recoveryPointId", text("r"))]), @r#"
    {"restoreTargetInfo":{"objectType":"RestoreTargetInfo","recoveryOption":"FailIfExists","restoreLocation":"westeurope","datasourceInfo":{"resourceID":"/d"}},"sourceDataStoreType":"VaultStore","recoveryPointId":"r"}
    error: `backup_instances.trigger_restore` needs `objectType`
      hint: `objectType` is 'AzureBackupRecoveryPointBasedRestoreRequest', 'AzureBackupRecoveryTimeBasedRestoreRequest' or 'AzureBackupRestoreWithRehydrationRequest'
    "#);
}

#[test]
fn a_whole_body_is_checked_and_not_changed() {
    let instances = "backup_instances";
    assert_eq!(check(instances, "adhoc_backup", FULL), "");
    assert_eq!(check(instances, "adhoc_backup", SHORT), "");
    insta::assert_snapshot!(check(instances, "adhoc_backup", r#"{"backupRuleOptions":{"ruleName":"B"}}"#), @"error: `backup_instances.adhoc_backup` needs `backupRuleOptions.triggerOption`");
    insta::assert_snapshot!(check(instances, "adhoc_backup", r#"{"backupRuleOptions":{"rule_name":"B","triggerOption":null},"x":1}"#), @"
    error: the body of `backup_instances.adhoc_backup` has no attribute `backupRuleOptions.rule_name`, did you mean `backupRuleOptions.ruleName`
    error: `backup_instances.adhoc_backup` needs `backupRuleOptions.triggerOption`
    error: `backup_instances.adhoc_backup` needs `backupRuleOptions.ruleName`
    error: the body of `backup_instances.adhoc_backup` has no attribute `x`
      hint: `SHOW EXEC backup_instances.adhoc_backup` lists the attributes
    ");
    insta::assert_snapshot!(check(instances, "adhoc_backup", r#"{"BackupRuleOptions":{"RuleName":7,"triggerOption":"{}"}}"#), @"
    warning: `BackupRuleOptions` is spelt `backupRuleOptions` in the document
    warning: `BackupRuleOptions.RuleName` is spelt `ruleName` in the document
    error: `BackupRuleOptions.RuleName` is text, not an integer
    error: `BackupRuleOptions.triggerOption` is an object, not text
    ");
    insta::assert_snapshot!(check(instances, "adhoc_backup", "[]"), @"error: the body of `backup_instances.adhoc_backup` is an object, not an array");
    insta::assert_snapshot!(check(instances, "adhoc_backup", "{'a': 1}"), @"error: the body of `backup_instances.adhoc_backup` is no JSON: key must be a string at line 1 column 2");
    insta::assert_snapshot!(check(instances, "create_or_update", r#"{"id":"/x","tags":{"a":1,"b":null},"properties":{"objectType":"BackupInstance",
        "dataSourceInfo":{"resourceId":"/d","objectType":"Datasource"},"provisioningState":"Succeeded",
        "policyInfo":{"policyId":"/p","policyParameters":{"dataStoreParametersList":[{"objectType":"AzureOperationalStoreParameters","dataStoreType":"OperationalStore"},{"dataStoreType":"OperationalStore","resourceGroupId":"/g"}]}}}}"#), @"
    warning: `id` is read-only: the service ignores what is sent
    error: `tags.a` is text, not an integer
    warning: `tags.b` is null, which the document does not allow
    warning: `properties.dataSourceInfo.resourceId` is spelt `resourceID` in the document
    warning: `properties.provisioningState` is read-only: the service ignores what is sent
    error: `backup_instances.create_or_update` needs `properties.policyInfo.policyParameters.dataStoreParametersList[1].objectType`
      hint: `properties.policyInfo.policyParameters.dataStoreParametersList[1].objectType` is 'AzureOperationalStoreParameters'
    ");
    insta::assert_snapshot!(check("backup_vaults", "update", r#"{"tags":null,"properties":{"securitySettings":{"softDeleteSettings":{"state":"Of","retentionDurationInDays":"14"}}}}"#), @"
    warning: `properties.securitySettings.softDeleteSettings.state` has the value `Of`, which the document does not know, did you mean `Off`
      hint: known values are `Off`, `On` and `AlwaysOn`
    error: `properties.securitySettings.softDeleteSettings.retentionDurationInDays` is a number, not text
    ");
}

#[test]
fn another_version_than_the_documents_is_checked_leniently() {
    let (service, method) = method("backup_instances", "adhoc_backup");
    assert_eq!(method.strictness(None), Strictness::Strict);
    assert_eq!(method.strictness(Some("2026-06-01")), Strictness::Strict);
    let lenient = method.strictness(Some("2027-01-01"));
    assert_eq!(lenient, Strictness::Lenient);
    let given = arguments(&[
        ("backupRuleOptions.ruleName", text("B")),
        ("backup_rule_options.newThing.deep", true.into()),
    ]);
    let error = method
        .body(&service, &given, Strictness::Strict)
        .unwrap_err();
    assert_eq!(error.origin(), Some(1));
    let body = method.body(&service, &given, lenient).unwrap().unwrap();
    assert_eq!(
        body.text,
        r#"{"backupRuleOptions":{"ruleName":"B","triggerOption":{},"newThing":{"deep":true}}}"#
    );
    let problems = method.check_body(&service, &body.text, lenient);
    assert_eq!(problems.len(), 1);
    assert!(!problems[0].is_error());
    assert_eq!(problems[0].place, "backupRuleOptions.newThing");
    assert_eq!(body.origin("backupRuleOptions.newThing.deep"), Some(1));
    assert_eq!(body.origin("backupRuleOptions.ruleName"), Some(0));
    assert_eq!(body.origin("backupRuleOptions.ruleNames"), None);
    assert!(method.check_body(&service, "{", lenient)[0].is_error());
}

#[test]
fn null_is_sent_only_as_json_null() {
    insta::assert_snapshot!(build("backup_vaults", "update", &[
        ("identity", BodyValue::JsonNull), ("tags", BodyValue::Null), ("properties.featureSettings", json("null")),
    ]), @r#"{"identity":null,"properties":{"featureSettings":null}}"#);
    insta::assert_snapshot!(build("backup_vaults", "update", &[("tags", BodyValue::Null)]), @"{}");
    insta::assert_snapshot!(build("backup_vaults", "create_or_update", &[("location", BodyValue::JsonNull), ("identity", BodyValue::JsonNull)]), @r#"
    {"location":null,"identity":null,"properties":{}}
    error: `backup_vaults.create_or_update` needs `location`
    warning: `identity` is null, which the document does not allow
    "#);
}

#[test]
fn targets_are_known_before_values() {
    let (service, method) = method("backup_instances", "adhoc_backup");
    let given = arguments(&[
        ("backup_rule_options.rule_name", BodyValue::Null),
        ("backupRuleOptions.triggerOption", BodyValue::Null),
    ]);
    let targets = method
        .body_targets(&service, &given, Strictness::Strict)
        .unwrap();
    let targets: Vec<(&str, Kind)> = targets
        .iter()
        .map(|target| (target.place.as_str(), target.kind))
        .collect();
    assert_eq!(
        targets,
        [
            ("backupRuleOptions.ruleName", Kind::Text),
            ("backupRuleOptions.triggerOption", Kind::Json)
        ]
    );
    let twice = arguments(&[
        ("backup_rule_options.rule_name", BodyValue::Null),
        ("backupRuleOptions", BodyValue::Null),
    ]);
    let error = method
        .body_targets(&service, &twice, Strictness::Strict)
        .unwrap_err();
    assert!(
        matches!(
            error,
            BodyError::Below {
                first: 1,
                origin: 0,
                ..
            }
        ),
        "{error:?}"
    );
}

const DOCUMENT: &str = "
components:
  x-stackQL-resources:
    pets:
      methods:
        under:
          operation: {$ref: '#/paths/~1under/post'}
          config: {requestBodyTranslate: {algorithm: naive_pet}}
          request: {base: '{\"source\": \"sql\", \"pet\": {\"born\": \"1970-01-01T00:00:00Z\", \"name\": \"nobody\"}}', required: [owner]}
        wrapped:
          operation: {$ref: '#/paths/~1wrapped/post'}
          config: {requestBodyTranslate: {algorithm: naive_animal}}
        usual:
          operation: {$ref: '#/paths/~1usual/post'}
          request: {default: '{\"everything\": true}'}
        general:
          operation: {$ref: '#/paths/~1general/post'}
          request: {nativeCasing: camel}
        bad:
          operation: {$ref: '#/paths/~1usual/post'}
          request: {base: '{'}
  schemas:
    Pet:
      type: object
      required: [name, kind]
      properties:
        name: {type: string, minLength: 2, maxLength: 5, pattern: '^[a-z]+$'}
        kind: {type: string, const: pet}
        chip_id: {type: string, format: uuid}
        born: {type: string, format: date-time}
        legs: {type: integer}
        tame: {type: boolean}
        size: {type: string, enum: [small, big], x-ms-enum: {modelAsString: false}}
        owner_or_number: {oneOf: [{type: integer}, {type: object, required: [name], properties: {name: {type: string}}}]}
        anything: {}
        pin: {type: string, writeOnly: true, maxLength: 4}
        keys: {type: array, items: {type: object, properties: {value: {type: string, x-ms-secret: true}}}}
        note: {type: string, nullable: true}
    Shape:
      description: 'Known sub-classes are: Circle, Square'
      properties: {objectType: {type: string}, tags: {type: object, additionalProperties: {type: string}}}
paths:
  /general: {post: {requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {objectType: {type: string}, tags: {type: object, additionalProperties: {type: string}}}}}}}}}
  /under: {post: {requestBody: {required: true, content: {application/json: {schema: {type: object, required: [pet], properties: {pet: {$ref: '#/components/schemas/Pet'}, owner: {type: string}}}}}}}}
  /wrapped: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}}}
  /usual: {post: {requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}}}
";

#[test]
fn the_documents_ways_to_name_and_to_default_bodies() {
    let registry = one_service(DOCUMENT);
    let service = registry
        .provider("p")
        .unwrap()
        .service("s")
        .unwrap()
        .unwrap();
    let pets = service.resource("pets").unwrap();
    let build =
        |key: &str, given: &[(&str, BodyValue)]| shown(&service, pets.method(key).unwrap(), given);
    insta::assert_snapshot!(build("under", &[("name", text("rex")), ("chipId", text("7"))]), @r#"
    {"source":"sql","pet":{"kind":"pet","born":"1970-01-01T00:00:00Z","name":"rex","chip_id":"7"}}
    error: `pet.chip_id` must be a UUID, which `7` is not
    error: `pets.under` needs `owner`
    "#);
    insta::assert_snapshot!(build("under", &[("pet.name", text("rex")), ("owner", text("ada"))]), @r#"{"source":"sql","pet":{"kind":"pet","born":"1970-01-01T00:00:00Z","name":"rex"},"owner":"ada"}"#);
    insta::assert_snapshot!(build("under", &[("pet.name", text("rex")), ("name", text("ada"))]), @"`pet.name` is given twice");
    insta::assert_snapshot!(build("wrapped", &[("name", text("x"))]), @r#"
    {"animal":{"name":"x","kind":"pet"}}
    error: `animal.name` must be text of at least 2 characters, which `x` is not
    "#);
    insta::assert_snapshot!(build("wrapped", &[]), @"no body");
    insta::assert_snapshot!(build("usual", &[]), @r#"{"everything": true}"#);
    insta::assert_snapshot!(build("bad", &[("name", text("x"))]), @"`request.base` of `pets.bad` is no JSON: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(build("usual", &[("legs", text("4")), ("tame", text("true")), ("name", text("rexrex"))]), @r#"
    {"name":"rexrex","kind":"pet","legs":4,"tame":true}
    error: `name` must be text of at most 5 characters, which `rexrex` is not
    "#);
    insta::assert_snapshot!(build("usual", &[("legs", text("four")), ("name", text("rex"))]), @"`legs` is an integer, which `four` is not");
    insta::assert_snapshot!(build("usual", &[("legs", 4.0_f64.into()), ("name", text("R2")), ("note", BodyValue::JsonNull)]), @r#"
    {"name":"R2","kind":"pet","legs":4,"note":null}
    error: `name` must be text that matches `^[a-z]+$`, which `R2` is not
    "#);
    insta::assert_snapshot!(build("usual", &[("legs", BodyValue::Integer(String::from("123456789012345678901234567890"))), ("name", text("rex"))]), @r#"{"name":"rex","kind":"pet","legs":123456789012345678901234567890}"#);
    insta::assert_snapshot!(build("usual", &[("size", text("large")), ("born", text("yesterday")), ("name", text("rex"))]), @r#"
    {"name":"rex","kind":"pet","born":"yesterday","size":"large"}
    error: `born` must be a point in time (`2026-01-31T08:30:00Z`), which `yesterday` is not
    error: `size` has the value `large`, which the document does not know
      hint: known values are `small` and `big`
    "#);
    insta::assert_snapshot!(build("usual", &[("ownerOrNumber", text("7")), ("anything", text("{}")), ("name", text("rex"))]), @r#"{"name":"rex","kind":"pet","owner_or_number":7,"anything":{}}"#);
    insta::assert_snapshot!(build("usual", &[("ownerOrNumber", text(r#"{"nam":1}"#)), ("anything", text("{")), ("name", text("rex"))]), @r#"
    {"name":"rex","kind":"pet","owner_or_number":{"nam":1},"anything":"{"}
    error: the body of `pets.usual` has no attribute `owner_or_number.nam`, did you mean `owner_or_number.name`
    error: `pets.usual` needs `owner_or_number.name`
    "#);
    insta::assert_snapshot!(build("usual", &[("pin", text("12345")), ("name", text("rex"))]), @r#"
    {"name":"rex","kind":"pet","pin":"12345"}
    error: `pin` must be text of at most 4 characters
    "#);

    // Its subtypes are known by name only: their attributes are the service's, keys of a map are the user's.
    insta::assert_snapshot!(build("general", &[("object_type", text("Circle")), ("outer_radius", 2_i64.into()), ("tags.cost_center", text("x"))]), @r#"{"objectType":"Circle","tags":{"cost_center":"x"},"outerRadius":2}"#);

    let wrapped = pets.method("wrapped").unwrap();
    let given = arguments(&[("kind", text("pet")), ("name", text("x"))]);
    let body = wrapped
        .body(&service, &given, Strictness::Strict)
        .unwrap()
        .unwrap();
    let problems = wrapped.check_body(&service, &body.text, Strictness::Strict);
    assert_eq!(problems[0].place, "animal.name");
    assert_eq!(body.origin("animal.name"), Some(1));

    let usual = pets.method("usual").unwrap();
    let redact = |body: &str| usual.redact_body(&service, body);
    let body = r#"{"name":"rex","PIN":"1234","keys":[{"value":"k","other":1.50}],"anything":{"adminPassword":"x","b":[{"apiToken":"y"}]},"later":{"secret":{}}}"#;
    insta::assert_snapshot!(redact(body), @r#"{"name":"rex","PIN":"***","keys":[{"value":"***","other":1.50}],"anything":{"adminPassword":"***","b":[{"apiToken":"***"}]},"later":{"secret":"***"}}"#);
    assert_eq!(redact("pin=1234"), r#""***""#);
    let attributes = |key: &str| {
        let attributes = pets.method(key).unwrap().attributes(&service);
        let shown = attributes.iter().map(|attribute| {
            let flag = |is: bool, mark: &'static str| if is { mark } else { "" };
            let required = flag(attribute.required, "*");
            let secret = flag(attribute.secret, "!");
            format!("{}{required}{secret} {:?}", attribute.name, attribute.kind)
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    insta::assert_snapshot!(attributes("under"), @"name* Text, kind* Text, chip_id Text, born Text, legs Integer, tame Boolean, size Text, owner_or_number Json, anything Json, pin! Text, keys Json, note Text, owner* Text");
}

#[test]
fn secrets_of_the_service_are_hidden() {
    let (service, method) = method("backup_instances", "create_or_update");
    let body = r#"{"properties":{"friendlyName":"f","datasourceAuthCredentials":{"objectType":"SecretStoreBasedAuthCredentials","secretStoreResource":{"uri":"https://kv/s","secretStoreType":"AzureKeyVault","value":"hunter2"}}}}"#;
    let hidden = method.redact_body(&service, body);
    assert_eq!(hidden, body.replace("hunter2", "***"));
    // Also where the subtype is not known.
    let body = body.replace("SecretStoreBasedAuthCredentials", "Newer");
    assert!(!method.redact_body(&service, &body).contains("hunter2"));
}

/// A name that no body has lands in one all the same where the API version is not the document's. A token must not.
#[test]
fn a_token_lands_in_no_body() {
    for (resource, key) in [
        ("backup_instances", "stop_protection"),
        ("backup_instances", "delete"),
        ("backup_instances", "adhoc_backup"),
    ] {
        let (service, method) = method(resource, key);
        for name in [
            "x_ms_authorization_auxiliary",
            "X-Ms-Authorization-Auxiliary",
        ] {
            let given = arguments(&[("a", BodyValue::Null), (name, text("Bearer hunter2"))]);
            for strictness in [Strictness::Strict, Strictness::Lenient] {
                let refused = method.body(&service, &given, strictness).unwrap_err();
                assert!(matches!(refused, BodyError::Credential { .. }), "{refused}");
                assert_eq!(refused.origin(), Some(1));
                assert!(!format!("{refused:?}").contains("hunter2"));
            }
        }
    }
    let told = build(
        "backup_instances",
        "stop_protection",
        &[("x_ms_authorization_auxiliary", text("Bearer hunter2"))],
    );
    insta::assert_snapshot!(told, @"`x-ms-authorization-auxiliary` is a credential, no value: `--auth azure.auxiliary=…` gives it");
}
