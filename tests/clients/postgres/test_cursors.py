"""Cursors that go back, and connections that stop others of their user."""

import threading

import psycopg
import pytest

ROWS = "SELECT name FROM data_protection.backup_instances ORDER BY name"


@pytest.fixture
def connection(served):
    with psycopg.connect(served.dsn) as connection:
        yield connection


def test_steps_of_a_scrollable_cursor(connection):
    connection.execute("DECLARE c SCROLL CURSOR FOR SELECT x FROM generate_series(1, 5) t(x) ORDER BY x")
    steps = [
        ("FETCH 2", [1, 2]), ("FETCH PRIOR", [1]), ("FETCH PRIOR", []), ("FETCH NEXT", [1]), ("FETCH LAST", [5]), ("FETCH NEXT", []),
        ("FETCH BACKWARD 2", [5, 4]), ("FETCH ABSOLUTE 2", [2]), ("FETCH RELATIVE 2", [4]), ("FETCH RELATIVE -1", [3]), ("FETCH 0", [3]),
        ("FETCH -2", [2, 1]), ("FETCH FORWARD ALL", [2, 3, 4, 5]), ("FETCH BACKWARD ALL", [5, 4, 3, 2, 1]), ("FETCH ABSOLUTE -2", [4]),
        ("FETCH FIRST", [1]), ("FETCH FORWARD -1", []), ("FETCH BACKWARD -3", [1, 2, 3]), ("FETCH ABSOLUTE 9", []), ("FETCH BACKWARD", [5]),
    ]
    for step, rows in steps:
        assert [row[0] for row in connection.execute(f"{step} FROM c").fetchall()] == rows, step
    moved = [connection.execute(f"MOVE {step} IN c").statusmessage for step in ("FIRST", "2", "BACKWARD ALL", "ALL", "RELATIVE -1", "ABSOLUTE 0")]
    assert moved == ["MOVE 1", "MOVE 2", "MOVE 2", "MOVE 5", "MOVE 1", "MOVE 0"]
    assert connection.execute("SELECT is_scrollable FROM pg_cursors WHERE name = 'c'").fetchone() == (True,)


def test_a_scrollable_cursor_of_psycopg(served, connection):
    names = [name for name, in connection.execute(ROWS).fetchall()]
    with connection.cursor(name="of psycopg", scrollable=True) as cursor:
        cursor.execute(ROWS)
        before = served.calls()
        assert [name for name, in cursor.fetchmany(10)] == names[:10]
        cursor.scroll(-5)
        assert cursor.fetchone()[0] == names[5]
        cursor.scroll(0, mode="absolute")
        assert [name for name, in cursor.fetchall()] == names
        # It stands behind the last row.
        cursor.scroll(-2)
        assert cursor.fetchone() == (names[-1],)
        read = served.calls() - before
        cursor.scroll(0, mode="absolute")
        assert len(cursor.fetchall()) == len(names)
        assert served.calls() - before == read, "rows that were read are not read again"


def test_a_cursor_that_goes_forward_says_so(connection):
    connection.execute("DECLARE c CURSOR FOR SELECT 1")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as told:
        connection.execute("FETCH PRIOR FROM c")
    assert told.value.diag.message_hint == "DECLARE it with SCROLL to go back"


@pytest.mark.parametrize(
    "style, shown",
    [
        ("postgres", "1 mon -1 days +02:00:00.5"),
        ("postgres_verbose", "@ 1 mon -1 days 2 hours 0.5 secs"),
        ("sql_standard", "+0-1 -1 +2:00:00.5"),
        ("iso_8601", "P1M-1DT2H0.5S"),
    ],
)
def test_intervals_are_written_in_the_style_that_was_set(served, style, shown):
    interval = "interval '1 month -1 day 2 hours 0.5 seconds'"
    with psycopg.connect(served.dsn, options=f"-c intervalstyle={style}", autocommit=True) as connection:
        assert connection.info.parameter_status("IntervalStyle") == style
        result = connection.execute(f"SELECT {interval}, ({interval})::text").pgresult
        assert [result.get_value(0, column).decode() for column in (0, 1)] == [shown, shown]
        connection.execute("SET IntervalStyle = 'postgres'")
        assert connection.execute(f"SELECT {interval}").pgresult.get_value(0, 0) == b"1 mon -1 days +02:00:00.5"
        connection.execute("RESET ALL")
        assert connection.execute("SHOW IntervalStyle").fetchone() == (style,)


LONG = "SELECT count(*) FROM generate_series(1, 20000) a, generate_series(1, 20000) b WHERE a.value * b.value % 7 = 3"


@pytest.mark.parametrize(
    "stop, told, survives",
    [
        ("SELECT pg_cancel_backend({pid})", psycopg.errors.QueryCanceled, True),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = '{pid}'", psycopg.Error, False),
    ],
)
def test_one_connection_stops_another_of_its_user(served, stop, told, survives):
    done = threading.Event()
    with psycopg.connect(served.dsn, autocommit=True) as asking, psycopg.connect(served.dsn, autocommit=True) as other:
        pid = other.info.backend_pid
        assert pid in [one for one, in asking.execute("SELECT pid FROM pg_stat_activity").fetchall()]

        def ask():
            # The statement may not have begun when the first of them comes.
            while not done.wait(0.2):
                asking.execute(stop.format(pid=pid))

        thread = threading.Thread(target=ask)
        thread.start()
        with pytest.raises(told):
            other.execute(LONG)
        done.set()
        thread.join()
        if survives:
            assert other.execute("SELECT 1").fetchone() == (1,)
        else:
            with pytest.raises(psycopg.Error):
                other.execute("SELECT 1")


def test_a_connection_that_waits_is_ended(served):
    with psycopg.connect(served.dsn, autocommit=True) as asking:
        other = psycopg.connect(served.dsn, autocommit=True)
        pid = other.info.backend_pid
        assert asking.execute("SELECT pg_terminate_backend(%s)", [pid]).fetchone() == (True,)
        with pytest.raises(psycopg.OperationalError):
            for _ in range(100):
                other.execute("SELECT 1")
        other.close()
        assert asking.execute("SELECT pg_cancel_backend(NULL)").fetchone() == (None,)
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="no connection 2147483647"):
            asking.execute("SELECT pg_cancel_backend(%s)", [2**31 - 1])


def test_what_others_do_is_shown(served):
    """Where nobody has to show who he is, everybody sees everybody."""
    with psycopg.connect(served.dsn.replace("user=tester", "user=somebody"), autocommit=True) as one:
        one.execute("SELECT 'of somebody'")
        with psycopg.connect(served.dsn, autocommit=True) as other:
            shown = "SELECT usename, state, query, datname FROM pg_stat_activity WHERE pid = %s"
            assert other.execute(shown, [one.info.backend_pid]).fetchone() == ("somebody", "idle", "SELECT 'of somebody'", "azure")
            assert other.execute("SELECT state FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone() == ("active",)


@pytest.mark.parametrize(
    "statement, shown",
    [
        ("SET ROLE NONE", ("role", "none")),
        ("RESET ROLE", ("role", "none")),
        ("SET CONSTRAINTS ALL DEFERRED", ("role", "none")),
        ("SET row_security = off", ("row_security", "off")),
        ("SET synchronize_seqscans TO off", ("synchronize_seqscans", "off")),
        ("SET transaction_timeout = 0", ("transaction_timeout", "0")),
    ],
)
def test_settings_that_are_true_of_every_session(served, statement, shown):
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute(statement)
        name, value = shown
        assert connection.execute(f"SHOW {name}").fetchone() == (value,)
        assert int(connection.execute("SHOW max_connections").fetchone()[0]) > 0
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute("SET ROLE somebody")
