"""ADBC's driver for PostgreSQL, which reads results with COPY where it is let, and the catalog with queries of its own."""

import datetime

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgresql
import pyarrow
import pytest

SUBSCRIPTION = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"
INSTANCES = 31
TABLE = "data_protection.backup_instances"
WITHOUT_COPY = {"adbc.postgresql.use_copy": "false"}


@pytest.fixture
def connection(served):
    with postgresql.connect(served.postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture(params=[None, WITHOUT_COPY], ids=["copy", "without copy"])
def cursor(request, connection):
    with connection.cursor(adbc_stmt_kwargs=request.param) as cursor:
        yield cursor


def test_queries(cursor):
    cursor.execute(f"SELECT name, properties FROM {TABLE}")
    table = cursor.fetch_arrow_table()
    assert table.num_rows == INSTANCES
    assert table.schema.field("properties").type == pyarrow.json_(pyarrow.utf8())
    cursor.execute(
        "SELECT 1::bigint, 'x', NULL::text, 2.5::double precision, true, '2024-02-03'::date, 3::smallint, 4::int, 5.5::real,"
        " '2024-02-03T04:05:06Z'::timestamptz, ARRAY['a', NULL], 'ab'::bytea, 1.25::numeric(10, 2), '{\"x\": 1}'::json"
    )
    assert cursor.fetchone()[:9] == (1, "x", None, 2.5, True, datetime.date(2024, 2, 3), 3, 4, 5.5)
    cursor.execute("SELECT * FROM data_protection.vw_jobs")
    table = cursor.fetch_arrow_table()
    assert table.schema.field("start_time").type == pyarrow.timestamp("us", "UTC") and table.num_rows > 10
    cursor.execute("SELECT 1 AS x WHERE false")
    assert cursor.fetch_arrow_table().num_rows == 0


def test_parameters(cursor):
    cursor.execute(f"SELECT name FROM {TABLE} WHERE subscriptionId = $1", (SUBSCRIPTION,))
    assert 0 < len(cursor.fetchall()) < INSTANCES
    cursor.execute("SELECT $1::int + 1, $2, $3::double precision, $4::bool", (41, "it's", 2.5, True))
    assert cursor.fetchone() == (42, "it's", 2.5, True)
    cursor.execute(f"SELECT name FROM {TABLE} WHERE name = $1", ("' OR 1 = 1 --",))
    assert cursor.fetchall() == []


def test_transactions(served):
    with postgresql.connect(served.postgres) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
        connection.commit()
        cursor.execute("SELECT 2")
        connection.rollback()
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        assert cursor.fetchone() == (INSTANCES,)


def test_a_plan_costs_nothing(free):
    with postgresql.connect(free.postgres, autocommit=True) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema(f"SELECT * FROM {TABLE}")
        assert schema.names == ["id", "name", "properties", "systemData", "tags", "type"]


def listed(connection, **filters):
    objects = connection.adbc_get_objects(catalog_filter="azure", **filters).read_all().to_pylist()
    return [(s["db_schema_name"], t) for c in objects for s in c["catalog_db_schemas"] or [] for t in s["db_schema_tables"] or []]


def test_what_there_is(free):
    with postgresql.connect(free.postgres, autocommit=True) as connection:
        assert {"table", "view", "materialized_view"} <= set(connection.adbc_get_table_types())
        schema = connection.adbc_get_table_schema("backup_instances", db_schema_filter="data_protection")
        assert schema.names == ["id", "name", "properties", "systemData", "tags", "type"]
        with pytest.raises(adbc_driver_manager.Error, match="nothing"):
            connection.adbc_get_table_schema("nothing", db_schema_filter="data_protection")
        kinds = {(schema, table["table_name"]): table["table_type"] for schema, table in listed(connection, depth="tables")}
        assert kinds["data_protection", "vw_jobs"] == "view"
        assert kinds["data_protection", "backup_instances"] == "table"
        views = listed(connection, depth="tables", table_types_filter=["view"])
        assert {table["table_type"] for _, table in views} == {"view"}
        ((_, table),) = listed(connection, depth="all", table_name_filter="vw_jobs")
        columns = {column["column_name"]: column["xdbc_type_name"] for column in table["table_columns"]}
        assert columns["duration_seconds"] == "float8" and columns["start_time"] == "timestamptz"
        assert table["table_constraints"] == []
        info = connection.adbc_get_info()
        assert (info["vendor_name"], info["vendor_version"]) == ("PostgreSQL", "160009")


def test_statistics(free):
    with postgresql.connect(free.postgres, autocommit=True) as connection:
        found = connection.adbc_get_statistics(catalog_filter="azure", db_schema_filter="data_protection", approximate=True)
        # Nobody counted anything.
        assert found.read_all().num_rows <= 1


def test_schemas(connection):
    assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("azure", "public")
    connection.adbc_current_db_schema = "data_protection"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM backup_instances")
        assert cursor.fetchone() == (INSTANCES,)


def test_errors(cursor):
    with pytest.raises(adbc_driver_manager.Error, match="there is no table"):
        cursor.execute("SELECT * FROM nothing")
    with pytest.raises(adbc_driver_manager.Error, match="only reads"):
        cursor.execute(f"DELETE FROM {TABLE} WHERE name = 'x'")
    with pytest.raises(adbc_driver_manager.Error, match="42P01"):
        cursor.execute("SELECT * FROM nothing")


def test_rows_do_not_come_in(connection):
    with connection.cursor() as cursor:
        for mode in ("create", "append", "replace", "create_append"):
            with pytest.raises(adbc_driver_manager.Error):
                cursor.adbc_ingest("backup_vaults", pyarrow.table({"name": ["x"]}), mode=mode, db_schema_name="data_protection")
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
