"""What is measured of an engine loop, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Sequence

from streams.health import Health
from streams.pipeline import Pipeline, Step
from streams.wire import RawRecord


class EngineMetrics:
    """Counters and gauges of one worker, and the same facts in its health report."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._records = health.counter("records", "Raw records processed.")
        self._observations = health.counter("observations", "Observations applied.")
        self._ticks = health.counter("ticks", "Clock ticks applied.")
        self._signals = health.counter("signals", "Numbered entries made, by miner.", "miner")
        self._rejected = health.counter("rejected", "Raw records sent to topic rejected.")
        self._offset = health.gauge("offset", "Offset of the last raw record processed.")
        self._epoch = health.gauge("epoch", "Epoch in force.")
        self._miners = health.gauge("miners", "Miners carried.")
        self._log_time = health.gauge("log_time_seconds", "Log time: the last clock tick applied.")
        self.checkpoint_offset = health.gauge("checkpoint_offset", "Offset of the last checkpoint stored.")
        self.replies = health.counter("sink_replies", "What the sink did with batches.", "status")
        self.rewinds = health.counter("rewinds", "Times the loop went back to a checkpoint.")
        self.resent = health.counter("batches_resent", "Batches written again to a Redis that came back older.")
        self.redis_up = health.gauge("redis_up", "Whether Redis answered last (1) or not (0).")
        self.batch_seconds = health.histogram("batch_seconds", "From records read to all of it delivered.")

    def place(self, pipeline: Pipeline) -> None:
        """Note where a pipeline stands."""
        self._offset.set(pipeline.offset)
        self._epoch.set(pipeline.epoch)
        self._miners.set(len(pipeline.miners))
        self._log_time.set(pipeline.market.log_time_us / 1e6)
        self._health.facts.update(
            offset=pipeline.offset,
            epoch=pipeline.epoch,
            miners=pipeline.miners,
            log_time_us=pipeline.market.log_time_us,
        )

    def advanced(self, pipeline: Pipeline, step: Step, raws: Sequence[RawRecord]) -> None:
        """Note a step that was delivered."""
        self._records.inc(len(raws))
        self._observations.inc(step.observations)
        self._ticks.inc(step.ticks)
        self._rejected.inc(len(step.rejected))
        for batch in step.batches:
            if batch.entries:
                self._signals.labels(batch.miner).inc(len(batch.entries))
        self.place(pipeline)
