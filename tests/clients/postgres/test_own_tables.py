"""Tables of a session's own: made, filled, undone with their transaction, and seen by nobody else."""

import psycopg
import pytest


@pytest.fixture
def connection(free):
    with psycopg.connect(free.dsn, autocommit=True) as connection:
        yield connection


def rows(connection, sql):
    return connection.execute(sql).fetchall()


def test_rows_are_kept_for_the_session(connection):
    connection.execute("CREATE LOCAL TEMPORARY TABLE mine (a int, b text, c timestamptz) ON COMMIT PRESERVE ROWS")
    assert rows(connection, "SELECT * FROM mine") == []
    done = connection.execute("INSERT INTO mine (b, a) VALUES ('x', 1), (NULL, 2)")
    assert done.statusmessage == "INSERT 0 2"
    assert connection.execute("INSERT INTO mine SELECT a + 10, b FROM mine").rowcount == 2
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO mine (a) VALUES (%s)", [(20,), (21,)])
    assert rows(connection, "SELECT a, b, c FROM mine ORDER BY a") == [
        (1, "x", None), (2, None, None), (11, "x", None), (12, None, None), (20, None, None), (21, None, None),
    ]
    assert connection.execute("SELECT a INTO TEMP other FROM mine WHERE a < 5").rowcount in (-1, 2)
    assert rows(connection, "SELECT count(*) FROM other") == [(2,)]
    connection.execute("DROP TABLE other")
    connection.execute("DISCARD TEMP")
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows(connection, "SELECT * FROM mine")


def test_rollback_undoes_them(free):
    with psycopg.connect(free.dsn) as connection:
        connection.execute("CREATE TEMP TABLE kept AS SELECT 1 AS x")
        connection.commit()
        connection.execute("INSERT INTO kept VALUES (2)")
        connection.execute("CREATE TEMP TABLE gone AS SELECT 1 AS x")
        connection.execute("SAVEPOINT here")
        connection.execute("INSERT INTO kept VALUES (3)")
        connection.execute("DROP TABLE gone")
        connection.execute("ROLLBACK TO here")
        assert rows(connection, "SELECT x FROM kept ORDER BY x") == [(1,), (2,)]
        assert rows(connection, "SELECT x FROM gone") == [(1,)]
        connection.rollback()
        assert rows(connection, "SELECT x FROM kept") == [(1,)]
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT x FROM gone")
        # COMMIT of a transaction that failed is a ROLLBACK.
        connection.rollback()
        connection.execute("DROP TABLE kept")
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1/0")
        connection.execute("COMMIT")
        assert rows(connection, "SELECT x FROM kept") == [(1,)]


@pytest.mark.parametrize(
    "statement, state",
    [
        ("INSERT INTO mine VALUES (1, 2, 3)", "42601"),
        ("INSERT INTO mine (a) VALUES (1, 2)", "42601"),
        ("INSERT INTO mine (nothing) VALUES (1)", "42703"),
        ("INSERT INTO mine VALUES ('x', 'y')", "22P02"),
        ("INSERT INTO mine VALUES (1, 'x') RETURNING a", "0A000"),
        ("INSERT INTO mine VALUES (1, 'x') ON CONFLICT DO NOTHING", "0A000"),
        ("CREATE TEMP TABLE other (a int) ON COMMIT DROP", "0A000"),
        ("CREATE TEMP TABLE other (a int DEFAULT 5)", "0A000"),
        ("CREATE TEMP TABLE other (a int PRIMARY KEY)", "0A000"),
        ("CREATE TEMP TABLE mine (a int)", "42P07"),
        ("CREATE TEMP TABLE data_protection.other (a int)", "42501"),
        ("CREATE TABLE data_protection.other AS SELECT 1 AS x", "42501"),
        ("SELECT 1 AS x INTO mine_and_kept", "25006"),
        ("INSERT INTO seen VALUES (1)", "42809"),
    ],
)
def test_what_is_refused(connection, statement, state):
    connection.execute("CREATE TEMP TABLE mine (a int, b text)")
    connection.execute("CREATE TEMP VIEW seen AS SELECT 1 AS x")
    with pytest.raises(psycopg.Error) as told:
        connection.execute(statement)
    assert told.value.sqlstate == state, told.value
    assert rows(connection, "SELECT * FROM mine") == []
