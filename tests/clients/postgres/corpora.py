"""The statements that tools send on their own, as they were recorded: when they connect, when they look at what there is.

A file holds those of one tool. Its head says which and where each comes from; an entry is

    ==== what it is for
    protocol: extended            the simple one without; `extended binary` asks for values in binary form
    bind: VALUE                   one line a parameter; `\\N` is NULL
    types: OID ...                what the client says that they are
    columns: NAME ...             what the answer must have; none: no rows come
    rows: N | N..                 how many rows, or at least so many
    row: CELL | CELL ...          a row that must be among them; `*` is any value
    fails: SQLSTATE               it is refused, and the tool goes on without: its head says how
    ----
    the statement

`${namespace}`, `${table}` and `${view}` stand for the OIDs of `data_protection`, of `backup_instances` and of `vw_jobs`."""

import dataclasses
import pathlib

FOLDER = pathlib.Path(__file__).with_name("corpora")
KEYS = {"protocol", "bind", "types", "columns", "rows", "row", "fails"}


@dataclasses.dataclass
class Entry:
    tool: str
    name: str
    sql: str
    heads: list

    def all(self, key):
        return [value for name, value in self.heads if name == key]

    def one(self, key):
        return next(iter(self.all(key)), None)


def read(path):
    """The head of a file and its entries."""
    head, *parts = path.read_text(encoding="utf-8").split("\n==== ")
    head = dict(line.split(": ", 1) for line in head.splitlines() if line)
    assert {"tool", "source"} <= head.keys() <= {"tool", "source", "note"}, path
    entries = []
    for part in parts:
        name, rest = part.split("\n", 1)
        heads, sql = ("\n" + rest).split("\n----\n", 1)
        heads = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in heads.split("\n") if line]
        assert {key for key, _ in heads} <= KEYS, (path, name)
        entries.append(Entry(path.stem, name, sql.rstrip("\n"), heads))
    return head, entries


def files():
    return sorted(FOLDER.glob("*.txt"))
