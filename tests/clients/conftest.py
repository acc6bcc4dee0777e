"""The emulator under Microsoft's client: one process for the whole run, one fresh estate for each test.

The binary is given with `--restable`; it is started as `restable emulator --listen 127.0.0.1:0 --clock fast` and prints
its URL. Nothing is waited for: the emulator's clock jumps to the end of whatever is polled.
"""

import collections
import inspect
import json
import re
import subprocess
import urllib.request

import pytest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.dataprotection import DataProtectionMgmtClient

PRODUCTION = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"
DEVELOPMENT = "2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002"
DATA = "c41d08aa-97f4-4e3b-a2c5-50b86e19c003"

GROUP = "rg-dev-shared"
LOCATION = "westeurope"


class Token(SansIOHTTPPolicy):
    """A bearer token over plain http: the SDK's own policy refuses that, and the emulator refuses requests without one."""

    def on_request(self, request):
        request.http_request.headers["Authorization"] = "Bearer not-a-secret"


class NoCredential:
    """The SDK wants an object; it is never asked, since the policy above stands in its place."""


class Emulator:
    """A running emulator and its control plane."""

    def __init__(self, url):
        self.url = url

    def control(self, method, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{what}", data=data, method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def reset(self):
        self.control("POST", "reset", {})

    def advance(self, seconds):
        return self.control("POST", "clock/advance", {"seconds": seconds})

    def journal(self):
        return self.control("GET", "journal")

    def ledger(self):
        return self.control("GET", "ledger")

    def operations(self):
        """Names of the operations that were asked for, in order."""
        return [entry["operation"] for entry in self.journal()]

    def fault(self, action, **match):
        self.control("POST", "faults", {"match": match, "action": action})


def pytest_addoption(parser):
    parser.addoption("--restable", required=True, help="the program whose `emulator` command is tested")


@pytest.fixture(scope="session")
def process(request):
    program = request.config.getoption("--restable")
    command = [program, "emulator", "--listen", "127.0.0.1:0", "--clock", "fast"]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in child.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            break
    else:
        raise RuntimeError(f"{command} ended with {child.wait()} and printed no URL")
    yield Emulator(found[0])
    child.terminate()
    child.wait()
    child.stdout.close()


@pytest.fixture
def emulator(process):
    process.reset()
    return process


# Which methods of the SDK the tests called, by operation group.
CALLED = collections.defaultdict(set)


def groups(client):
    """The operation groups of a client, by attribute."""
    own = "azure.mgmt.dataprotection.operations"
    return {name: group for name, group in vars(client).items() if type(group).__module__.startswith(own)}


def methods(group):
    return {name for name, _ in inspect.getmembers(group, inspect.ismethod) if not name.startswith("_")}


class Spy:
    """An operation group that notes which of its methods are called."""

    def __init__(self, name, group):
        self.name, self.group = name, group

    def __getattr__(self, method):
        found = getattr(self.group, method)
        if method in methods(self.group):
            CALLED[self.name].add(method)
        return found


@pytest.fixture
def client_for(emulator):
    opened = []

    def make(subscription):
        client = DataProtectionMgmtClient(
            credential=NoCredential(),
            subscription_id=subscription,
            base_url=emulator.url,
            authentication_policy=Token(),
            polling_interval=0,
            retry_backoff_factor=0,
        )
        for name, group in groups(client).items():
            setattr(client, name, Spy(name, group))
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def client(client_for):
    return client_for(DEVELOPMENT)


class Headers:
    """Collects the headers of every answer of a call: `raw_response_hook=headers`."""

    def __init__(self):
        self.all = []

    def __call__(self, response):
        self.all.append((response.http_response.status_code, response.http_response.headers))

    @property
    def first(self):
        return self.all[0][1]

    @property
    def status(self):
        return self.all[0][0]

    def operation(self, header="Azure-AsyncOperation"):
        """The operation id in a poll link of the first answer."""
        return re.search(r"/(?:operationStatus|operationResults|operations)/([^/?]+)", self.first[header])[1]


@pytest.fixture
def headers():
    return Headers()
