"""The child process that holds the embedded engine: one a folder, answering one question after the other."""

import fcntl
import gc
import logging
import select
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from services.retrieval.children.parent import Parent
from services.retrieval.vectors import payload
from services.retrieval.vectors.calls import Ahead, Call, Count, Ensure, Forget, Search, Upsert
from services.retrieval.vectors.edge import Engine

_FLUSH_AFTER = 2.0
_LOCK_WITHIN = 15.0

_decode = msgspec.msgpack.Decoder(Call).decode


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    parent = Parent()
    folder = Path(parent.arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        _hold(lock.fileno(), folder)
        engine = Engine(folder)
        gc.freeze()
        _serve(parent, engine)
        engine.close()


def _hold(lock: int, folder: Path) -> None:
    """A predecessor that is still ending is waited for."""
    deadline = time.monotonic() + _LOCK_WITHIN
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit(f"{folder} is used by another process: several retrieval processes need a Qdrant server.")
            time.sleep(0.05)


def _serve(parent: Parent, engine: Engine) -> None:
    while True:
        if not select.select([parent.socket], [], [], _FLUSH_AFTER)[0]:
            engine.flush()
        question = parent.next()
        if question is None:
            return
        try:
            parent.answer(question.id, _answer(engine, _decode(question.body)))
        except Exception as error:  # the engine's bindings raise nothing narrower
            parent.fail(question.id, f"{type(error).__name__}: {error}")


def _answer(engine: Engine, call: Call) -> Any:
    match call:
        case Ensure(space):
            return engine.ensure(space)
        case Upsert(space, points):
            return engine.upsert(space, points)
        case Ahead():
            return engine.look_ahead(call)
        case Search(words, vector):
            return engine.search(words, vector)
        case Count(space, where):
            return engine.count(space, where)
        case Forget(workspace_id, context_id, document_ids):
            return engine.forget(payload.within(workspace_id, context_id, document_ids))


if __name__ == "__main__":
    main()
