"""Faults: the whole engine as real processes, killed, paused and restarted at seeded moments while a client works.

`make faults RUNS=100 SEED=1` runs many seeds; a short set is part of the ordinary tests.
"""
