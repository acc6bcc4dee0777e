"""ADBC's driver for PostgreSQL, which reads results with COPY where it can and the catalog with queries of its own."""

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgresql
import pytest

SUBSCRIPTION = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"
INSTANCES = 31
TABLE = "data_protection.backup_instances"
WITHOUT_COPY = {"adbc.postgresql.use_copy": "false"}


@pytest.fixture
def connection(served):
    with postgresql.connect(served.postgres, autocommit=True) as connection:
        yield connection


@pytest.mark.xfail(strict=True, reason="`pg_type.typreceive` shows numbers where PostgreSQL shows names of functions, by which the driver knows types")
def test_queries(connection):
    with connection.cursor(adbc_stmt_kwargs=WITHOUT_COPY) as cursor:
        cursor.execute(f"SELECT name FROM {TABLE}")
        assert cursor.fetch_arrow_table().num_rows == INSTANCES
        cursor.execute("SELECT 1::bigint, 'x', NULL::text, 2.5::double precision, true, '2024-02-03'::date")
        assert cursor.fetchone()[:5] == (1, "x", None, 2.5, True)


@pytest.mark.xfail(strict=True, reason="`pg_type.typreceive` shows numbers where PostgreSQL shows names of functions, by which the driver knows types")
def test_parameters(connection):
    with connection.cursor(adbc_stmt_kwargs=WITHOUT_COPY) as cursor:
        cursor.execute(f"SELECT name FROM {TABLE} WHERE subscriptionId = $1", (SUBSCRIPTION,))
        assert 0 < len(cursor.fetchall()) < INSTANCES


@pytest.mark.xfail(strict=True, reason="what the driver asks about tables finds none")
def test_what_there_is(free):
    with postgresql.connect(free.postgres, autocommit=True) as connection:
        assert "table" in connection.adbc_get_table_types()
        schema = connection.adbc_get_table_schema("backup_instances", db_schema_filter="data_protection")
        assert "properties" in schema.names
        objects = connection.adbc_get_objects(depth="tables", catalog_filter="azure").read_all().to_pylist()
        names = [t["table_name"] for c in objects for s in c["catalog_db_schemas"] or [] for t in s["db_schema_tables"] or []]
        assert "vw_jobs" in names


def test_errors(connection):
    with connection.cursor(adbc_stmt_kwargs=WITHOUT_COPY) as cursor:
        with pytest.raises(adbc_driver_manager.Error, match="there is no table"):
            cursor.execute("SELECT * FROM nothing")
        with pytest.raises(adbc_driver_manager.Error, match="only reads"):
            cursor.execute(f"DELETE FROM {TABLE} WHERE name = 'x'")
