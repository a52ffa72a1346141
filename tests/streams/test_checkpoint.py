"""Checkpoints on the wire: whole again after the way there and back, and clear about what is wrong with one."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fleet import Miner
from streams.checkpoint import CHECKPOINT_SCHEMA, Checkpoint
from streams.errors import WorldError
from streams.resume import resume
from streams.wire import MARKET
from tests.support.fleets import T0, btc, miner, network, pool, power, rate, site, tier
from tests.support.logs import CODE, Log, pipeline

ANY = Checkpoint(
    miner="acme",
    offset=41,
    raw_hash="a" * 32,
    generation=2,
    epoch=3,
    code_hash=CODE,
    seq=17,
    chain="b" * 32,
    config=b'{"policy":"band"}',
    miner_json=b'{"key":"acme"}',
    state=b"\x00\n{}\n\xff",
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(texts, st.integers(0, 2**62), st.integers(0, 2**31), texts, st.binary(max_size=100))
def test_a_checkpoint_is_whole_again_whatever_bytes_its_state_has(
    name: str, offset: int, seq: int, config: str, state: bytes
) -> None:
    one = replace(ANY, miner=name, offset=offset, seq=seq, config=config.encode(), state=state)
    assert Checkpoint.decode(one.encode()) == one


HEADER, _, STATE = ANY.encode().partition(b"\n")
DAMAGED = {
    "empty": b"",
    "no JSON": b"state\n",
    "cut": HEADER[:30],
    "a list": b"[]\n",
    "null": b"null\n",
    "no schema": b"{}\n",
    "a field less": HEADER.replace(b'"seq"', b'"sequel"') + b"\n" + STATE,
    "a field without text": HEADER.replace(b'"config":"', b'"config":7,"other":"') + b"\n" + STATE,
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_checkpoint_is_refused_and_says_what_to_do(how: str) -> None:
    with pytest.raises(WorldError, match=r"is damaged "):
        Checkpoint.decode(DAMAGED[how])


def test_a_checkpoint_of_another_schema_is_named_so_whatever_fields_it_has() -> None:
    other = orjson.dumps({"schema": CHECKPOINT_SCHEMA + 1, "news": 1}) + b"\nstate"
    with pytest.raises(WorldError, match="schema"):
        Checkpoint.decode(other)


def fleet() -> Miner:
    return miner(site(tier(), pool(), mw_cap=1.5))


def checkpoints() -> dict[str, Checkpoint]:
    """Checkpoints of a market and a miner at the mark of one tick."""
    log, run = Log(), pipeline()
    log.epoch(checkpoint_every_s=60)
    log.tick()
    log.fleet(fleet())
    log.observe(btc(65_000.0), network(), power(20.0), rate(2.0))
    log.tick(T0 + 60_000_000)
    return {each.miner: each for each in run.process(log.records).checkpoints}


def test_a_checkpoint_says_where_it_stands() -> None:
    found = checkpoints()
    assert set(found) == {MARKET, "acme"}
    assert {each.offset for each in found.values()} == {4}
    assert (found["acme"].epoch, found["acme"].generation, found["acme"].code_hash) == (1, 1, CODE)
    assert found["acme"].seq == 2, "its birth, and the tier that gave way to the pool"
    assert (found[MARKET].seq, found[MARKET].miner_json) == (0, b"")


def test_a_pipeline_resumed_gives_the_same_checkpoints_again() -> None:
    found = checkpoints()
    run = pipeline()
    resume(run, list(found.values()))
    again = {name: run.checkpoint(name, 4, found[name].raw_hash) for name in found}
    assert again == found
    assert {name: each.encode() for name, each in again.items()} == {
        name: each.encode() for name, each in found.items()
    }


def test_a_pipeline_is_resumed_only_with_its_market_behind_every_miner() -> None:
    found = checkpoints()
    with pytest.raises(ValueError, match="the market's checkpoint must be there"):
        resume(pipeline(), [found["acme"]])
    with pytest.raises(ValueError, match="the market's checkpoint must be there"):
        resume(pipeline(), [replace(found["acme"], offset=3), found[MARKET]])
    with pytest.raises(ValueError, match="the market's checkpoint must be there"):
        resume(pipeline(), [])
