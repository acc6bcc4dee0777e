"""Starts emulators and servers for the tests, and stops them."""

import json
import re
import subprocess
import urllib.request


class Served:
    """A running server, and the emulator behind it."""

    def __init__(self, postgres, flight, emulator):
        self.postgres, self.flight, self.emulator = postgres, flight, emulator

    def journal(self):
        with urllib.request.urlopen(f"{self.emulator}/_emulator/journal") as response:
            return json.load(response)

    def calls(self):
        """How many requests the emulator saw."""
        return len(self.journal())


def started(command, patterns):
    """A child process, and what it said that fits each pattern."""
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    said = []
    for pattern in patterns:
        for line in child.stdout:
            found = re.search(pattern, line)
            if found:
                said.append(found[0])
                break
        else:
            raise RuntimeError(f"{command} ended with {child.wait()} and said nothing like {pattern}")
    return child, said


def stop(child):
    child.terminate()
    child.wait()
    child.stdout.close()


def emulate(program, estate):
    command = [program, "emulator", "--listen", "127.0.0.1:0", "--clock", "fast", "--no-auth", "--estate", estate]
    child, (url,) = started(command, [r"http://127\.0\.0\.1:\d+"])
    return child, url


def serve(program, emulator, *flags):
    command = [program, "serve", "--pg", "127.0.0.1:0", "--flight", "127.0.0.1:0", "--endpoint", f"azure={emulator}"]
    patterns = [r"postgresql://127\.0\.0\.1:\d+", r"grpc(\+tls)?://127\.0\.0\.1:\d+"]
    # Tests of drivers read estates that are larger than what dashboards may cause.
    calls = ["--set", "max_calls=0", "--set", "max_calls_per_hour=0"]
    child, (postgres, flight) = started([*command, *calls, *flags], patterns)
    return child, Served(postgres.replace("//", "//tester@") + "/azure", flight, emulator)
