"""Bringing a pipeline to its checkpoints: engines and streams go on from where each was, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from models.carry import log_time_of
from models.engine import Engine, day_of
from streams.checkpoint import Checkpoint
from streams.fleetfile import decode_miner
from streams.parse import read_config
from streams.pipeline import Pipeline
from streams.stream import Stream
from streams.wire import MARKET


def resume(pipeline: Pipeline, checkpoints: Sequence[Checkpoint]) -> None:
    """Take over checkpoints, the market's among them, into a pipeline that has processed nothing.

    The pipeline then stands at the market's offset, under its epoch; miners beyond it pass over what they have applied.
    Checkpoints of other code must lie right before an epoch of the pipeline's code; whoever calls makes sure of that.

    Raises:
        ValueError: the market's is missing, or lies beyond a miner's: a miner born between would start from a future.
    """
    ordered = sorted(checkpoints, key=lambda each: (each.offset, each.miner != MARKET), reverse=True)
    if not ordered or ordered[-1].miner != MARKET:
        raise ValueError("the market's checkpoint must be there and lie at or before every miner's")
    for checkpoint in ordered:
        config = read_config(orjson.loads(checkpoint.config))
        pipeline.offset, pipeline.epoch, pipeline.config = checkpoint.offset, checkpoint.epoch, config
        pipeline.passed[checkpoint.miner] = checkpoint.offset
        engine = Engine(pipeline.names, config)
        miner = decode_miner(checkpoint.miner_json) if checkpoint.miner_json else None
        engine.adopt(miner, config, day_of(log_time_of(checkpoint.state)))
        engine.restore(checkpoint.state)
        if checkpoint.miner == MARKET:
            pipeline.market = engine
            continue
        stream = Stream.resumed(pipeline.mode.origin, checkpoint)
        stream.model_version = pipeline.mode.code_hash
        pipeline.engines[checkpoint.miner], pipeline.streams[checkpoint.miner] = engine, stream
