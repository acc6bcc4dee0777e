"""Runs the works of `tests/bench` and prints its table.

Each work is run once to render its pages and to learn its calls, then N times together with the floor reader, one after the
other in turn; the numbers are medians. Wall time and CPU seconds are those of whole processes, start included.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

INSTANCES = "azure.data_protection.backup_instances"
LEAST_RATE = 300e6  # bytes a second that the server must deliver to the floor reader
LINK = 350  # megabytes a second at which the server sends where nothing else is said: far more than Azure delivers to one client
PROBED = 50e6  # a work with fewer bytes, or with latency, says nothing about the rate of the server: `Bench.probe` does


class Invalid(Exception):
    """What was measured is not what the row is about."""


def run(command):
    """Wall seconds, CPU seconds, peak resident bytes, seconds to the first output, and the output's first part."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    out, first, moments, read = process.stdout.fileno(), b"", [], 0
    while True:
        piece = os.read(out, 1 << 20)
        if not piece:
            break
        if len(first) < 4096:
            moments.append((time.perf_counter() - started, piece.count(b"\n")))
            first += piece[:4096]
        read += len(piece)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Invalid(f"exit code {process.returncode}: {' '.join(command)}: {first[:200]!r}")
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "moments": moments,
        "first": first.decode(errors="replace"),
        "read": read,
    }


class Server:
    """The page server, in a process of its own."""

    def __init__(self, floor, estate, latency, page_size, rate):
        options = ["--estate", estate, "--latency-ms", str(latency), "--page-size", str(page_size), "--rate-mb", str(rate)]
        self.process = subprocess.Popen([floor, "serve", *options], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def ask(self, what):
        with urllib.request.urlopen(f"{self.url}/_floor/{what}") as answer:
            return answer.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Bench:
    def __init__(self, options):
        self.options = options
        self.scratch = tempfile.TemporaryDirectory()
        self.probed = self.probe()

    def restable(self, url, sql, *flags):
        summary = os.path.join(self.scratch.name, "summary.json")
        auth = ["--auth", "azure=none", "--endpoint", f"azure={url}"] if url else []
        form = [] if "-o" in flags else ["-o", "jsonl"]
        command = [self.options.restable, "exec", "-q", *form, "--summary", summary, *auth, *flags, sql]
        measured = run(command)
        with open(summary) as file:
            measured["statements"] = json.load(file)["statements"]
        return measured

    def floor(self, url, plan, concurrency):
        return run([self.options.floor, "read", "--url", url, "--plan", plan, "--concurrency", str(concurrency)])

    def first_vault(self, url):
        """The subscription, group and name of a vault, for works of one vault."""
        columns = "subscriptionId, resourceGroupName, vaultName, name"
        found = self.restable(url, f"SELECT {columns} FROM {INSTANCES} LIMIT 1")["first"]
        return list(json.loads(found.splitlines()[0]).values())

    def work(self, work):
        """One row of the table."""
        traits = [work.get(name, usual) for name, usual in (("latency", 0), ("page_size", 200), ("rate", 0))]
        with Server(self.options.floor, work["estate"], *traits) as server:
            subscription, group, vault, name = self.first_vault(server.url)
            one = f"subscriptionId = '{subscription}' AND resourceGroupName = '{group}' AND vaultName = '{vault}'"
            sql = work["sql"].format(table=INSTANCES, vault=one, name=name)
            flags = [flag.format(scratch=self.scratch.name) for flag in work.get("flags", [])]
            server.ask("reset")
            rows = self.restable(server.url, sql, *flags)["statements"][-1]["rows"]
            plan = os.path.join(self.scratch.name, "plan")
            with open(plan, "w") as file:
                file.write(server.ask("plan"))
            asked = json.loads(server.ask("asked"))
            own, floors = [], []
            for _ in range(self.options.runs):
                floors.append(self.floor(server.url, plan, 64))
                server.ask("reset")
                own.append(self.restable(server.url, sql, *flags))
                again = json.loads(server.ask("asked"))
                if again["rendered"] or again["calls"] != asked["calls"] and not work.get("limit"):
                    raise Invalid(f"not the calls of the run before: {again}, {asked}")
        row = {"rows": rows, "calls": again["calls"], "bytes": again["bytes"]}
        # What a statement counts or groups it has read all the same.
        row["read"] = rows if row["calls"] == 1 else max(rows, int(work["estate"].rsplit(",", 1)[1]))
        row |= {"wall": median(own, "wall"), "cpu": median(own, "cpu"), "peak": max(one["peak"] for one in own)}
        row |= {"floor": median(floors, "wall"), "floor_cpu": median(floors, "cpu")}
        row["rate"] = row["bytes"] / row["floor"]
        probing = not work.get("latency") and row["bytes"] >= PROBED
        rate = row["rate"] if probing else self.probed
        if rate < LEAST_RATE:
            row["note"] = f"invalid: the server delivers {rate / 1e6:.0f} MB/s"
        for key, gauge in work.get("gauges", {}).items():
            row["note"] = f"{key} {gauge(own):.1f} ms"
        return row

    def probe(self):
        """The bytes a second that the page server delivers to the floor reader, for works that cannot tell."""
        with Server(self.options.floor, "1,1,50000", 0, 200, 0) as server:
            subscription, group, vault, _ = self.first_vault(server.url)
            one = f"subscriptionId = '{subscription}' AND resourceGroupName = '{group}' AND vaultName = '{vault}'"
            server.ask("reset")
            self.restable(server.url, f"SELECT count(*) FROM {INSTANCES} WHERE {one}")
            plan = os.path.join(self.scratch.name, "plan")
            with open(plan, "w") as file:
                file.write(server.ask("plan"))
            read = json.loads(server.ask("asked"))["bytes"]
            return read / min(self.floor(server.url, plan, 64)["wall"] for _ in range(3))

    def cold(self):
        own = [self.restable(None, "SELECT 1 AS one") for _ in range(4 * self.options.runs)]
        row = {"rows": 1, "calls": 0, "bytes": 0, "wall": median(own, "wall"), "cpu": median(own, "cpu")}
        return row | {"peak": max(one["peak"] for one in own), "floor": None, "floor_cpu": None}

    def throttled(self, estate):
        """A walk against ARM's token buckets, in an emulator of its own: its time beside what the buckets allow."""
        command = [self.options.restable, "emulator", "--listen", "127.0.0.1:0", "--no-auth", "--throttle", "arm"]
        process = subprocess.Popen([*command, "--estate", estate], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = process.stdout.readline().strip()
            own = self.restable(url, f"SELECT count(*) AS n FROM {INSTANCES}")
            with urllib.request.urlopen(f"{url}/_emulator/journal") as answer:
                journal = json.load(answer)
        finally:
            process.terminate()
            process.wait()
        answered = {}
        for entry in journal:
            if entry["status"] != 429:
                answered[entry["subscription"]] = answered.get(entry["subscription"], 0) + 1
        refused = sum(entry["status"] == 429 for entry in journal)
        # 250 at once and 25 a second, for each subscription and for the tenant.
        best = max(max(0, calls - 250) / 25 for calls in answered.values())
        rows = json.loads(own["first"].splitlines()[0])["n"]
        row = {"rows": rows, "calls": len(journal), "bytes": 0, "wall": own["wall"], "cpu": own["cpu"], "peak": own["peak"]}
        note = f"{100 * refused / len(journal):.2f} % answered 429; one run; beside it what the buckets allow"
        return row | {"floor": best, "floor_cpu": None, "note": note}


def median(measured, key):
    return statistics.median(one[key] for one in measured)


def to_first_row(measured):
    """From the row of a first statement, `SELECT 1`, to that of the second, in milliseconds."""
    gaps = []
    for one in measured:
        lines, times = 0, []
        for moment, ends in one["moments"]:
            times.extend([moment] * ends)
        gaps.append((times[1] - times[0]) * 1e3)
    return statistics.median(gaps)


def works(quick):
    scale = 10 if quick else 1
    many = 100_000 // scale
    most = 1_000_000 // scale
    vault, estate = f"1,1,{many}", f"100,1000,{20_000}"
    narrow, whole = "SELECT id, name FROM {table} WHERE {vault}", "SELECT * FROM {table} WHERE {vault}"
    yield "select-1", "`SELECT 1`, cold process", None
    key = "SELECT name FROM {table} WHERE {vault} AND backupInstanceName = '{name}'"
    yield "key", "GET by key", {"estate": "2,4,40", "sql": key}
    vaults = []
    for count in (10_000 // scale, many):
        for title, sql in (("two columns", narrow), ("`*`", whole)):
            vaults.append(("vault", f"one vault of {count:,}, {title}", {"estate": f"1,1,{count}", "sql": sql}))
    for name, title, work in vaults:
        yield name, title, work | {"rate": LINK}
    walk = "SELECT id, name FROM {table}"
    yield "walk", "20,000 in 1,000 vaults of 100 subscriptions, 150 ms", {"estate": estate, "sql": walk, "latency": 150}
    big = f"1,100,{most}"
    field = "json_extract(properties, '$.policyInfo.policyId')"
    grouped = f"SELECT {field} AS policy, count(*) FROM {{table}} GROUP BY 1"
    file = ["-o", "parquet", "--outfile", "{scratch}/rows.parquet"]
    ordered = "SELECT name FROM {table} ORDER BY name"
    million = [
        ("counted", {"estate": big, "sql": "SELECT count(*) FROM {table}"}),
        ("grouped by a JSON field", {"estate": big, "sql": grouped}),
        ("passed on, `*`", {"estate": big, "sql": "SELECT * FROM {table}"}),
        ("written to Parquet, `*`", {"estate": big, "sql": "SELECT * FROM {table}", "flags": file}),
        ("sorted, `memory_limit` 64 MB", {"estate": big, "sql": ordered, "flags": ["--set", "memory_limit=64MB"]}),
    ]
    millions = [("million", f"{most:,} {title}", work) for title, work in million]
    for name, title, work in millions:
        yield name, title, work | {"rate": LINK}
    first = "SELECT 1 AS one; " + narrow
    gauges = {"first row after": to_first_row}
    yield "first", f"first row of a vault of {many:,}, 150 ms a page of 1,000", {
        "estate": vault, "sql": first, "latency": 150, "page_size": 1000, "gauges": gauges}
    limit = narrow + " LIMIT 10"
    yield "limit", f"`LIMIT 10` of a vault of {many:,}", {"estate": vault, "sql": limit, "limit": True}
    # The same where bytes arrive at the pace of memory, and not at that of a quick network: what they cost in the end.
    for _, title, work in vaults + millions:
        yield "loopback", f"{title}, loopback", work
    yield "throttle", "ARM's buckets: one subscription", "1,450,450" if quick else "1,1500,1500"


def main():
    parser = argparse.ArgumentParser()
    for name in ("restable", "floor", "build"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--only")
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 5)
    bench = Bench(options)
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) / 1048576
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB; {options.build}; load {os.getloadavg()[0]:.1f}; median of {options.runs}; "
          f"the page server delivers {bench.probed / 1e6:,.0f} MB/s", flush=True)
    head = ["work", "rows", "calls", "wall s", "floor s", "ratio", "CPU s", "floor CPU s", "CPU beyond floor", "rows/s", "peak MB", ""]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    for name, title, work in works(options.quick):
        if options.only and name not in options.only.split(","):
            continue
        try:
            if work is None:
                row = bench.cold()
            elif isinstance(work, str):
                row = bench.throttled(work)
            else:
                row = bench.work(work)
        except Invalid as problem:
            print(f"| {title} | invalid: {problem} |", flush=True)
            continue
        beyond = ""
        if row["floor_cpu"] is not None:
            beyond = f"{(row['cpu'] - row['floor_cpu']) / max(1, row['read']) * 1e6:.1f} µs/row"
        cells = [title, f"{row['rows']:,}", f"{row['calls']:,}", f"{row['wall']:.3f}"]
        cells += ["" if row["floor"] is None else f"{row['floor']:.3f}"]
        cells += ["" if not row["floor"] else f"{row['wall'] / row['floor']:.2f}"]
        cells += [f"{row['cpu']:.2f}", "" if row["floor_cpu"] is None else f"{row['floor_cpu']:.2f}", beyond]
        cells += [f"{row['rows'] / row['wall']:,.0f}", f"{row['peak'] / 1e6:.0f}", row.get("note", "")]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
