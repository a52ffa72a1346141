"""Recorded and documented frames, sent through a real websocket to the feeds: kept to the byte, counted by outcome.

The recordings are of other pairs, so their prices are ignored; named as ours, the same frames show that each field was
read, for only the range of a bitcoin price refuses them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web

from models.records import BtcPrice
from streams.errors import FeedError
from streams.feeds.contract import chosen
from streams.feeds.sources import SOURCES
from streams.feeds.venue import VenueOptions
from streams.wire import RawRecord
from tests.support.appended import fails
from tests.support.faulty_server import serving
from tests.support.recorded_files import DOCUMENTED, MESSAGES, RECORDINGS, RENAMED, SAMPLES
from tests.support.sources_register import CASES

LATER_US = 1_796_083_200_000_000  # 2026-12-01, after every documented sample
RECEIVED = re.compile(rb"^(\d+\.\d+): (.*)$", re.MULTILINE)
Frames = Sequence[tuple[int, bytes]]


@pytest.fixture(scope="module")
def wire(history_dir: Path) -> Path:
    """The folder of recorded frames."""
    folder = history_dir / "wire"
    if not folder.is_dir():
        pytest.skip(f"recordings of the wire: {folder} is not there; CHANGEOVER_DATA names the folder of recorded data")
    return folder


def recording(path: Path) -> Frames:
    """Time [us UTC] and bytes of each frame that was received."""
    return [(int(float(moment) * 1e6), frame) for moment, frame in RECEIVED.findall(path.read_bytes()) if frame.strip()]


def samples(folder: Path, venue: str) -> Frames:
    """The documented samples of a venue, each as one frame, in the order of their names."""
    return [(LATER_US, path.read_bytes()) for path in sorted(folder.glob(f"{venue}_*.json"))]


def messages(path: Path, venue: str) -> Frames:
    """The documented messages that a venue sends."""
    start = b'{"venue":"%b","dir":"in","msg":' % venue.encode()
    return [(LATER_US, line[len(start) : -1]) for line in path.read_bytes().splitlines() if line.startswith(start)]


async def heard(name: str, frames: Frames) -> list[RawRecord]:
    """What the feed of a venue appends when it is sent these frames, each with the time it was received at."""
    case = next(case for case in CASES if case.source == name)
    source = next(source for source in SOURCES if source.name == name)

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_str()
        for _, frame in frames:
            await socket.send_str(frame.decode())
        await socket.close()
        return socket

    async with serving(handler) as url:
        options = chosen(case.options(url), VenueOptions)
        out, fault = await fails(source.build(options, {}))
    assert isinstance(fault, FeedError)
    assert out.payloads == [frame for _, frame in frames[: len(out.records)]]
    return [
        RawRecord(record.feed, moment, "", 0, record.payload, note=record.note)
        for (moment, _), record in zip(frames, out.records, strict=False)
    ]


def outcomes(records: Sequence[RawRecord]) -> Counter[str]:
    """How many frames gave a price, nothing, or a refusal (by its first words, figures as #)."""
    found: Counter[str] = Counter()
    parsers = {name: parser for source in SOURCES for name, parser in source.parsers.items()}
    for record in records:
        try:
            parsed = parsers[record.feed](record)
        except (FeedError, ValueError) as fault:
            found["refused: " + " ".join(re.sub(r"[0-9.]+(e-[0-9]+)?", "#", str(fault)).split()[:2])] += 1
            continue
        found["parsed" if parsed.records else "refused: " + parsed.reason if parsed.faults else "ignored"] += 1
    return found


async def alone(name: str, frames: Frames) -> Counter[str]:
    """The outcomes of frames that are no conversation: each in a connection of its own."""
    found: Counter[str] = Counter()
    for frame in frames:
        found += outcomes(await heard(name, [frame]))
    return found


@pytest.mark.parametrize("file", RECORDINGS)
async def test_every_frame_of_a_recording_is_kept_and_none_of_another_pair_gives_a_price(wire: Path, file: str) -> None:
    name, expected = RECORDINGS[file]
    frames = recording(wire / "cryptofeed" / file)
    records = await heard(name, frames)
    assert len(records) == len(frames)
    assert outcomes(records) == expected


async def test_recorded_tickers_named_as_ours_are_read_and_refused_for_their_price_alone(wire: Path) -> None:
    frames = [
        (moment, re.sub(rb'"product_id":"[A-Z]+-[A-Z]+"', b'"product_id":"BTC-USD"', frame))
        for moment, frame in recording(wire / "cryptofeed" / "COINBASE.ws.28.0")
    ]
    records = await heard("coinbase-exchange", frames)
    assert outcomes(records) == RENAMED


@pytest.mark.parametrize("venue", SAMPLES)
async def test_every_documented_sample_has_its_outcome(wire: Path, venue: str) -> None:
    frames = samples(wire / "nautilus", venue)
    assert await alone(venue, frames) == SAMPLES[venue]


@pytest.mark.parametrize("venue", MESSAGES)
async def test_every_documented_message_has_its_outcome(wire: Path, venue: str) -> None:
    frames = messages(wire / "btc-docs" / "messages.jsonl", venue)
    assert await alone(DOCUMENTED[venue], frames) == MESSAGES[venue]


async def test_a_documented_ticker_gives_its_price_at_its_time(wire: Path) -> None:
    (record,) = await heard("kraken", [(LATER_US, (wire / "nautilus" / "kraken_ws_ticker_snapshot.json").read_bytes())])
    source = next(source for source in SOURCES if source.name == "kraken")
    (found,) = source.parsers["kraken"](record).records
    assert isinstance(found, BtcPrice)
    assert (found.series, found.usd_per_btc) == ("btc:usd@kraken", 105_899.4)
    assert found.event_time_us == 1_671_960_659_123_456
    assert record.note == "connection=1 first"
