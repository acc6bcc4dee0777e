"""psycopg 3, psycopg2, asyncpg, SQLAlchemy 2 and pandas."""

import asyncio
import datetime
import decimal
import threading

import asyncpg
import pandas
import psycopg
import psycopg2
import pytest
import sqlalchemy

SUBSCRIPTION = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"
INSTANCES = 31
ROWS = "SELECT name FROM data_protection.backup_instances"


@pytest.fixture
def connection(served):
    with psycopg.connect(served.dsn) as connection:
        yield connection


def test_values_in_both_formats(free):
    with psycopg.connect(free.dsn) as connection:
        question = (
            "SELECT 1, -9223372036854775808, 2.5::float8, 1.25::decimal(10,2), true, 'x', NULL, date '2024-02-03',"
            " timestamp '2024-02-03 04:05:06.789', interval '1 day 2 hours', ARRAY[1, 2, NULL], ARRAY['a,b', '\"'],"
            " '2024-02-03T04:05:06Z'::timestamptz, '123456789012345678901234567890.123456789'::numeric(40, 9)"
        )
        expected = (
            1, -(2**63), 2.5, decimal.Decimal("1.25"), True, "x", None, datetime.date(2024, 2, 3),
            datetime.datetime(2024, 2, 3, 4, 5, 6, 789000), datetime.timedelta(days=1, hours=2), [1, 2, None],
            ["a,b", '"'], datetime.datetime(2024, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc),
            decimal.Decimal("123456789012345678901234567890.123456789"),
        )
        for binary in (False, True):
            assert connection.cursor(binary=binary).execute(question).fetchone() == expected, binary


def test_names_of_columns(connection):
    def names(question):
        return [column.name for column in connection.execute(question).description]

    jobs = "azure.data_protection.vw_jobs"
    question = f'SELECT status AS "STATUS", start_time AS "startTime", count(*), count(job_id) FROM {jobs} GROUP BY 1, 2'
    expected = ["STATUS", "startTime", "count", "count"]
    assert names(question) == expected
    assert names(f"SELECT * FROM ({question}) q LIMIT 1") == expected
    assert names(f"WITH q AS ({question}) SELECT q.* FROM q LIMIT 1") == expected
    assert names(f'SELECT "STATUS", q."startTime", count FROM ({question}) q LIMIT 1') == expected[:3]
    assert names("SELECT * FROM (SELECT oid _oid, r.* FROM pg_roles r) q")[:3] == ["_oid", "oid", "rolname"]


def test_parameters(connection):
    cursor = connection.execute("SELECT %s::int + 1, %s, %s, %s::bool", (41, "it's", 2.5, True))
    assert cursor.fetchone() == (42, "it's", 2.5, True)
    cursor = connection.execute(
        f"{ROWS} WHERE subscriptionId = %s AND name LIKE %s LIMIT %s", (SUBSCRIPTION, "disk%", 2)
    )
    assert len(cursor.fetchall()) == 2
    cursor = connection.execute(f"{ROWS} WHERE name = ANY(%s)", (["no such name"],))
    assert cursor.fetchall() == []


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(
    "question, values, answer",
    [
        # psycopg declares int2 for a small number, int4 for a larger one: what is described and what comes have one type.
        ("SELECT %s", [1], 1),
        ("SELECT %s", [100_000], 100_000),
        ("SELECT %s", [10**12], 10**12),
        ("SELECT %s", [[1, 2]], [1, 2]),
        ("SELECT %s::int[]", [[None]], [None]),
        ("SELECT %s::int[]", [[]], []),
        ("SELECT coalesce(%s, NULL)", [1], 1),
        ("SELECT -%s", [1], -1),
        ("SELECT CASE WHEN true THEN %s END", [1], 1),
        ("SELECT greatest(%s, %s)", [1, 2], 2),
        ("SELECT max(x) FROM (VALUES (%s), (%s)) t(x)", [1, 2], 2),
        ("SELECT substring(%s FROM %s FOR %s)", ["abcd", 2, 2], "bc"),
        ("SELECT %s", [decimal.Decimal("1")], decimal.Decimal("1")),
        ("SELECT %s", [decimal.Decimal("-1.50")], decimal.Decimal("-1.50")),
        ("SELECT %s", [decimal.Decimal("1.5E+3")], decimal.Decimal("1500")),
        ("SELECT %s", [datetime.date(2024, 2, 3)], datetime.date(2024, 2, 3)),
    ],
)
def test_a_parameter_is_what_its_client_declares(connection, question, values, answer, prepared):
    for _ in range(2):
        assert connection.execute(question, values, prepare=prepared).fetchone() == (answer,)


def test_types_that_nobody_declares(served):
    """asyncpg declares none: it asks what each parameter is, and looks up the types of arrays in the catalog."""
    cases = [
        ("SELECT $1::int[]", [[1, 2]], [1, 2]),
        ("SELECT ARRAY[[1, 2], [3, 4]]", [], [[1, 2], [3, 4]]),
        ("SELECT '{10,9}'::int[]", [], [10, 9]),
        ("SELECT '{\"a,b\",NULL}'::text[]", [], ["a,b", None]),
        ("SELECT max(x) FROM unnest('{10,9}'::int[]) t(x)", [], 10),
        ("SELECT count(*) FROM generate_series(1, 5) t(x) WHERE x = ANY($1)", [[1, 3]], 2),
        ("SELECT count(*) FROM data_protection.backup_instances WHERE vaultName = ANY($1)", [["bv-dev-weu"]], 5),
        ("SELECT max(x) FROM generate_series(1, $1) t(x)", [3], 3),
        ("SELECT CASE WHEN $1 THEN 1 ELSE 2 END", [True], 1),
        ("SELECT CASE WHEN true THEN $1 ELSE 2 END", [1], 1),
        ("SELECT coalesce($1, 5)", [1], 1),
        ("SELECT $1 = ANY(ARRAY[1, 2])", [1], True),
    ]

    url = f"postgresql://{served.url}"

    async def use():
        connection = await asyncpg.connect(url)
        for question, values, answer in cases:
            assert await connection.fetchval(question, *values) == answer, question
        async with connection.transaction():
            cursor = await connection.cursor("SELECT x FROM generate_series(1, 9) t(x) ORDER BY x")
            await cursor.forward(3)
            assert await cursor.fetchrow() == (4,)
        # A COPY that is refused sends its data all the same.
        with pytest.raises(asyncpg.PostgresError):
            await connection.copy_records_to_table("nowhere", records=[(1,), (2,)])
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()

    asyncio.run(use())


def test_a_bound_value_narrows_the_calls(served, connection):
    before = served.calls()
    connection.execute(f"{ROWS} WHERE subscriptionId = %s", (SUBSCRIPTION,)).fetchall()
    narrow = served.calls() - before
    connection.execute(ROWS).fetchall()
    assert narrow < served.calls() - before - narrow


def test_prepared_statements_are_used_again(connection):
    for number in range(10):
        assert connection.execute("SELECT %s::int", (number,), prepare=True).fetchone() == (number,)
    connection.execute("DEALLOCATE ALL")
    connection.rollback()


def test_json_is_json(connection):
    properties = connection.execute("SELECT properties FROM data_protection.backup_instances LIMIT 1").fetchone()[0]
    assert properties["objectType"] == "BackupInstance"


def test_named_cursors(served, connection):
    with connection.cursor(name="of psycopg") as cursor:
        cursor.itersize = 5
        cursor.execute(ROWS)
        assert len(cursor.fetchmany(3)) == 3
        assert len(cursor.fetchall()) == INSTANCES - 3
    with psycopg2.connect(served.dsn) as other, other.cursor("of_psycopg2") as cursor:
        cursor.itersize = 7
        cursor.execute(ROWS)
        assert len(list(cursor)) == INSTANCES


def test_transactions_and_their_failures(connection):
    with pytest.raises(psycopg.errors.UndefinedTable) as told:
        connection.execute("SELECT * FROM nothing")
    assert told.value.diag.statement_position == "15"
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    with connection.transaction():
        with pytest.raises(psycopg.errors.UndefinedColumn):
            with connection.transaction():
                connection.execute("SELECT nothing FROM data_protection.backup_instances")
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement, state",
    [
        ("SELEC 1", "42601"),
        ("SELECT * FROM nothing", "42P01"),
        ("SELECT nothing FROM data_protection.backup_instances", "42703"),
        ("SELECT 1/0", "22012"),
        ("COPY (SELECT 1) TO '/tmp/restable-was-here'", "42501"),
        ("COPY (SELECT 1) TO PROGRAM 'cat'", "42501"),
        ("COPY data_protection.backup_vaults FROM '/etc/passwd'", "42501"),
        ("COPY data_protection.backup_vaults FROM PROGRAM 'true'", "42501"),
        ("COPY data_protection.backup_vaults FROM STDIN", "25006"),
        ("COPY (SELECT 1) TO STDOUT (FORMAT parquet)", "22023"),
        ("COPY (SELECT 1) TO STDOUT (FORMAT csv, FORCE_QUOTE (nothing))", "42P10"),
        ("COPY nothing TO STDOUT", "42P01"),
        ("COPY data_protection.backup_vaults (nothing) TO STDOUT", "42703"),
        ("COPY (DELETE FROM data_protection.backup_instances WHERE name = 'x' AND vaultName = 'v' RETURNING *) TO STDOUT", "25006"),
        ("CREATE EXTERNAL TABLE t (x INT) STORED AS CSV LOCATION '/etc/passwd'", "0A000"),
        ("DELETE FROM data_protection.backup_instances WHERE name = 'x' AND vaultName = 'v'", "25006"),
        ("EXEC data_protection.backup_instances.adhoc_backup @@json_file = '/etc/passwd'", "42501"),
        ("CREATE TABLE t AS SELECT 1 AS x", "25006"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 AS x", "25006"),
        ("REFRESH MATERIALIZED VIEW nothing", "42P01"),
        ("SELECT * FROM data_protection.backup_instances FOR SYSTEM_TIME AS OF now()", "42809"),
        ("SET nothing = 1", "42704"),
        ("SET client_encoding = 'LATIN1'", "22023"),
        ("SET server_version = '1'", "55P02"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "25006"),
        ("DECLARE c CURSOR FOR SELECT 1", "25P01"),
        ("FETCH 1 FROM nothing", "34000"),
        ("DEALLOCATE nothing", "26000"),
    ],
)
def test_refusals(served, statement, state):
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as told:
            connection.execute(statement)
        assert told.value.sqlstate == state
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_settings(free):
    with psycopg.connect(free.dsn, options="-c statement_timeout=5min -c TimeZone=Asia/Tokyo") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5min",)
        assert connection.info.parameter_status("TimeZone") == "Asia/Tokyo"
        shown = connection.execute("SELECT '2024-02-03T00:00:00Z'::timestamptz").pgresult.get_value(0, 0)
        assert shown == b"2024-02-03 09:00:00+09"
        connection.execute("SET TimeZone = 'UTC'")
        assert connection.info.parameter_status("TimeZone") == "UTC"
        connection.execute("RESET ALL")
        assert connection.info.parameter_status("TimeZone") == "Asia/Tokyo"
        assert connection.info.server_version == 160009


def test_a_statement_ends_at_its_timeout(connection):
    connection.execute("SET statement_timeout = '1ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT count(*) FROM data_protection.backup_instances")


LONG = "SELECT count(*) FROM generate_series(1, 20000) a, generate_series(1, 20000) b WHERE a.value * b.value % 7 = 3"


def test_a_statement_can_be_cancelled(served):
    done = threading.Event()

    def ask(connection):
        # The statement may not have begun when the first request comes.
        while not done.wait(0.2):
            connection.cancel()

    with psycopg.connect(served.dsn) as connection:
        asking = threading.Thread(target=ask, args=[connection])
        asking.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(LONG)
        done.set()
        asking.join()


def test_sessions_see_nothing_of_each_other(served):
    with psycopg.connect(served.dsn) as one, psycopg.connect(served.dsn) as other:
        one.execute("CREATE TEMP TABLE mine AS SELECT 1 AS x")
        assert one.execute("SELECT x FROM mine").fetchone() == (1,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("SELECT x FROM mine")


def test_a_pool_of_asyncpg(served):
    async def use():
        url = f"postgresql://{served.url}"
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
            async with pool.acquire() as connection:
                row = await connection.fetchrow(
                    "SELECT $1::bigint + 1 AS x, name FROM data_protection.backup_instances WHERE subscriptionId = $2", 5,
                    SUBSCRIPTION,
                )
                assert row["x"] == 6
                async with connection.transaction():
                    names = [row["name"] async for row in connection.cursor(ROWS, prefetch=4)]
                assert len(names) == INSTANCES
                await connection.execute("CREATE TEMP TABLE mine AS SELECT 1")
            # The pool resets a connection before somebody else gets it.
            async with pool.acquire() as connection:
                assert await connection.fetchval("SELECT 7") == 7

    asyncio.run(use())


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_keys_of_sqlalchemy(free, driver):
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://{free.url}")
    inspector = sqlalchemy.inspect(engine)
    key = inspector.get_pk_constraint("backup_instances", schema="data_protection")
    assert (key["name"], key["constrained_columns"]) == ("backup_instances_pkey", ["id"])
    assert inspector.get_pk_constraint("vw_jobs", schema="data_protection")["constrained_columns"] == []
    # Two operations of one vault have the vault's id.
    assert inspector.get_pk_constraint("backup_vault_operation_results", schema="data_protection")["constrained_columns"] == []
    assert inspector.get_foreign_keys("backup_instances", schema="data_protection") == []
    assert inspector.get_indexes("backup_instances", schema="data_protection") == []
    assert inspector.get_unique_constraints("backup_instances", schema="data_protection") == []
    table = sqlalchemy.Table("backup_instances", sqlalchemy.MetaData(), schema="data_protection", autoload_with=engine)
    assert [column.name for column in table.columns] == ["id", "name", "properties", "systemData", "tags", "type"]
    assert [column.name for column in table.primary_key] == ["id"]
    engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_everything_that_sqlalchemy_inspects(free, driver):
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://{free.url}")
    inspector = sqlalchemy.inspect(engine)
    schema, tables = "data_protection", ["backup_instances", "vw_jobs"]
    for name in ["sequence_names", "materialized_view_names", "foreign_table_names", "enums", "domains"]:
        assert getattr(inspector, f"get_{name}")(schema=schema) == []
    of_tables = ["columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints", "check_constraints", "table_comment", "table_options"]
    for name in of_tables:
        many = getattr(inspector, f"get_multi_{name}")(schema=schema, filter_names=tables, kind=sqlalchemy.engine.reflection.ObjectKind.ANY)
        assert set(many) <= {(schema, table) for table in tables} and len(many) == len(tables), name
    assert inspector.has_index("jobs", "jobs_pkey", schema=schema) is False, "the index of a key is not listed beside it"
    metadata = sqlalchemy.MetaData()
    metadata.reflect(engine, schema=schema, views=True)
    keyed = {table.name for table in metadata.tables.values() if len(table.primary_key)}
    assert {"backup_instances", "jobs", "backup_vaults"} <= keyed and not {"vw_jobs", "operation_status"} & keyed
    engine.dispose()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ"])
def test_what_a_level_of_isolation_does_not_promise_is_told(served, level):
    told = []
    with psycopg.connect(served.dsn) as connection:
        connection.add_notice_handler(lambda notice: told.append((notice.sqlstate, notice.message_primary)))
        connection.isolation_level = psycopg.IsolationLevel[level.replace(" ", "_")]
        warning = ("01000", f"each statement reads what is there when it runs: `{level.lower()}` is `read committed` here")
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
        assert told == [warning]
        connection.rollback()
        connection.isolation_level = None
        for statement in (
            f"START TRANSACTION ISOLATION LEVEL {level}", f"SET TRANSACTION ISOLATION LEVEL {level}", f"SET transaction_isolation = '{level}'",
            f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}", f"SET default_transaction_isolation = '{level}'",
        ):
            told.clear()
            connection.execute(statement)
            assert warning in told, statement
            assert connection.execute("SHOW default_transaction_isolation").fetchone() == ("read committed",)
            connection.rollback()
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://{served.url}", isolation_level=level)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_reflection_of_sqlalchemy(free, driver):
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://{free.url}")
    inspector = sqlalchemy.inspect(engine)
    assert "data_protection" in inspector.get_schema_names()
    assert "backup_instances" in inspector.get_table_names(schema="data_protection")
    assert "vw_jobs" in inspector.get_view_names(schema="data_protection")
    columns = {column["name"]: column["type"] for column in inspector.get_columns("vw_jobs", schema="data_protection")}
    assert isinstance(columns["status"], sqlalchemy.TEXT)
    assert isinstance(columns["start_time"], sqlalchemy.TIMESTAMP) and columns["start_time"].timezone
    engine.dispose()


def test_pandas(served):
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://{served.url}")
    frame = pandas.read_sql_query("SELECT job_id, start_time FROM data_protection.vw_jobs", engine)
    assert str(frame["start_time"].dtype).startswith("datetime64[") and len(frame) > 10
    engine.dispose()
