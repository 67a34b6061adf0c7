"""Wiring: what of the runner is put together how, a module for each of its nouns.

Each `wire` constructs what its noun is made of, and names what the service serves, does in the background and ends at
its stop for it. What is named first is ended last.
"""
