"""What tools ask of `pg_catalog` in ways of their own: keys and their lists, names of types, words of the language."""

import psycopg
import pytest


@pytest.fixture
def ask(free):
    with psycopg.connect(free.dsn, autocommit=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


TABLE = "'data_protection.backup_instances'::regclass"
KEY = f"FROM pg_constraint c WHERE c.conrelid = {TABLE}"
INDEX = f"FROM pg_index i WHERE i.indrelid = {TABLE}"


@pytest.mark.parametrize(
    "question, answer",
    [
        (f"SELECT c.contype, c.conkey, pg_get_constraintdef(c.oid), conindid::regclass::text {KEY}", ("p", [1], "PRIMARY KEY (id)", "backup_instances_pkey")),
        (f"SELECT i.indisunique, i.indisprimary, i.indkey::text, i.indkey[0], pg_get_indexdef(i.indexrelid, 1, true) {INDEX}", (True, True, "1", 1, "id")),
        (f"SELECT pg_get_indexdef(i.indexrelid) {INDEX}", ("CREATE UNIQUE INDEX backup_instances_pkey ON data_protection.backup_instances USING btree (id)",)),
        ("SELECT indexdef FROM pg_indexes WHERE indexname = 'jobs_pkey'", ("CREATE UNIQUE INDEX jobs_pkey ON data_protection.jobs USING btree (id)",)),
        # Lists are taken apart in every way that clients know.
        (f"SELECT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey) WHERE c.conrelid = {TABLE}", ("id",)),
        (f"SELECT a.attname, k.n FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(place, n) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.place WHERE c.conrelid = {TABLE}", ("id", 1)),
        (f"SELECT k FROM pg_constraint c, unnest(c.conkey) k WHERE c.conrelid = {TABLE}", (1,)),
        (f"SELECT k, s FROM pg_index i LEFT JOIN LATERAL generate_subscripts(i.indkey, 1) s ON true CROSS JOIN unnest(i.indkey) k WHERE i.indrelid = {TABLE}", (1, 1)),
        (f"SELECT k.attnum, k.i FROM pg_index i CROSS JOIN LATERAL (SELECT unnest(i.indkey), generate_subscripts(i.indkey, 1) + 1) AS k(attnum, i) WHERE i.indrelid = {TABLE}", (1, 2)),
        (f"SELECT (information_schema._pg_expandarray(i.indkey)).x, (_pg_expandarray(i.indkey)).n {INDEX}", (1, 1)),
        (f"SELECT (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum IN (SELECT unnest(c.conkey))) {KEY}", ("id",)),
        (f"SELECT ARRAY(SELECT unnest(c.conkey)), array_length(c.conkey, 1), array_position(c.conkey, 1::int2) {KEY}", ([1], 1, 1)),
        # What there is none of is none, though the tables have rows.
        ("SELECT count(*) FROM pg_constraint WHERE contype = 'f'", (0,)),
        ("SELECT count(*) FROM pg_index WHERE NOT indisprimary", (0,)),
        ("SELECT count(*) FROM (SELECT (aclexplode(relacl)).grantee FROM pg_class) a", (0,)),
        ("SELECT count(*) FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass WHERE c.relkind = 'i' AND d.deptype = 'i'", (17,)),
        ("SELECT count(*), bool_and(is_instead) FROM pg_rewrite WHERE rulename = '_RETURN' AND bpchar(ev_type) = '1'::bpchar", (4, True)),
        # Names of types stand for their numbers.
        ("SELECT 23 = ANY('{int,int8,int2}'::regtype[])", (True,)),
        ("SELECT count(*) FROM pg_type t WHERE t.oid::regtype = 'text'::regtype", (1,)),
        ("SELECT count(*) FROM pg_proc p WHERE p.prorettype::regtype != 'trigger'::regtype AND p.proname = 'boolin'", (1,)),
        # A list that a query makes.
        ("SELECT 'a' = ANY(ARRAY(SELECT 'a')), 'b' = ANY(ARRAY(SELECT 'a')), ARRAY(SELECT generate_series(1, 3))", (True, False, [1, 2, 3])),
        ("SELECT 'x' = ANY(ARRAY(WITH RECURSIVE r AS (SELECT a.rolname FROM pg_roles a WHERE a.oid = o.oid UNION ALL SELECT b.rolname FROM r JOIN pg_auth_members m ON m.member = 1 JOIN pg_roles b ON b.oid = m.roleid) SELECT rolname FROM r)) FROM pg_roles o WHERE o.rolname = current_user", (False,)),
        ("SELECT catcode FROM pg_get_keywords() WHERE word = 'select'", ("R",)),
        ("SELECT count(*) FROM pg_get_keywords() WHERE word = 'resource'", (0,)),
        ("SELECT quote_ident('resource'), quote_ident('table'), quote_ident('left')", ("resource", '"table"', '"left"')),
        ("SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'row_security'", ("on",)),
        ("SELECT count(*) FROM (SELECT 1 FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind') x", (0,)),
        ("SELECT pg_blocking_pids(1), current_setting('default_tablespace')", ([], "")),
        ("SELECT relname AS table FROM pg_class WHERE relname = 'vw_jobs'", ("vw_jobs",)),
        ("SELECT c.column_name FROM information_schema.table_constraints t JOIN information_schema.constraint_column_usage c USING (constraint_schema, constraint_name) WHERE t.table_name = 'jobs'", ("id",)),
    ],
)
def test_a_question(ask, question, answer):
    assert ask(question) == [answer]


def test_a_setting_that_is_not_there_is_not_set(ask):
    assert ask("SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'") == []


def test_keys_are_the_same_at_every_place(ask):
    """`pg_catalog` and `information_schema` name the same keys, and only tables have one whose rows are surely told by it."""
    by_constraint = ask("SELECT n.nspname, t.relname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace ORDER BY 1, 2")
    by_index = ask("SELECT n.nspname, t.relname FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace ORDER BY 1, 2")
    by_schema = ask("SELECT table_schema, table_name FROM information_schema.key_column_usage ORDER BY 1, 2")
    not_null = ask("SELECT table_schema, table_name FROM information_schema.columns WHERE is_nullable = 'NO' ORDER BY 1, 2")
    flagged = ask("SELECT n.nspname, t.relname FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.relhasindex ORDER BY 1, 2")
    assert by_constraint == by_index == by_schema == not_null == flagged and len(by_constraint) == 17
    names = {name for _, name in by_constraint}
    assert {"backup_instances", "jobs", "subscriptions"} <= names
    assert not {"operation_status", "backup_vault_operation_results", "backup_instances_extension_routing", "vw_jobs"} & names


def test_rows_of_a_key_are_its_own(served):
    """Nothing that has a key has two rows of one id, as far as the estate shows."""
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        keyed = connection.execute("SELECT table_schema, table_name FROM information_schema.key_column_usage").fetchall()
        for schema, table in keyed:
            rows, ids = connection.execute(f"SELECT count(*), count(DISTINCT id) FROM {schema}.{table}").fetchone()
            assert rows == ids, table
