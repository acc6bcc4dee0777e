"""Sessions that may write: what they are told, when they are refused, and that nothing is sent then."""

import json
import subprocess
import threading

import psycopg
import psycopg2
import pytest

from conftest import started, stop

INSTANCES = "azure.data_protection.backup_instances"


@pytest.fixture
def connection(writable):
    with psycopg.connect(writable.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def yes(connection):
    """A connection of somebody who wants no questions."""
    connection.execute("SET confirm = never")
    return connection


@pytest.fixture
def quiet(writable):
    """What a test does with this fixture must change nothing."""
    before = writable.sent()
    yield writable
    assert writable.sent() == before


def one(connection, status="ProtectionConfigured", like="disk%"):
    """A protected instance, as its id."""
    row = connection.execute(
        "SELECT id FROM data_protection.vw_backup_instances WHERE protection_status = %s AND backup_instance_name LIKE %s"
        " ORDER BY id LIMIT 1", (status, like),
    ).fetchone()
    return row[0]


def test_a_statement_that_acts_is_told_by_its_count(writable, yes):
    target = one(yes)
    before = len(writable.sent())
    parts = target.split("/")
    cursor = yes.execute(
        f"DELETE FROM {INSTANCES} WHERE subscriptionId = %s AND resourceGroupName = %s AND vaultName = %s AND"
        " backupInstanceName = %s", (parts[2], parts[4], parts[8], parts[10]),
    )
    assert (cursor.statusmessage, cursor.rowcount, cursor.description) == ("DELETE 1", 1, None)
    assert [method for method, _ in writable.sent()[before:]] == ["DELETE"]
    entry = yes.execute("SHOW OPERATIONS").fetchall()
    assert entry


def test_what_failed_is_told_with_its_target(writable, yes):
    with pytest.raises(psycopg.Error) as told:
        yes.execute(
            f"DELETE FROM {INSTANCES} WHERE subscriptionId = '00000000-0000-4000-8000-000000000000'"
            " AND resourceGroupName = 'nowhere' AND vaultName = 'no-vault' AND backupInstanceName = 'nothing'"
        )
    assert told.value.sqlstate == "58000"
    assert "no-vault / nothing: Failed" in told.value.diag.message_detail
    assert "SHOW OPERATIONS" in told.value.diag.message_hint
    assert yes.execute("SELECT 1").fetchone() == (1,)


def test_rows_come_from_exec_preview_and_returning(writable, yes):
    target = one(yes)
    rule = yes.execute(
        "SELECT rule_name FROM data_protection.vw_backup_policies p JOIN data_protection.vw_backup_instances i"
        " ON i.policy_id = p.id WHERE i.id = %s AND p.rule_type = 'AzureBackupRule' LIMIT 1", (target,),
    ).fetchone()[0]
    cursor = yes.execute(f"EXEC {INSTANCES}.adhoc_backup @id = %s, @backupRuleOptions.ruleName = %s", (target, rule))
    row = dict(zip([column.name for column in cursor.description], cursor.fetchone()))
    assert (row["status"], cursor.statusmessage) == ("Succeeded", "SELECT 1")
    before = len(writable.sent())
    cursor = yes.execute(f"PREVIEW DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
    assert "http_method" in [column.name for column in cursor.description] and len(cursor.fetchall()) > 1
    assert len(writable.sent()) == before
    parts = one(yes, like="pg%").split("/")
    cursor = yes.execute(
        f"DELETE FROM {INSTANCES} WHERE subscriptionId = '{parts[2]}' AND resourceGroupName = '{parts[4]}'"
        f" AND vaultName = '{parts[8]}' AND backupInstanceName = '{parts[10]}' RETURNING status, backupInstanceName"
    )
    assert cursor.fetchall() == [("Succeeded", parts[10])]


def test_what_is_not_there_was_not_deleted(writable, yes):
    parts = one(yes, like="pg%").split("/")
    sql = (
        f"DELETE FROM {INSTANCES} WHERE subscriptionId = '{parts[2]}' AND resourceGroupName = '{parts[4]}'"
        f" AND vaultName = '{parts[8]}' AND backupInstanceName = 'nothing'"
    )
    cursor = yes.execute(sql)
    assert (cursor.statusmessage, cursor.rowcount) == ("DELETE 0", 0)
    cursor = yes.execute(f"{sql} RETURNING status")
    assert (cursor.fetchall(), cursor.statusmessage) == ([("Absent",)], "DELETE 0")


def test_rows_of_what_failed_are_no_success(writable, yes):
    """A row that does not say how its target ended would be taken for one that was made."""
    sql = (
        f"DELETE FROM {INSTANCES} WHERE subscriptionId = '00000000-0000-4000-8000-000000000000'"
        " AND resourceGroupName = 'nowhere' AND vaultName = 'no-vault' AND backupInstanceName = 'nothing' RETURNING"
    )
    with pytest.raises(psycopg.Error) as told:
        yes.execute(f"{sql} backupInstanceName")
    assert told.value.sqlstate == "58000" and "SubscriptionNotFound" in told.value.diag.message_detail
    warned = []
    yes.add_notice_handler(lambda diagnostic: warned.append(diagnostic.sqlstate))
    cursor = yes.execute(f"{sql} backupInstanceName, status")
    assert (cursor.fetchall(), cursor.statusmessage, warned) == ([("nothing", "Failed")], "DELETE 0", ["01000"])


def test_a_question_that_cannot_be_asked_is_refused(quiet, connection):
    with pytest.raises(psycopg.Error) as told:
        connection.execute(f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
    assert told.value.sqlstate == "55000"
    assert "SET confirm = never" in told.value.diag.message_hint
    with pytest.raises(psycopg.Error) as told:
        connection.execute(f"EXEC {INSTANCES}.stop_protection FOR EACH (SELECT id FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu')")
    assert told.value.sqlstate == "55000" and "was not confirmed" in str(told.value)


@pytest.mark.parametrize("begin", ["BEGIN", "START TRANSACTION"])
def test_an_action_stands_in_no_transaction(quiet, yes, begin):
    yes.execute(begin)
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        yes.execute(f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        yes.execute("SELECT 1")
    yes.execute("ROLLBACK")
    # What only looks may stand there.
    yes.execute(begin)
    assert yes.execute(f"PREVIEW DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'").fetchall()
    yes.execute("COMMIT")


def test_a_driver_that_begins_transactions_is_told_how_not_to(quiet):
    with psycopg2.connect(quiet.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET confirm = never")
        with pytest.raises(psycopg2.Error) as told:
            cursor.execute(f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
        assert told.value.pgcode == "25001" and "autocommit" in told.value.diag.message_hint
        connection.rollback()


def test_a_session_that_says_that_it_only_reads_does(quiet, yes):
    yes.execute("SET default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        yes.execute(f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
    yes.execute("SET default_transaction_read_only = off")
    assert yes.execute("SHOW transaction_read_only").fetchone() == ("off",)


def test_describing_an_action_sends_nothing(quiet, yes):
    connection = yes.pgconn
    for sql, columns in [
        (f"DELETE FROM {INSTANCES} WHERE vaultName = $1", 0),
        (f"DELETE FROM {INSTANCES} WHERE vaultName = $1 RETURNING status", 1),
    ]:
        assert connection.prepare(b"one", sql.encode()).status == psycopg.pq.ExecStatus.COMMAND_OK
        described = connection.describe_prepared(b"one")
        assert (described.nparams, described.nfields) == (1, columns), described.error_message
        yes.execute("DEALLOCATE one")


def test_a_server_without_leave_refuses(served):
    before = served.sent()
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("SET confirm = never")
        for statement in (
            f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'",
            f"EXEC {INSTANCES}.stop_protection FOR EACH (SELECT id FROM {INSTANCES})",
            "SET default_transaction_read_only = off",
        ):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute(statement)
    assert served.sent() == before


def test_cancelling_ends_the_waiting_not_the_operation(writable, yes):
    """Whoever cancels is told so; the call that was sent is in the journal, whatever came of it."""
    target = one(yes, like="aks%")
    before = len(writable.sent())
    done = threading.Event()

    def ask():
        # As soon as the call is on its way, and until the client has heard of it.
        while len(writable.sent()) == before and not done.is_set():
            pass
        while not done.wait(0.05):
            yes.cancel()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yes.execute(f"EXEC {INSTANCES}.stop_protection @id = '{target}'")
    except psycopg.errors.QueryCanceled as told:
        assert "goes on" in told.diag.message_detail
    finally:
        done.set()
        asking.join()
    assert len(writable.sent()) == before + 1
    rows = yes.execute("SHOW OPERATIONS").fetchall()
    assert any("stop_protection" in str(row).lower().replace("stopprotection", "stop_protection") for row in rows)


def test_the_journal_is_that_of_the_commands(writable, yes):
    listed = subprocess.run(
        [writable.program, "operations", "list", "-o", "json", "--set", f"journal={writable.folder / 'journal.db'}",
         "--endpoint", f"azure={writable.emulator}"],
        capture_output=True, text=True, check=True,
    )
    commands = {row["operation"] for row in json.loads(listed.stdout)}
    cursor = yes.execute("SHOW OPERATIONS")
    at = [column.name for column in cursor.description].index("operation")
    assert commands == {row[at] for row in cursor.fetchall()} != set()


def test_snapshots(writable, yes):
    yes.execute("CREATE MATERIALIZED VIEW estate AS SELECT name FROM azure.data_protection.backup_instances")
    assert yes.execute("REFRESH MATERIALIZED VIEW estate").statusmessage == "REFRESH MATERIALIZED VIEW"
    before = writable.calls()
    count, times = yes.execute("SELECT count(*), count(DISTINCT snapshot_time) FROM estate FOR SYSTEM_TIME ALL").fetchone()
    assert count > 20 and times == 2 and writable.calls() == before
    source = yes.execute("SELECT source FROM information_schema.restable_snapshots").fetchone()
    assert source == (f"azure at {writable.emulator}",)
    yes.execute("CREATE TABLE fixed AS SELECT name FROM estate")
    assert yes.execute("SELECT relkind FROM pg_class WHERE relname IN ('estate', 'fixed') ORDER BY relname").fetchall() == [("m",), ("r",)]
    for kind in ("MATERIALIZED VIEW", "TABLE"):
        with pytest.raises(psycopg.errors.DuplicateColumn):
            yes.execute(f"CREATE {kind} other AS SELECT 1 AS x, 2 AS x")
    found = yes.execute("SELECT table_name FROM information_schema.tables WHERE table_catalog = current_database() AND table_schema = 'public'")
    assert sorted(found.fetchall()) == [("estate",), ("fixed",)]
    for sql in (
        "CREATE MATERIALIZED VIEW other AS SELECT 1 AS x",
        "REFRESH MATERIALIZED VIEW estate",
        "DROP MATERIALIZED VIEW estate",
        "CREATE TABLE other AS SELECT 1 AS x",
        "DROP TABLE fixed",
    ):
        yes.execute("BEGIN")
        with pytest.raises(psycopg.errors.ActiveSqlTransaction) as told:
            yes.execute(sql)
        assert "autocommit" in told.value.diag.message_hint
        yes.execute("ROLLBACK")
    assert yes.execute("SELECT count(DISTINCT snapshot_time) FROM estate FOR SYSTEM_TIME ALL").fetchone() == (2,)
    yes.execute("SET default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        yes.execute("REFRESH MATERIALIZED VIEW estate")
    yes.execute("SET default_transaction_read_only = off")
    yes.execute("DROP TABLE fixed")
    assert yes.execute("DROP MATERIALIZED VIEW estate").statusmessage == "DROP MATERIALIZED VIEW"
    with pytest.raises(psycopg.errors.UndefinedTable):
        yes.execute("SELECT * FROM estate")


def test_users_see_their_own_actions(writable, tmp_path):
    (tmp_path / "users").write_text("ann:first\nbob:second\n")
    command = [
        writable.program, "serve", "--pg", "127.0.0.1:0", "--endpoint", f"azure={writable.emulator}", "--allow-writes",
        "--set", f"journal={tmp_path / 'journal.db'}", "--users", tmp_path / "users",
    ]

    def asked(server, address, acts):
        dsn = f"host=127.0.0.1 port={address.rsplit(':', 1)[1]} dbname=azure"
        try:
            with (
                psycopg.connect(f"{dsn} user=ann password=first", autocommit=True) as ann,
                psycopg.connect(f"{dsn} user=bob password=second", autocommit=True) as bob,
            ):
                if acts:
                    ann.execute("SET confirm = never")
                    parts = one(ann, like="pg%").split("/")
                    ann.execute(
                        f"DELETE FROM {INSTANCES} WHERE subscriptionId = '{parts[2]}' AND resourceGroupName = '{parts[4]}'"
                        f" AND vaultName = '{parts[8]}' AND backupInstanceName = 'nothing'"
                    )
                return [len(client.execute("SHOW OPERATIONS").fetchall()) for client in (ann, bob)]
        finally:
            stop(server)

    assert asked(*started(command, r"127\.0\.0\.1:\d+"), acts=True) == [1, 0]
    # The next server knows whose they are, too.
    assert asked(*started(command, r"127\.0\.0\.1:\d+"), acts=False) == [1, 0]
