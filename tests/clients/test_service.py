"""The service itself: its operations, its features, paging."""

from azure.mgmt.dataprotection import models

from conftest import DATA, LOCATION


def test_operations_of_the_service(client):
    names = [operation.name for operation in client.data_protection_operations.list()]
    assert "Microsoft.DataProtection/backupVaults/read" in names
    assert len(set(names)) == len(names)


def test_feature_support(client):
    request = models.FeatureValidationRequest(feature_type="DataSourceType", feature_name="AzureDisk")
    answer = client.data_protection.check_feature_support(LOCATION, request)
    assert answer.object_type == "FeatureValidationResponse"
    assert answer.features[0].support_status


def test_every_request_has_the_headers_that_the_sdk_sends(client_for, emulator):
    list(client_for(DATA).backup_vaults.get_in_subscription())
    [entry] = emulator.journal()
    assert (entry["method"], entry["status"], entry["authorization"]) == ("GET", 200, True)
    assert entry["clientRequestId"] and entry["userAgent"].startswith("azsdk-python-mgmt-dataprotection/2.2.0")
    assert "api-version=2026-06-01" in entry["query"]
