"""A person at a terminal: runs a program on a pseudo-terminal, waits for texts on its screen and types answers.

    python3 terminal.py < {"argv": [...], "env": {...}, "cwd": "...", "steps": [["text to wait for", "keys to type"], ...]}

Prints {"code": n, "screen": "..."}; the screen is everything that was written to it, control sequences included.
"""

import errno
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios

# A program that says nothing for so long hangs, and the test with it.
PATIENCE = 120


def main():
    order = json.load(sys.stdin)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(order["cwd"])
        os.execve(order["argv"][0], order["argv"], order["env"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    screen, seen, steps = b"", 0, list(order["steps"])
    while True:
        while steps:
            text, keys = steps[0]
            at = screen.find(text.encode(), seen)
            if at < 0:
                break
            seen = at + len(text.encode())
            os.write(terminal, keys.encode())
            steps.pop(0)
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        if not ready:
            sys.exit(f"nothing for {PATIENCE} s, {len(steps)} steps to go; the screen:\n{screen.decode(errors='replace')}")
        try:
            part = os.read(terminal, 65536)
        except OSError as error:
            # How Linux tells that the other side is closed.
            if error.errno != errno.EIO:
                raise
            part = b""
        if not part:
            break
        screen += part
    _, status = os.waitpid(pid, 0)
    if steps:
        sys.exit(f"ended with {len(steps)} steps to go; the screen:\n{screen.decode(errors='replace')}")
    json.dump({"code": os.waitstatus_to_exitcode(status), "screen": screen.decode()}, sys.stdout)


main()
