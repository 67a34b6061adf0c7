"""`make smoke`: the engine as a new user meets it: `make up`, the three printed commands, Ctrl-C, and again.

Owner: deploy. It uses a data folder and a port of its own and ends with what it saw, or with what went wrong.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local import ports
from deploy.local.children import ROOT, end_with_parent
from deploy.local.demo import PHRASE

_READY_SECONDS = 150.0
_STOP_SECONDS = 60.0


class Failure(Exception):
    """What was seen in place of what should be."""


@contextmanager
def up(folder: Path, port: int) -> Iterator[str]:
    """What `make up` printed until it was ready; stopped with Ctrl-C at the end."""
    ready, printed = folder / "ready.json", folder / "printed"
    arguments = f"--port {port} --data {folder / 'data'} --ready-file {ready}"
    with printed.open("w") as output:
        # A process group of its own, as a terminal gives it: Ctrl-C goes to all of it.
        process = subprocess.Popen(  # noqa: S603 — the make of whoever runs this
            ["make", "up", f"ARGS={arguments}"],  # noqa: S607
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(signal.SIGTERM),
        )
    try:
        _await(ready, process, printed)
        yield printed.read_text()
    finally:
        _interrupt(process)


def _await(ready: Path, process: subprocess.Popen[bytes], printed: Path) -> None:
    began = time.monotonic()
    while not ready.exists():
        if process.poll() is not None or time.monotonic() - began > _READY_SECONDS:
            raise Failure(f"make up was not ready after {time.monotonic() - began:.0f} s:\n{printed.read_text()}")
        time.sleep(0.1)
    print(f"ready after {time.monotonic() - began:.1f} s", flush=True)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_STOP_SECONDS)


def commands(printed: str) -> list[str]:
    """The curl commands as a person would mark and paste them, continued lines included."""
    return re.findall(r"^curl (?:.*\\\n)*.*$", printed, flags=re.MULTILINE)


def paste(command: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 — a command that this engine printed
        ["bash", "-c", command],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=120,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failure(f"{command}\nanswered with status {done.returncode}: {done.stdout}{done.stderr}") from None


def expect(held: bool, what: str, seen: object) -> None:
    if not held:
        raise Failure(f"Not so: {what}. Seen: {seen}")
    print(f"ok: {what}", flush=True)


def walk(folder: Path, port: int) -> None:
    with up(folder, port) as printed:
        found = commands(printed)
        expect(len(found) == 3, "three commands are printed", found)
        ask, grounded, rate = found
        expect(bool(paste(ask)["msg"]), "the model answers", None)
        answer = paste(grounded)
        expect(PHRASE in answer["msg"], f"the answer quotes the document: {PHRASE!r}", answer)
        rated = paste(rate)
        expect(rated.get("data_guid") == answer["data_guid"], "the answer is rated", rated)
    with up(folder, port) as again:
        expect(commands(again) == found, "after a second start the same commands are printed", again)
        expect(PHRASE in paste(grounded)["msg"], "and they still work", None)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="polyvox-smoke-") as folder:
        try:
            walk(Path(folder), ports.free(1)[0])
        except Failure as failure:
            sys.exit(str(failure))
    print("smoke: ok", flush=True)


if __name__ == "__main__":
    main()
