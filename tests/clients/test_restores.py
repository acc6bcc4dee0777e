"""Recovery points, restores in the region and across regions, and jobs."""

from azure.mgmt.dataprotection import models

import estate
from conftest import DEVELOPMENT, GROUP, LOCATION, PRODUCTION
from estate import INSTANCE, VAULT

SECONDARY = "northeurope"


def test_recovery_points(client, emulator):
    point = estate.backed_up(client, emulator)
    assert point.properties.recovery_point_id == point.name
    assert [store.type for store in point.properties.recovery_point_data_stores_details] == ["OperationalStore"]
    one = client.recovery_points.get(GROUP, VAULT, INSTANCE, point.name)
    assert (one.name, one.properties.recovery_point_time) == (point.name, point.properties.recovery_point_time)
    past = "startDate eq '2001-01-01T00:00:00.0000000Z' and endDate eq '2001-01-02T00:00:00.0000000Z'"
    assert list(client.recovery_points.list(GROUP, VAULT, INSTANCE, filter=past)) == []


def test_restorable_time_ranges(client_for):
    client = client_for(DEVELOPMENT)
    blobs = [
        one
        for one in client.backup_instances.list("rg-dev-shared", "bv-dev-weu")
        if one.properties.data_source_info.datasource_type == "Microsoft.Storage/storageAccounts/blobServices"
    ]
    request = models.AzureBackupFindRestorableTimeRangesRequest(
        source_data_store_type="OperationalStore",
        start_time="2023-06-16T01:00:00.0000000Z",
        end_time="2033-06-16T01:00:00.0000000Z",
    )
    answer = client.restorable_time_ranges.find("rg-dev-shared", "bv-dev-weu", blobs[0].name, request)
    assert answer.id == blobs[0].name
    assert answer.type.endswith("findRestorableTimeRanges")
    assert answer.properties.restorable_time_ranges


def test_validate_and_restore(client, emulator):
    point = estate.backed_up(client, emulator)
    request = models.ValidateRestoreRequestObject(restore_request_object=estate.restore(point))
    validated = client.backup_instances.begin_validate_for_restore(GROUP, VAULT, INSTANCE, request).result()
    assert (validated.object_type, validated.job_id) == ("OperationJobExtendedInfo", None)
    started = client.backup_instances.begin_trigger_restore(GROUP, VAULT, INSTANCE, estate.restore(point)).result()
    emulator.advance(600)
    job = client.jobs.get(GROUP, VAULT, started.job_id.rsplit("/", 1)[1])
    assert (job.properties.operation_category, job.properties.status) == ("Restore", "Completed")


def test_rehydrate(client, emulator):
    point = estate.backed_up(client, emulator)
    request = models.AzureBackupRehydrationRequest(
        recovery_point_id=point.name, rehydration_priority="Standard", rehydration_retention_duration="P10D"
    )
    assert client.backup_instances.begin_trigger_rehydrate(GROUP, VAULT, INSTANCE, request).result() is None
    assert [entry["operation"] for entry in emulator.ledger()][-1] == "BackupInstances_TriggerRehydrate"


def test_across_regions(client, emulator):
    point = estate.backed_up(client, emulator)
    details = models.CrossRegionRestoreDetails(source_region=LOCATION, source_backup_instance_id=estate.INSTANCE_ID)
    validated = client.backup_instances.begin_validate_cross_region_restore(
        GROUP,
        SECONDARY,
        models.ValidateCrossRegionRestoreRequestObject(
            restore_request_object=estate.restore(point), cross_region_restore_details=details
        ),
    ).result()
    assert validated.object_type == "OperationJobExtendedInfo"
    started = client.backup_instances.begin_trigger_cross_region_restore(
        GROUP,
        SECONDARY,
        models.CrossRegionRestoreRequestObject(
            restore_request_object=estate.restore(point), cross_region_restore_details=details
        ),
    ).result()
    emulator.advance(600)
    listed = client.fetch_cross_region_restore_jobs.list(
        GROUP,
        SECONDARY,
        models.CrossRegionRestoreJobsRequest(source_region=LOCATION, source_backup_vault_id=estate.VAULT_ID),
    )
    job_id = started.job_id.rsplit("/", 1)[1]
    assert job_id in [job.name for job in listed]
    job = client.fetch_cross_region_restore_job.get(
        GROUP,
        SECONDARY,
        models.CrossRegionRestoreJobRequest(
            source_region=LOCATION, source_backup_vault_id=estate.VAULT_ID, job_id=job_id
        ),
    )
    assert job.name == job_id
    points = client.fetch_secondary_recovery_points.list(
        GROUP,
        SECONDARY,
        models.FetchSecondaryRPsRequestParameters(
            source_region=LOCATION, source_backup_instance_id=estate.INSTANCE_ID
        ),
    )
    assert point.name in [one.name for one in points]


def test_jobs(client_for):
    client = client_for(PRODUCTION)
    jobs = list(client.jobs.list("rg-backup-prod-weu", "bv-prod-weu"))
    failed = [job for job in jobs if job.properties.status == "Failed"]
    assert failed and len(failed) < len(jobs)
    # A list shows no extended information and another form of duration; reading one job does.
    assert all(job.properties.extended_info is None for job in jobs)
    one = client.jobs.get("rg-backup-prod-weu", "bv-prod-weu", failed[0].name)
    assert one.properties.error_details[0].code.startswith("UserError")
    assert one.properties.duration.startswith("PT")


def test_a_job_that_fails(client, emulator):
    estate.configured(client, emulator)
    emulator.fault({"kind": "fail_job", "code": "UserErrorOnOrder", "message": "as ordered"}, method="POST")
    started = client.backup_instances.begin_adhoc_backup(GROUP, VAULT, INSTANCE, estate.adhoc()).result()
    emulator.advance(600)
    job = client.jobs.get(GROUP, VAULT, started.job_id.rsplit("/", 1)[1])
    assert (job.properties.status, job.properties.error_details[0].code) == ("Failed", "UserErrorOnOrder")
    assert list(client.recovery_points.list(GROUP, VAULT, INSTANCE)) == []


def test_export_of_jobs(client, emulator, headers):
    estate.backed_up(client, emulator)
    assert client.export_jobs.begin_trigger(GROUP, VAULT, raw_response_hook=headers).result() is None
    assert headers.status == 202 and "Azure-AsyncOperation" not in headers.first
    result = client.export_jobs_operation_result.get(GROUP, VAULT, headers.operation("Location"))
    assert result.blob_url and result.excel_file_blob_url
