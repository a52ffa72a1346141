"""A board as it stands 24 simulated minutes into the demo, made of what the real pipeline wrote."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from streams.view.board import Board
from streams.wire import Head, Names, SinkBatch
from tests.support.demo_log import batches_of


def head_after(batch: SinkBatch) -> Head:
    """A miner's head once a batch is written."""
    entries = batch.entries
    return Head(
        generation=batch.generation,
        epoch=batch.epoch,
        offset=batch.to_offset,
        raw_hash=batch.raw_hash,
        seq=batch.seq_before + len(entries),
        chain=entries[-1].chain if entries else batch.chain_before,
        oldest_seq=1,
        log_time_us=batch.log_time_us,
        model_version=batch.model_version,
        degraded=tuple(batch.degraded),
    )


@pytest.fixture
def make_board() -> Callable[[Names], Board]:
    """Makes the board under any run's names, read at second 10 of the reader's clock."""

    def make(names: Names) -> Board:
        board = Board(names)
        board.sample(5.0)
        for batch in batches_of(1, 0.4):
            for entry in batch.entries:
                board.put_entry(orjson.loads(entry.json))
            for site, fields in batch.sites.items():
                board.put_site(batch.miner, site, orjson.loads(fields["json"]))
            board.put_head(batch.miner, head_after(batch), 10.0)
        board.sample(10.0)
        return board

    return make


@pytest.fixture
def board(make_board: Callable[[Names], Board]) -> Board:
    """The board of the demo."""
    return make_board(Names("demo", "main"))
