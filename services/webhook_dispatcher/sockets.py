"""Sockets: as many as attempts may be open, where the system lets a process have them.

An attempt that hangs costs little else, and many systems give a process a thousand unless it asks for more.
"""

import resource

# What else a process has open: the database, the bus, its listeners and files.
_OTHERS = 200


def allow(most: int) -> int:
    """How many attempts may be open, of so many that are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return most
    given = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (given, hard))
    return given - _OTHERS
