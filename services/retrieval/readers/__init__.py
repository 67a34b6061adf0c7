"""Readers: a file's text. Each format has a module with one function from a path to parts of text.

They run in a child process alone, where a file that hangs, bursts or breaks its parser takes nothing else with it.
"""


class Unreadable(Exception):
    """Says to a person why a file can't be read, and what to do."""
