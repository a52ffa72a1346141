"""A bitcoin node of one's own: the network's state over JSON-RPC, with nobody's word between.

One poll asks ``getmininginfo`` and, in one batch, ``getblockstats`` of each of the last 144 heights; later polls ask
only for heights not yet answered and again for the newest few, which a reorganisation may have replaced. What is
appended holds every answer it rests on, as received: the state is read from that record alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import orjson
from pydantic import Field

from models.records import MINUTE_US, Network
from streams.errors import FeedError
from streams.feeds.bitcoin_rules import SATOSHI_PER_BTC, require_difficulty, subsidy_satoshi
from streams.feeds.contract import Appender, Feed, Options, Parsed, Source
from streams.feeds.http import Client, Request, joined, parts_of
from streams.feeds.reading import each, integer, json_of, number, obj, rows, text
from streams.feeds.together import require_read
from streams.now import now_us
from streams.wire import RawRecord

FEED = "bitcoind"
SERIES = "network:btc"
FEE_BLOCKS = 144
ASKED_AGAIN = 3  # newest heights: reorganisations of one block are common, deeper ones have been rare for years
MOST_BATCHES = 24  # a record rests on this many at most: then all heights are asked anew, in one
STILL_S = 600.0  # the longest time without a record where the tip does not move
DUE_US = 20 * MINUTE_US  # two of those
STATS = ["height", "subsidy", "totalfee"]
WARMING_UP = -28  # RPC_IN_WARMUP of Bitcoin Core, src/rpc/protocol.h
TIP, FEES = "getmininginfo", "getblockstats"


def result_of(value: object, what: str) -> object:
    """The result of one JSON-RPC answer. FeedError says what the node said instead."""
    found = obj(value, what)
    error = found.get("error")
    if error is not None:
        said = obj(error, f"error of {what}")
        code = integer(said, "code")
        raise FeedError(
            f"{what}: the node says {str(said.get('message'))[:200]!r} ({code})", retriable=code == WARMING_UP
        )
    if "result" not in found:
        raise FeedError(f"{what} has no result")
    return found["result"]


def read_tip(value: object) -> tuple[int, float]:
    """Height and difficulty of the newest block, from ``getmininginfo``. ``bits`` is told since version 29."""
    found = obj(result_of(value, TIP), TIP)
    if text(found, "chain") != "main":
        raise FeedError(f"the node is on chain {text(found, 'chain')!r}, not on main")
    difficulty = number(found, "difficulty")
    if "bits" in found:
        bits = text(found, "bits")
        try:
            require_difficulty(difficulty, int(bits, 16))
        except ValueError:
            raise FeedError(f"bits {bits!r} of {TIP} is not hexadecimal") from None
    return integer(found, "blocks"), difficulty


def read_fees(value: object) -> tuple[int, int]:
    """Height and total fees [satoshi] of one block, from ``getblockstats``."""
    answer = obj(value, FEES)
    found = obj(result_of(answer, f"{FEES} {answer.get('id')}"), FEES)
    height, fees = integer(found, "height"), integer(found, "totalfee")
    if answer.get("id") != height:
        raise FeedError(f"{FEES}: asked for block {answer.get('id')!r}, answered for {height}")
    if integer(found, "subsidy") != subsidy_satoshi(height):
        raise FeedError(f"{FEES}: subsidy {found['subsidy']} of block {height} is not {subsidy_satoshi(height)}")
    if fees < 0:
        raise FeedError(f"{FEES}: fees {fees} of block {height} are negative")
    return height, fees


def parse(raw: RawRecord) -> Parsed:
    """The state at the node's tip; fees are the mean over the heights answered without a gap from it, 144 at most."""
    parsed, parts = Parsed(), parts_of(raw.payload)
    tips = [body for name, body in parts if name == TIP]
    if len(tips) != 1:
        raise FeedError(f"the poll holds {len(tips)} answers to {TIP}, not one")
    tip, difficulty = read_tip(json_of(tips[0]))
    fees: dict[int, int] = {}
    for answers in (json_of(body) for name, body in parts if name == FEES):
        if isinstance(answers, dict):  # an error of the whole batch
            result_of(answers, FEES)
        for place, answer in enumerate(rows(answers, FEES)):
            with each(parsed, f"answer {place}"):
                height, satoshi = read_fees(answer)
                fees[height] = satoshi  # a later answer, after a reorganisation, replaces an earlier one
    run: list[int] = []
    while len(run) < FEE_BLOCKS and tip - len(run) in fees:
        run.append(fees[tip - len(run)])
    if not run:
        raise FeedError(f"no fees of block {tip}, the newest one")
    network = Network(
        series=SERIES,
        source=FEED,
        event_time_us=raw.receipt_time_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=raw.receipt_time_us + DUE_US,
        height=tip,
        difficulty=difficulty,
        fees_btc_per_block=sum(run) / SATOSHI_PER_BTC / len(run),
        fee_blocks=len(run),
    )
    return Parsed([network], parsed.faults)


class BitcoindOptions(Options):
    """Where the node is."""

    url: Annotated[str, Field(description="The node's JSON-RPC address.")] = "http://127.0.0.1:8332/"
    every_s: Annotated[float, Field(ge=5, le=600, description="Seconds between looks at the node's newest block.")] = (
        30.0
    )


def call(method: str, params: Sequence[object], call_id: object) -> dict[str, object]:
    """One JSON-RPC call."""
    return {"jsonrpc": "1.0", "id": call_id, "method": method, "params": params}


class BitcoindFeed:
    """Polls one node. ``answers`` are the batches of fees it gave that the next record still rests on."""

    name = FEED

    def __init__(self, options: BitcoindOptions, user: str, password: str) -> None:
        self._options = options
        self._client = Client(self.name)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        self._answers: list[tuple[frozenset[int], bytes]] = []

    def request(self, body: object) -> Request:
        """A request of this node."""
        return Request(
            feed=FEED, url=self._options.url, method="POST", headers=self._headers, body=orjson.dumps(body), note=""
        )

    async def run(self, out: Appender) -> None:
        """Poll until cancelled; append whenever the tip is another, and every ten minutes."""
        last, appended_s = b"", -STILL_S
        clock = asyncio.get_running_loop().time
        async with self._client as client:
            while True:
                tip = (await client.fetch(self.request(call(TIP, [], TIP)))).body
                height = await self.understood(out, [(TIP, tip)])
                stands = b"%d" % height
                if stands != last or clock() - appended_s >= STILL_S:
                    body = (await client.fetch(self.request(self.calls(height)))).body
                    await self.keep(out, height, tip, body)
                    last, appended_s = stands, clock()
                await asyncio.sleep(self._options.every_s)

    async def understood(self, out: Appender, parts: list[tuple[str, bytes]]) -> int:
        """The tip's height. An answer that cannot be used is appended all the same, and the feed begins again."""
        try:
            return read_tip(json_of(parts[0][1]))[0]
        except FeedError as fault:
            await out.append(FEED, now_us(), joined(parts))
            raise FeedError(str(fault), retriable=True) from fault

    def calls(self, tip: int) -> list[dict[str, object]]:
        """The calls for fees: of heights not yet answered and of the newest few; too old answers are forgotten."""
        wanted = range(max(0, tip - FEE_BLOCKS + 1), tip + 1)
        self._answers = [(heights, body) for heights, body in self._answers if heights & set(wanted)]
        if len(self._answers) >= MOST_BATCHES:
            self._answers = []
        known = {height for heights, _ in self._answers for height in heights}
        asked = [height for height in wanted if height not in known or height > tip - ASKED_AGAIN]
        return [call(FEES, [height, STATS], height) for height in asked]

    async def keep(self, out: Appender, height: int, tip: bytes, body: bytes) -> None:
        """Append the record that this answer completes, and keep the answer for the next ones."""
        parts = [(TIP, tip), *((FEES, before) for _, before in self._answers), (FEES, body)]
        raw = RawRecord(FEED, now_us(), "", 0, joined(parts))
        await out.append(raw.feed, raw.receipt_time_us, raw.payload)
        require_read(parse, raw)
        found, answered = Parsed(), set()
        for answer in rows(json_of(body), FEES):
            with each(found, "answer"):
                answered.add(read_fees(answer)[0])
        if height not in answered:
            raise FeedError(f"the node does not know the fees of block {height}: {found.reason}", retriable=True)
        self._answers.append((frozenset(answered), body))


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    return BitcoindFeed(cast("BitcoindOptions", options), keys["BITCOIND_RPC_USER"], keys["BITCOIND_RPC_PASSWORD"])


SOURCE = Source(
    name=FEED,
    kind="network",
    options=BitcoindOptions,
    parsers={FEED: parse},
    build=build,
    documentation=(
        "https://developer.bitcoin.org/reference/rpc/getmininginfo.html",
        "https://developer.bitcoin.org/reference/rpc/getblockstats.html",
        "https://github.com/bitcoin/bitcoin/blob/master/doc/JSON-RPC-interface.md",
    ),
    etiquette="your own node: one call each 30 s, a batch of 144 at the start and of 4 or so after each block",
    keys=("BITCOIND_RPC_USER", "BITCOIND_RPC_PASSWORD"),
    unconfirmed=("the shape of the answer while the node starts (error -28)",),
    defaults_on=False,
)
"""With cookie authentication the user is ``__cookie__`` and the password what stands behind it in the file."""
