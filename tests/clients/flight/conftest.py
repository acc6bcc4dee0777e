"""Drivers of Arrow (ADBC) against `restable serve`: Flight SQL and Postgres wire, one emulator and one server for the whole
run. The emulator's journal says what a driver's questions cost.

There is no driver of JDBC for Flight SQL here: it is published on Maven Central only, which these tests do not reach.
"""

import pytest
import serving


@pytest.fixture(scope="session")
def program(request):
    return request.config.getoption("--restable")


@pytest.fixture(scope="session")
def served(program):
    emulator, url = serving.emulate(program, "demo")
    server, served = serving.serve(program, url)
    yield served
    serving.stop(server)
    serving.stop(emulator)


@pytest.fixture
def free(served):
    """What a test does with this fixture must ask the provider nothing."""
    before = served.calls()
    yield served
    assert served.calls() == before, "introspection called the provider"
