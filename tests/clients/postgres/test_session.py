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
    (value,) = connection.execute(f"SHOW {name}").fetchone()
    return value


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


@pytest.mark.parametrize(
    "name", ["confirm", "max_calls", "statement_timeout", "TimeZone", "server_version", "datafusion.explain.show_sizes", "transaction isolation level"]
)
def test_a_setting_is_shown_in_a_column_of_its_name(session, name):
    cursor = session.execute(f"SHOW {name}")
    (column,) = cursor.description
    assert column.name.lower() == name.lower().replace("transaction isolation level", "transaction_isolation")
    assert len(cursor.fetchall()) == 1


def test_all_settings_are_shown_as_they_are(session):
    session.execute("SET statement_timeout = 70000")
    session.execute("SET confirm = never")
    cursor = session.execute("SHOW ALL")
    assert [column.name for column in cursor.description] == ["name", "setting", "description"]
    settings = {name: setting for name, setting, _ in cursor.fetchall()}
    assert (settings["confirm"], settings["statement_timeout"], settings["TimeZone"]) == ("never", "70s", "UTC")
    same = session.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name", (["confirm", "statement_timeout"],))
    assert same.fetchall() == [("confirm", "never"), ("statement_timeout", "70s")]


@pytest.mark.parametrize(("name", "value"), [("statement_timeout", "70s"), ("confirm", "never"), ("timezone", "Europe/Berlin"), ("search_path", "public")])
def test_set_config_sets(session, name, value):
    before = shown(session, name)
    assert session.execute("SELECT set_config(%s, %s, false)", (name, value)).fetchone() == (value,)
    assert shown(session, name) == value == session.execute(f"SELECT current_setting('{name}')").fetchone()[0]
    session.execute(f"RESET {name}")
    assert shown(session, name) == before
    # For the transaction only: outside of one that is the statement.
    assert session.execute(f"SELECT pg_catalog.set_config('{name}', '{value}', true) AS x").fetchone() == (value,)
    assert shown(session, name) == before
    with session.transaction():
        session.execute(f"SELECT set_config('{name}', '{value}', true)")
        assert shown(session, name) == value
    assert shown(session, name) == before
    session.execute("BEGIN")
    session.execute(f"SELECT set_config('{name}', '{value}', false)")
    session.execute("ROLLBACK")
    assert shown(session, name) == before


def test_what_set_config_does_not_take(session):
    for sql, state in [
        ("SELECT set_config('nothing', 'x', false)", "42704"),
        ("SELECT set_config('confirm', 'perhaps', false)", "22023"),
        ("SELECT set_config('throttle', 'off', false)", "55P02"),
        ("SELECT set_config('default_transaction_read_only', 'off', false)", "25006"),
        ("SELECT 1 WHERE set_config('confirm', 'never', false) = 'never'", "0A000"),
    ]:
        with pytest.raises(psycopg.Error) as told:
            session.execute(sql)
        assert told.value.sqlstate == state, told.value
    assert session.execute("EXPLAIN SELECT set_config('confirm', 'never', false)").fetchall()
    assert shown(session, "confirm") == "auto"


def test_what_a_connection_holds(session):
    session.execute("PREPARE \"by SQL\"(int) AS SELECT $1")
    session.pgconn.prepare(b"by protocol", b"SELECT $1::text AS x, 2::int8 AS y")
    session.pgconn.describe_prepared(b"by protocol")
    listed = "SELECT name, from_sql, parameter_types, result_types, prepare_time <= now() FROM pg_prepared_statements ORDER BY name"
    assert session.execute(listed).fetchall() == [
        ("by SQL", True, ["integer"], None, True), ("by protocol", False, ["text"], ["text", "bigint"], True),
    ]
    with session.transaction():
        session.execute("DECLARE here CURSOR FOR SELECT 1")
        session.execute("DECLARE beyond BINARY CURSOR WITH HOLD FOR SELECT 1")
        listed = "SELECT name, is_holdable, is_binary, is_scrollable, statement LIKE 'DECLARE%' FROM pg_cursors ORDER BY name"
        assert session.execute(listed).fetchall() == [("beyond", True, True, False, True), ("here", False, False, False, True)]
    assert session.execute("SELECT name FROM pg_cursors").fetchall() == [("beyond",)]
    session.execute("DISCARD ALL")
    assert session.execute("SELECT name FROM pg_cursors UNION ALL SELECT name FROM pg_prepared_statements").fetchall() == []


def test_types_have_casts_and_operators(session):
    cast = "SELECT castcontext FROM pg_cast WHERE castsource = %s::regtype AND casttarget = %s::regtype"
    assert session.execute(cast, ("int4", "int8")).fetchall() == [("i",)]
    assert session.execute(cast, ("int8", "int4")).fetchall() == [("a",)]
    operators = "SELECT o.oprname, n.oprname FROM pg_operator o JOIN pg_operator n ON n.oid = o.oprnegate WHERE o.oprleft = 'text'::regtype ORDER BY 1"
    assert ("<", ">=") in session.execute(operators).fetchall()
    assert session.execute("SELECT collname FROM pg_collation ORDER BY oid").fetchall() == [("default",), ("C",), ("POSIX",)]


def test_what_is_no_text_ends_its_statement_only(session):
    connection = session.pgconn
    bad = connection.exec_(b"SELECT '\xff'")
    field = psycopg.pq.DiagnosticField
    told = lambda result: (result.error_field(field.SEVERITY), result.error_field(field.SQLSTATE), result.error_field(field.MESSAGE_PRIMARY))
    assert told(bad) == (b"ERROR", b"22021", b'invalid byte sequence for encoding "UTF8": 0xff')
    for sql, values in [(b"SELECT '\xe4\xb8'", []), (b"SELECT $1::text", [b"a\xc3("])]:
        assert told(connection.exec_params(sql, values))[:2] == (b"ERROR", b"22021")
    # What follows it up to the next Sync is skipped.
    connection.enter_pipeline_mode()
    connection.send_query_params(b"SELECT '\xff'", [])
    connection.send_query_params(b"SELECT 1", [])
    connection.pipeline_sync()
    connection.send_query_params(b"SELECT 2", [])
    connection.pipeline_sync()
    got = []
    while len(got) < 5:
        if result := connection.get_result():
            got.append(result)
    status = psycopg.pq.ExecStatus
    assert [one.status for one in got] == [
        status.FATAL_ERROR, status.PIPELINE_ABORTED, status.PIPELINE_SYNC, status.TUPLES_OK, status.PIPELINE_SYNC,
    ]
    assert got[3].get_value(0, 0) == b"2"
    connection.exit_pipeline_mode()
    session.execute("BEGIN")
    assert told(connection.exec_(b"SELECT '\xff'"))[1] == b"22021"
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        session.execute("SELECT 1")
    session.execute("ROLLBACK")


def test_drivers_say_of_every_transaction_that_it_may_write(session):
    told = []
    session.add_notice_handler(lambda diagnostic: told.append(diagnostic.sqlstate))
    session.execute("BEGIN READ WRITE")
    assert (shown(session, "transaction_read_only"), told) == ("on", ["01000"])
    session.execute("ROLLBACK")
    session.execute("SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE")
    assert session.execute("SELECT timestamptz '2026-01-01 00:00:00Z'::text").fetchone()[0].endswith("02:00:00+02")
    session.execute("SET TIME ZONE LOCAL")
    assert shown(session, "timezone") == "UTC"


def test_existence_is_a_value(free, session):
    sql = """SELECT EXISTS (SELECT * FROM pg_proc WHERE proname = 'int4in'), NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'x') AS none,
             CASE WHEN EXISTS (SELECT 1 FROM pg_type t WHERE t.typname = 'int4') THEN 'yes' END"""
    assert session.execute(sql).fetchone() == (True, True, "yes")
    rows = session.execute(
        "SELECT n.nspname, EXISTS (SELECT 1 AS a FROM pg_class c WHERE c.relnamespace = n.oid LIMIT 1) FROM pg_namespace n WHERE n.nspname IN"
        " ('data_protection', 'information_schema') ORDER BY 1"
    )
    assert rows.fetchall() == [("data_protection", True), ("information_schema", True)]


def test_names_that_stand_twice(session):
    cursor = session.execute("SELECT g, g::text, g FROM generate_series(1, 1) g")
    assert ([column.name for column in cursor.description], cursor.fetchone()) == (["g", "g", "g"], (1, "1", 1))
    columns = session.execute("SELECT n.oid, n.* FROM pg_namespace n LIMIT 0").description
    assert [column.name for column in columns][:3] == ["oid", "oid", "nspname"]
    for statement in ("CREATE TEMP TABLE twice AS SELECT 1 AS a, 2 AS A", "CREATE TEMP VIEW twice AS SELECT 1 AS a, 2 AS a"):
        with pytest.raises(psycopg.errors.DuplicateColumn):
            session.execute(statement)


def test_the_database_is_the_catalog_of_everything(served):
    for database in ("azure", "restable"):
        with psycopg.connect(served.dsn.replace("dbname=azure", f"dbname={database}"), autocommit=True) as connection:
            connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS x")
            for table in ("schemata", "tables", "columns", "views", "restable_methods"):
                column = "catalog_name" if table == "schemata" else "table_catalog"
                found = connection.execute(f"SELECT DISTINCT {column} FROM information_schema.{table}").fetchall()
                assert found == [(database,)] == connection.execute("SELECT current_database()").fetchall(), table
            assert connection.execute(f"SELECT x FROM {database}.public.mine").fetchall() == [(1,)]
            connection.execute(f"SELECT * FROM {database}.data_protection.backup_vaults WHERE false")


def test_keys(free, session):
    keys = session.execute(
        "SELECT k.column_name, k.ordinal_position FROM information_schema.table_constraints t JOIN information_schema.key_column_usage k"
        " USING (constraint_schema, constraint_name) WHERE t.table_name = 'backup_vaults' AND t.constraint_type = 'PRIMARY KEY'"
    )
    assert keys.fetchall() == [("id", 1)]
    nullable = session.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'backup_vaults' AND is_nullable = 'NO'"
    )
    assert nullable.fetchall() == [("id",)]


def test_what_changes_something_may_be_explained(free, session):
    table = "azure.data_protection.backup_instances"
    for sql in (f"DELETE FROM {table} WHERE vaultName = 'x'", f"EXEC {table}.stop_protection FOR EACH (SELECT id FROM {table})"):
        plan = "\n".join(row[1] for row in session.execute(f"EXPLAIN {sql}").fetchall())
        assert "refused here: this session only reads" in plan
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute(sql)


def test_what_a_session_says_of_itself(session):
    sql = """SELECT pg_backend_pid(), has_table_privilege('data_protection.backup_vaults', 'SELECT'), has_schema_privilege('public', 'CREATE'),
             has_database_privilege('azure', 'CONNECT'), pg_client_encoding(), inet_server_port()"""
    assert session.execute(sql).fetchone() == (session.info.backend_pid, True, False, True, "UTF8", None)
    assert session.execute("SELECT format_type(23, -1)").fetchone() == ("integer",)
    session.execute("SET default_transaction_read_only = on")
    assert shown(session, "transaction_read_only") == "on"


def test_time_ends_what_a_client_takes_slowly(served, session):
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '200ms'")
        connection.pgconn.send_query(b"SELECT repeat('x', 4000) FROM generate_series(1, 8000)")
        connection.pgconn.set_single_row_mode()
        # All rows are at hand long before, and nothing is taken until the server's clock says that the time is over.
        (over,) = session.execute("SELECT now() + interval '1 second'").fetchone()
        while not session.execute("SELECT now() > %s::timestamptz", (over,)).fetchone()[0]:
            pass
        rows = 0
        while (result := connection.pgconn.get_result()) and result.status == psycopg.pq.ExecStatus.SINGLE_TUPLE:
            rows += 1
        assert rows < 8000
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
        assert connection.pgconn.get_result() is None


@pytest.mark.parametrize(
    ("state", "sql"),
    [
        ("42883", "SELECT nope()"),
        ("22P02", "SELECT 'a'::int"),
        ("42P01", "DROP TABLE nosuch"),
        ("42702", "SELECT name FROM data_protection.backup_instances a, data_protection.backup_vaults b"),
        ("42803", "SELECT name, count(*) FROM data_protection.backup_vaults"),
        ("22023", "SET datestyle = 'ISO, DMY'"),
        ("22023", "SET extra_float_digits = 0"),
        ("55P02", "SET SESSION AUTHORIZATION root"),
        ("0A000", "UPDATE mine SET a = 1"),
        ("0A000", "DELETE FROM mine"),
        ("0A000", "DELETE FROM azure.public.mine"),
    ],
)
def test_what_is_refused_has_its_sqlstate(session, state, sql):
    session.execute("CREATE TEMP TABLE IF NOT EXISTS mine (a int)")
    with pytest.raises(psycopg.Error) as told:
        session.execute(sql)
    assert told.value.sqlstate == state, told.value


def test_own_settings_are_given_at_the_start(served):
    options = "-c max_calls=3 -c confirm=always -c statement_timeout=70s"
    with psycopg.connect(f"{served.dsn} options='{options}'", autocommit=True) as client:
        assert [client.execute(f"SHOW {name}").fetchone()[0] for name in ("max_calls", "confirm", "statement_timeout")] == [
            "3", "always", "70s",
        ]
        client.execute("SET SESSION AUTHORIZATION DEFAULT")
    with pytest.raises(psycopg.OperationalError, match="no_such"):
        psycopg.connect(f"{served.dsn} options='-c no_such=3'")
