"""Tools: kept in `registry`, made ready in `ready`, called in `toolbox`; one module for each kind of them.

The rule: whatever a tool does wrong is a result that the model is told; the run goes on.
"""
