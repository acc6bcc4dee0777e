"""Backup policies."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

import estate
from conftest import GROUP, PRODUCTION
from estate import POLICY, RULE, VAULT


def test_policies_of_a_vault(client_for):
    client = client_for(PRODUCTION)
    names = {policy.name for policy in client.backup_policies.list("rg-backup-prod-weu", "bv-prod-weu")}
    assert names == {"disk-4hourly-7d", "disk-gold", "blob-daily-30d"}
    disk = client.backup_policies.get("rg-backup-prod-weu", "bv-prod-weu", "disk-4hourly-7d")
    assert disk.properties.object_type == "BackupPolicy"
    assert {rule.object_type for rule in disk.properties.policy_rules} == {"AzureBackupRule", "AzureRetentionRule"}


def test_create_replace_delete(client):
    client.backup_vaults.begin_create_or_update(GROUP, VAULT, estate.vault()).result()
    made = client.backup_policies.create_or_update(GROUP, VAULT, POLICY, estate.policy())
    assert made.name == POLICY
    # The order of the rules is the order of the request, and the service fills the tag's id.
    rule = made.properties.policy_rules[1]
    assert (rule.name, rule.trigger.tagging_criteria[0].tag_info.id) == (RULE, "Default_")
    assert client.backup_policies.get(GROUP, VAULT, POLICY) == made
    assert client.backup_policies.delete(GROUP, VAULT, POLICY) is None
    with pytest.raises(ResourceNotFoundError):
        client.backup_policies.get(GROUP, VAULT, POLICY)
    assert client.backup_policies.delete(GROUP, VAULT, POLICY) is None


def test_a_policy_in_use_is_kept(client):
    estate.protect(client)
    with pytest.raises(HttpResponseError) as refused:
        client.backup_policies.delete(GROUP, VAULT, POLICY)
    assert refused.value.error.code
    assert client.backup_policies.get(GROUP, VAULT, POLICY).name == POLICY
