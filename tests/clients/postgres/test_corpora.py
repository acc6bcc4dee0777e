"""The recorded statements of tools against a running server: each is answered as a database with these tables would, and
none makes a call."""

import psycopg
import pytest
from psycopg.pq import DiagnosticField, ExecStatus, PGconn

import corpora


class Session:
    """A connection without anything of a driver in between."""

    def __init__(self, served):
        self.connection = PGconn.connect(served.dsn.encode())
        assert self.connection.status == psycopg.pq.ConnStatus.OK, self.connection.error_message
        oid = "SELECT oid FROM pg_class WHERE relname = '{}'".format
        self.words = {
            "${namespace}": self.ask("SELECT oid FROM pg_namespace WHERE nspname = 'data_protection'").get_value(0, 0).decode(),
            "${table}": self.ask(oid("backup_instances")).get_value(0, 0).decode(),
            "${view}": self.ask(oid("vw_jobs")).get_value(0, 0).decode(),
        }

    def ask(self, sql):
        return self.connection.exec_(sql.encode())

    def filled(self, text):
        for word, value in self.words.items():
            text = text.replace(word, value)
        return text

    def answer(self, entry):
        """The columns and rows of an answer, or what went wrong."""
        sql = self.filled(entry.sql).encode()
        protocol = (entry.one("protocol") or "simple").split()
        if protocol[0] == "simple":
            result = self.connection.exec_(sql)
        else:
            values = [None if value == r"\N" else self.filled(value).encode() for value in entry.all("bind")]
            types = [int(oid) for oid in (entry.one("types") or "").split()]
            result = self.connection.exec_params(sql, values, types or None, None, int("binary" in protocol))
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
            return None, f"{state} {result.error_message.decode()}"
        columns = [result.fname(at).decode() for at in range(result.nfields)]
        cell = lambda row, at: None if (value := result.get_value(row, at)) is None else value.decode(errors="replace")
        return columns, [[cell(row, at) for at in range(result.nfields)] for row in range(result.ntuples)]

    def close(self):
        self.connection.finish()


def shown(value):
    """A cell as files write it."""
    return r"\N" if value is None else value.replace("\\", "\\\\").replace("\n", "\\n").replace("|", "\\x7c")


def fits(wanted, row):
    return len(wanted) == len(row) and all(want in ("*", shown(value).strip()) for want, value in zip(wanted, row))


def problems(entry, session):
    columns, rows = session.answer(entry)
    refused = entry.one("fails")
    if refused or columns is None:
        told = rows.strip() if columns is None else "it is answered"
        return [] if refused and told.startswith(refused) else [told]
    wrong = []
    wanted = (entry.one("columns") or "").split()
    got = [column.replace(" ", "_") for column in columns]
    if got != wanted:
        wrong.append(f"columns {got} instead of {wanted}")
    count = entry.one("rows") or "0"
    least = int(count.rstrip("."))
    if len(rows) < least or (not count.endswith("..") and len(rows) != least):
        wrong.append(f"{len(rows)} rows instead of {count}")
    for line in entry.all("row"):
        want = [session.filled(cell).strip() for cell in line.split(" | ")]
        if not any(fits(want, row) for row in rows):
            wrong.append(f"no row {line}; the first is {' | '.join(map(shown, rows[0])) if rows else 'none'}")
    return wrong


@pytest.mark.parametrize("path", corpora.files(), ids=lambda path: path.stem)
def test_recorded_statements(free, path):
    _, entries = corpora.read(path)
    assert entries
    session = Session(free)
    failed = [(entry.name, wrong) for entry in entries if (wrong := problems(entry, session))]
    session.close()
    assert not failed, "\n".join(f"{name}: {'; '.join(wrong)}" for name, wrong in failed)


def test_what_is_asked_for_can_fail(free):
    """An entry that asks for what is not there is a failure: the runner looks."""
    session = Session(free)
    entry = lambda sql, *heads: corpora.Entry("self", "self", sql, list(heads))
    assert problems(entry("SELECT 1 AS x", ("columns", "x"), ("rows", "1"), ("row", "1")), session) == []
    assert problems(entry("SELECT 1 AS x", ("columns", "x"), ("rows", "2..")), session)
    assert problems(entry("SELECT 1 AS x", ("columns", "y"), ("rows", "1")), session)
    assert problems(entry("SELECT 1 AS x", ("columns", "x"), ("rows", "1"), ("row", "2")), session)
    assert problems(entry("SELECT nothing"), session)
    assert problems(entry("SELECT nothing", ("fails", "42703")), session) == []
    assert problems(entry("SELECT nothing", ("fails", "0A000")), session)
    assert problems(entry("SELECT 1 AS x", ("fails", "0A000")), session)
    session.close()
