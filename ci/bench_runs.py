"""Programs run and timed, for the benches that compare whole commands."""

import os
import pathlib
import subprocess
import sys
import time

PROGRAM = os.environ.get("IMGFORGE", str(pathlib.Path(__file__).resolve().parents[1] / "build" / "imgforge"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def run(env, *words):
    """Seconds, peak megabytes and processor seconds of one program; its output goes nowhere."""
    start = time.monotonic()
    process = subprocess.Popen([str(word) for word in words], env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{words} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def best(env, label, *words):
    """The shortest of ROUNDS runs, printed."""
    rows = [run(env, *words) for _ in range(ROUNDS)]
    seconds, cpu = min(row[0] for row in rows), min(row[2] for row in rows)
    print(f"{label:<44} {seconds:8.3f} s   {cpu:7.3f} s CPU   {max(row[1] for row in rows):6.1f} MB peak", flush=True)
    return seconds
