"""Broker and Redis started by one call for a laptop or a test; production brings its own. All on loopback."""

from __future__ import annotations

from streams.embedded.broker import Broker, EmbeddedBroker
from streams.embedded.redis_server import EmbeddedRedis

__all__ = ["Broker", "EmbeddedBroker", "EmbeddedRedis"]
