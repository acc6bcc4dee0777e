"""psql: what its backslash commands show, and how it tells errors."""

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")


def psql(served, *commands):
    arguments = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", "-h", served.host, "-p", str(served.port), "-U", "tester", "-d", "azure", *arguments],
        capture_output=True, text=True, timeout=120,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "command, expected",
    [
        (r"\dn", "data_protection|restable"),
        (r"\dt", "data_protection|backup_instances|table|restable"),
        (r"\dv", "data_protection|vw_jobs|view|restable"),
        (r"\d", "data_protection|vw_backup_policies|view|restable"),
        (r"\d vw_jobs", "start_time|timestamp with time zone|"),
        (r"\d backup_instances", "properties|json|"),
        (r"\d pg_class", "relname|text|"),
        (r"\d pg_catalog.pg_roles", "rolname|text|"),
        (r"\d information_schema.columns", "ordinal_position|integer|"),
        (r"\d+ vw_jobs", "duration_seconds|double precision|"),
        (r"\l", "azure|restable|UTF8"),
        (r"\du", "restable|"),
    ],
)
def test_backslash(free, command, expected):
    out, err = psql(free, command)
    assert expected in out, err
    assert err == ""


def test_a_table_of_the_session_says_that_it_ends(free):
    out, err = psql(
        free, "CREATE TABLE mine (a int)", "INSERT INTO azure.public.mine VALUES (1), (2)", "SELECT sum(a) FROM azure.public.mine",
        "DROP TABLE azure.public.mine", "CREATE TEMP TABLE mine (a int)",
    )
    assert out == "CREATE TABLE\nINSERT 0 2\n3\nDROP TABLE\nCREATE TABLE\n"
    assert err == "NOTICE:  the table `mine` ends with the session, and nobody else sees it\n"


def test_functions_of_types_are_the_only_ones(free):
    out, err = psql(free, r"\df")
    assert (out, err) == ("", "")


def test_rows_and_errors(served):
    out, err = psql(served, "SELECT count(*) FROM backup_instances")
    assert (out, err) == ("31\n", "")
    out, err = psql(served, "SELECT nam FROM backup_instances")
    assert "there is no column `nam`" in err and "did you mean `name`?" in err and "LINE 1: SELECT nam" in err
