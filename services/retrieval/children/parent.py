"""The parent, as its child sees it: the socket that questions come from. Imports nothing heavy."""

import contextlib
import ctypes
import os
import signal
import socket
import sys

from services.retrieval.children import frames

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL at the parent's death. A parent that is gone already is noticed as well."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Parent:
    """`arguments` are those that the child was started with."""

    def __init__(self) -> None:
        descriptor, parent, *self.arguments = sys.argv[1:]
        die_with(int(parent))
        self.socket = socket.socket(fileno=int(descriptor))

    def next(self) -> frames.Frame | None:
        """The next question, waited for; None once the parent has hung up."""
        # Read without a buffer, so that a selector over the socket sees every question that waits.
        head = self.socket.recv(frames.LENGTH.size, socket.MSG_WAITALL)
        if len(head) < frames.LENGTH.size:
            return None
        return frames.unpack(self.socket.recv(frames.LENGTH.unpack(head)[0], socket.MSG_WAITALL))

    def answer(self, id: int, body: object) -> None:
        self._send(id, frames.answer(id, body))

    def fail(self, id: int, error: str) -> None:
        self._send(id, frames.failure(id, error))

    def _send(self, id: int, frame: bytes) -> None:
        """That the parent has hung up is seen where it is asked for the next question."""
        if id != frames.STATEMENT:
            with contextlib.suppress(BrokenPipeError):
                self.socket.sendall(frame)
