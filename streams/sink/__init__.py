"""Where signals are kept and offsets held: the contract of a sink, one on Redis, one in memory."""

from __future__ import annotations

from streams.sink.contract import Sink
from streams.sink.memory import MemorySink
from streams.sink.redis_checks import check_redis
from streams.sink.redis_sink import RedisSink

__all__ = ["MemorySink", "RedisSink", "Sink", "check_redis"]
