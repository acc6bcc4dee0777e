//! The public registry's documents, as they are: they load whole, and their azure tables are as readable as ours.
//! The tree is looked for in `RESTABLE_REGISTRY` and beside the repository; it is not part of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use restable_spec::{
    BodyArgument, BodyValue, Bound, Directory, Items, Registry, SpecSource, Strictness, Verb,
};

fn root() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/registry");
    let root = std::env::var_os("RESTABLE_REGISTRY").map_or(beside, PathBuf::from);
    if !root.is_dir() {
        println!("registry absent");
        return None;
    }
    Some(root)
}

fn registry() -> Option<Registry> {
    let source: Arc<dyn SpecSource> = Arc::new(Directory::new(root()?));
    Some(Registry::open(vec![source]).unwrap())
}

/// Collects the texts of all transforms of a document.
fn transforms(value: &yaml_serde::Value, found: &mut BTreeSet<String>) {
    match value {
        yaml_serde::Value::Mapping(mapping) => {
            if let Some(body) = mapping
                .get("transform")
                .and_then(|transform| transform.get("body"))
            {
                found.insert(body.as_str().unwrap().trim().to_owned());
            }
            mapping.values().for_each(|value| transforms(value, found));
        }
        yaml_serde::Value::Sequence(sequence) => {
            sequence.iter().for_each(|value| transforms(value, found))
        }
        _ => {}
    }
}

#[test]
fn all_documents_load() {
    let Some(registry) = registry() else { return };
    let names: Vec<&str> = registry
        .providers()
        .map(|provider| provider.name.as_str())
        .collect();
    assert_eq!(names, ["aws", "azure", "github", "linode", "okta"]);
    let (mut services, mut resources, mut methods) = (0, 0, 0);
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider
                .service(&entry.name)
                .unwrap_or_else(|error| panic!("{error}"))
                .unwrap();
            services += 1;
            for resource in service.resources.values() {
                resources += 1;
                methods += resource.methods.len();
                let _ = resource.route(&Bound::new());
            }
        }
    }
    println!("{services} services, {resources} resources, {methods} methods");
    assert_eq!((services, resources, methods), (9, 253, 1076));
}

/// Every transformation of the azure documents is recognised, so that no reader of theirs is lost.
#[test]
fn transforms_of_azure_are_done_natively() {
    let Some(registry) = registry() else { return };
    let azure = registry.provider("azure").unwrap();
    let (mut flattened, mut wrapped) = (0, 0);
    let mut reasons = BTreeSet::new();
    for entry in azure.services() {
        let service = azure.service(&entry.name).unwrap().unwrap();
        for method in service
            .resources
            .values()
            .flat_map(|resource| resource.methods.values())
        {
            flattened += usize::from(method.response.flatten);
            wrapped += usize::from(method.response.scalar_rows);
            reasons.extend(method.unreadable.clone());
            assert_eq!(method.unsendable, None, "{}", method.full_name());
            if method.response.flatten && method.response.items != Items::One {
                assert_eq!(
                    method.response.next_link.as_deref(),
                    Some("nextLink"),
                    "{}",
                    method.full_name()
                );
            }
        }
    }
    let mut templates = BTreeSet::new();
    for entry in std::fs::read_dir(root().unwrap().join("azure/v00.00.00000/services")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        transforms(&yaml_serde::from_str(&text).unwrap(), &mut templates);
    }
    assert_eq!(templates.len(), 3);
    // 163 flatten a list, 133 one object, 2 wrap the scalars under `value`.
    assert_eq!(flattened, 296);
    assert!(wrapped >= 2, "{wrapped}");
    assert_eq!(
        reasons.into_iter().collect::<Vec<_>>(),
        ["its answer has no columns"]
    );
}

#[test]
fn azure_tables_are_the_whole_relation_without_any_key_of_ours() {
    let Some(registry) = registry() else { return };
    let walk = |name: &str| {
        let mut names = Vec::new();
        let mut table = registry
            .resource("azure", "data_protection", name)
            .unwrap()
            .unwrap();
        loop {
            let method = table
                .route(&Bound::new())
                .unwrap_or_else(|error| panic!("{error}"));
            names.push(format!("{}.{}", table.name, method.key));
            let Some(parent) = &table.parent else {
                return names;
            };
            let above = registry
                .resource(&parent.provider, &parent.service, &parent.resource)
                .unwrap()
                .unwrap();
            for (_, gives) in &parent.parameters {
                assert!(
                    above.parameter(gives).is_some() || above.field(gives).is_some(),
                    "{gives}"
                );
            }
            table = above;
        }
    };
    assert_eq!(
        walk("backup_instances"),
        [
            "backup_instances.list",
            "backup_vaults.get_in_subscription",
            "subscriptions.list"
        ]
    );
    assert_eq!(
        walk("recovery_points"),
        [
            "recovery_points.list",
            "backup_instances.list",
            "backup_vaults.get_in_subscription",
            "subscriptions.list"
        ]
    );

    let instances = registry
        .resource("azure", "data_protection", "backup_instances")
        .unwrap()
        .unwrap();
    let list = instances.method("BackupInstances_List").unwrap();
    assert!(list.response.flatten);
    assert!(instances.field("friendlyName").is_some() && instances.field("properties").is_none());
    assert_eq!(
        instances
            .parameter("api-version")
            .unwrap()
            .default
            .as_deref(),
        Some("2026-03-01")
    );
    let adhoc = instances.method("BackupInstances_AdhocBackup").unwrap();
    assert_eq!(adhoc.key, "adhoc_backup");
    assert!(adhoc.long_running.is_some() && !adhoc.destructive);
    assert!(instances.method("stop_protection").unwrap().destructive);
    let ranges = registry
        .resource("azure", "data_protection", "restorable_time_ranges")
        .unwrap()
        .unwrap();
    assert!(ranges.readers()[0].read_only);
}

/// Snake names of SQL become the wire's; ids fill snake parameters.
#[test]
fn its_actions_are_built_and_checked() {
    let Some(registry) = registry() else { return };
    let service = registry
        .provider("azure")
        .unwrap()
        .service("data_protection")
        .unwrap()
        .unwrap();
    let instances = service.resource("backup_instances").unwrap();
    let backup = instances.method("adhoc_backup").unwrap();
    let given = [
        BodyArgument::new("backup_rule_options.rule_name", "BackupWeekly", 0),
        BodyArgument::new(
            "backup_rule_options.trigger_option.retention_tag_override",
            BodyValue::Null,
            1,
        ),
    ];
    let body = backup
        .body(&service, &given, Strictness::Strict)
        .unwrap()
        .unwrap();
    assert_eq!(
        body.text,
        r#"{"backupRuleOptions":{"ruleName":"BackupWeekly","triggerOption":{}}}"#
    );
    assert_eq!(
        backup.check_body(&service, &body.text, Strictness::Strict),
        []
    );
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataProtection/backupVaults/v/backupInstances/b";
    let filled = backup.id_form(instances, "id").unwrap().fill(id).unwrap();
    assert_eq!(
        filled[3],
        (String::from("backup_instance_name"), String::from("b"))
    );
    let vault: Vec<String> = backup
        .id_form(instances, "vault_id")
        .unwrap()
        .parameters()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        vault,
        ["subscription_id", "resource_group_name", "vault_name"]
    );
    let create = instances
        .method_for(
            Verb::Insert,
            &[
                "subscriptionId",
                "resourceGroupName",
                "vaultName",
                "backupInstanceName",
            ],
        )
        .unwrap();
    assert_eq!(create.key, "create_or_update");
    // Subtypes are not in the document: their attributes are taken, in the wire's spelling.
    let restore = instances.method("trigger_restore").unwrap();
    let given = [
        BodyArgument::new(
            "object_type",
            "AzureBackupRecoveryPointBasedRestoreRequest",
            0,
        ),
        BodyArgument::new("recovery_point_id", "r", 1),
    ];
    let body = restore
        .body(&service, &given, Strictness::Strict)
        .unwrap()
        .unwrap();
    assert_eq!(
        body.text,
        r#"{"objectType":"AzureBackupRecoveryPointBasedRestoreRequest","recoveryPointId":"r"}"#
    );
    let policies = service.resource("backup_policies").unwrap();
    let create = policies.method("create_or_update").unwrap();
    let body = r#"{"properties":{"objectType":"BackupPolicy","datasourceTypes":["Microsoft.Compute/disks"],"policyRules":[]}}"#;
    assert_eq!(create.check_body(&service, body, Strictness::Strict), []);
}

/// Whatever a document says, a body of nothing can be built and looked at.
#[test]
fn all_bodies_can_be_asked_about() {
    let Some(registry) = registry() else { return };
    let mut bodies = 0;
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider.service(&entry.name).unwrap().unwrap();
            let resources = service.resources.values();
            for method in resources.flat_map(|resource| resource.methods.values()) {
                let built = method.body(&service, &[], Strictness::Strict).unwrap();
                let text = built.map_or_else(|| String::from("{}"), |body| body.text);
                let problems = method.check_body(&service, &text, Strictness::Strict);
                assert!(
                    problems
                        .iter()
                        .all(|problem| !problem.to_string().is_empty())
                );
                let attributes = method.attributes(&service);
                let missing = |name: &str| {
                    let inside = [format!("{name}."), format!("{name}[")];
                    problems.iter().any(|problem| {
                        problem.place == name
                            || inside
                                .iter()
                                .any(|inside| problem.place.starts_with(inside))
                    })
                };
                for attribute in attributes.iter().filter(|attribute| attribute.required) {
                    let there = text.contains(&format!("\"{}\"", attribute.name));
                    assert!(
                        there || missing(&attribute.name),
                        "{} {text} {problems:#?}",
                        method.full_name()
                    );
                }
                assert!(!method.redact_body(&service, &text).is_empty());
                bodies += usize::from(method.request.is_some());
            }
        }
    }
    println!("{bodies} bodies");
}
