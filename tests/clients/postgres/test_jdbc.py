"""pgjdbc, the driver of DBeaver, Metabase and Tableau."""

import pathlib
import shutil
import subprocess

import pytest

JAR = pathlib.Path("/usr/share/java/postgresql.jar")
pytestmark = pytest.mark.skipif(
    not JAR.exists() or shutil.which("java") is None, reason="java or pgjdbc is not installed"
)


def run(served, what):
    source = pathlib.Path(__file__).with_name("Metadata.java")
    url = f"jdbc:postgresql://{served.host}:{served.port}/azure?user=tester"
    done = subprocess.run(
        ["java", "-cp", JAR, source, url, what], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_metadata(free):
    told, wanted = run(free, "metadata"), [
        "version 16", "catalogs 1", "columns 6", "primaryKeys 1 id backup_instances_pkey", "indexes 1 id backup_instances_pkey", "importedKeys 0", "exportedKeys 0",
        "bestRows 1 id", "allTables 100..", "tables 28", "indexes as tables 15", "functions 100..", "functionColumns 100..", "types 40..", "udts 0",
        "versionColumns 1 ctid", "columnPrivileges 6..",
        "procedures 0", "view vw_backup_instances", "view vw_backup_policies", "view vw_jobs", "view vw_recovery_points",
    ]
    assert len(told) == len(wanted)
    for got, want in zip(told, wanted):
        name, _, least = want.rpartition(" ")
        fits = want.endswith("..") and got.startswith(name + " ") and int(got.rpartition(" ")[2]) >= int(least[:-2])
        assert fits or got == want


def test_rows(served):
    assert run(served, "rows") == ["rows 15 json", "prepared 7"]


def test_copy(served):
    assert run(served, "copy") == ["copied 3 g,b 1,a1 2,a2 3,a3", "pieces 7 7", "refused 25006"]
