"""TLS and passwords, as each driver asks for them: a server with users, whose certificate an authority of the test signed."""

import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess

import asyncpg
import asyncio
import psycopg
import pytest
from conftest import started, stop
from test_node import modules  # noqa: F401, the fixture

PASSWORD = "correct horse: battery"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


class Guarded:
    def __init__(self, port, authority, other):
        self.port, self.authority, self.other = port, str(authority), str(other)

    def dsn(self, mode="verify-full", password=PASSWORD, authority=None):
        root = f"sslrootcert={authority or self.authority}"
        return f"host=localhost port={self.port} user=ann password='{password}' dbname=azure sslmode={mode} {root}"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def guarded(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for authority in ("authority", "other"):
        openssl(folder, "req", "-x509", *key, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-days", "30",
                "-subj", f"/CN={authority} of a test", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl(folder, "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
            "-CAcreateserial", "-out", "server.pem", "-days", "30", "-extfile", "names")
    (folder / "users").write_text(f"ann:{PASSWORD}\nbob:{PASSWORD}\n")
    program = request.config.getoption("--restable")
    server, address = started(
        [program, "serve", "--pg", "127.0.0.1:0", "--emulator", "--tls-cert", folder / "server.pem",
         "--tls-key", folder / "server.key", "--users", folder / "users"],
        r"127\.0\.0\.1:\d+",
    )
    yield Guarded(int(address.rsplit(":", 1)[1]), folder / "authority.pem", folder / "other.pem")
    stop(server)


def test_nobody_sees_or_stops_what_is_of_another_user(guarded):
    with psycopg.connect(guarded.dsn(), autocommit=True) as ann:
        pid = ann.info.backend_pid
        with psycopg.connect(guarded.dsn().replace("user=ann", "user=bob"), autocommit=True) as bob:
            for stop in ("pg_terminate_backend", "pg_cancel_backend"):
                with pytest.raises(psycopg.errors.InvalidParameterValue, match="or not for you"):
                    bob.execute(f"SELECT {stop}(%s)", [pid])
            assert bob.execute("SELECT usename FROM pg_stat_activity").fetchall() == [("bob",)]
        with psycopg.connect(guarded.dsn(), autocommit=True) as other:
            assert other.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND usename = 'ann'", [pid]).fetchone() == (1,)
            assert other.execute("SELECT pg_cancel_backend(%s)", [pid]).fetchone() == (True,)
        assert ann.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("mode", ["disable", "require", "verify-ca", "verify-full"])
def test_psycopg(guarded, mode):
    with psycopg.connect(guarded.dsn(mode)) as connection:
        assert connection.pgconn.ssl_in_use == (mode != "disable")
        assert connection.execute("SELECT current_user").fetchone() == ("ann",)


def test_who_is_not_trusted(guarded):
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(guarded.dsn(authority=guarded.other))
    for password in ("wrong", PASSWORD + " "):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(guarded.dsn(password=password))
    # The connection is not bound to the certificate, which a client may insist on.
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        psycopg.connect(guarded.dsn() + " channel_binding=require")


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
@pytest.mark.parametrize("mode", ["require", "verify-ca"])
def test_psql(guarded, mode):
    done = subprocess.run(
        ["psql", "-X", guarded.dsn(mode), "-c", r"\conninfo", "-c", "SELECT 6 * 7 AS answer"],
        capture_output=True, text=True, timeout=120,
    )
    assert "TLSv1." in done.stdout and "42" in done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_session_knows_how_it_is_encrypted(guarded, version):
    """What the server says of the connection is what the client's own library says."""
    limits = f" ssl_min_protocol_version={version} ssl_max_protocol_version={version}"
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", guarded.dsn() + limits, "-c", r"\conninfo", "-c", "SELECT ssl, version, cipher, bits FROM pg_stat_ssl",
         "-c", "SHOW ssl", "-c", "SELECT setting FROM pg_settings WHERE name = 'ssl'"],
        capture_output=True, text=True, timeout=120,
    )
    said, server, shown, setting = done.stdout.strip().splitlines()[-4:]
    protocol, cipher = re.search(r"protocol: ([\w.]+), cipher: ([\w-]+)", said).groups()
    assert protocol == version
    assert server == f"t|{protocol}|{cipher}|{128 if '128' in cipher.replace('SHA128', '') else 256}"
    assert (shown, setting) == ("on", "on")
    with psycopg.connect(guarded.dsn("disable")) as connection:
        assert connection.execute("SELECT ssl, version, cipher, bits FROM pg_stat_ssl").fetchall() == [(False, None, None, None)]
        assert connection.execute("SHOW ssl").fetchone() == ("on",)


def test_asyncpg(guarded):
    async def ask():
        trusted = ssl.create_default_context(cafile=guarded.authority)
        connection = await asyncpg.connect(
            host="localhost", port=guarded.port, user="ann", password=PASSWORD, database="azure", ssl=trusted
        )
        try:
            return await connection.fetchval("SELECT current_user::text")
        finally:
            await connection.close()

    assert asyncio.run(ask()) == "ann"


SCRIPT = """
const { Client } = require('pg');
const fs = require('fs');
const [port, password, authority] = process.argv.slice(-3);
const connect = async (password, ca) => {
  const client = new Client({ host: 'localhost', port: +port, user: 'ann', password, database: 'azure', ssl: { ca } });
  try {
    await client.connect();
    return (await client.query('SELECT current_user AS me')).rows[0].me;
  } catch (error) {
    return error.code;
  } finally {
    await client.end().catch(() => {});
  }
};
(async () => {
  const ca = fs.readFileSync(authority, 'utf8');
  console.log(JSON.stringify([await connect(password, ca), await connect('wrong', ca)]));
})();
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_node(guarded, modules):  # noqa: F811
    done = subprocess.run(
        ["node", "-e", SCRIPT, "--", str(guarded.port), PASSWORD, guarded.authority],
        env={**os.environ, "NODE_PATH": str(modules)}, capture_output=True, text=True, timeout=120,
    )
    assert json.loads(done.stdout or "null") == ["ann", "28P01"], done.stderr


JAR = pathlib.Path("/usr/share/java/postgresql.jar")


@pytest.mark.skipif(not JAR.exists() or shutil.which("java") is None, reason="java or pgjdbc is not installed")
def test_pgjdbc(guarded):
    source = pathlib.Path(__file__).with_name("Metadata.java")
    url = f"jdbc:postgresql://localhost:{guarded.port}/azure?user=ann&sslmode=verify-full&sslrootcert={guarded.authority}"
    done = subprocess.run(
        ["java", "-cp", JAR, source, f"{url}&password={PASSWORD.replace(' ', '%20')}", "rows"], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.splitlines() == ["rows 15 json", "prepared 7"], done.stderr
    done = subprocess.run(
        ["java", "-cp", JAR, source, f"{url}&password=wrong", "rows"], capture_output=True, text=True, timeout=300
    )
    assert "password authentication failed" in done.stderr


@pytest.mark.parametrize("flag", ["--users", "--tokens"])
def test_a_file_that_names_nobody_stops_the_start(request, tmp_path, flag):
    file = tmp_path / "nobody"
    file.write_text("# nobody yet\n\n")
    command = [request.config.getoption("--restable"), "serve", "--flight", "127.0.0.1:0", "--emulator=empty", flag, str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "it names nobody" in ended.stderr
