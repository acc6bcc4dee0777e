"""What a session keeps and gives back: settings of transactions, prepared queries, cursors with values, and answers of statements whose
columns have changed."""

import asyncio
import datetime

import asyncpg
import psycopg
import pytest


@pytest.fixture
def session(served):
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        yield connection


def shown(connection, name):
    return connection.execute(f"SHOW {name}").fetchone()[-1]


@pytest.mark.parametrize(
    ("statements", "after"),
    [
        (["SET LOCAL statement_timeout = 70000", "COMMIT"], "0"),
        (["SET LOCAL statement_timeout = 70000", "ROLLBACK"], "0"),
        (["SET statement_timeout = 70000", "ROLLBACK"], "0"),
        (["SET statement_timeout = 70000", "COMMIT"], "70s"),
        (["SET LOCAL statement_timeout = 70000", "SET statement_timeout = 80000", "COMMIT"], "80s"),
        (["SAVEPOINT a", "SET statement_timeout = 70000", "ROLLBACK TO a", "COMMIT"], "0"),
        (["SET statement_timeout = 70000", "SAVEPOINT a", "RELEASE a", "COMMIT"], "70s"),
        (["SET statement_timeout = 70000", "SELECT no_column", "COMMIT"], "0"),
    ],
)
def test_settings_of_a_transaction(session, statements, after):
    session.execute("BEGIN")
    for statement in statements:
        try:
            session.execute(statement)
        except psycopg.errors.UndefinedColumn:
            pass
    assert shown(session, "statement_timeout") == after


@pytest.mark.parametrize("name", ["confirm", "timezone", "search_path", "datafusion.explain.show_sizes"])
def test_local_settings_of_every_kind_end(session, name):
    values = {"confirm": "never", "timezone": "Europe/Berlin", "search_path": "public", "datafusion.explain.show_sizes": "false"}
    before = shown(session, name)
    session.execute("BEGIN")
    session.execute(f"SET LOCAL {name} = '{values[name]}'")
    assert shown(session, name) == values[name]
    session.execute("COMMIT")
    assert shown(session, name) == before


def test_what_is_for_a_transaction_needs_one(session):
    told = []
    session.add_notice_handler(lambda diagnostic: told.append(diagnostic.sqlstate))
    session.execute("SET LOCAL statement_timeout = 5")
    session.execute("SET TRANSACTION READ ONLY")
    assert told == ["25P01", "25P01"]
    assert shown(session, "statement_timeout") == "0"


def test_a_failed_transaction_says_that_it_was_undone(session):
    session.execute("BEGIN")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        session.execute("SELECT no_column")
    assert session.execute("COMMIT").statusmessage == "ROLLBACK"


def test_read_only_ends_with_its_transaction(writable):
    with psycopg.connect(writable.dsn, autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute("SET TRANSACTION READ ONLY")
        assert shown(connection, "transaction_read_only") == "on"
        connection.execute("COMMIT")
        assert shown(connection, "transaction_read_only") == "off"


def test_prepared_queries_of_sql(session):
    session.execute("PREPARE one AS SELECT 1 AS a")
    assert session.execute("EXECUTE one").fetchall() == [(1,)]
    session.execute("PREPARE more(int) AS SELECT $1 + 1 AS b")
    assert session.execute("EXECUTE more(41)").fetchall() == [(42,)]
    with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
        session.execute("PREPARE one AS SELECT 2")
    with pytest.raises(psycopg.errors.SyntaxError):
        session.execute("EXECUTE more")
    session.execute("DEALLOCATE one")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        session.execute("EXECUTE one")
    session.execute("DISCARD ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        session.execute("EXECUTE more(1)")


def test_a_named_cursor_takes_values(session):
    with session.transaction(), session.cursor("named") as cursor:
        cursor.execute(
            "SELECT vault_name FROM data_protection.vw_backup_instances WHERE vault_name = %s LIMIT 1", ("BV-Prod-NEU",)
        )
        assert cursor.fetchall() == [("BV-Prod-NEU",)]
    with session.transaction(), session.cursor("numbers") as cursor:
        cursor.execute("SELECT * FROM generate_series(1, %s)", (3,))
        assert cursor.fetchall() == [(1,), (2,), (3,)]


def test_bytes_and_times_come_back_as_they_went(session):
    values = (b"\x00\xff'", datetime.timedelta(days=1, hours=2), datetime.time(12, 30))
    assert session.execute("SELECT %b::bytea, %s::interval, %s::time", values).fetchone() == values


def test_rows_are_never_read_as_other_columns(served):
    async def changed():
        connection = await asyncpg.connect(f"postgresql://{served.url}")
        try:
            await connection.execute("CREATE TEMP TABLE changing AS SELECT 'seven' AS a")
            statement = await connection.prepare("SELECT * FROM changing")
            assert [tuple(row) for row in await statement.fetch()] == [("seven",)]
            await connection.execute("DROP TABLE changing")
            await connection.execute("CREATE TEMP TABLE changing AS SELECT 77 AS a, 8 AS b")
            with pytest.raises(asyncpg.exceptions.FeatureNotSupportedError, match="must not change result type"):
                await statement.fetch()
        finally:
            await connection.close()

    asyncio.run(changed())


def test_limits_are_whole_numbers(served):
    async def limited():
        connection = await asyncpg.connect(f"postgresql://{served.url}")
        try:
            rows = await connection.fetch("SELECT name FROM data_protection.backup_vaults ORDER BY name LIMIT $1 OFFSET $2", 2, 1)
            assert len(rows) == 2
        finally:
            await connection.close()

    asyncio.run(limited())
