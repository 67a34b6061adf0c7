"""Providers of language models: one module a protocol, one client for all of them.

A protocol module says how a call is written and how its answer is read; `upstream` connects, waits, retries and
cancels. What a provider says goes into a Fault's message; its key never does.
"""
