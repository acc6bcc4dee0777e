"""Apache Superset end to end: it connects, lists the tables, makes a data set and draws charts, and what it looks at to find its
way costs no call."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
SERVERS = HERE.parent / "clients" / "postgres" / "conftest.py"
servers = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("servers", SERVERS))
spec.loader.exec_module(servers)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What Superset keeps of itself, with an administrator."""
    home = tmp_path_factory.mktemp("superset")
    environment = {
        **os.environ, "SUPERSET_HOME": str(home), "SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py"), "FLASK_APP": "superset",
        "PYTHONWARNINGS": "ignore",
    }
    program = pathlib.Path(sys.executable).with_name("superset")
    admin = "fab create-admin --username admin --firstname a --lastname b --email a@example.org --password admin"
    for command in ("db upgrade", admin, "init"):
        done = subprocess.run([program, *command.split()], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return environment


@pytest.fixture(scope="module")
def served(request):
    program = request.config.getoption("--restable")
    emulator, url = servers.started(
        [program, "emulator", "--listen", "127.0.0.1:0", "--clock", "fast", "--no-auth"], r"http://127\.0\.0\.1:\d+"
    )
    server, address = servers.started([program, "serve", "--pg", "127.0.0.1:0", "--endpoint", f"azure={url}"], r"127\.0\.0\.1:\d+")
    yield servers.Served(int(address.rsplit(":", 1)[1]), url)
    servers.stop(server)
    servers.stop(emulator)


def test_superset(home, served):
    drive = [sys.executable, HERE / "drive.py", f"postgresql+psycopg2://{served.url}"]
    done = subprocess.run(drive, env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["tested"] == "OK"
    assert "data_protection" in found["schemas"]
    assert (found["tables"]["backup_instances"], found["tables"]["vw_jobs"]) == ("table", "view")
    assert found["columns"]["status"] == "TEXT" and found["columns"]["start_time"].startswith("TIMESTAMP")
    assert found["keys"][1:] == [[], []]
    assert found["times"] == ["end_time", "start_time"]
    jobs = {row["status"]: row["jobs"] for row in found["chart"]}
    assert sum(jobs.values()) > 10 and jobs["Completed"] > 0
    assert found["filtered"] == [{"status": "Completed", "jobs": jobs["Completed"]}]
    assert sum(row["jobs"] for row in found["days"]) == sum(jobs.values())
    assert {row["status"]: row["jobs"] for row in found["lab"]} == jobs
