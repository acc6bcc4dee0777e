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
    assert run(free, "metadata") == [
        "version 16", "catalogs 1", "columns 6", "primaryKeys 0", "indexes 0", "importedKeys 0", "exportedKeys 0",
        "procedures 0", "view vw_backup_instances", "view vw_backup_policies", "view vw_jobs", "view vw_recovery_points",
    ]


def test_rows(served):
    assert run(served, "rows") == ["rows 15 json", "prepared 7"]


def test_copy(served):
    assert run(served, "copy") == ["copied 3 g,b 1,a1 2,a2 3,a3", "pieces 7 7", "refused 25006"]
