"""Between LLMStack's JSON and the engine's contracts, both ways: pure functions, one module per noun.

They raise nothing but Fault: INVALID and NOT_FOUND, with the field that is wrong.
"""

from services.gateway.dialects.llmstack.translate import apps, datasources, entries, lines, runs

__all__ = ["apps", "datasources", "entries", "lines", "runs"]
