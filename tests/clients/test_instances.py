"""Backup instances: protection from its beginning to its end, and the instances of a resource."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.dataprotection import models

import estate
from conftest import DATA, GROUP
from estate import INSTANCE, VAULT


def state(client):
    properties = client.backup_instances.get(GROUP, VAULT, INSTANCE).properties
    return properties.current_protection_state


def test_instances_of_a_vault(client_for):
    client = client_for(DATA)
    listed = list(client.backup_instances.list("rg-data-backup", "bv-data-disks-eus2"))
    assert len(listed) == 4
    assert {instance.properties.friendly_name for instance in listed} >= {"disk-kafka-01", "disk-gitlab-data"}
    for instance in listed:
        one = client.backup_instances.get("rg-data-backup", "bv-data-disks-eus2", instance.name)
        assert one == instance
    [failed] = [one for one in listed if one.properties.current_protection_state == "ConfiguringProtectionFailed"]
    assert failed.properties.protection_status.error_details.code.startswith("UserError")


def test_protect_and_change_the_policy(client, emulator, headers):
    client.backup_vaults.begin_create_or_update(GROUP, VAULT, estate.vault()).result()
    client.backup_policies.create_or_update(GROUP, VAULT, estate.POLICY, estate.policy())
    made = client.backup_instances.begin_create_or_update(
        GROUP, VAULT, INSTANCE, estate.instance(), raw_response_hook=headers
    ).result()
    assert headers.status == 201 and "Location" not in headers.first
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.data_source_info.resource_id == estate.disk_id()
    assert made.tags == {"owner": "sdk"}
    emulator.advance(600)
    assert state(client) == "ProtectionConfigured"

    client.backup_policies.create_or_update(GROUP, VAULT, "another", estate.policy())
    other = f"{estate.VAULT_ID}/backupPolicies/another"
    client.backup_instances.begin_create_or_update(GROUP, VAULT, INSTANCE, estate.instance(other)).result()
    emulator.advance(600)
    changed = client.backup_instances.get(GROUP, VAULT, INSTANCE)
    assert changed.properties.policy_info.policy_id.lower() == other.lower()
    assert changed.properties.current_protection_state == "ProtectionConfigured"


def test_on_demand_backup_gives_a_job_and_a_recovery_point(client, emulator, headers):
    estate.configured(client, emulator)
    answer = client.backup_instances.begin_adhoc_backup(
        GROUP, VAULT, INSTANCE, estate.adhoc(), raw_response_hook=headers
    ).result()
    assert headers.status == 202
    assert all(name in headers.first for name in ("Azure-AsyncOperation", "Location", "Retry-After"))
    assert answer.object_type == "OperationJobExtendedInfo"
    assert answer.job_id.lower().startswith(f"{estate.VAULT_ID}/backupJobs/".lower())
    emulator.advance(600)
    job = client.jobs.get(GROUP, VAULT, answer.job_id.rsplit("/", 1)[1])
    assert (job.properties.status, job.properties.is_user_triggered) == ("Completed", True)
    assert job.properties.backup_instance_id.lower() == estate.INSTANCE_ID.lower()
    [point] = client.recovery_points.list(GROUP, VAULT, INSTANCE)
    assert job.properties.extended_info.target_recover_point.recovery_point_id == point.name
    assert [entry["operation"] for entry in emulator.ledger()][-1] == "BackupInstances_AdhocBackup"

    operation = headers.operation()
    assert client.operation_status_backup_vault_context.get(GROUP, VAULT, operation).properties.job_id == answer.job_id
    assert client.operation_result.get(operation, "westeurope").job_id == answer.job_id
    result = client.backup_instances.get_backup_instance_operation_result(GROUP, VAULT, INSTANCE, operation)
    assert result is None or result.name == INSTANCE


def test_backup_by_an_unknown_rule_is_refused(client, emulator):
    estate.configured(client, emulator)
    request = estate.adhoc()
    request.backup_rule_options.rule_name = "NoSuchRule"
    with pytest.raises(HttpResponseError) as refused:
        client.backup_instances.begin_adhoc_backup(GROUP, VAULT, INSTANCE, request).result()
    assert refused.value.error.code
    assert list(client.recovery_points.list(GROUP, VAULT, INSTANCE)) == []


def test_stop_suspend_and_resume(client, emulator):
    estate.configured(client, emulator)
    instances = client.backup_instances
    assert instances.begin_stop_protection(GROUP, VAULT, INSTANCE).result() is None
    assert state(client) == "ProtectionStopped"
    assert instances.begin_resume_protection(GROUP, VAULT, INSTANCE).result() is None
    emulator.advance(600)
    assert state(client) == "ProtectionConfigured"
    # Already protected: 200 at once.
    assert instances.begin_resume_protection(GROUP, VAULT, INSTANCE).result() is None
    request = models.SuspendBackupRequest(resource_guard_operation_requests=[])
    assert instances.begin_suspend_backups(GROUP, VAULT, INSTANCE, request).result() is None
    assert state(client) == "BackupsSuspended"
    assert instances.begin_resume_backups(GROUP, VAULT, INSTANCE).result() is None
    emulator.advance(600)
    assert state(client) == "ProtectionConfigured"
    request = models.StopProtectionRequest(resource_guard_operation_requests=[])
    assert instances.begin_stop_protection(GROUP, VAULT, INSTANCE, request).result() is None
    assert state(client) == "ProtectionStopped"


def test_synchronise(client, emulator):
    estate.configured(client, emulator)
    request = models.SyncBackupInstanceRequest(sync_type="Default")
    assert client.backup_instances.begin_sync_backup_instance(GROUP, VAULT, INSTANCE, request).result() is None
    assert state(client) == "ProtectionConfigured"


def test_validate_before_protecting_and_before_changing(client, emulator):
    estate.configured(client, emulator)
    properties = estate.instance(disk="disk-sdk-02").properties
    answer = client.backup_instances.begin_validate_for_backup(
        GROUP, VAULT, models.ValidateForBackupRequest(backup_instance=properties)
    ).result()
    assert (answer.object_type, answer.job_id) == ("OperationJobExtendedInfo", None)
    request = models.ValidateForModifyBackupRequest(backup_instance=estate.instance().properties)
    assert client.backup_instances.begin_validate_for_modify_backup(GROUP, VAULT, INSTANCE, request).result() is None


def test_delete_and_bring_back(client, emulator, headers):
    estate.configured(client, emulator)
    deleted = client.backup_instances.begin_delete(GROUP, VAULT, INSTANCE, raw_response_hook=headers).result()
    assert (deleted, headers.status) == (None, 202)
    with pytest.raises(ResourceNotFoundError) as absent:
        client.backup_instances.get(GROUP, VAULT, INSTANCE)
    assert absent.value.error.code == "UserErrorGenericResourceNotFound"
    assert client.backup_instances.begin_delete(GROUP, VAULT, INSTANCE).result() is None

    [item] = client.deleted_backup_instances.list(GROUP, VAULT)
    assert item.name == INSTANCE
    one = client.deleted_backup_instances.get(GROUP, VAULT, INSTANCE)
    assert one.properties.current_protection_state == "SoftDeleted"
    assert one.properties.deletion_info.scheduled_purge_time > one.properties.deletion_info.deletion_time
    assert client.deleted_backup_instances.begin_undelete(GROUP, VAULT, INSTANCE).result() is None
    assert list(client.deleted_backup_instances.list(GROUP, VAULT)) == []
    assert state(client) == "ProtectionStopped"
    with pytest.raises(ResourceNotFoundError) as again:
        client.deleted_backup_instances.begin_undelete(GROUP, VAULT, INSTANCE).result()
    assert again.value.error.code == "UserErrorGenericResourceNotFound"


def test_without_soft_delete_an_instance_is_gone(client, emulator):
    estate.protect(client, soft_delete="Off")
    emulator.advance(600)
    client.backup_instances.begin_delete(GROUP, VAULT, INSTANCE).result()
    assert list(client.backup_instances.list(GROUP, VAULT)) == []
    assert list(client.deleted_backup_instances.list(GROUP, VAULT)) == []


def test_a_datasource_is_protected_once(client, emulator):
    estate.configured(client, emulator)
    client.backup_vaults.begin_create_or_update(GROUP, "vault-sdk-2", estate.vault()).result()
    client.backup_policies.create_or_update(GROUP, "vault-sdk-2", estate.POLICY, estate.policy())
    other = estate.POLICY_ID.replace("/vault-sdk/", "/vault-sdk-2/")
    with pytest.raises(HttpResponseError) as refused:
        client.backup_instances.begin_create_or_update(
            GROUP, "vault-sdk-2", INSTANCE, estate.instance(other)
        ).result()
    assert refused.value.error.code == "UserErrorDppDatasourceAlreadyHasBackupInstance"


def test_instances_of_a_resource(client, emulator):
    estate.configured(client, emulator)
    [found] = client.backup_instances_extension_routing.list(estate.disk_id().lstrip("/"))
    assert found.name == INSTANCE
    assert list(client.backup_instances_extension_routing.list(estate.disk_id("unprotected").lstrip("/"))) == []
