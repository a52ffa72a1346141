"""Checkpoints on the wire: a miner's engine state with what is needed to go on numbering from it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from streams.errors import WorldError

CHECKPOINT_SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State of one miner (or of the market alone) after the record at ``offset``.

    ``miner_json`` is the fleet document in force, empty for the market; ``config`` the deciding configuration's JSON.
    ``miners``, of the market's alone: the miners born by then, without whose checkpoints it leads nowhere.
    """

    miner: str
    offset: int
    raw_hash: str
    generation: int
    epoch: int
    code_hash: str
    seq: int
    chain: str
    config: bytes
    miner_json: bytes
    state: bytes
    miners: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """One blob: a header line in JSON, then the state's bytes."""
        header = orjson.dumps(
            {
                "schema": CHECKPOINT_SCHEMA,
                "miner": self.miner,
                "offset": self.offset,
                "raw_hash": self.raw_hash,
                "generation": self.generation,
                "epoch": self.epoch,
                "code_hash": self.code_hash,
                "seq": self.seq,
                "chain": self.chain,
                "config": self.config.decode(),
                "miner_json": self.miner_json.decode(),
                "miners": self.miners,
            }
        )
        return header + b"\n" + self.state

    @classmethod
    def decode(cls, blob: bytes) -> Checkpoint:
        """Read a blob back; WorldError where it is not a checkpoint of this schema."""
        line, _, state = blob.partition(b"\n")
        try:
            header = orjson.loads(line)
            if header.pop("schema") != CHECKPOINT_SCHEMA:
                raise WorldError(f"a checkpoint is not of schema {CHECKPOINT_SCHEMA}, the one read here")
            config, miner_json = header.pop("config").encode(), header.pop("miner_json").encode()
            miners = tuple(header.pop("miners"))
            found = cls(config=config, miner_json=miner_json, state=state, miners=miners, **header)
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise WorldError(f"a checkpoint of {len(blob)} bytes is damaged ({fault})") from fault
        return found
