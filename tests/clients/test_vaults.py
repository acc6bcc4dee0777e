"""Backup vaults, deleted vaults, and the status of operations on them."""

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.dataprotection import models

import estate
from conftest import DATA, DEVELOPMENT, GROUP, LOCATION, PRODUCTION


def test_vaults_of_a_subscription_and_of_a_group(client_for):
    client = client_for(DATA)
    names = {vault.name for vault in client.backup_vaults.get_in_subscription()}
    assert names == {"bv-data-eus2", "bv-data-disks-eus2"}
    assert {vault.name for vault in client.backup_vaults.get_in_resource_group("RG-Data-Backup")} == names
    assert [vault.name for vault in client.backup_vaults.get_in_resource_group("rg-data-platform")] == []


def test_a_vault_as_azure_shows_it(client_for):
    vault = client_for(PRODUCTION).backup_vaults.get("rg-backup-prod-weu", "bv-prod-weu")
    assert vault.type.lower() == "microsoft.dataprotection/backupvaults"
    assert vault.location == "westeurope"
    assert vault.properties.provisioning_state == "Succeeded"
    assert vault.properties.security_settings.soft_delete_settings.state == "AlwaysOn"
    assert vault.properties.security_settings.soft_delete_settings.retention_duration_in_days == 14
    assert vault.properties.security_settings.immutability_settings.state == "Locked"
    assert [setting.type for setting in vault.properties.storage_settings] == ["GeoRedundant"]
    assert vault.properties.is_vault_protected_by_resource_guard is True
    assert vault.identity.principal_id


def test_create_read_update_delete(client, emulator, headers):
    poller = client.backup_vaults.begin_create_or_update(
        GROUP, estate.VAULT, estate.vault(tags={"a": "1"}), raw_response_hook=headers
    )
    created = poller.result()
    assert headers.status == 201
    assert "Azure-AsyncOperation" in headers.first and "Location" not in headers.first
    assert (created.name, created.properties.provisioning_state) == (estate.VAULT, "Succeeded")
    assert created.tags == {"a": "1"}

    patch = models.PatchResourceRequestInput(
        tags={"a": "2"},
        properties=models.PatchBackupVaultInput(
            monitoring_settings=models.MonitoringSettings(
                azure_monitor_alert_settings=models.AzureMonitorAlertSettings(alerts_for_all_job_failures="Disabled")
            )
        ),
    )
    updated = client.backup_vaults.begin_update(GROUP, estate.VAULT, patch).result()
    assert updated.tags == {"a": "2"}
    again = client.backup_vaults.get(GROUP, estate.VAULT)
    alerts = again.properties.monitoring_settings.azure_monitor_alert_settings
    assert (again.tags, alerts.alerts_for_all_job_failures) == ({"a": "2"}, "Disabled")
    assert again.properties.security_settings.soft_delete_settings.state == "On"

    assert client.backup_vaults.begin_delete(GROUP, estate.VAULT).result() is None
    with pytest.raises(ResourceNotFoundError) as absent:
        client.backup_vaults.get(GROUP, estate.VAULT)
    assert absent.value.error.code == "ResourceNotFound"
    assert client.backup_vaults.begin_delete(GROUP, estate.VAULT).result() is None
    changes = [entry["operation"] for entry in emulator.ledger()]
    assert changes == ["BackupVaults_CreateOrUpdate", "BackupVaults_Update", "BackupVaults_Delete"]


def test_a_vault_with_instances_is_not_deleted(client):
    estate.protect(client)
    with pytest.raises(HttpResponseError) as refused:
        client.backup_vaults.begin_delete(GROUP, estate.VAULT).result()
    assert refused.value.error.code
    assert client.backup_vaults.get(GROUP, estate.VAULT).name == estate.VAULT


def test_soft_delete_that_is_always_on_stays(client):
    client.backup_vaults.begin_create_or_update(GROUP, estate.VAULT, estate.vault("AlwaysOn")).result()
    with pytest.raises(HttpResponseError) as refused:
        client.backup_vaults.begin_create_or_update(GROUP, estate.VAULT, estate.vault("Off")).result()
    assert refused.value.status_code == 400
    assert refused.value.error.code == "UserErrorDisableSoftDeleteNotAllowed"


def test_names_that_are_free_and_taken(client):
    def check(name):
        request = models.CheckNameAvailabilityRequest(name=name, type="Microsoft.DataProtection/BackupVaults")
        return client.backup_vaults.check_name_availability(GROUP, LOCATION, request)

    assert check("a-new-vault").name_available is True
    taken = check("bv-dev-weu")
    assert (taken.name_available, bool(taken.reason), bool(taken.message)) == (False, True, True)


def test_status_of_an_operation_below_vault_group_and_region(client, headers):
    client.backup_vaults.begin_create_or_update(
        GROUP, estate.VAULT, estate.vault(), raw_response_hook=headers
    ).result()
    operation = headers.operation()
    status = client.operation_status_backup_vault_context.get(GROUP, estate.VAULT, operation)
    assert (status.name, status.status) == (operation, "Succeeded")
    assert status.start_time <= status.end_time
    assert client.operation_status_resource_group_context.get(GROUP, operation).status == "Succeeded"
    assert client.operation_status.get(LOCATION, operation).status == "Succeeded"
    made = client.backup_vault_operation_results.get(GROUP, estate.VAULT, operation)
    assert made is None or made.name == estate.VAULT


def test_an_operation_that_fails(client, emulator):
    emulator.fault({"kind": "fail_operation", "code": "UserErrorOnOrder", "message": "as ordered"}, method="PUT")
    poller = client.backup_vaults.begin_create_or_update(GROUP, estate.VAULT, estate.vault())
    with pytest.raises(HttpResponseError) as failed:
        poller.result()
    assert failed.value.error.code == "UserErrorOnOrder"


def test_deleted_vaults(client):
    client.backup_vaults.begin_create_or_update(GROUP, estate.VAULT, estate.vault()).result()
    client.backup_vaults.begin_delete(GROUP, estate.VAULT).result()
    deleted = [
        vault
        for vault in client.deleted_backup_vaults.list_by_location(LOCATION)
        if vault.properties.original_backup_vault_name == estate.VAULT
    ]
    assert len(deleted) == 1
    one = client.deleted_backup_vaults.get(LOCATION, deleted[0].name)
    assert one.properties.original_backup_vault_id.lower() == estate.VAULT_ID.lower()


def test_what_is_absent_or_malformed(client_for, emulator):
    with pytest.raises(ResourceNotFoundError) as group:
        client_for(DEVELOPMENT).backup_vaults.get("no-such-group", "v1")
    assert group.value.error.code == "ResourceGroupNotFound"
    with pytest.raises(ResourceNotFoundError) as subscription:
        list(client_for("00000000-0000-4000-8000-00000000dead").backup_vaults.get_in_subscription())
    assert subscription.value.error.code == "SubscriptionNotFound"
    with pytest.raises(HttpResponseError) as malformed:
        list(client_for("no-uuid").backup_vaults.get_in_subscription())
    assert (malformed.value.status_code, malformed.value.error.code) == (400, "InvalidSubscriptionId")
    emulator.fault({"kind": "expired_token"}, times=None)
    with pytest.raises(ClientAuthenticationError):
        client_for(DEVELOPMENT).backup_vaults.get(GROUP, "bv-dev-weu")
