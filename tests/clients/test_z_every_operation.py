"""Runs last: every method of every operation group was called by a test of this run."""

import pytest

from conftest import CALLED, methods

# Requests of the API at api-version 2026-06-01.
OPERATIONS = 75


def test_every_operation_was_called(client, request):
    if request.config.option.keyword or any("::" in argument for argument in request.config.args):
        pytest.skip("only some tests were chosen")
    known = {(name, method) for name, spy in vars(client).items() if name in groups_of(client) for method in methods(spy.group)}
    called = {(name, method) for name, names in CALLED.items() for method in names}
    assert len(known) == OPERATIONS
    assert sorted(known - called) == []


def groups_of(client):
    return {name for name, spy in vars(client).items() if hasattr(spy, "group")}
