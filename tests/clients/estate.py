"""What the tests make in the emulator: a vault, a policy, an instance, as bodies of the API."""

from azure.mgmt.dataprotection import models

from conftest import DEVELOPMENT, GROUP, LOCATION

BASE = f"/subscriptions/{DEVELOPMENT}/resourceGroups/{GROUP}/providers/Microsoft.DataProtection"
VAULT = "vault-sdk"
VAULT_ID = f"{BASE}/backupVaults/{VAULT}"
POLICY = "policy-sdk"
POLICY_ID = f"{VAULT_ID}/backupPolicies/{POLICY}"
RULE = "BackupHourly"
DISK = "disk-sdk-01"
INSTANCE = f"{DISK}-{DISK}-0d1c2b3a-4f5e-4061-8273-94a5b6c7d8e9"
INSTANCE_ID = f"{VAULT_ID}/backupInstances/{INSTANCE}"


def disk_id(name=DISK):
    return f"/subscriptions/{DEVELOPMENT}/resourceGroups/{GROUP}/providers/Microsoft.Compute/disks/{name}"


def vault(soft_delete="On", tags=None):
    return models.BackupVaultResource(
        location=LOCATION,
        identity=models.DppIdentityDetails(type="SystemAssigned"),
        tags=tags,
        properties=models.BackupVault(
            storage_settings=[models.StorageSetting(datastore_type="VaultStore", type="LocallyRedundant")],
            security_settings=models.SecuritySettings(
                soft_delete_settings=models.SoftDeleteSettings(state=soft_delete, retention_duration_in_days=14)
            ),
        ),
    )


def policy():
    return models.BaseBackupPolicyResource(
        properties=models.BackupPolicy(
            datasource_types=["Microsoft.Compute/disks"],
            policy_rules=[
                models.AzureRetentionRule(
                    name="Default",
                    is_default=True,
                    lifecycles=[
                        models.SourceLifeCycle(
                            delete_after=models.AbsoluteDeleteOption(duration="P7D"),
                            source_data_store=models.DataStoreInfoBase(
                                data_store_type="OperationalStore", object_type="DataStoreInfoBase"
                            ),
                            target_data_store_copy_settings=[],
                        )
                    ],
                ),
                models.AzureBackupRule(
                    name=RULE,
                    backup_parameters=models.AzureBackupParams(backup_type="Incremental"),
                    data_store=models.DataStoreInfoBase(
                        data_store_type="OperationalStore", object_type="DataStoreInfoBase"
                    ),
                    trigger=models.ScheduleBasedTriggerContext(
                        schedule=models.BackupSchedule(
                            repeating_time_intervals=["R/2026-01-01T06:00:00+00:00/PT4H"], time_zone="UTC"
                        ),
                        tagging_criteria=[
                            models.TaggingCriteria(
                                is_default=True,
                                tagging_priority=99,
                                tag_info=models.RetentionTag(tag_name="Default"),
                            )
                        ],
                    ),
                ),
            ],
        )
    )


def instance(policy_id=POLICY_ID, disk=DISK):
    return models.BackupInstanceResource(
        tags={"owner": "sdk"},
        properties=models.BackupInstance(
            friendly_name=disk,
            object_type="BackupInstance",
            data_source_info=models.Datasource(
                resource_id=disk_id(disk),
                resource_uri=disk_id(disk),
                resource_name=disk,
                resource_type="Microsoft.Compute/disks",
                resource_location=LOCATION,
                datasource_type="Microsoft.Compute/disks",
                object_type="Datasource",
            ),
            policy_info=models.PolicyInfo(
                policy_id=policy_id,
                policy_parameters=models.PolicyParameters(
                    data_store_parameters_list=[
                        models.AzureOperationalStoreParameters(
                            data_store_type="OperationalStore",
                            resource_group_id=f"/subscriptions/{DEVELOPMENT}/resourceGroups/{GROUP}",
                        )
                    ]
                ),
            ),
        ),
    )


def protect(client, soft_delete="On"):
    """A vault with a policy and one protected disk."""
    client.backup_vaults.begin_create_or_update(GROUP, VAULT, vault(soft_delete)).result()
    client.backup_policies.create_or_update(GROUP, VAULT, POLICY, policy())
    client.backup_instances.begin_create_or_update(GROUP, VAULT, INSTANCE, instance()).result()


def configured(client, emulator):
    """As `protect`, and the protection is configured."""
    protect(client)
    emulator.advance(600)
    return client.backup_instances.get(GROUP, VAULT, INSTANCE)


def adhoc():
    return models.TriggerBackupRequest(
        backup_rule_options=models.AdHocBackupRuleOptions(
            rule_name=RULE, trigger_option=models.AdhocBackupTriggerOption(retention_tag_override="Default")
        )
    )


def backed_up(client, emulator):
    """As `configured`, with one backup; the recovery point comes back."""
    configured(client, emulator)
    client.backup_instances.begin_adhoc_backup(GROUP, VAULT, INSTANCE, adhoc()).result()
    emulator.advance(600)
    [point] = client.recovery_points.list(GROUP, VAULT, INSTANCE)
    return point


def restore(point, name="disk-restored"):
    return models.AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=point.name,
        source_data_store_type="OperationalStore",
        source_resource_id=disk_id(),
        restore_target_info=models.RestoreTargetInfo(
            recovery_option="FailIfExists",
            restore_location=LOCATION,
            datasource_info=models.Datasource(
                resource_id=disk_id(name),
                resource_uri=disk_id(name),
                resource_name=name,
                resource_type="Microsoft.Compute/disks",
                resource_location=LOCATION,
                datasource_type="Microsoft.Compute/disks",
                object_type="Datasource",
            ),
        ),
    )
