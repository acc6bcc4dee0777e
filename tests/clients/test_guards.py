"""Resource guards, their request objects, and the proxies that tie a vault to one."""

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.dataprotection import models

import estate
from conftest import GROUP, LOCATION, PRODUCTION
from estate import VAULT

GUARD = "guard-sdk"
GUARD_ID = f"{estate.BASE}/resourceGuards/{GUARD}"
PROXY = "DppResourceGuardProxy"

# List and get of each kind of request object.
REQUESTS = {
    "deleteResourceGuardProxyRequests": (
        "get_delete_resource_guard_proxy_requests_objects",
        "get_default_delete_resource_guard_proxy_requests_object",
    ),
    "disableSoftDeleteRequests": (
        "get_disable_soft_delete_requests_objects",
        "get_default_disable_soft_delete_requests_object",
    ),
    "updateProtectedItemRequests": (
        "get_update_protected_item_requests_objects",
        "get_default_update_protected_item_requests_object",
    ),
    "updateProtectionPolicyRequests": (
        "get_update_protection_policy_requests_objects",
        "get_default_update_protection_policy_requests_object",
    ),
    "deleteProtectedItemRequests": (
        "get_delete_protected_item_requests_objects",
        "get_default_delete_protected_item_requests_object",
    ),
    "getBackupSecurityPINRequests": (
        "get_backup_security_pin_requests_objects",
        "get_default_backup_security_pin_requests_object",
    ),
}


def make_guard(client):
    body = models.ResourceGuardResource(
        location=LOCATION, properties=models.ResourceGuard(vault_critical_operation_exclusion_list=[])
    )
    return client.resource_guards.put(GROUP, GUARD, body)


def test_guards_that_are_there(client_for):
    client = client_for(PRODUCTION)
    assert [guard.name for guard in client.resource_guards.get_resources_in_subscription()] == ["guard-contoso-backup"]
    assert [guard.name for guard in client.resource_guards.get_resources_in_resource_group("rg-security")] == [
        "guard-contoso-backup"
    ]
    assert list(client.resource_guards.get_resources_in_resource_group("rg-sap-prod")) == []


def test_create_change_delete(client):
    made = make_guard(client)
    assert (made.name, made.properties.provisioning_state) == (GUARD, "Succeeded")
    assert made.properties.resource_guard_operations
    patched = client.resource_guards.patch(GROUP, GUARD, models.PatchResourceGuardInput(tags={"team": "security"}))
    assert patched.tags == {"team": "security"}
    assert client.resource_guards.get(GROUP, GUARD).tags == {"team": "security"}
    assert client.resource_guards.delete(GROUP, GUARD) is None
    with pytest.raises(ResourceNotFoundError):
        client.resource_guards.get(GROUP, GUARD)


@pytest.mark.parametrize("kind", REQUESTS)
def test_request_objects(client, kind):
    make_guard(client)
    listing, getting = REQUESTS[kind]
    [listed] = getattr(client.resource_guards, listing)(GROUP, GUARD)
    assert listed.id.lower() == f"{GUARD_ID}/{kind}/default".lower()
    assert getattr(client.resource_guards, getting)(GROUP, GUARD, "default").id == listed.id


def test_proxy(client):
    client.backup_vaults.begin_create_or_update(GROUP, VAULT, estate.vault()).result()
    make_guard(client)
    proxies = client.dpp_resource_guard_proxy
    body = models.ResourceGuardProxyBaseResource(
        properties=models.ResourceGuardProxyBase(resource_guard_resource_id=GUARD_ID)
    )
    made = proxies.create_or_update(GROUP, VAULT, PROXY, body)
    assert made.properties.resource_guard_resource_id == GUARD_ID
    assert made.type == "Microsoft.DataProtection/vaults/backupResourceGuardProxies"
    assert [proxy.name for proxy in proxies.list(GROUP, VAULT)] == [PROXY]
    assert proxies.get(GROUP, VAULT, PROXY).name == PROXY
    assert client.backup_vaults.get(GROUP, VAULT).properties.is_vault_protected_by_resource_guard is True
    request = models.UnlockDeleteRequest(
        resource_guard_operation_requests=[f"{GUARD_ID}/deleteResourceGuardProxyRequests/default"],
        resource_to_be_deleted=f"{estate.VAULT_ID}/backupResourceGuardProxies/{PROXY}",
    )
    assert proxies.unlock_delete(GROUP, VAULT, PROXY, request).unlock_delete_expiry_time
    assert proxies.delete(GROUP, VAULT, PROXY) is None
    assert list(proxies.list(GROUP, VAULT)) == []
