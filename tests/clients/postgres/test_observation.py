"""What a server tells of itself: counters that a parser of Prometheus reads, an audit log, spans for a collector."""

import concurrent.futures
import json
import subprocess
import urllib.error
import urllib.request

import grpc
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from conftest import follow, started, stop

INSTANCES = "azure.data_protection.backup_instances"
SUBSCRIPTION = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001"


def metrics(writable):
    with urllib.request.urlopen(writable.metrics) as response:
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = response.read().decode()
    families = list(text_string_to_metric_families(text))
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def change(before, after, name, **labels):
    key = (name, tuple(sorted(labels.items())))
    return after.get(key, 0) - before.get(key, 0)


def test_counters(writable):
    before = metrics(writable)
    calls = writable.calls()
    with psycopg.connect(writable.dsn, autocommit=True) as connection:
        assert metrics(writable)["restable_connections", (("door", "postgres"),)] == 1
        rows = connection.execute(f"SELECT name FROM {INSTANCES} WHERE subscriptionId = %s", (SUBSCRIPTION,)).fetchall()
        assert rows
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1/0 FROM data_protection.backup_instances")
        # What never ran has failed as well: it names nothing that there is, or says nothing.
        for sql, values in [("SELECT no_column", None), ("SELECT no_column, %s", (1,)), ("SELEKT 1", None)]:
            with pytest.raises(psycopg.Error):
                connection.execute(sql, values)
    after = metrics(writable)
    assert change(before, after, "restable_statements_total", kind="SELECT", outcome="done") == 1
    assert change(before, after, "restable_statements_total", kind="SELECT", outcome="failed") == 3
    assert change(before, after, "restable_statements_total", kind="OTHER", outcome="failed") == 1
    assert change(before, after, "restable_connections_total", door="postgres") == 1
    assert change(before, after, "restable_calls_total", method="GET", status="200") >= 1
    made = sum(value for (name, _), value in after.items() if name == "restable_calls_total") - sum(
        value for (name, _), value in before.items() if name == "restable_calls_total"
    )
    assert made <= writable.calls() - calls
    assert change(before, after, "restable_call_duration_seconds_count") == made
    assert change(before, after, "restable_received_bytes_total") > 1000
    finite = [value for (name, labels), value in after.items() if name == "restable_statement_duration_seconds_bucket" and ("kind", "SELECT") in labels]
    assert finite and max(finite) == after["restable_statement_duration_seconds_count", (("kind", "SELECT"),)]
    assert after["restable_statements_running", ()] == 0


def test_nothing_else_is_answered(writable):
    for path, status in [("/", 404), ("/metrics/", 404), ("/../metrics", 404)]:
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(writable.metrics.replace("/metrics", path))
        assert told.value.code == status
    request = urllib.request.Request(writable.metrics, data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(request)
    assert told.value.code == 405


def lines(writable):
    return [json.loads(line) for line in (writable.folder / "audit.jsonl").read_text().splitlines()]


def test_every_statement_that_changes_something_is_in_the_audit_log(writable):
    before, counted = len(lines(writable)), metrics(writable)
    with psycopg.connect(writable.dsn, autocommit=True) as connection:
        connection.execute("SET confirm = never")
        connection.execute(f"SELECT count(*) FROM {INSTANCES}").fetchall()
        connection.execute(f"PREVIEW DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'").fetchall()
        assert len(lines(writable)) == before
        with pytest.raises(psycopg.Error):
            connection.execute(
                f"DELETE FROM {INSTANCES} WHERE subscriptionId = '{SUBSCRIPTION}' AND resourceGroupName = 'nowhere'"
                " AND vaultName = 'no-vault' AND backupInstanceName = 'se cret'"
            )
    assert change(counted, metrics(writable), "restable_statements_total", kind="DELETE", outcome="failed") == 1
    begin, end = lines(writable)[before:]
    assert (begin["event"], begin["user"], end["event"], end["outcome"]) == ("begin", "tester", "end", "failed")
    assert begin["statement"] == end["statement"]
    assert begin["sql"].startswith("DELETE FROM azure.data_protection.backup_instances WHERE subscriptionId = '…'")
    assert "se cret" not in begin["sql"]
    assert begin["targets"] == [
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/nowhere/providers/Microsoft.DataProtection/backupVaults/no-vault"
        "/backupInstances/se%20cret"
    ] or len(begin["targets"]) == 1
    assert end["targets"] == {"Failed": 1} and end["errors"][0]["count"] == 1
    assert (writable.folder / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_what_is_kept_is_in_the_audit_log(writable):
    before = len(lines(writable))
    with psycopg.connect(writable.dsn, autocommit=True) as connection:
        connection.execute("CREATE MATERIALIZED VIEW audited AS SELECT 'se cret' AS x")
        connection.execute("REFRESH MATERIALIZED VIEW audited")
        connection.execute("CREATE TABLE other AS SELECT 1 AS x")
        connection.execute("DROP TABLE other")
        with pytest.raises(psycopg.Error):
            connection.execute("CREATE MATERIALIZED VIEW audited AS SELECT 1 AS x")
        connection.execute("DROP MATERIALIZED VIEW audited")
    told = lines(writable)[before:]
    begun = [(one["action"], one["user"], one["destructive"]) for one in told if one["event"] == "begin"]
    assert begun == [
        ("CREATE MATERIALIZED VIEW audited", "tester", False), ("REFRESH MATERIALIZED VIEW audited", "tester", False),
        ("CREATE TABLE other", "tester", False), ("DROP TABLE other", "tester", True),
        ("CREATE MATERIALIZED VIEW audited", "tester", False), ("DROP MATERIALIZED VIEW audited", "tester", True),
    ]
    ended = [one for one in told if one["event"] == "end"]
    assert [one["outcome"] for one in ended] == ["succeeded"] * 4 + ["failed", "succeeded"]
    assert [one["statement"] for one in ended] == [one["statement"] for one in told if one["event"] == "begin"]
    assert "se cret" not in str(told)


def test_without_an_audit_log_nothing_is_sent(writable, tmp_path):
    command = [
        writable.program, "serve", "--pg", "127.0.0.1:0", "--endpoint", f"azure={writable.emulator}", "--allow-writes",
        "--set", f"journal={tmp_path / 'journal.db'}", "--audit-log", "/dev/full",
    ]
    server, address = started(command, r"127\.0\.0\.1:\d+")
    before = writable.sent()
    try:
        dsn = f"host=127.0.0.1 port={address.rsplit(':', 1)[1]} user=tester dbname=azure"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SET confirm = never")
            with pytest.raises(psycopg.Error) as told:
                connection.execute(f"DELETE FROM {INSTANCES} WHERE vaultName = 'bv-dev-weu'")
            assert told.value.sqlstate == "58030"
    finally:
        stop(server)
    assert writable.sent() == before


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.spans = []

    def Export(self, request, context):
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span) for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


def test_spans(writable):
    collector = Collector()
    receiver = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, receiver)
    port = receiver.add_insecure_port("127.0.0.1:0")
    receiver.start()
    command = [
        writable.program, "serve", "--pg", "127.0.0.1:0", "--endpoint", f"azure={writable.emulator}",
        "--otlp", f"http://127.0.0.1:{port}",
    ]
    server, address = started(command, r"127\.0\.0\.1:\d+")
    try:
        dsn = f"host=127.0.0.1 port={address.rsplit(':', 1)[1]} user=tester dbname=azure"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"SELECT name FROM {INSTANCES} WHERE name <> 'a value of mine'").fetchall()
    finally:
        # The last spans are sent when the server ends.
        server.send_signal(subprocess.signal.SIGINT)
        server.wait(60)
        server.stdout.close()
        receiver.stop(None)
    assert {service for service, _ in collector.spans} == {"restable"}
    spans = {}
    for _, span in collector.spans:
        spans.setdefault(span.name, []).append(span)
    (statement,) = [span for span in spans["statement"] if any(one.key == "calls" and one.value.int_value > 0 for one in span.attributes)]
    (scan,) = spans["scan"]
    assert scan.parent_span_id == statement.span_id
    assert spans["call"] and {span.trace_id for span in spans["call"]} == {statement.trace_id}
    told = str(collector.spans)
    assert "a value of mine" not in told and "Bearer" not in told
    attributes = {one.key: one.value for one in spans["call"][0].attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["url.full"].string_value.startswith(writable.emulator)
