"""ADBC's driver for Flight SQL."""

import pathlib
import re
import threading

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow
import pyarrow.flight
import pytest
import serving
from adbc_driver_flightsql import DatabaseOptions

SUBSCRIPTION = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"
INSTANCES = 31
TABLE = "azure.data_protection.backup_instances"
COOKIES = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}


@pytest.fixture
def connection(served):
    with flightsql.connect(served.flight, db_kwargs=COOKIES, autocommit=True) as connection:
        yield connection


def test_queries(connection):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, properties FROM {TABLE}")
        table = cursor.fetch_arrow_table()
        assert table.num_rows == INSTANCES
        kind = table.schema.field("properties")
        assert kind.type == pyarrow.json_(pyarrow.utf8()) or kind.metadata[b"ARROW:extension:name"] == b"arrow.json"
        cursor.execute("SELECT 1 AS a, 'x' AS b, NULL AS c, 2.5::double AS d, '2024-02-03T04:05:06Z'::timestamptz AS e")
        assert cursor.fetch_arrow_table().column_names == ["a", "b", "c", "d", "e"]
        cursor.execute(f"SELECT name, name::text, upper(name), upper(name), name FROM {TABLE} LIMIT 1")
        twice = cursor.fetch_arrow_table()
        assert [name.lower() for name in twice.column_names[:2]] == ["name", "name::text"]
        assert twice.column(0) == twice.column(1) == twice.column(4)


def test_a_plan_costs_nothing(free):
    with flightsql.connect(free.flight, autocommit=True) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema(f"SELECT * FROM {TABLE}")
        assert schema.names == ["id", "name", "properties", "systemData", "tags", "type"]
        cursor.adbc_prepare(f"SELECT name FROM {TABLE} WHERE subscriptionId = ?")


def test_parameters(served, connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT $1::int + 1, $2, $3::double, $4::bool", (41, "it's", 2.5, True))
        assert cursor.fetchone() == (42, "it's", 2.5, True)
        before = served.calls()
        cursor.execute(f"SELECT name FROM {TABLE} WHERE subscriptionId = ? ORDER BY name", (SUBSCRIPTION,))
        assert 0 < len(cursor.fetchall()) < INSTANCES
        narrow = served.calls() - before
        cursor.execute(f"SELECT name FROM {TABLE}")
        cursor.fetchall()
        assert narrow < served.calls() - before - narrow
        cursor.execute(f"SELECT name FROM {TABLE} WHERE name = ?", ("' OR 1 = 1 --",))
        assert cursor.fetchall() == []


def test_what_there_is(free):
    with flightsql.connect(free.flight, autocommit=True) as connection:
        assert "TABLE" in connection.adbc_get_table_types()
        objects = connection.adbc_get_objects(catalog_filter="azure", table_name_filter="vw_jobs").read_all().to_pylist()
        (catalog,) = objects
        (schema,) = [schema for schema in catalog["catalog_db_schemas"] if schema["db_schema_tables"]]
        (table,) = schema["db_schema_tables"]
        assert (schema["db_schema_name"], table["table_name"], table["table_type"]) == (
            "data_protection", "vw_jobs", "VIEW",
        )
        assert "duration_seconds" in [column["column_name"] for column in table["table_columns"]]
        whole = connection.adbc_get_objects().read_all().to_pylist()
        assert sum(len(s["db_schema_tables"]) for c in whole for s in c["catalog_db_schemas"]) > 20
        schema = connection.adbc_get_table_schema(
            "backup_instances", catalog_filter="azure", db_schema_filter="data_protection"
        )
        assert schema.names == ["id", "name", "properties", "systemData", "tags", "type"]
        info = connection.adbc_get_info()
        assert info["vendor_name"] == "restable"


def test_statistics_are_refused(free):
    with flightsql.connect(free.flight, autocommit=True) as connection:
        with pytest.raises(adbc_driver_manager.NotSupportedError):
            connection.adbc_get_statistics().read_all()


def test_errors(connection):
    with connection.cursor() as cursor:
        with pytest.raises(adbc_driver_manager.ProgrammingError, match="there is no table `nothing`"):
            cursor.execute("SELECT * FROM nothing")
        with pytest.raises(adbc_driver_manager.Error, match="only reads"):
            cursor.execute(f"DELETE FROM {TABLE} WHERE name = 'x'")
            cursor.fetchall()
        with pytest.raises(adbc_driver_manager.Error):
            cursor.adbc_ingest("t", pyarrow.table({"x": [1]}), mode="create")


def test_sessions_are_each_clients_own(served):
    with (
        flightsql.connect(served.flight, db_kwargs=COOKIES, autocommit=True) as one,
        flightsql.connect(served.flight, db_kwargs=COOKIES, autocommit=True) as other,
        one.cursor() as first, other.cursor() as second,
    ):
        first.execute("USE azure.data_protection")
        first.fetchall()
        first.execute("SELECT count(*) FROM backup_instances")
        assert first.fetchone() == (INSTANCES,)
        with pytest.raises(adbc_driver_manager.ProgrammingError):
            second.execute("SELECT count(*) FROM backup_instances")
        assert (one.adbc_current_catalog, one.adbc_current_db_schema) == ("azure", "data_protection")
        other.adbc_current_catalog = "azure"
        other.adbc_current_db_schema = "data_protection"
        second.execute("SELECT count(*) FROM backup_instances")
        assert second.fetchone() == (INSTANCES,)


@pytest.fixture(scope="module")
def large(program):
    emulator, url = serving.emulate(program, "10,100,100000")
    server, served = serving.serve(program, url)
    yield served
    serving.stop(server)
    serving.stop(emulator)


def test_many_rows_stream(large):
    with flightsql.connect(large.flight, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id, name FROM {TABLE}")
        reader = cursor.fetch_record_batch()
        batches, names = 0, set()
        for batch in reader:
            batches += 1
            names.update(batch.column("id").to_pylist())
        assert len(names) == 100_000
        assert batches > 10


def test_cancel(large):
    with flightsql.connect(large.flight, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT a.id FROM {TABLE} a CROSS JOIN {TABLE} b")
        reader = cursor.fetch_record_batch()
        next(reader)
        threading.Timer(0.2, cursor.adbc_cancel).start()
        with pytest.raises((adbc_driver_manager.OperationalError, pyarrow.ArrowException, OSError), match="(?i)cancel"):
            for _ in reader:
                pass
    with flightsql.connect(large.flight, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_token_is_needed_where_there_are_tokens(program, served, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("robot:0123456789abcdef\n")
    users = tmp_path / "users"
    users.write_text("ann:a secret\n")
    server, guarded = serving.serve(program, served.emulator, "--tokens", str(tokens), "--users", str(users))
    try:
        with pytest.raises(adbc_driver_manager.Error, match="a token is needed"):
            with flightsql.connect(guarded.flight, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        wrong = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer 0123456789abcdee"}
        with pytest.raises(adbc_driver_manager.Error, match="not known"):
            with flightsql.connect(guarded.flight, wrong, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        for right in (
            {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer 0123456789abcdef"},
            {"username": "ann", "password": "a secret"},
        ):
            with flightsql.connect(guarded.flight, right, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)
        with pytest.raises(adbc_driver_manager.Error, match="password is wrong"):
            flightsql.connect(guarded.flight, {"username": "ann", "password": "b"}, autocommit=True)
    finally:
        serving.stop(server)


RECIPE = pathlib.Path(__file__).parents[3] / "examples" / "bi" / "power-bi-flight.md"


def test_the_recipe_for_power_bi(free, connection):
    """What can be tried of it without Windows: its statements, and where its connection string leads."""
    text = RECIPE.read_text(encoding="utf-8")
    (string,) = re.findall(r"```flight\n *(.*?)\n *```", text, re.S)
    words = dict(word.split("=", 1) for word in string.lower().split(";"))
    assert (words["host"], words["port"], words["useencryption"]) == ("127.0.0.1", "31337", "false")
    assert f"--flight {words['host']}:{words['port']}" in text
    objects = connection.adbc_get_objects(depth="tables", catalog_filter="azure", db_schema_filter="data_protection")
    (catalog,) = objects.read_all().to_pylist()
    assert "vw_jobs" in [table["table_name"] for table in catalog["catalog_db_schemas"][0]["db_schema_tables"]]


def test_the_statements_of_the_recipe(connection):
    statements = re.findall(r"```sql\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.S)
    assert statements
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            assert cursor.fetchall()


def test_a_ticket_lets_nobody_in(served):
    """A ticket may be handed on to whoever is to read the rows: it holds nothing that lets its bearer ask for others."""
    client = pyarrow.flight.connect(served.flight)
    name, value = client.authenticate_basic_token("somebody", "any")
    options = pyarrow.flight.FlightCallOptions(headers=[(name, value)])
    token = value.split()[-1]
    # CommandStatementQuery in an Any, by hand.
    field = lambda number, text: bytes([number << 3 | 2, len(text)]) + text
    command = field(1, b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery") + field(2, field(1, b"SELECT 1 AS x"))
    info = client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(command), options)
    ticket = info.endpoints[0].ticket
    assert token and token not in ticket.ticket
    assert client.do_get(ticket, options).read_all().to_pylist() == [{"x": 1}]
