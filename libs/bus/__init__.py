"""The bus: call, serve, publish, follow, state and hear. The only importer of nats."""

from libs.bus.bus import Bus

__all__ = ["Bus"]
