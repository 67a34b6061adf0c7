"""Retrieval in Postgres: a module per noun, a function per statement.

Rows are locked in one order, so that nobody waits in a circle: documents, then jobs, then contexts.
"""
