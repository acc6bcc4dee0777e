"""The recipes of `examples/bi`: the commands start, the statements answer, the cells run."""

import glob
import json
import pathlib
import re
import shlex
import subprocess

import psycopg
import pyodbc
import pytest

from conftest import started, stop

FOLDER = pathlib.Path(__file__).parents[3] / "examples" / "bi"
RECIPES = sorted(FOLDER.glob("*.md"))


def blocks(path, kind):
    """The texts of the fenced blocks of a kind, without what they are indented by."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def test_there_is_a_recipe_for_each_tool_and_each_is_listed():
    listed = set(re.findall(r"\]\(([\w./-]+)\)", (FOLDER / "README.md").read_text()))
    there = {path.name for path in FOLDER.iterdir() if path.suffix in (".md", ".ipynb") and path.name != "README.md"}
    assert listed == there and len(there) >= 6


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_commands(request, path):
    commands = blocks(path, "sh")
    assert commands
    for command in commands:
        words = shlex.split(re.sub(r":\d+\b", ":0", command))
        assert words[0] == "restable"
        child, _ = started([request.config.getoption("--restable"), *words[1:]], r"127\.0\.0\.1:\d+")
        stop(child)


@pytest.mark.parametrize("path", [path for path in RECIPES if path.name != "README.md"], ids=lambda path: path.stem)
def test_statements(served, path):
    statements = blocks(path, "sql")
    assert statements
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        for statement in statements:
            assert connection.execute(statement).fetchall(), statement


def test_panels_of_grafana(served):
    dashboard = json.loads((FOLDER / "grafana" / "dashboard.json").read_text())
    asked = [target["rawSql"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) == 3
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        for sql in asked:
            # As Grafana's own macro writes it.
            sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2020-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'", sql)
            assert "$" not in sql and connection.execute(sql).fetchall()


def test_cells_of_the_notebook(served):
    notebook = json.loads((FOLDER / "notebook.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names = {}
    for cell in cells:
        exec(compile(cell.replace("127.0.0.1:5433", f"{served.host}:{served.port}"), "a cell", "exec"), names)
    assert len(names["jobs"]) > 3 and len(names["kinds"]) == 3 and len(names["failed"]) > 0


def test_the_connection_string_of_excel(served):
    drivers = glob.glob("/usr/lib/*/odbc/psqlodbcw.so")
    if not drivers:
        pytest.skip("psqlODBC is not installed")
    (string,) = blocks(FOLDER / "excel.md", "odbc")
    string = string.strip().replace("PORT=5433", f"PORT={served.port}")
    with pyodbc.connect(f"DRIVER={drivers[0]};{string}") as connection:
        assert connection.cursor().execute(blocks(FOLDER / "excel.md", "sql")[0]).fetchall()
