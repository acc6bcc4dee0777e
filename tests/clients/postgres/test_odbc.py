"""psqlODBC through pyodbc, with and without DECLARE and FETCH."""

import glob

import pyodbc
import pytest

DRIVERS = glob.glob("/usr/lib/*/odbc/psqlodbcw.so")
pytestmark = pytest.mark.skipif(not DRIVERS, reason="psqlODBC is not installed")


@pytest.fixture(params=[0, 1], ids=["at once", "in parts"])
def cursor(served, request):
    settings = f"SERVER={served.host};PORT={served.port};DATABASE=azure;UID=tester;PWD=-;UseDeclareFetch={request.param};Fetch=4"
    with pyodbc.connect(f"DRIVER={DRIVERS[0]};{settings}") as connection:
        yield connection.cursor()


def test_rows(cursor):
    assert len(cursor.execute("SELECT name FROM data_protection.backup_instances").fetchall()) == 31
    assert tuple(cursor.execute("SELECT ?::int, ?", 41, "x").fetchone()) == (41, "x")


def test_catalog(free, cursor):
    assert "vw_jobs" in [row.table_name for row in cursor.tables(schema="data_protection")]
    columns = {row.column_name: row.type_name for row in cursor.columns(table="vw_jobs", schema="data_protection")}
    assert (columns["status"], columns["start_time"], columns["duration_seconds"]) == ("text", "timestamptz", "float8")


def test_keys(free, cursor):
    keys = cursor.primaryKeys("backup_instances", schema="data_protection").fetchall()
    assert [(key.column_name, key.key_seq, key.pk_name) for key in keys] == [("id", 1, "backup_instances_pkey")]
    indexes = cursor.statistics("backup_instances", schema="data_protection", unique=True).fetchall()
    assert [(index.index_name, index.column_name, index.non_unique) for index in indexes] == [("backup_instances_pkey", "id", 0)]
    assert list(cursor.primaryKeys("vw_jobs", schema="data_protection")) == []
    assert list(cursor.foreignKeys("vw_jobs", schema="data_protection")) == []
