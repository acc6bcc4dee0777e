//! The built-in documents: complete, and every method of them can be routed to and bound.

use std::path::Path;
use std::sync::Arc;

use restable_spec::{
    Arguments, Bound, Builtin, Items, Location, Registry, SpecSource, Verb, names,
};

use crate::{builtin, sample, table};

#[test]
fn every_document_of_the_tree_is_built_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../provider-specs");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort();
    let mut built_in: Vec<String> = Builtin::paths().map(str::to_owned).collect();
    built_in.sort();
    assert_eq!(found, built_in);
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let parts: Vec<_> = path
                .strip_prefix(root)
                .unwrap()
                .iter()
                .map(|part| part.to_str().unwrap())
                .collect();
            found.push(parts.join("/"));
        }
    }
}

#[test]
fn every_method_binds_with_sample_arguments() {
    let registry = builtin();
    let mut methods = 0;
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider.service(&entry.name).unwrap().unwrap();
            for method in service
                .resources
                .values()
                .flat_map(|resource| resource.methods.values())
            {
                let needed = method
                    .parameters
                    .iter()
                    .filter(|parameter| parameter.must_be_given());
                let mut arguments = Arguments {
                    parameters: needed
                        .map(|parameter| (parameter.name.clone(), sample(parameter)))
                        .collect(),
                    body: None,
                };
                if method
                    .request
                    .as_ref()
                    .is_some_and(|request| request.required)
                {
                    arguments.body = Some(String::from("{}"));
                }
                let call = method.bind(&service, &arguments);
                let call = call.unwrap_or_else(|error| {
                    panic!("{}.{}: {error}", entry.name, method.full_name())
                });
                let slashes = call.path.matches('/').count();
                let spanning = method
                    .parameters
                    .iter()
                    .filter(|parameter| parameter.spans_segments)
                    .count();
                assert_eq!(
                    slashes,
                    method.path.segments().len() + 3 * spanning,
                    "{}",
                    call.path
                );
                assert!(
                    call.query.iter().any(|(name, _)| name == "api-version"),
                    "{}",
                    method.full_name()
                );
                methods += 1;
            }
        }
    }
    assert!(methods >= 83, "{methods}");
}

#[test]
fn every_table_can_be_read_when_its_parameters_are_bound() {
    let registry = builtin();
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider.service(&entry.name).unwrap().unwrap();
            for resource in service.resources.values() {
                if resource.readers().is_empty() {
                    continue;
                }
                // An optional input of the list, such as `$filter`, would rule the GET out.
                let all: Bound = resource
                    .parameters
                    .iter()
                    .filter(|parameter| {
                        parameter.required
                            || !matches!(parameter.location, Location::Query | Location::Header)
                    })
                    .map(|parameter| (parameter.name.as_str(), 1))
                    .collect();
                let method = resource
                    .route(&all)
                    .unwrap_or_else(|error| panic!("{error}"));
                if let Some(get) = resource.one_row_reader() {
                    assert_eq!(method.key, get.key, "{}", resource.full_name());
                }
                assert!(!resource.fields.is_empty(), "{}", resource.full_name());
                for method in resource.readers() {
                    assert_eq!(
                        method.response.fields,
                        resource.fields,
                        "{}",
                        method.full_name()
                    );
                }
            }
        }
    }
}

/// Walking the whole relation never needs a parameter that the parents do not give.
#[test]
fn every_parent_is_there_and_gives_what_it_promises() {
    let registry = builtin();
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider.service(&entry.name).unwrap().unwrap();
            for resource in service.resources.values() {
                let Some(parent) = &resource.parent else {
                    continue;
                };
                let found = registry
                    .resource(&parent.provider, &parent.service, &parent.resource)
                    .unwrap();
                let found = found.unwrap_or_else(|| panic!("{}: {parent:?}", resource.full_name()));
                assert!(
                    found.route(&Bound::new()).is_ok(),
                    "{} cannot be walked",
                    found.full_name()
                );
                for (child, gives) in &parent.parameters {
                    assert!(
                        resource.parameter(child).is_some(),
                        "{}: {child}",
                        resource.full_name()
                    );
                    let known = found.parameter(gives).is_some() || found.field(gives).is_some();
                    assert!(known, "{}: {gives}", resource.full_name());
                }
            }
        }
    }
}

#[test]
fn backup_instances_keeps_its_first_generation_names() {
    let (service, instances) = table("data_protection", "backup_instances");
    let fields: Vec<&str> = instances
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(
        fields,
        ["id", "name", "properties", "systemData", "tags", "type"]
    );
    let parameters: Vec<&str> = instances
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    let key = [
        "subscriptionId",
        "resourceGroupName",
        "vaultName",
        "backupInstanceName",
    ];
    assert_eq!(parameters, [key.as_slice(), &["api-version"]].concat());
    assert_eq!(instances.key, key);
    assert_eq!(service.server, "https://management.azure.com");
    assert_eq!(
        instances.one_row_reader().unwrap().operation_id,
        "BackupInstances_Get"
    );
    let list = instances.method("list").unwrap();
    assert_eq!(list.response.items, Items::At(String::from("value")));
    assert_eq!(list.response.next_link.as_deref(), Some("nextLink"));

    // Keys of the public registry, and operation ids of the first generation.
    for (name, operation) in [
        ("get", "BackupInstances_Get"),
        ("list", "BackupInstances_List"),
        ("create_or_update", "BackupInstances_CreateOrUpdate"),
        ("delete", "BackupInstances_Delete"),
        ("adhoc_backup", "BackupInstances_AdhocBackup"),
        ("AdhocBackup", "BackupInstances_AdhocBackup"),
        (
            "backup_instances_adhoc_backup",
            "BackupInstances_AdhocBackup",
        ),
        ("BACKUPINSTANCES_ADHOCBACKUP", "BackupInstances_AdhocBackup"),
        (
            "get_backup_instance_operation_result",
            "BackupInstances_GetBackupInstanceOperationResult",
        ),
        ("resume_backups", "BackupInstances_ResumeBackups"),
        ("resume_protection", "BackupInstances_ResumeProtection"),
        ("stop_protection", "BackupInstances_StopProtection"),
        ("suspend_backups", "BackupInstances_SuspendBackups"),
        ("sync_backup_instance", "BackupInstances_SyncBackupInstance"),
        ("trigger_rehydrate", "BackupInstances_TriggerRehydrate"),
        ("trigger_restore", "BackupInstances_TriggerRestore"),
        (
            "trigger_cross_region_restore",
            "BackupInstances_TriggerCrossRegionRestore",
        ),
        ("validate_for_backup", "BackupInstances_ValidateForBackup"),
        (
            "validate_for_modify_backup",
            "BackupInstances_ValidateForModifyBackup",
        ),
        ("validate_for_restore", "BackupInstances_ValidateForRestore"),
        (
            "validate_cross_region_restore",
            "BackupInstances_ValidateCrossRegionRestore",
        ),
    ] {
        let method = instances.method(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(method.operation_id, operation, "{name}");
        assert!(names::same(
            &instances.method(operation).unwrap().key,
            &method.key
        ));
    }
    assert!(instances.method("backup").is_none());
    let insert: Vec<&str> = instances
        .methods_of(Verb::Insert)
        .map(|method| method.key.as_str())
        .collect();
    assert_eq!(insert, ["create_or_update"]);
}

/// A provider's later source replaces services of the same name, and adds others.
#[test]
fn later_sources_replace_services() {
    let provider = "name: AZURE\nproviderServices:\n  d: {name: dataProtection, service: {$ref: a/1/s.yaml}}\n  e: {name: extra, service: {$ref: a/1/s.yaml}}\n  gone: {name: gone, service: {$ref: a/1/gone.yaml}}\n";
    let texts = crate::Texts(vec![
        ("a/1/provider.yaml", provider.to_owned()),
        ("a/1/s.yaml", String::from("info: {title: Another}\n")),
    ]);
    let sources: Vec<Arc<dyn SpecSource>> = vec![Arc::new(Builtin), Arc::new(texts)];
    let registry = Registry::open(sources).unwrap();
    assert_eq!(registry.providers().count(), 1);
    let azure = registry.provider("Azure").unwrap();
    assert_eq!(azure.name, "azure");
    let names: Vec<&str> = azure.services().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["dataProtection", "resource", "extra"]);
    let service = azure.service("data_protection").unwrap().unwrap();
    assert_eq!(service.title.as_deref(), Some("Another"));
    assert!(azure.service("gone").unwrap().is_none());
    assert!(
        registry
            .resource("azure", "data_protection", "backup_vaults")
            .unwrap()
            .is_none()
    );
    assert!(
        registry
            .resource("azure", "resource", "subscriptions")
            .unwrap()
            .is_some()
    );
    assert!(
        registry
            .resource("aws", "resource", "subscriptions")
            .unwrap()
            .is_none()
    );
}

#[test]
fn parameters_of_posts_that_only_ask_are_those_of_the_body() {
    let (_, ranges) = table("data_protection", "restorable_time_ranges");
    let body: Vec<&str> = ranges
        .parameters
        .iter()
        .filter(|parameter| parameter.location == Location::Body)
        .map(|parameter| parameter.name.as_str())
        .collect();
    assert_eq!(body, ["sourceDataStoreType", "startTime", "endTime"]);
}
