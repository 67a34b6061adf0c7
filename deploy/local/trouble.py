"""Trouble: what keeps the engine from starting and what the person can do about it, in one line.

Owner: deploy.local.
"""


class Trouble(Exception):
    """The launcher prints its message and ends with status 1."""
