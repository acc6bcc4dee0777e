"""Measures `restable serve`: rows through Flight SQL and Postgres wire against the engine's own speed, statements a second at
64 connections, memory of 1,000 idle connections. Prints; asserts nothing about speed.

    bash tests/bench --serve
    python tests/bench_serve.py PROGRAM [--rows 100000] [--repeat 3]

Needs a release build of the program to say something. The reader of Flight SQL is ADBC's driver, if it is installed; the
reader of Postgres wire takes the bytes and looks only for the end of the answer, so that it costs next to nothing.
"""

import argparse
import os
import re
import resource
import selectors
import socket
import statistics
import struct
import subprocess
import time

TABLE = "azure.data_protection.backup_instances"
COLUMNS = "*"


def started(command, patterns):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = []
    for pattern in patterns:
        said.append(next(found[0] for found in (re.search(pattern, line) for line in child.stdout) if found))
    return child, said


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class Wire:
    """A connection that speaks the simple protocol and keeps no row."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = b"user\0bench\0database\0restable\0\0"
        self.socket.sendall(struct.pack("!II", len(hello) + 8, 196608) + hello)
        self.wait()

    def wait(self):
        """Takes bytes up to the end of the answer."""
        read, tail = 0, b""
        while True:
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise RuntimeError("the server closed the connection")
            read += len(piece)
            tail = (tail + piece)[-6:] if len(piece) < 6 else piece[-6:]
            # ReadyForQuery: Z, length 5, state.
            if tail[:5] == b"Z\0\0\0\5":
                return read

    def ask(self, sql):
        self.socket.sendall(message(b"Q", sql.encode() + b"\0"))
        return self.wait()


def timed(work, repeat):
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def rows(program, count, repeat):
    emulator, (url,) = started(
        [program, "emulator", "--listen", "127.0.0.1:0", "--no-auth", "--page-size", "1000", "--estate", f"10,100,{count}"],
        [r"http://127\.0\.0\.1:\d+"],
    )
    server, (port, flight) = started(
        [program, "serve", "--pg", "127.0.0.1:0", "--flight", "127.0.0.1:0", "--endpoint", f"azure={url}",
         "--set", "max_calls=0", "--set", "max_calls_per_hour=0"],
        [r"(?<=postgresql://127\.0\.0\.1:)\d+", r"grpc://127\.0\.0\.1:\d+"],
    )
    try:
        sql = f"SELECT {COLUMNS} FROM {TABLE}"
        # The engine by itself: all rows read and made, one number answered. `max` of every column keeps each of them.
        own = f"SELECT count(id), count(name), count(properties), count(type) FROM {TABLE}"
        exec_ = [program, "exec", "--endpoint", f"azure={url}", "-o", "json"]
        start = timed(lambda: subprocess.run([*exec_, "SELECT 1"], check=True, capture_output=True), repeat)
        engine = timed(lambda: subprocess.run([*exec_, own], check=True, capture_output=True), repeat) - start
        print(f"{count} rows, all columns, the provider an emulator on this machine; medians of {repeat}")
        print(f"  engine by itself      {engine:7.2f} s  {count / engine:9.0f} rows/s   100 %")
        arrow = [*exec_[:-1], "arrow", "--outfile", "/dev/null"]
        whole = timed(lambda: subprocess.run([*arrow, sql], check=True, capture_output=True), repeat) - start
        print(f"  engine to Arrow file  {whole:7.2f} s  {count / whole:9.0f} rows/s   {100 * engine / whole:.0f} %")
        try:
            import adbc_driver_flightsql.dbapi as flightsql
        except ImportError:
            print("  Flight SQL            not measured: adbc-driver-flightsql is not installed")
        else:
            def fetch():
                with flightsql.connect(flight, autocommit=True) as connection, connection.cursor() as cursor:
                    cursor.execute(sql)
                    got = sum(batch.num_rows for batch in cursor.fetch_record_batch())
                    assert got == count, got

            taken = timed(fetch, repeat)
            print(f"  Flight SQL            {taken:7.2f} s  {count / taken:9.0f} rows/s   {100 * engine / taken:.0f} %  (goal 60 %)")
        wire = Wire(int(port))
        taken = timed(lambda: wire.ask(sql), repeat)
        print(f"  Postgres wire         {taken:7.2f} s  {count / taken:9.0f} rows/s   {100 * engine / taken:.0f} %  (goal 25 %)")
    finally:
        for child in (server, emulator):
            child.terminate()
            child.wait()


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def connections(program, seconds, clients, idle):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard > 0 else 4096, hard))
    command = [program, "serve", "--pg", "127.0.0.1:0", "--max-connections", "2000", "--emulator=empty"]
    server, (port,) = started(command, [r"(?<=postgresql://127\.0\.0\.1:)\d+"])
    try:
        before = resident(server.pid)
        waiting = [Wire(int(port)) for _ in range(idle)]
        time.sleep(1)
        after = resident(server.pid)
        print(f"{idle} idle connections: {after:.0f} MB in total, {before:.0f} MB without them  (goal below 60 MB in total)")
        for wire in waiting:
            wire.socket.close()
        query = message(b"Q", b"SELECT 1\0")
        selector = selectors.DefaultSelector()
        for _ in range(clients):
            wire = Wire(int(port))
            wire.socket.setblocking(False)
            selector.register(wire.socket, selectors.EVENT_READ)
            wire.socket.send(query)
        done, begun = 0, time.perf_counter()
        while (now := time.perf_counter()) - begun < seconds:
            for key, _ in selector.select(1):
                answer = key.fileobj.recv(4096)
                if answer[-6:-1] == b"Z\0\0\0\5":
                    done += 1
                    key.fileobj.send(query)
        print(f"SELECT 1 at {clients} connections: {done / (now - begun):.0f} a second on {os.cpu_count()} cores  (goal 5000)")
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--idle", type=int, default=1000)
    arguments = parser.parse_args()
    rows(arguments.program, arguments.rows, arguments.repeat)
    connections(arguments.program, arguments.seconds, arguments.clients, arguments.idle)


if __name__ == "__main__":
    main()
