"""Each source's feed against its own documented server with one fault at a time: what was observed, in a word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streams.errors import FeedError
from streams.feeds.contract import Feed, Options, Source
from streams.feeds.http import Client
from streams.feeds.sources import SOURCES
from streams.wire import RawRecord
from tests.support.appended import Appended
from tests.support.faulty_server import (
    BINARY,
    GARBAGE,
    HTTP_FAULTS,
    SOCKET_FAULTS,
    Handler,
    Switch,
    either,
    faulty_http,
    faulty_socket,
    refusing,
    serving,
)
from tests.support.sources_contract import Case
from tests.support.sources_register import CASES

PATIENCE_S = 30.0
QUIET_S = 0.7
"""A poll that was answered and says nothing for this long [s] goes on."""
LONG_S = 3.0
"""A poll that goes on asking for this long [s] goes on too."""
LOOK_EVERY_S = 0.02
STALL_S = 0.4
ROTATE_S = 0.15
ENOUGH = 3
AT_ONCE = 8
HANDSHAKES = {"handshake 429": 429, "handshake 503": 503}
ROTATION = "rotation"
SOCKET_COLUMNS = (*SOCKET_FAULTS, *HANDSHAKES, ROTATION)
HTTP_COLUMNS = tuple(HTTP_FAULTS)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a feed did under a fault, and whether it delivered prices once the fault was gone."""

    behaviour: str
    recovered: bool


def source_of(case: Case) -> Source:
    """The source that a case describes."""
    return next(source for source in SOURCES if source.name == case.source)


def priced(source: Source, record: RawRecord) -> bool:
    """Whether a record's own parser finds a price in it."""
    try:
        return bool(source.parsers[record.feed](record).records)
    except (FeedError, ValueError):
        return False


def made(source: Source, options: Options, keys: Mapping[str, str]) -> Feed:
    """The source's feed, as ingest would make it, with a short patience for answers."""
    feed = source.build(options, keys)
    for value in vars(feed).values():
        if isinstance(value, Client):
            value._timeout_s = min(value._timeout_s, STALL_S * 5)
    return feed


def ended(running: asyncio.Task[None]) -> str | None:
    """How a run ended, None while it goes on."""
    if not running.done():
        return None
    fault = running.exception()
    if not isinstance(fault, FeedError):
        return f"BUG: {type(fault).__name__}: {fault}"
    after = f" after {fault.retry_after_s:g} s" if fault.retry_after_s is not None else ""
    return f"again{after}" if fault.retriable else "stops"


async def watched(feed: Feed, out: Appended, enough: Callable[[], bool]) -> str | None:
    """Run a feed until it ends or enough was seen; how it ended, None where it did not."""
    running = asyncio.create_task(feed.run(out))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not enough():
                done, _ = await asyncio.wait({running}, timeout=LOOK_EVERY_S)
                if done:
                    break
    except TimeoutError:
        return "BUG: neither ended nor went on"
    finally:
        how = ended(running)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):  # how it ended is kept above
            await running
    return how


async def recovers(source: Source, case: Case, options: Options) -> bool:
    """Whether a new start delivers a price now that the server is well."""
    out = Appended()
    feed = made(source, options, case.keys)
    return await watched(feed, out, lambda: any(priced(source, record) for record in out.records)) is None


def polled(out: Appended) -> list[RawRecord]:
    """What was appended of answers; frames of a websocket beside them say which connection they came by."""
    return [record for record in out.records if not record.note.startswith("connection=")]


async def of_http(case: Case, name: str) -> Observed:
    """One fault of an HTTP server."""
    source, switch, out = source_of(case), Switch(), Appended()
    if case.serve is None:
        raise ValueError(f"{case.source} has no server")
    loop = asyncio.get_running_loop()
    handler = faulty_http(case.serve, HTTP_FAULTS[name], switch)
    if case.serve_socket is not None:
        well = faulty_socket(case.serve_socket, None, lambda _: False, b"", switch)
        handler = either(handler, well)
    async with serving(handler) as url:
        options = case.options(url)
        seen, since, first = -1, 0.0, 0.0

        def quiet() -> bool:
            nonlocal seen, since, first
            if seen != switch.thrown + len(polled(out)):
                seen, since, first = switch.thrown + len(polled(out)), loop.time(), first or loop.time()
            return bool(polled(out)) and (loop.time() - since > QUIET_S or loop.time() - first > LONG_S)

        how = await watched(made(source, options, case.keys), out, quiet)
        switch.on = False
        answers = polled(out)
        kept = "" if not answers else ", kept" if any(priced(source, each) for each in answers) else ", refused"
        return Observed((how or "goes on") + kept, await recovers(source, case, options))


async def of_socket(case: Case, name: str) -> Observed:
    """One fault of a websocket."""
    source, switch, out = source_of(case), Switch(), Appended()
    if case.serve_socket is None:
        raise ValueError(f"{case.source} has no server of websockets")

    def is_data(frame: bytes) -> bool:
        moment_us = case.payloads[0].receipt_time_us
        return any(priced(source, RawRecord(feed, moment_us, "", 0, frame)) for feed in source.parsers)

    error = case.refused[0].body
    handler: Handler = faulty_socket(case.serve_socket, SOCKET_FAULTS.get(name), is_data, error, switch)
    if name in HANDSHAKES:
        handler = refusing(HANDSHAKES[name], handler, switch)
    if case.serve is not None:
        poll_switch = Switch()
        poll_switch.on = False
        handler = either(faulty_http(case.serve, HTTP_FAULTS["500"], poll_switch), handler)
    async with serving(handler) as url:
        options = case.options(url)
        changed = {"silent": {"silent_s": STALL_S}, ROTATION: {"rotate_s": ROTATE_S}}.get(name, {})
        tried = options.model_copy(update=changed)

        def enough() -> bool:
            if name == ROTATION:
                return any(priced(source, each) and "connection=3" in each.note for each in out.records)
            good = sum(priced(source, each) for each in out.records)
            return switch.thrown > 0 and good >= 3 * ENOUGH

        how = await watched(made(source, tried, case.keys), out, enough)
        switch.on = False
        odd = {"garbage": GARBAGE, "binary": BINARY, "error frame": error}.get(name)
        kept = ", refused" if odd is not None and odd in out.payloads else ""
        return Observed((how or "goes on") + kept, await recovers(source, case, options))


async def observe() -> dict[tuple[str, str], Observed]:
    """(source, fault) -> what was observed, of every source and every fault of its kind of server."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def cell(case: Case, name: str) -> tuple[tuple[str, str], Observed]:
        async with at_once:
            look = of_socket if name in SOCKET_COLUMNS else of_http
            return (case.source, name), await look(case, name)

    cells = [cell(case, name) for case in CASES if case.serve_socket for name in SOCKET_COLUMNS]
    cells += [cell(case, name) for case in CASES if case.serve for name in HTTP_COLUMNS]
    return dict(await asyncio.gather(*cells))
