"""COPY … TO STDOUT, as psql's `\\copy`, psycopg and asyncpg use it: text, CSV and the binary form."""

import asyncio
import csv
import io
import itertools
import json
import shutil
import urllib.request

import asyncpg
import psycopg
import psycopg2
import pytest
from psycopg.pq import ConnStatus

from test_psql import psql

INSTANCES = 31
TABLE = "data_protection.backup_instances"
VALUES = "(VALUES (1, 'plain', NULL), (2, 'a,b', ''), (3, 'say \"so\"', 'x'), (4, E'two\\nlines\\tand \\\\', 'y')) t (a, b, c)"


@pytest.fixture
def connection(served):
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        yield connection


def copied(connection, statement, parameters=None):
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        text = b"".join(copy).decode()
        rows = cursor.rowcount
    return text, rows


needs_psql = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")


@needs_psql
def test_psql(served, tmp_path):
    out, err = psql(served, rf"\copy (select 1 as a, 'x,y' as b, null as c) to stdout csv header")
    assert (out, err) == ('a,b,c\n1,"x,y",\n', "")
    out, err = psql(served, rf"\copy (select a, c from {VALUES} order by a limit 2) to stdout with delimiter '|' null '-'")
    assert (out, err) == ("1|-\n2|\n", "")
    target = tmp_path / "rows.csv"
    out, err = psql(served, rf"\copy {TABLE} (name, properties) to '{target}' with (format csv, header)")
    assert (out, err) == (f"COPY {INSTANCES}\n", "")
    with open(target, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == INSTANCES
    assert json.loads(rows[0]["properties"])["objectType"] == "BackupInstance"
    out, err = psql(served, rf"\copy {TABLE} from '{target}' csv")
    assert "this session only reads" in err


@needs_psql
def test_psql_is_told_of_files_of_the_server(served, tmp_path):
    out, err = psql(served, f"COPY (SELECT 1) TO '{tmp_path}/not'")
    assert "cannot COPY to a file of the server" in err and r"psql's `\copy … TO 'file'`" in err
    assert not (tmp_path / "not").exists()


def test_text(connection):
    text, tag = copied(connection, f"COPY (SELECT * FROM {VALUES} ORDER BY a) TO STDOUT")
    assert text == '1\tplain\t\\N\n2\ta,b\t\n3\tsay "so"\tx\n4\ttwo\\nlines\\tand \\\\\ty\n'
    assert tag == 4
    assert copied(connection, "COPY (SELECT 1 AS x WHERE false) TO STDOUT (HEADER)") == ("x\n", 0)
    text, _ = copied(connection, "COPY (SELECT true, 2.5::float8, '2024-02-03'::date, ARRAY['a b', NULL]) TO STDOUT")
    assert text == 't\t2.5\t2024-02-03\t{"a b",NULL}\n'


def test_csv_is_what_a_reader_of_csv_reads(connection):
    text, _ = copied(connection, f"COPY (SELECT * FROM {VALUES} ORDER BY a) TO STDOUT (FORMAT csv, NULL 'none')")
    assert list(csv.reader(io.StringIO(text))) == [
        ["1", "plain", "none"], ["2", "a,b", ""], ["3", 'say "so"', "x"], ["4", "two\nlines\tand \\", "y"],
    ]
    text, _ = copied(connection, f"COPY (SELECT a, b FROM {VALUES} WHERE a = 1) TO STDOUT CSV HEADER FORCE QUOTE b DELIMITER ';'")
    assert text == 'a;b\n1;"plain"\n'
    text, _ = copied(connection, f"COPY {TABLE} TO STDOUT CSV HEADER")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == INSTANCES and list(rows[0]) == ["id", "name", "properties", "systemData", "tags", "type"]


def test_rows_of_psycopg(connection):
    for form in ("TEXT", "BINARY"):
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY (SELECT a::int, b, c FROM {VALUES} ORDER BY a) TO STDOUT (FORMAT {form})") as copy:
                copy.set_types(["int4", "text", "text"])
                rows = list(copy.rows())
        assert rows == [(1, "plain", None), (2, "a,b", ""), (3, 'say "so"', "x"), (4, "two\nlines\tand \\", "y")]
    text, _ = copied(connection, f"COPY (SELECT name FROM {TABLE} WHERE name = %s) TO STDOUT", ("' OR 1 = 1 --",))
    assert text == ""


def test_what_a_session_says_can_be_copied(connection):
    assert copied(connection, "COPY (SHOW server_version) TO STDOUT")[0] == "16.9\n"
    assert copied(connection, "COPY (DESCRIBE data_protection.vw_jobs) TO STDOUT")[0].startswith("id\t")


def test_psycopg2(served):
    with psycopg2.connect(served.dsn) as connection, connection.cursor() as cursor:
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT 1, 'x') TO STDOUT WITH CSV HEADER", out)
        assert out.getvalue().endswith("1,x\n")


def test_asyncpg(served, tmp_path):
    async def use():
        connection = await asyncpg.connect(f"postgresql://{served.url}")
        out = io.BytesIO()
        done = await connection.copy_from_query(
            f"SELECT name FROM {TABLE} WHERE name <> $1 AND $2::int = 5", "it's \\ not", 5,
            output=out, format="csv", header=True,
        )
        assert done == f"COPY {INSTANCES}"
        assert len(out.getvalue().decode().splitlines()) == INSTANCES + 1
        done = await connection.copy_from_table(
            "vw_jobs", schema_name="data_protection", columns=["job_id", "status"], output=tmp_path / "rows", format="binary"
        )
        rows = int(done.removeprefix("COPY "))
        written = (tmp_path / "rows").read_bytes()
        assert rows > 10 and written.startswith(b"PGCOPY\n\xff\r\n\0") and written.endswith(b"\xff\xff")
        assert await connection.fetchval("SELECT 7") == 7
        await connection.close()

    asyncio.run(use())


ENDLESS = "COPY (SELECT * FROM generate_series(1, 1000000000)) TO STDOUT"


def test_rows_are_sent_as_they_come_and_can_be_cancelled(connection):
    with pytest.raises(psycopg.errors.QueryCanceled):
        with connection.cursor() as cursor, cursor.copy(ENDLESS) as copy:
            assert [bytes(row) for row in itertools.islice(copy, 3)] == [b"1\n", b"2\n", b"3\n"]
            connection.cancel()
            for _ in copy:
                pass
    assert connection.info.status == ConnStatus.OK
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_client_that_leaves_early_cancels(connection):
    with pytest.raises(KeyError):
        with connection.cursor() as cursor, cursor.copy(ENDLESS) as copy:
            assert bytes(next(iter(copy))) == b"1\n"
            raise KeyError
    assert connection.execute("SELECT 1").fetchone() == (1,)


def fault(served, rule):
    body = None if rule is None else json.dumps(rule).encode()
    method = "POST" if rule else "DELETE"
    headers = {"content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{served.emulator}/_emulator/faults", body, headers, method=method)).close()


@pytest.fixture
def broken_scope(served):
    """A vault whose instances cannot be read."""
    fault(served, {
        "match": {"path": "/bv-dev-weu/backupInstances", "times": None},
        "action": {"kind": "status", "status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "no"}}},
    })
    yield
    fault(served, None)


def test_an_answer_that_is_not_whole_is_not_completed(broken_scope, connection):
    with pytest.raises(psycopg.OperationalError) as told:
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} TO STDOUT") as copy:
            for _ in copy:
                pass
    assert told.value.sqlstate == "58000" and cursor.rowcount == -1
    assert connection.execute("SELECT 1").fetchone() == (1,)
    # Who asks for what there is gets it, and is told what is missing.
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    connection.execute("SET partial_results = on")
    text, _ = copied(connection, f"COPY {TABLE} TO STDOUT")
    assert 0 < len(text.splitlines()) < INSTANCES
    assert "the answer is incomplete" in notices[0]


@pytest.mark.parametrize(
    "statements",
    [
        ["BEGIN", "DECLARE c CURSOR FOR {}", "FETCH ALL FROM c", "CLOSE c", "COMMIT"],
        ["BEGIN", "DECLARE c CURSOR FOR {}", "FETCH 1 FROM c", "CLOSE c", "COMMIT"],
        ["BEGIN", "DECLARE c CURSOR FOR {}", "FETCH 1 FROM c", "COMMIT"],
        ["DECLARE c CURSOR WITH HOLD FOR {}", "MOVE ALL FROM c", "CLOSE ALL"],
    ],
)
def test_a_cursor_says_what_its_rows_lack(served, broken_scope, statements):
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute("SET partial_results = on")
        for statement in statements:
            connection.execute(statement.format(f"SELECT name FROM {TABLE} ORDER BY name"))
        assert len(notices) == 1 and "the answer is incomplete" in notices[0]


@pytest.mark.parametrize("whole", [True, False])
def test_a_portal_with_a_limit_says_what_its_rows_lack(served, broken_scope, whole):
    """Execute with a number of rows, as drivers with a fetch size send it: read to its end, or left before."""

    async def ask():
        notices, rows = [], 0
        client = await asyncpg.connect(f"postgresql://{served.url}")
        client.add_log_listener(lambda _, notice: notices.append((notice.sqlstate, notice.message)))
        await client.execute("SET partial_results = on")
        async with client.transaction():
            cursor = await client.cursor(f"SELECT name FROM {TABLE} ORDER BY name")
            while got := await cursor.fetch(5):
                rows += len(got)
                if not whole:
                    break
        assert await client.fetchval("SELECT 1") == 1
        await client.close()
        return rows, notices

    rows, notices = asyncio.run(ask())
    assert rows == 5 if not whole else 5 < rows < INSTANCES
    assert len(notices) == 1 and "the answer is incomplete" in notices[0][1]
