"""The process that reads files: it imports the readers once, then forks for each file, so that a file starts from a
clean state, has limits of its own and takes nothing with it when it dies.
"""

import gc
import os
import selectors
import signal
import time
from typing import NamedTuple

import msgspec

from services.retrieval import wordllama
from services.retrieval.children.parent import Parent
from services.retrieval.readers import work
from services.retrieval.readers.calls import Read

# Time on the clock for each second of CPU time: the machine has other things to do.
_PATIENCE = 3

_decode = msgspec.msgpack.Decoder(Read).decode


class Job(NamedTuple):
    id: int
    process: int
    deadline: float


def main() -> None:
    parent = Parent()
    wordllama.tokenizer()
    gc.freeze()
    with selectors.DefaultSelector() as selector:
        selector.register(parent.socket, selectors.EVENT_READ)
        while _step(parent, selector):
            pass


def _step(parent: Parent, selector: selectors.BaseSelector) -> bool:
    """Whether the parent is still there. Otherwise the work is ended as well, by its tie to this process."""
    for key, _ in selector.select(timeout=1):
        if key.data is not None:
            _end(parent, selector, key)
        elif (question := parent.next()) is None:
            return False
        else:
            _begin(selector, question.id, _decode(question.body))
    for key in selector.get_map().values():
        if key.data is not None and time.monotonic() > key.data.deadline:
            os.kill(key.data.process, signal.SIGKILL)
    return True


def _begin(selector: selectors.BaseSelector, id: int, question: Read) -> None:
    process = os.fork()
    if process == 0:
        os._exit(work.run(question))
    job = Job(id, process, time.monotonic() + question.seconds * _PATIENCE)
    selector.register(os.pidfd_open(process), selectors.EVENT_READ, job)


def _end(parent: Parent, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Answers with the exit code, negative for the signal that ended the work."""
    selector.unregister(key.fileobj)
    os.close(key.fd)
    _, status = os.waitpid(key.data.process, 0)
    parent.answer(key.data.id, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
