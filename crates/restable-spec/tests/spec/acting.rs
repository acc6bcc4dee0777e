//! Ids into parameters, verbs into methods, columns of bodies and answers.

use restable_spec::{Attribute, Verb, id_conflict};

use crate::{SUBSCRIPTION, builtin, table};

#[test]
fn ids_fill_parameters() {
    let (_, instances) = table("data_protection", "backup_instances");
    let vault = format!(
        "/subscriptions/{SUBSCRIPTION}/resourcegroups/Rg-1/providers/microsoft.dataprotection/BackupVaults/v-1"
    );
    let instance = format!("{vault}/backupInstances/disk 7");
    let backup = instances.method("adhoc_backup").unwrap();
    let values = |filled: &[(String, String)]| {
        let values: Vec<String> = filled
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        values.join(" ")
    };
    let of_vault = format!("subscriptionId={SUBSCRIPTION} resourceGroupName=Rg-1 vaultName=v-1");
    assert_eq!(
        values(&backup.fill_from_id(&instance).unwrap()),
        format!("{of_vault} backupInstanceName=disk 7")
    );
    assert_eq!(values(&backup.fill_from_id(&vault).unwrap()), of_vault);

    let form = |method: &str, name: &str| {
        instances
            .method(method)
            .unwrap()
            .id_form(&instances, name)
            .map(|form| form.parameters().last().unwrap().to_owned())
    };
    for (method, name, last) in [
        ("adhoc_backup", "id", Some("backupInstanceName")),
        ("adhoc_backup", "ID", Some("backupInstanceName")),
        ("adhoc_backup", "vault_id", Some("vaultName")),
        ("adhoc_backup", "vaultId", Some("vaultName")),
        (
            "adhoc_backup",
            "backup_instance_id",
            Some("backupInstanceName"),
        ),
        (
            "adhoc_backup",
            "resource_group_id",
            Some("resourceGroupName"),
        ),
        // A parameter of the method itself.
        ("adhoc_backup", "subscription_id", None),
        ("adhoc_backup", "policy_id", None),
        ("adhoc_backup", "vault", None),
        // There is no instance in this path.
        ("validate_for_backup", "id", Some("vaultName")),
        // The operation is not part of the instance's id.
        (
            "get_backup_instance_operation_result",
            "id",
            Some("backupInstanceName"),
        ),
    ] {
        assert_eq!(form(method, name).as_deref(), last, "{method} {name}");
    }

    let own = backup.id_form(&instances, "id").unwrap();
    let of_vault = backup.id_form(&instances, "vault_id").unwrap();
    assert!(of_vault.fill(&vault).is_ok() && own.fill(&vault).is_err());
    let refused = |id: &str| own.fill(id).unwrap_err().to_string();
    insta::assert_snapshot!(refused(&vault.replace(SUBSCRIPTION, "s")), @"`/subscriptions/s/resourcegroups/Rg-1/providers/microsoft.dat…` is not of the form `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}/backupInstances/{backupInstanceName}`: it has 8 parts, not 10");
    insta::assert_snapshot!(refused("disk-7"), @"`disk-7` is not of the form `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}/backupInstances/{backupInstanceName}`: it does not start with `/`");
    insta::assert_snapshot!(refused("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d"), @"`/subscriptions/s/resourceGroups/g/providers/Microsoft.Comput…` is not of the form `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}/backupInstances/{backupInstanceName}`: `Microsoft.Compute` stands in the place of `Microsoft.DataProtection`");
    insta::assert_snapshot!(refused("/subscriptions//resourceGroups/g"), @"`/subscriptions//resourceGroups/g` is not of the form `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}/backupInstances/{backupInstanceName}`: `subscriptionId` is empty");
    insta::assert_snapshot!(backup.fill_from_id("/subscriptions/s/resourceGroups/g/x").unwrap_err(), @"`/subscriptions/s/resourceGroups/g/x` is not of the form `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection/backupVaults/{vaultName}/backupInstances/{backupInstanceName}`: `x` stands in the place of `providers`");

    let filled = backup.fill_from_id(&instance).unwrap();
    let written = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(id_conflict(&filled, &written("vault_name", "V-1")), None);
    let conflict = id_conflict(&filled, &written("vault_name", "v-2")).unwrap();
    insta::assert_snapshot!(conflict, @"`vaultName` is `v-1` by the id, but `v-2` is written");

    let (_, routing) = table("data_protection", "backup_instances_extension_routing");
    let list = routing.method("list").unwrap();
    assert_eq!(
        values(&list.fill_from_id("/subscriptions/s/x/y").unwrap()),
        "resourceId=/subscriptions/s/x/y"
    );
}

#[test]
fn verbs_find_their_method() {
    let full = [
        "subscription_id",
        "resource_group_name",
        "vault_name",
        "backup_instance_name",
        "backup_policy_name",
    ];
    let found = |resource: &str, verb: Verb, given: &[&str]| {
        let (_, resource) = table("data_protection", resource);
        match resource.method_for(verb, given) {
            Ok(method) => method.key.clone(),
            Err(error) => match error.hint() {
                Some(hint) => format!("{error}\n  hint: {hint}"),
                None => error.to_string(),
            },
        }
    };
    assert_eq!(
        found("backup_instances", Verb::Insert, &full),
        "create_or_update"
    );
    assert_eq!(
        found("backup_instances", Verb::Replace, &full),
        "create_or_update"
    );
    assert_eq!(found("backup_instances", Verb::Delete, &full), "delete");
    assert_eq!(found("backup_vaults", Verb::Update, &full), "update");
    insta::assert_snapshot!(found("backup_instances", Verb::Update, &full), @"
    `backup_instances` has no method for UPDATE
      hint: it takes INSERT, REPLACE, DELETE; `SHOW METHODS` lists the rest
    ");
    insta::assert_snapshot!(found("backup_instances", Verb::Insert, &full[..2]), @"
    INSERT of `backup_instances` needs `vaultName` and `backupInstanceName` (for `create_or_update`)
      hint: give `vaultName` and `backupInstanceName` beside the attributes
    ");
    insta::assert_snapshot!(found("backup_policies", Verb::Delete, &full[..3]), @"
    DELETE of `backup_policies` needs `backupPolicyName` (for `delete`)
      hint: a predicate on `backupPolicyName` says which
    ");
    insta::assert_snapshot!(found("jobs", Verb::Delete, &full), @"`jobs` has no method for DELETE");
}

#[test]
fn bodies_and_answers_have_columns() {
    let (service, instances) = table("data_protection", "backup_instances");
    let columns = |method: &str| {
        let attributes = instances.method(method).unwrap().attributes(&service);
        let shown = |attribute: &Attribute| {
            let required = if attribute.required { "*" } else { "" };
            let read_only = if attribute.read_only { " ro" } else { "" };
            format!(
                "{}{required} {:?}{read_only}",
                attribute.name, attribute.kind
            )
        };
        attributes.iter().map(shown).collect::<Vec<_>>().join(", ")
    };
    insta::assert_snapshot!(columns("create_or_update"), @"id Text ro, name Text ro, properties* Json, systemData Json ro, tags Json, type Text ro");
    insta::assert_snapshot!(columns("adhoc_backup"), @"backupRuleOptions* Json");
    insta::assert_snapshot!(columns("trigger_restore"), @"objectType* Text, restoreTargetInfo* Json, sourceDataStoreType* Text, sourceResourceId Text, resourceGuardOperationRequests Json, identityDetails Json, recoveryPointId Text, recoveryPointTime Text, rehydrationPriority Text, rehydrationRetentionDuration Text");
    insta::assert_snapshot!(columns("resume_backups"), @"");
    let results = |method: &str| {
        let method = instances.method(method).unwrap();
        let names = method
            .result_fields()
            .iter()
            .map(|field| field.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(results("adhoc_backup"), "objectType, jobId");
    assert_eq!(results("trigger_restore"), "objectType, jobId");
    assert_eq!(
        results("create_or_update"),
        "id, name, properties, systemData, tags, type"
    );
    for key in [
        "stop_protection",
        "suspend_backups",
        "resume_backups",
        "delete",
        "trigger_rehydrate",
    ] {
        assert_eq!(results(key), "", "{key}");
    }
}

/// Every verb of every table has a method once everything is given, and every method an own id or a reason to have none.
#[test]
fn every_table_acts() {
    let registry = builtin();
    for provider in registry.providers() {
        for entry in provider.services() {
            let service = provider.service(&entry.name).unwrap().unwrap();
            for resource in service.resources.values() {
                for verb in [Verb::Insert, Verb::Replace, Verb::Update, Verb::Delete] {
                    let Some(any) = resource.methods_of(verb).next() else {
                        continue;
                    };
                    let given: Vec<&str> = any.path.parameters().collect();
                    assert_eq!(resource.method_for(verb, &given).unwrap().key, any.key);
                    assert!(resource.method_for::<&str>(verb, &[]).is_err());
                    let form = any.id_form(resource, "id").unwrap();
                    assert!(
                        form.parameters().eq(any.path.parameters()),
                        "{}",
                        any.full_name()
                    );
                }
            }
        }
    }
}
