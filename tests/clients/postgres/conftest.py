"""Real clients of PostgreSQL against `restable serve`: one emulator and one server for the whole run. The emulator's
journal says what a client's questions cost."""

import json
import re
import subprocess
import urllib.request

import pytest


class Served:
    """A running server, and the emulator behind it."""

    def __init__(self, port, emulator):
        self.host, self.port, self.emulator = "127.0.0.1", port, emulator

    @property
    def dsn(self):
        return f"host={self.host} port={self.port} user=tester dbname=azure"

    @property
    def url(self):
        return f"tester@{self.host}:{self.port}/azure"

    def sent(self):
        """The requests of the emulator's journal that changed something, as method and path."""
        with urllib.request.urlopen(f"{self.emulator}/_emulator/journal") as response:
            requests = json.load(response)
        return [(one["method"], one["path"]) for one in requests if one["method"] != "GET"]

    def calls(self):
        """How many requests the emulator saw."""
        with urllib.request.urlopen(f"{self.emulator}/_emulator/journal") as response:
            return len(json.load(response))


def started(command, pattern):
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return follow(child, pattern)


def follow(child, pattern):
    """The child and what its next line of this form says."""
    for line in child.stdout:
        found = re.search(pattern, line)
        if found:
            return child, found[0]
    raise RuntimeError(f"{child.args} ended with {child.wait()} and said nothing")


def stop(child):
    child.terminate()
    child.wait()
    child.stdout.close()


@pytest.fixture(scope="session")
def served(request):
    program = request.config.getoption("--restable")
    emulator, url = started(
        [program, "emulator", "--listen", "127.0.0.1:0", "--clock", "fast", "--no-auth"], r"http://127\.0\.0\.1:\d+"
    )
    server, address = started(
        [program, "serve", "--pg", "127.0.0.1:0", "--endpoint", f"azure={url}"], r"127\.0\.0\.1:\d+"
    )
    yield Served(int(address.rsplit(":", 1)[1]), url)
    stop(server)
    stop(emulator)


@pytest.fixture(scope="module")
def writable(request, tmp_path_factory):
    """A server whose sessions may write, over an estate of its own, with all that it can tell of itself."""
    program = request.config.getoption("--restable")
    folder = tmp_path_factory.mktemp("writable")
    emulator, url = started(
        [program, "emulator", "--listen", "127.0.0.1:0", "--clock", "fast", "--no-auth"], r"http://127\.0\.0\.1:\d+"
    )
    command = [
        program, "serve", "--pg", "127.0.0.1:0", "--endpoint", f"azure={url}", "--allow-writes",
        "--set", f"journal={folder / 'journal.db'}", "--set", f"data_dir={folder / 'data'}", "--audit-log", str(folder / "audit.jsonl"),
        "--metrics", "127.0.0.1:0",
    ]
    server, address = started(command, r"127\.0\.0\.1:\d+")
    _, metrics = follow(server, r"http://127\.0\.0\.1:\d+/metrics")
    served = Served(int(address.rsplit(":", 1)[1]), url)
    served.folder, served.metrics, served.program = folder, metrics, program
    yield served
    stop(server)
    stop(emulator)


@pytest.fixture
def free(served):
    """What a test does with this fixture must ask the provider nothing."""
    before = served.calls()
    yield served
    assert served.calls() == before, "introspection called the provider"
