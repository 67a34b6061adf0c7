"""Brings a Python SDK to this test's gateway: its fixed ports are led to others, and its own code stays as it is.

SDK_PORTS is `4000:51234,8787:51234`. Python imports this module by its name, from PYTHONPATH, before anything else.
"""

import os
import socket

_PORTS = {int(a): int(b) for a, b in (pair.split(":") for pair in os.environ["SDK_PORTS"].split(","))}
_connect = socket.socket.connect


def connect(self, address):
    if self.family != socket.AF_UNIX and address[1] in _PORTS:
        address = (address[0], _PORTS[address[1]], *address[2:])
    return _connect(self, address)


socket.socket.connect = connect
