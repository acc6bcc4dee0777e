"""ADBC's driver for Flight SQL against servers that may write, and servers that may not; and answers that lack something."""

import json
import urllib.request

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow.flight
import pytest
import serving

INSTANCES = "azure.data_protection.backup_instances"
COOKIES = {"adbc.flight.sql.rpc.with_cookie_middleware": "true"}


@pytest.fixture(scope="module")
def writable(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("writable")
    emulator, url = serving.emulate(program, "demo")
    server, served = serving.serve(
        program, url, "--allow-writes", "--set", f"journal={folder / 'journal.db'}", "--set", f"data_dir={folder / 'data'}",
    )
    yield served
    serving.stop(server)
    serving.stop(emulator)


@pytest.fixture
def connection(writable):
    with flightsql.connect(writable.flight, db_kwargs=COOKIES, autocommit=True) as connection:
        yield connection


def changed(served):
    return [one for one in served.journal() if one["method"] != "GET"]


def rows(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def update(connection, sql):
    """A statement by DoPut, and the number that it answers."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_sql_query(sql)
        return cursor.adbc_statement.execute_update()


def target(connection, like):
    """The key of a protected instance as a condition, and its id."""
    ((id,),) = rows(
        connection,
        "SELECT id FROM azure.data_protection.vw_backup_instances WHERE protection_status = 'ProtectionConfigured'"
        f" AND backup_instance_name LIKE '{like}' ORDER BY id LIMIT 1",
    )
    parts = id.split("/")
    names = zip(("subscriptionId", "resourceGroupName", "vaultName", "backupInstanceName"), parts[2::2][:2] + parts[8::2])
    return " AND ".join(f"{name} = '{value}'" for name, value in names), id


def test_what_was_not_changed_does_not_count(connection):
    rows(connection, "SET confirm = never")
    condition, _ = target(connection, "pg%")
    gone = condition.rsplit("'", 2)[0] + "'nothing'"
    assert update(connection, f"DELETE FROM {INSTANCES} WHERE {gone}") == 0
    with pytest.raises(adbc_driver_manager.Error, match="did not come to what was asked for"):
        rows(
            connection,
            f"DELETE FROM {INSTANCES} WHERE subscriptionId = '00000000-0000-4000-8000-000000000000' AND resourceGroupName = 'nowhere'"
            " AND vaultName = 'no-vault' AND backupInstanceName = 'nothing' RETURNING backupInstanceName",
        )


def test_a_statement_that_acts_is_told_by_its_count(writable, connection):
    rows(connection, "SET confirm = never")
    where, _ = target(connection, "disk%")
    before = len(changed(writable))
    assert update(connection, f"DELETE FROM {INSTANCES} WHERE {where}") == 1
    assert [one["method"] for one in changed(writable)[before:]] == ["DELETE"]
    assert rows(connection, "SHOW OPERATIONS")


def test_a_vault_is_made_and_changed(writable, connection):
    rows(connection, "SET confirm = never")
    where, _ = target(connection, "%")
    subscription, group = (part.split("'")[1] for part in where.split(" AND ")[:2])
    body = '[{"type": "LocallyRedundant", "datastoreType": "VaultStore"}]'
    made = update(
        connection,
        "INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location, properties)"
        f" VALUES ('{subscription}', '{group}', 'bv-of-flight', 'westeurope', '{{\"storageSettings\": {body}}}')",
    )
    assert made == 1
    key = f"subscriptionId = '{subscription}' AND resourceGroupName = '{group}' AND vaultName = 'bv-of-flight'"
    tags = "'{\"made\": \"by Flight\"}'"
    assert update(connection, f"UPDATE azure.data_protection.backup_vaults SET tags = {tags} WHERE {key}") == 1
    ((found,),) = rows(connection, f"SELECT tags FROM azure.data_protection.backup_vaults WHERE {key}")
    assert json.loads(found) == {"made": "by Flight"}


def test_exec_answers_rows(writable, connection):
    rows(connection, "SET confirm = never")
    _, id = target(connection, "pg%")
    ((rule,),) = rows(
        connection,
        "SELECT rule_name FROM azure.data_protection.vw_backup_policies p JOIN azure.data_protection.vw_backup_instances i"
        f" ON i.policy_id = p.id WHERE i.id = '{id}' AND p.rule_type = 'AzureBackupRule' LIMIT 1",
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXEC {INSTANCES}.adhoc_backup @id = '{id}', @backupRuleOptions.ruleName = '{rule}'")
        (row,) = cursor.fetch_arrow_table().to_pylist()
    assert row["status"] == "Succeeded"


def test_a_question_that_cannot_be_asked_is_refused(writable, connection):
    before = changed(writable)
    with pytest.raises(adbc_driver_manager.Error, match="confirm"):
        update(connection, f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
    assert changed(writable) == before


def test_a_server_that_only_reads_refuses(served):
    before = changed(served)
    with flightsql.connect(served.flight, db_kwargs=COOKIES, autocommit=True) as connection:
        rows(connection, "SET confirm = never")
        for sql in (
            f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'",
            f"EXEC {INSTANCES}.stop_protection FOR EACH (SELECT id FROM {INSTANCES})",
            "CREATE MATERIALIZED VIEW v AS SELECT 1 AS x",
            "CREATE TABLE t AS SELECT 1 AS x",
        ):
            with pytest.raises(adbc_driver_manager.Error, match="only reads"):
                update(connection, sql)
            with pytest.raises(adbc_driver_manager.Error, match="only reads"):
                rows(connection, sql)
        # What is of the session alone may be written.
        update(connection, "CREATE TEMP TABLE mine (a int)")
        assert update(connection, "INSERT INTO mine VALUES (1), (2)") == 2
        assert rows(connection, "SELECT sum(a) FROM mine") == [(3,)]
    assert changed(served) == before


def test_snapshots(writable, connection):
    update(connection, f"CREATE MATERIALIZED VIEW estate AS SELECT name FROM {INSTANCES}")
    update(connection, "REFRESH MATERIALIZED VIEW estate")
    before = writable.calls()
    ((count, times),) = rows(connection, "SELECT count(*), count(DISTINCT snapshot_time) FROM estate FOR SYSTEM_TIME ALL")
    assert count > 20 and times == 2 and writable.calls() == before
    ((source,),) = rows(connection, "SELECT source FROM information_schema.restable_snapshots")
    assert source == f"azure at {writable.emulator}"
    update(connection, "DROP MATERIALIZED VIEW estate")
    with pytest.raises(adbc_driver_manager.Error):
        rows(connection, "SELECT * FROM estate")


def fault(served, rule):
    body = None if rule is None else json.dumps(rule).encode()
    request = urllib.request.Request(
        f"{served.emulator}/_emulator/faults", body, {"content-type": "application/json"}, method="POST" if rule else "DELETE"
    )
    urllib.request.urlopen(request).close()


def packed(number, data):
    """A field of a message of Protocol Buffers."""
    return bytes([number << 3 | 2, *varint(len(data))]) + data


def varint(number):
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number


def query(sql):
    """A command of Flight SQL, as `google.protobuf.Any`."""
    kind = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return pyarrow.flight.FlightDescriptor.for_command(packed(1, kind) + packed(2, packed(1, sql.encode())))


def test_what_is_missing_is_told_with_the_last_rows(writable):
    fault(writable, {
        "match": {"path": "/bv-dev-weu/backupInstances", "times": None},
        "action": {"kind": "status", "status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "no"}}},
    })
    try:
        with pyarrow.flight.FlightClient(writable.flight) as client:
            def told(sql):
                stream = client.do_get(client.get_flight_info(query(sql)).endpoints[0].ticket)
                return [(chunk.data.num_rows, chunk.app_metadata) for chunk in stream if chunk.data is not None]

            with pytest.raises(pyarrow.ArrowException, match="AuthorizationFailed"):
                told(f"SELECT id FROM {INSTANCES}")
            told("SET partial_results = on")
            *first, (_, last) = told(f"SELECT id FROM {INSTANCES}")
            assert all(metadata is None for _, metadata in first)
            said = json.loads(last.to_pybytes())
            assert said["complete"] is False and said["scopes"] == 1
            assert said["missing"][0]["scope"].endswith("/backupVaults/bv-dev-weu/backupInstances")
            assert said["missing"][0]["code"] == "AuthorizationFailed"
            assert told("SELECT 1 AS x") == [(1, None)]
    finally:
        fault(writable, None)
