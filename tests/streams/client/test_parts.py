"""The pure halves of the client: bounds of a clock, merging, positions, recorded feeds; and what it does not import."""

from __future__ import annotations

import gzip
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.signals import Signal
from streams.client import Position, Switch, read_recorded
from streams.client.clock import Readings, RedisClock
from streams.client.merge import Merge
from streams.client.signals import Signals
from streams.errors import DivergedError, WorldError
from streams.stream import Stream
from tests.support.publisher import switch

ROOT = Path(__file__).resolve().parents[3]


class Clocks:
    """Two clocks that a test sets."""

    def __init__(self) -> None:
        self.running_s, self.wall_s = 100.0, 1_000.0

    def read(self) -> Readings:
        return Readings(self.running_s, self.wall_s)

    def go(self, running_s: float, wall_s: float | None = None) -> None:
        self.running_s += running_s
        self.wall_s += running_s if wall_s is None else wall_s


def learned(round_trip_s: float, max_skew_s: float = 0.5) -> tuple[RedisClock, Clocks]:
    """A clock that was told 10 s after a round trip."""
    clocks = Clocks()
    clock = RedisClock(max_skew_s, clocks.read)
    asked = clocks.read()
    clocks.go(round_trip_s)
    clock.learn(10_000_000, asked)
    return clock, clocks


@given(
    round_trip_s=st.floats(0, 0.4),
    answered_after=st.floats(0, 1),
    later_s=st.floats(0, 30),
    rate=st.floats(-400e-6, 400e-6),
)
@pytest.mark.guarantee("G6")
def test_the_true_time_lies_between_the_bounds(
    round_trip_s: float, answered_after: float, later_s: float, rate: float
) -> None:
    clock, clocks = learned(round_trip_s)
    clocks.go(later_s * (1 + rate))
    bounds = clock.bounds_us()
    assert bounds is not None
    truth_us = 10_000_000 + ((1 - answered_after) * round_trip_s + later_s) * 1e6
    assert bounds[0] - 1 <= truth_us <= bounds[1] + 1


@pytest.mark.parametrize(
    ("round_trip_s", "running_s", "wall_s"),
    [(0.6, 0.0, 0.0), (0.1, 1.0, 2.0), (0.1, 1.0, -5.0), (0.1, 90.0, 90.0)],
    ids=["slow answer", "wall clock set ahead, or asleep", "wall clock set back", "long ago"],
)
@pytest.mark.guarantee("G6")
def test_the_time_is_unknown_where_it_cannot_be_bounded(round_trip_s: float, running_s: float, wall_s: float) -> None:
    clock, clocks = learned(round_trip_s)
    clocks.go(running_s, wall_s)
    assert clock.bounds_us() is None
    assert RedisClock().bounds_us() is None


streams_of_two = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40)


@given(streams_of_two)
def test_any_order_of_arrival_merges_into_the_order_of_the_log(steps: list[tuple[str, int]]) -> None:
    merge: Merge[tuple[int, str]] = Merge("abc", wait_s=float("inf"))
    offset, told, wanted = 0, [], []
    for miner, ahead in steps:
        offset += ahead
        wanted.append((offset, miner))
        merge.add(miner, offset, (offset, miner), 0.0)
        merge.read_up_to(miner, offset - 1)
        told += drained(merge)
    for miner in "abc":
        merge.read_up_to(miner, offset)
    told += drained(merge)
    assert told == sorted(wanted)
    assert all(before <= after for before, after in pairwise(told))


def drained(merge: Merge[tuple[int, str]]) -> list[tuple[int, str]]:
    """What goes out now."""
    found = []
    while (peeked := merge.peek(0.0)) is not None:
        merge.pop(peeked[0])
        found.append(peeked[1])
    return found


@pytest.mark.parametrize("document", [{}, {"generation": 1, "seq": "2", "chain": "c"}, {"generation": 1, "seq": 2}])
def test_a_saved_position_that_is_none_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a position has generation, seq and chain"):
        Position.from_json(document)


def test_a_client_that_was_told_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="neither url nor connect"):
        Signals()


def test_the_client_needs_no_broker_no_frame_and_no_compiler() -> None:
    heavy = "'aiokafka', 'faust', 'mode', 'numba', 'numpy', 'pydantic', 'aiohttp', 'rich', 'typer', 'tenacity'"
    code = f"import sys, streams.client; print([each for each in ({heavy}) if each in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def lines(count: int, generation: int = 1) -> list[bytes]:
    """A miner's entries as they were published."""
    stream = Stream("live", "mara", generation, 1, "m1", 0)
    for number in range(1, count + 1):
        content = orjson.loads(orjson.dumps(switch("mara", number, number, number)))
        stream.add([Signal(number, content)], number, str)
    return [entry.json for entry in stream.entries]


def test_a_recorded_feed_is_read_back_verified_and_remarks_are_passed_over(tmp_path: Path) -> None:
    plain, packed = tmp_path / "feed.jsonl", tmp_path / "feed.jsonl.gz"
    first, second = lines(3), lines(2, generation=2)
    content = b"\n".join([*first, b'{"kind":"reset","miner":"mara","text":"t","generation":2}', *second, b""])
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for path in (plain, packed):
        found = list(read_recorded(path))
        assert [each.json for each in found] == [*first, *second]
        assert all(isinstance(each, Switch) and not each.expired for each in found)
        assert found[0].position.generation == 1
        assert found[-1].position.seq == 2


@pytest.mark.parametrize(
    ("spoilt", "error", "said"),
    [
        (lambda found: [found[0], found[2]], WorldError, "feed.jsonl:2: after entry 1 of mara comes entry 3"),
        (lambda found: [found[0].replace(b"10.0", b"11.0"), found[1]], DivergedError, "entry 2 of mara does not carry"),
        (lambda found: [found[0], found[1][:50]], WorldError, "feed.jsonl:2: no JSON .* the recording was cut there"),
        (lambda _: [b'{"seq":1}'], WorldError, "feed.jsonl:1: this is no numbered signal"),
    ],
    ids=["hole", "changed", "cut", "foreign"],
)
def test_a_recorded_feed_that_is_not_whole_is_refused(
    tmp_path: Path, spoilt: object, error: type[Exception], said: str
) -> None:
    assert callable(spoilt)
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"\n".join(spoilt(lines(3))))
    with pytest.raises(error, match=said):
        list(read_recorded(path))
    with pytest.raises(WorldError, match="name a recorded feed"):
        list(read_recorded(tmp_path / "absent.jsonl"))
