"""node-postgres with pg-cursor; both are fetched with npm into the user's cache folder."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

PACKAGES = {"pg": "8.23.1", "pg-cursor": "2.22.0"}
pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

SCRIPT = """
const { Client } = require('pg');
const Cursor = require('pg-cursor');
const [host, port] = process.argv.slice(-2);
(async () => {
  const client = new Client({ host, port: +port, user: 'tester', database: 'azure' });
  await client.connect();
  const said = {};
  said.parameters = (await client.query('SELECT $1::int AS x, $2 AS y', [41, 'z'])).rows;
  const cursor = client.query(new Cursor('SELECT name FROM data_protection.backup_instances'));
  said.cursor = [(await cursor.read(3)).length, (await cursor.read(100)).length];
  await cursor.close();
  const named = { name: 'p', text: 'SELECT properties FROM data_protection.backup_instances LIMIT 1' };
  await client.query(named);
  said.json = (await client.query(named)).rows[0].properties.objectType;
  said.error = await client.query('SELECT * FROM nothing').catch((error) => error.code);
  await client.end();
  console.log(JSON.stringify(said));
})();
"""


@pytest.fixture(scope="session")
def modules():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "restable" / ("node-" + "-".join(f"{name}-{version}" for name, version in PACKAGES.items()))
    if not (folder / "node_modules" / "pg-cursor").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        packages = [f"{name}@{version}" for name, version in PACKAGES.items()]
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, *packages], check=True)
    return folder / "node_modules"


def test_node_postgres(served, modules):
    done = subprocess.run(
        ["node", "-e", SCRIPT, "--", served.host, str(served.port)],
        env={**os.environ, "NODE_PATH": str(modules)}, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "parameters": [{"x": 41, "y": "z"}], "cursor": [3, 28], "json": "BackupInstance", "error": "42P01",
    }
