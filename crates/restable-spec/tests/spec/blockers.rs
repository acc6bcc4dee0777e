//! What somebody should know before a call is sent, and which bodies make a call destructive.

use restable_spec::{Blocker, BlockerTest, Method, Registry, Service};

use crate::{builtin, one_service, table};

fn line(service: &Service, method: &Method, blocker: &Blocker) -> String {
    let condition = match &blocker.test {
        BlockerTest::Absent => String::from("absent"),
        BlockerTest::Present => String::from("present"),
        BlockerTest::Exists => String::from("exists"),
        BlockerTest::Is { field, values } => format!("{field} is {}", values.join(" or ")),
        BlockerTest::IsNot { field, values } => format!("{field} is not {}", values.join(" or ")),
    };
    match service.blocker_reader(method, blocker) {
        Some((_, reader)) => format!("  {}: {condition}", reader.full_name()),
        None => format!("  nobody can tell: {condition}"),
    }
}

/// Each method that changes something, with the GETs that are asked for its blockers and what they look for.
fn of_service(registry: &Registry, provider: &str, service: &str) -> String {
    let provider = registry.provider(provider).unwrap();
    let service = provider.service(service).unwrap().unwrap();
    let mut lines = Vec::new();
    for resource in service.resources.values() {
        for method in resource.methods.values() {
            if method.read_only {
                assert!(method.blockers.is_empty(), "{}", method.full_name());
                continue;
            }
            lines.push(method.full_name());
            let told = method.blockers.iter();
            lines.extend(told.map(|blocker| line(&service, method, blocker)));
        }
    }
    lines.join("\n")
}

#[test]
fn what_is_looked_at_before_each_call() {
    insta::assert_snapshot!(of_service(&builtin(), "azure", "data_protection"), @"
    backup_instances.create_or_update
      backup_vaults.get: absent
      backup_instances.get: present
      backup_instances.get: properties.currentProtectionState is ConfiguringProtection or UpdatingProtection or SoftDeleting
      dpp_resource_guard_proxy.list: exists
    backup_instances.delete
      backup_instances.get: absent
      backup_vaults.get: properties.securitySettings.immutabilitySettings.state is Locked
      backup_vaults.get: properties.securitySettings.immutabilitySettings.state is Unlocked
      backup_vaults.get: properties.securitySettings.softDeleteSettings.state is On or AlwaysOn
      backup_vaults.get: properties.securitySettings.softDeleteSettings.state is Off
      dpp_resource_guard_proxy.list: exists
    backup_instances.adhoc_backup
      backup_instances.get: absent
      backup_instances.get: properties.currentProtectionState is not ProtectionConfigured
    backup_instances.resume_backups
      backup_instances.get: absent
      backup_instances.get: properties.currentProtectionState is ProtectionConfigured
      backup_instances.get: properties.currentProtectionState is not BackupsSuspended or BackupSchedulesSuspended or ProtectionConfigured
    backup_instances.resume_protection
      backup_instances.get: absent
      backup_instances.get: properties.currentProtectionState is ProtectionConfigured
      backup_instances.get: properties.currentProtectionState is not ProtectionStopped or BackupsSuspended or BackupSchedulesSuspended or ProtectionConfigured
    backup_instances.stop_protection
      backup_instances.get: absent
      backup_instances.get: properties.currentProtectionState is ProtectionStopped
      backup_instances.get: properties.currentProtectionState is not ProtectionConfigured or ProtectionStopped
      dpp_resource_guard_proxy.list: exists
    backup_instances.suspend_backups
      backup_instances.get: absent
      backup_instances.get: properties.currentProtectionState is BackupsSuspended or BackupSchedulesSuspended
      backup_instances.get: properties.currentProtectionState is not ProtectionConfigured or BackupsSuspended or BackupSchedulesSuspended
      dpp_resource_guard_proxy.list: exists
    backup_instances.sync_backup_instance
      backup_instances.get: absent
    backup_instances.trigger_rehydrate
      backup_instances.get: absent
    backup_instances.trigger_restore
      backup_instances.get: absent
      dpp_resource_guard_proxy.list: exists
    backup_instances.trigger_cross_region_restore
    backup_instances.validate_for_backup
      backup_vaults.get: absent
    backup_instances.validate_for_modify_backup
      backup_instances.get: absent
    backup_instances.validate_for_restore
      backup_instances.get: absent
    backup_instances.validate_cross_region_restore
    backup_policies.create_or_update
      backup_vaults.get: absent
      backup_policies.get: present
      backup_vaults.get: properties.securitySettings.immutabilitySettings.state is Unlocked or Locked
    backup_policies.delete
      backup_policies.get: absent
      backup_instances.list: exists
    backup_vaults.create_or_update
      backup_vaults.get: present
      backup_vaults.get: properties.securitySettings.softDeleteSettings.state is AlwaysOn
      backup_vaults.get: properties.securitySettings.immutabilitySettings.state is Locked
      dpp_resource_guard_proxy.list: exists
    backup_vaults.update
      backup_vaults.get: absent
      backup_vaults.get: properties.securitySettings.softDeleteSettings.state is AlwaysOn
      backup_vaults.get: properties.securitySettings.immutabilitySettings.state is Locked
      dpp_resource_guard_proxy.list: exists
    backup_vaults.delete
      backup_vaults.get: absent
      backup_instances.list: exists
      deleted_backup_instances.list: exists
    deleted_backup_instances.undelete
      deleted_backup_instances.get: absent
      backup_instances.get: present
    dpp_resource_guard_proxy.create_or_update
      backup_vaults.get: absent
      dpp_resource_guard_proxy.get: present
    dpp_resource_guard_proxy.delete
      dpp_resource_guard_proxy.get: absent
      dpp_resource_guard_proxy.get: present
    dpp_resource_guard_proxy.unlock_delete
      dpp_resource_guard_proxy.get: absent
      dpp_resource_guard_proxy.get: present
    export_jobs.trigger
      backup_vaults.get: absent
    resource_guards.put
      resource_guards.get: present
    resource_guards.patch
      resource_guards.get: absent
    resource_guards.delete
      resource_guards.get: absent
    ");
}

/// What is told of a call, when these are the rows that the GETs find.
fn told(method: &str, rows: &[(&str, &str)]) -> String {
    let (resource, key) = method.split_once('.').unwrap();
    let (service, resource) = table("data_protection", resource);
    let method = resource.method(key).unwrap();
    let phrases = method.blockers.iter().filter_map(|blocker| {
        let (_, reader) = service.blocker_reader(method, blocker).unwrap();
        let row = rows.iter().find(|(name, _)| *name == reader.full_name());
        blocker.phrase(row.map(|(_, row)| *row))
    });
    phrases.collect::<Vec<_>>().join("\n")
}

fn instance(state: &str) -> String {
    format!(r#"{{"name": "disk-7", "properties": {{"currentProtectionState": "{state}"}}}}"#)
}

fn vault(soft_delete: &str, immutability: &str) -> String {
    format!(
        r#"{{"properties": {{"securitySettings": {{
            "softDeleteSettings": {{"state": "{soft_delete}", "retentionDurationInDays": 14.0}},
            "immutabilitySettings": {{"state": "{immutability}"}}}}}}}}"#
    )
}

#[test]
fn nothing_is_told_of_calls_that_meet_what_they_need() {
    let configured = instance("ProtectionConfigured");
    let open = vault("Unheard", "Disabled");
    for method in [
        "backup_instances.adhoc_backup",
        "backup_instances.stop_protection",
        "backup_instances.suspend_backups",
        "backup_instances.trigger_restore",
        "backup_instances.delete",
    ] {
        let rows = [
            ("backup_instances.get", configured.as_str()),
            ("backup_vaults.get", open.as_str()),
        ];
        assert_eq!(told(method, &rows), "", "{method}");
    }
    let stopped = instance("protectionstopped");
    let rows = [("backup_instances.get", stopped.as_str())];
    assert_eq!(told("backup_instances.resume_protection", &rows), "");
    for state in ["BackupsSuspended", "BackupSchedulesSuspended"] {
        let row = instance(state);
        let rows = [("backup_instances.get", row.as_str())];
        assert_eq!(told("backup_instances.resume_backups", &rows), "");
        assert_eq!(told("backup_instances.resume_protection", &rows), "");
    }
    let rows = [("backup_vaults.get", open.as_str())];
    assert_eq!(told("backup_instances.create_or_update", &rows), "");
    assert_eq!(told("backup_policies.create_or_update", &rows), "");
    assert_eq!(told("backup_vaults.update", &rows), "");
    assert_eq!(told("backup_vaults.delete", &rows), "");
    assert_eq!(told("backup_vaults.create_or_update", &[]), "");
    let rows = [("deleted_backup_instances.get", "{}")];
    assert_eq!(told("deleted_backup_instances.undelete", &rows), "");
}

#[test]
fn what_is_told() {
    let state = |method: &str, state: &str| {
        told(
            &format!("backup_instances.{method}"),
            &[("backup_instances.get", &instance(state))],
        )
    };
    insta::assert_snapshot!(state("adhoc_backup", "ConfiguringProtection"), @"a backup can be started while the protection state is ProtectionConfigured, and it is ConfiguringProtection");
    insta::assert_snapshot!(state("stop_protection", "PROTECTIONSTOPPED"), @"protection is stopped already: the protection state is PROTECTIONSTOPPED");
    insta::assert_snapshot!(state("resume_protection", "ProtectionConfigured"), @"protection is on already: the protection state is ProtectionConfigured, nothing would change");
    insta::assert_snapshot!(state("resume_backups", "ProtectionStopped"), @"backups can be resumed after they were suspended, and the protection state is ProtectionStopped");
    // An unknown state is told as it is, and one that nobody gave as unknown.
    insta::assert_snapshot!(state("suspend_backups", "Dreaming"), @"backups are known to be suspended from the protection state ProtectionConfigured, and it is Dreaming");
    insta::assert_snapshot!(told("backup_instances.adhoc_backup", &[("backup_instances.get", "{}")]), @"a backup can be started while the protection state is ProtectionConfigured, and it is unknown");
    insta::assert_snapshot!(told("backup_instances.adhoc_backup", &[]), @"there is no such backup instance in this vault");

    let configured = instance("ProtectionConfigured");
    let strict = vault("On", "Locked");
    let rows = [
        ("backup_instances.get", configured.as_str()),
        ("backup_vaults.get", strict.as_str()),
        ("dpp_resource_guard_proxy.list", "{}"),
    ];
    insta::assert_snapshot!(told("backup_instances.delete", &rows), @"
    the vault is immutable (Locked, for ever): backups cannot be deleted before they expire
    soft delete of the vault is On: the instance and its backups can be brought back for 14 days, and the vault cannot be deleted before
    the vault is protected by a resource guard: deleting an instance needs the approval of its owner
    ");
    insta::assert_snapshot!(told("backup_instances.create_or_update", &rows), @"
    the backup instance exists already: all of it would be replaced, and what is not sent is dropped
    the vault is protected by a resource guard: changing an instance or its policy needs the approval of its owner
    ");
    insta::assert_snapshot!(told("backup_instances.create_or_update", &[]), @"there is no such backup vault");
    let lax = vault("Off", "Unlocked");
    let rows = [
        ("backup_instances.get", configured.as_str()),
        ("backup_vaults.get", lax.as_str()),
    ];
    insta::assert_snapshot!(told("backup_instances.delete", &rows), @"
    the vault is immutable (Unlocked): backups cannot be deleted before they expire, unless its immutability is set to Disabled first
    soft delete of the vault is Off: the backups would be gone at once, and nobody can bring them back
    ");
    let rows = [
        ("backup_vaults.get", strict.as_str()),
        ("backup_instances.list", configured.as_str()),
        ("deleted_backup_instances.list", "{}"),
    ];
    insta::assert_snapshot!(told("backup_vaults.delete", &rows), @"
    the vault holds backup instances: it can be deleted only when it is empty
    the vault holds deleted backup instances that can still be brought back: it can be deleted only when they have been purged
    ");
    insta::assert_snapshot!(told("deleted_backup_instances.undelete", &[]), @"the vault keeps no deleted backup instance of this name: it was not deleted, or has been purged");
}

#[test]
fn phrases_and_the_rows_they_are_filled_from() {
    let blocker = |test: BlockerTest, says: &str| Blocker {
        of: None,
        test,
        says: says.to_owned(),
    };
    let words = |values: &[&str]| values.iter().map(|&one| one.to_owned()).collect();
    let is = |field: &str, values: &[&str], says: &str| {
        let (field, values) = (field.to_owned(), words(values));
        blocker(BlockerTest::Is { field, values }, says)
    };
    let row =
        Some(r#"{"a": {"b_c": true, "n": 2.5, "list": [{"x": "1"}, {"x": null}, {"x": "Two"}]}}"#);
    let said = is(
        "a.bC",
        &["TRUE"],
        "{value}, {a.n}, {a.list}, {a.list.x}, {a.gone}, {a.n",
    );
    assert_eq!(
        said.phrase(row).unwrap(),
        r#"true, 2.5, {"x":"1"}, 1, unknown, {a.n"#
    );
    assert!(is("a.list.x", &["two"], "").phrase(row).is_some());
    assert!(is("a.list.x", &["three"], "").phrase(row).is_none());
    // Nothing there: only its absence can be told.
    assert!(is("a.bC", &["true"], "").phrase(None).is_none());
    let field = String::from("a.gone");
    let other = blocker(
        BlockerTest::IsNot {
            field,
            values: words(&["x"]),
        },
        "is {value}",
    );
    assert_eq!(other.phrase(row).as_deref(), Some("is unknown"));
    assert_eq!(other.phrase(Some("no JSON")).as_deref(), Some("is unknown"));
    assert_eq!(other.phrase(None), None);
    for (test, there, gone) in [
        (BlockerTest::Absent, false, true),
        (BlockerTest::Present, true, false),
        (BlockerTest::Exists, true, false),
    ] {
        let blocker = blocker(test, "so it is");
        assert_eq!(blocker.phrase(row).is_some(), there, "{blocker:?}");
        assert_eq!(
            blocker.phrase(Some("no JSON")).is_some(),
            there,
            "{blocker:?}"
        );
        assert_eq!(blocker.phrase(None).is_some(), gone, "{blocker:?}");
    }
}

#[test]
fn bodies_that_make_a_call_destructive() {
    let (_, vaults) = table("data_protection", "backup_vaults");
    let put = vaults.method("create_or_update").unwrap();
    let patch = vaults.method("update").unwrap();
    let delete = vaults.method("delete").unwrap();
    assert!(!put.destructive && !patch.destructive && delete.destructive);
    assert!(delete.is_destructive(None) && delete.is_destructive(Some("{}")));
    let security =
        |settings: &str| format!(r#"{{"properties": {{"securitySettings": {settings}}}}}"#);
    for (settings, by_put, by_patch) in [
        (
            r#"{"immutabilitySettings": {"state": "Locked"}}"#,
            true,
            true,
        ),
        (
            r#"{"immutabilitysettings": {"State": "locked"}}"#,
            true,
            true,
        ),
        (
            r#"{"immutability_settings": {"state": "LOCKED"}}"#,
            true,
            true,
        ),
        // Nobody knows which of the two a service takes.
        (
            r#"{"immutabilitySettings": {"state": "Unlocked", "State": "Locked"}}"#,
            true,
            true,
        ),
        (
            r#"{"immutabilitySettings": {"state": "Unlocked"}}"#,
            false,
            false,
        ),
        (
            r#"{"immutabilitySettings": {"state": "Disabled"}}"#,
            false,
            true,
        ),
        (r#"{"immutabilitySettings": "Locked"}"#, false, false),
        (r#"{"softDeleteSettings": {"state": "Off"}}"#, true, true),
        (r#"{"softDeleteSettings": {"state": "On"}}"#, false, false),
        (
            r#"{"softDeleteSettings": {"state": "On", "retentionDurationInDays": 14}}"#,
            false,
            true,
        ),
        (
            r#"{"softDeleteSettings": {"state": "On", "retentionDurationInDays": null}}"#,
            false,
            false,
        ),
        ("{}", false, false),
    ] {
        let body = security(settings);
        assert_eq!(put.is_destructive(Some(&body)), by_put, "{settings}");
        assert_eq!(patch.is_destructive(Some(&body)), by_patch, "{settings}");
    }
    for body in [None, Some(""), Some("Locked"), Some("null"), Some("{")] {
        assert!(!put.is_destructive(body) && !patch.is_destructive(body));
    }
    let (_, instances) = table("data_protection", "backup_instances");
    let backup = instances.method("adhoc_backup").unwrap();
    assert!(!backup.is_destructive(Some(&security(
        r#"{"immutabilitySettings": {"state": "Locked"}}"#
    ))));
    assert!(
        instances
            .method("stop_protection")
            .unwrap()
            .is_destructive(None)
    );
}

/// Boxes with things in them.
fn things(key: &str) -> String {
    format!(
        "\
components:
  schemas:
    Row: {{properties: {{id: {{type: string}}, properties: {{type: object}}}}}}
    Rows: {{properties: {{value: {{type: array, items: {{$ref: '#/components/schemas/Row'}}}}, nextLink: {{type: string}}}}}}
  x-stackQL-resources:
    boxes:
      methods:
        get: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}/get'}}}}
        list: {{operation: {{$ref: '#/paths/~1boxes/get'}}}}
        put: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}/put'}}}}
      sqlVerbs: {{select: [{{$ref: '#/components/x-stackQL-resources/boxes/methods/get'}}, {{$ref: '#/components/x-stackQL-resources/boxes/methods/list'}}]}}
    things:
      methods:
        get: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things~1{{thing}}/get'}}}}
        list_all: {{operation: {{$ref: '#/paths/~1things/get'}}}}
        list: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things/get'}}}}
        put: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things~1{{thing}}/put'}}}}
        change: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things~1{{thing}}/patch'}}}}
        drop: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things~1{{thing}}/delete'}}}}
        act: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things~1{{thing}}~1act/post'}}{key}}}
        make: {{operation: {{$ref: '#/paths/~1make/post'}}}}
        check: {{operation: {{$ref: '#/paths/~1boxes~1{{box}}~1things~1{{thing}}~1check/post'}}}}
      sqlVerbs:
        select:
          - $ref: '#/components/x-stackQL-resources/things/methods/get'
          - $ref: '#/components/x-stackQL-resources/things/methods/list_all'
          - $ref: '#/components/x-stackQL-resources/things/methods/list'
paths:
  '/boxes': {{get: {{responses: {{200: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Rows'}}}}}}}}}}}}}}
  '/boxes/{{box}}':
    get: {{responses: {{200: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Row'}}}}}}}}}}}}
    put: {{x-restable-blockers: []}}
  '/things': {{get: {{responses: {{200: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Rows'}}}}}}}}}}}}}}
  '/boxes/{{box}}/things': {{get: {{responses: {{200: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Rows'}}}}}}}}}}}}}}
  '/boxes/{{box}}/things/{{thing}}':
    get: {{responses: {{200: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Row'}}}}}}}}}}}}
    put: {{}}
    patch: {{}}
    delete: {{}}
  '/boxes/{{box}}/things/{{thing}}/act': {{post: {{x-restable-blockers: [{{when: present, says: of the operation}}]}}}}
  '/boxes/{{box}}/things/{{thing}}/check': {{post: {{}}}}
  '/make': {{post: {{}}}}
"
    )
}

#[test]
fn documents_that_say_nothing_and_documents_that_say_it_wrong() {
    let read = |key: &str| {
        let registry = one_service(&things(key));
        match registry.provider("p").unwrap().service("s") {
            Ok(_) => of_service(&registry, "p", "s"),
            Err(error) => error.to_string(),
        }
    };
    insta::assert_snapshot!(read(""), @"
    boxes.put
    things.put
      things.get: present
    things.change
      things.get: absent
    things.drop
      things.get: absent
    things.act
      things.get: present
    things.make
      nobody can tell: absent
    ");
    let of_act = |blockers: &str| {
        let all = read(&format!(", x-restable-blockers: {blockers}"));
        match all.split_once("things.act\n") {
            Some((_, after)) => {
                let own = after.lines().take_while(|line| line.starts_with(' '));
                own.collect::<Vec<_>>().join("\n")
            }
            None => all,
        }
    };
    insta::assert_snapshot!(of_act("[{of: Things, when: exists, says: x}, {of: boxes, when: exists, says: x}, {of: boxes, when: absent, says: x}]"), @"
    things.list: exists
    boxes.list: exists
    boxes.get: absent
    ");
    insta::assert_snapshot!(of_act("[{field: properties.state, is: ['On'], says: x}, {of: boxes, field: properties.state, is-not: ['On'], says: x}]"), @"
    things.get: properties.state is On
    boxes.get: properties.state is not On
    ");
    insta::assert_snapshot!(of_act("[]"), @"");
    insta::assert_snapshot!(of_act("[{when: perhaps, says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: `perhaps` is none of `absent`, `present`, `exists`");
    insta::assert_snapshot!(of_act("[{when: exists, says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: `of` is missing");
    insta::assert_snapshot!(of_act("[{says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: one of `when`, `is` with values, `is-not` with values must be there, and one only");
    insta::assert_snapshot!(of_act("[{when: absent, field: state, is: ['On'], says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: one of `when`, `is` with values, `is-not` with values must be there, and one only");
    insta::assert_snapshot!(of_act("[{field: state, is: [], says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: one of `when`, `is` with values, `is-not` with values must be there, and one only");
    insta::assert_snapshot!(of_act("[{is: ['On'], says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: `field` is missing");
    insta::assert_snapshot!(of_act("[{of: others, when: absent, says: x}]"), @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers`: there is no resource `others`");
    insta::assert_snapshot!(of_act("[{when: absent}]"), @"`p/v1/services/s.yaml` line 20, column 109, at `components.x-stackQL-resources.things.methods.act.x-restable-blockers[0]`: missing field `says`");
    // Nothing in the path of `make` names a box.
    let unasked = things("").replace(
        "'/make': {post: {}}",
        "'/make': {post: {x-restable-blockers: [{of: boxes, when: present, says: x}]}}",
    );
    let refused = one_service(&unasked)
        .provider("p")
        .unwrap()
        .service("s")
        .map(|_| ())
        .unwrap_err();
    insta::assert_snapshot!(refused, @"`p/v1/services/s.yaml`, at `components.x-stackQL-resources.things.methods.make.x-restable-blockers`: no GET with the parameters in the path of the call can tell this blocker");
    let body = one_service(&things(", x-restable-destructive-body: [{values: [x]}]"));
    insta::assert_snapshot!(body.provider("p").unwrap().service("s").map(|_| ()).unwrap_err(), @"`p/v1/services/s.yaml` line 20, column 117, at `components.x-stackQL-resources.things.methods.act.x-restable-destructive-body[0]`: missing field `field`");
}
