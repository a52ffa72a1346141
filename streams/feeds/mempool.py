"""mempool.space (or a copy of one's own): the network's state from its websocket and from its REST answers.

Blocks are ordered by height: by consensus their timestamps may go backwards, so the state is stamped with its receipt.

Not read: ``conversions`` and ``/prices`` (an average of venues that we hear ourselves), and the times of
``/difficulty-adjustment`` (milliseconds in the code, seconds in the documented sample).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US, Network
from streams.errors import FeedError
from streams.feeds.bitcoin_rules import (
    SATOSHI_PER_BTC,
    next_retarget_height,
    subsidies_satoshi,
)
from streams.feeds.contract import Appender, Feed, Options, Parsed, Source
from streams.feeds.http import Client, Request, joined, parts_of
from streams.feeds.mempool_blocks import Block, read_block, read_list, require_reward
from streams.feeds.reading import integer, json_of, obj
from streams.feeds.together import require_read, together
from streams.feeds.websocket import SocketFeed
from streams.now import now_us
from streams.wire import RawRecord

SERIES = "network:btc"
FEE_BLOCKS = 144  # over which the fees of a hashprice are averaged by definition (Luxor, Bitnomial)
BLOCK_DUE_US = 10 * MINUTE_US  # a block is found every ten minutes on average
POLL_DUE_US = 2 * BLOCK_DUE_US  # two polls, one each ten minutes
PAUSE_S = 0.25  # between two answers of a poll
ANSWERS_APART = 3  # blocks the cached answers of one poll may lie apart: each is kept for a minute or so
KNOWN = frozenset(
    [
        "block",
        "blocks",
        "pong",
        "mempoolInfo",
        "vBytesPerSecond",
        "mempool-blocks",
        "transactions",
        "loadingIndicators",
        "fees",
        "rbfSummary",
        "conversions",
        "backendInfo",
        "da",
        "live-2h-chart",
    ]
)
"""Keys of messages; one that has none of them is not passed over: a key may have been renamed."""

WANT = b'{"action":"want","data":["blocks"]}'
HELLO = (b'{"action":"init"}', WANT)
PING = b'{"action":"ping"}'


def state(raw: RawRecord, block: Block, fees_btc: float, fee_blocks: int, due_us: int) -> Network:
    """The network's state at a block."""
    return Network(
        series=SERIES,
        source="mempool",
        event_time_us=raw.receipt_time_us,
        receipt_time_us=raw.receipt_time_us,
        next_due_us=raw.receipt_time_us + due_us,
        height=block.height,
        difficulty=block.difficulty,
        fees_btc_per_block=fees_btc,
        fee_blocks=fee_blocks,
    )


def parse_message(raw: RawRecord) -> Parsed:
    """A websocket message: ``blocks`` (the whole list, at the start and after a reorganisation) or one ``block``.

    Fees are the mean over the blocks the message holds: ``fee_blocks`` says how many (8, or 1).
    """
    parsed, found = Parsed(), obj(json_of(raw.payload), "a message")
    if "error" in found:
        raise FeedError(f"mempool says {str(found['error'])[:200]!r}")
    if "blocks" in found:
        run = read_list(parsed, found["blocks"], "block")
        fees_btc = sum(block.fees_satoshi for block in run) / SATOSHI_PER_BTC / len(run)
        parsed.records.append(state(raw, run[0], fees_btc, len(run), BLOCK_DUE_US))
    if "block" in found:
        block = read_block(found["block"])
        parsed.records.append(state(raw, block, block.fees_satoshi / SATOSHI_PER_BTC, 1, BLOCK_DUE_US))
    if not found.keys() & KNOWN:
        raise FeedError(f"no key of the message is known: {', '.join(found)[:200] or 'it has none'}")
    return parsed


def parse_poll(raw: RawRecord) -> Parsed:
    """The answers of one poll: the newest blocks, the rewards of the last ones, and the retarget they stand before.

    ``reward-stats`` asked for 144 blocks may answer for another span: its own block numbers say over how many it
    summed. Its total must be the subsidies of these heights and the fees.
    """
    parsed, answers = Parsed(), dict(parts_of(raw.payload))
    for name in ("blocks", "rewards", "retarget"):
        if name not in answers:
            raise FeedError(f"the poll lacks its answer {name!r}")
    tip = read_list(parsed, json_of(answers["blocks"]), "block")[0]
    stats = obj(json_of(answers["rewards"]), "reward-stats")
    first, last = integer(stats, "startBlock"), integer(stats, "endBlock")
    blocks = last - first + 1
    if not 1 <= blocks <= 2 * FEE_BLOCKS or first < 0:
        raise FeedError(f"reward-stats spans blocks {first} to {last}: not 1 to {2 * FEE_BLOCKS} of them")
    fees, reward = integer(stats, "totalFee"), integer(stats, "totalReward")
    require_reward(reward, subsidies_satoshi(first, last), fees, f"blocks {first} to {last}")
    require_together(tip.height, last, obj(json_of(answers["retarget"]), "difficulty-adjustment"))
    parsed.records.append(state(raw, tip, fees / SATOSHI_PER_BTC / blocks, blocks, POLL_DUE_US))
    return parsed


def require_together(tip: int, last: int, retarget: Mapping[str, object]) -> None:
    """Refuse answers that speak of different chains or moments."""
    if abs(tip - last) > ANSWERS_APART:
        raise FeedError(f"reward-stats ends at block {last}, the newest block is {tip}")
    next_height, remaining = integer(retarget, "nextRetargetHeight"), integer(retarget, "remainingBlocks")
    height = next_height - remaining
    if next_height != next_retarget_height(height) or abs(tip - height) > ANSWERS_APART:
        raise FeedError(f"difficulty-adjustment is {remaining} blocks before {next_height}, the newest block is {tip}")


class MempoolOptions(Options):
    """Where mempool is asked."""

    websocket_url: Annotated[str, Field(description="Its websocket.")] = "wss://mempool.space/api/v1/ws"
    rest_url: Annotated[str, Field(description="Base of its REST addresses.")] = "https://mempool.space/api/v1"
    every_s: Annotated[
        float, Field(ge=60, le=600, description="Seconds between polls of the REST addresses where no block comes.")
    ] = 600.0
    silent_s: Annotated[
        float, Field(ge=15, le=600, description="Longest silence: a ping each 10 s is answered, so three are missed.")
    ] = 30.0
    rotate_s: Annotated[
        float, Field(ge=600, le=86_400, description="Age at which the websocket is replaced by a new one.")
    ] = 82_800.0


class NewBlocks:
    """Watches one connection for blocks: the poll is due when one comes. What cannot be read is the parser's."""

    def __init__(self, due: asyncio.Event) -> None:
        self._due = due

    def frame(self, payload: bytes) -> None:
        """Note a frame. One that says an error ends the connection."""
        found: dict[str, object] = {}
        with suppress(FeedError):
            found = obj(json_of(payload), "a message")
        if {"block", "blocks"} & found.keys():
            self._due.set()
        if "error" in found:
            raise FeedError(f"mempool says {str(found['error'])[:200]!r}", retriable=True)


class Poll:
    """Asks the REST addresses at the start, after each new block or reorganisation, and every ten minutes."""

    name = "mempool"

    def __init__(self, options: MempoolOptions, client: Client, due: asyncio.Event) -> None:
        self._options = options
        self._client = client
        self._due = due

    def requests(self) -> list[tuple[str, Request]]:
        """What one poll asks, under the names the parser knows."""
        paths = {
            "blocks": "/blocks",
            "rewards": f"/mining/reward-stats/{FEE_BLOCKS}",
            "retarget": "/difficulty-adjustment",
        }
        base = self._options.rest_url.removesuffix("/")
        return [(name, Request(feed="mempool:poll", url=f"{base}{path}")) for name, path in paths.items()]

    async def run(self, out: Appender) -> None:
        """Poll until cancelled."""
        async with self._client as client:
            while True:
                self._due.clear()
                parts = [(name, (await client.fetch(request)).body) for name, request in self.requests()]
                raw = RawRecord("mempool:poll", now_us(), "", 0, joined(parts))
                await out.append(raw.feed, raw.receipt_time_us, raw.payload)
                require_read(parse_poll, raw)
                try:
                    async with asyncio.timeout(self._options.every_s):
                        await self._due.wait()
                except TimeoutError:
                    continue


class MempoolFeed:
    """The websocket and the poll, run together."""

    name = "mempool"

    def __init__(self, options: MempoolOptions) -> None:
        due = asyncio.Event()
        self._socket = SocketFeed(
            "mempool:ws",
            options.websocket_url,
            subscribe=HELLO,
            ping=PING,
            silent_s=options.silent_s,
            rotate_s=options.rotate_s,
            parse=parse_message,
            watch=lambda: NewBlocks(due),
        )
        self._client = Client(self.name, pause_s=PAUSE_S)
        self._poll = Poll(options, self._client, due)

    async def run(self, out: Appender) -> None:
        """Listen and poll until one of the two fails."""
        await together(self._socket.run(out), self._poll.run(out))


def build(options: Options, keys: Mapping[str, str]) -> Feed:
    """The feed of these options."""
    del keys
    return MempoolFeed(cast("MempoolOptions", options))


SOURCE = Source(
    name="mempool",
    kind="network",
    options=MempoolOptions,
    parsers={"mempool:ws": parse_message, "mempool:poll": parse_poll},
    build=build,
    documentation=("https://mempool.space/docs/api/rest", "https://mempool.space/docs/api/websocket"),
    etiquette=(
        "one websocket, a ping each 10 s; three REST answers after each block and every 10 minutes (the public copy "
        "publishes no figure, answers 429, and asks heavy users to run their own)"
    ),
    unconfirmed=("the rate limit of the public copy",),
)
