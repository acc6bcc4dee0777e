"""How a server starts, and what stops it: places to listen at, and flags that would do nothing."""

import socket
import subprocess

import psycopg
import pytest
from conftest import started, stop


def refused(request, *flags):
    command = [request.config.getoption("--restable"), "serve", "--emulator=empty", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0 and ended.stdout == ""
    return ended.stderr


def test_it_listens_at_the_name_of_this_machine(request):
    server, address = started(
        [request.config.getoption("--restable"), "serve", "--emulator=empty", "--pg", "localhost:0"], r"127\.0\.0\.1:\d+"
    )
    try:
        with psycopg.connect(f"host=localhost port={address.rsplit(':', 1)[1]} user=tester") as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop(server)


def test_it_listens_at_an_address_of_ipv6(request):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    server, address = started(
        [request.config.getoption("--restable"), "serve", "--emulator=empty", "--pg", "[::1]:0"], r"\[::1\]:\d+"
    )
    try:
        with psycopg.connect(f"host=::1 port={address.rsplit(':', 1)[1]} user=tester") as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop(server)


@pytest.mark.parametrize("address", ["5433", "db.example:5433", "::1:5433", "localhost"])
def test_an_address_that_is_none(request, address):
    assert "`127.0.0.1:5433`, `[::1]:5433` or `localhost:5433`" in refused(request, "--pg", address)


def test_flags_that_would_do_nothing(request, tmp_path):
    assert "0 lets nobody in" in refused(request, "--pg", "127.0.0.1:0", "--max-connections", "0")
    (tmp_path / "tokens").write_text("robot:0123456789abcdef\n")
    told = refused(request, "--pg", "127.0.0.1:0", "--tokens", str(tmp_path / "tokens"))
    assert "only clients of Flight SQL show tokens" in told and "--users FILE" in told
    assert "names where to listen" in refused(request)
