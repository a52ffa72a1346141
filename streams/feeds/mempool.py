"""mempool.space (or a copy of one's own): the network's state from its websocket and from its REST answers.

Each block states its figures twice, and a block whose figures disagree is refused: ``difficulty`` must be that of
``bits``, and ``reward`` the subsidy at its height plus ``totalFees``. What mempool does not know is -1, 0 or null, and
fails the same tests. Blocks are ordered by height: by consensus their timestamps may go backwards, so the state is
stamped with its receipt.

Not read: ``conversions`` and ``/prices`` (an average of venues that we hear ourselves), and the times of
``/difficulty-adjustment`` (milliseconds in the code, seconds in the documented sample).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, cast

from pydantic import Field

from models.records import MINUTE_US, Network
from streams.errors import FeedError
from streams.feeds.bitcoin_rules import (
    SATOSHI_PER_BTC,
    next_retarget_height,
    require_difficulty,
    subsidies_satoshi,
    subsidy_satoshi,
)
from streams.feeds.contract import Appender, Feed, Options, Parsed, Source
from streams.feeds.http import Client, Request, joined, parts_of
from streams.feeds.reading import each, integer, json_of, number, obj, rows, text
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
UNCLAIMED = 0.01  # share of its reward that a miner may leave: consensus sets a most, not a least
BLOCK_ID = re.compile(r"[0-9a-f]{64}")

WANT = b'{"action":"want","data":["blocks"]}'
HELLO = (b'{"action":"init"}', WANT)
PING = b'{"action":"ping"}'


@dataclass(frozen=True, slots=True)
class Block:
    """What of a block the network's state needs."""

    height: int
    block_id: str
    previous_id: str
    difficulty: float
    fees_satoshi: int


def read_block(value: object) -> Block:
    """A block as websocket and ``/v1/blocks`` give it. FeedError where its figures disagree."""
    found = obj(value, "a block")
    height, difficulty = integer(found, "height"), number(found, "difficulty")
    require_difficulty(difficulty, integer(found, "bits"))
    extras = obj(found.get("extras"), "extras of a block")
    fees, reward = integer(extras, "totalFees"), integer(extras, "reward")
    require_reward(reward, subsidy_satoshi(height), fees, f"block {height}")
    block_id, previous_id = text(found, "id"), text(found, "previousblockhash")
    if not BLOCK_ID.fullmatch(block_id) or not BLOCK_ID.fullmatch(previous_id):
        raise FeedError(f"block {height}: id and previousblockhash are not block hashes")
    if found.get("stale") is True:
        raise FeedError(f"block {height} is stale: it left the chain")
    return Block(height, block_id, previous_id, difficulty, fees)


def require_reward(reward: int, subsidy: int, fees: int, what: str) -> None:
    """Refuse a reward [satoshi] that is not the subsidy and the fees, but for what a miner may leave unclaimed."""
    most = subsidy + fees
    if fees < 0 or not most * (1.0 - UNCLAIMED) <= reward <= most:
        raise FeedError(f"{what}: reward {reward} is not its subsidy {subsidy} and fees {fees} (satoshi)")


def newest_run(found: Sequence[Block], listed: int) -> list[Block]:
    """The blocks from the newest down that follow one another, newest first; ``listed`` is how many were listed.

    A list is one piece of a chain: a height outside it, a height twice or a block that does not follow the one below
    refuses the whole of it. A block that was refused alone ends the run.
    """
    chain = sorted(found, key=lambda block: block.height, reverse=True)
    if not chain:
        raise FeedError("none of the blocks listed can be used")
    if chain[0].height - chain[-1].height >= listed:
        raise FeedError(f"{listed} blocks listed from height {chain[-1].height} to {chain[0].height}: not one chain")
    run = [chain[0]]
    for above, below in pairwise(chain):
        if above.height == below.height:
            raise FeedError(f"height {above.height} is listed twice")
        if above.height - below.height == 1 and above.previous_id != below.block_id:
            raise FeedError(f"block {above.height} does not follow block {below.height} of the same list")
        if run[-1] is above and above.height - below.height == 1:
            run.append(below)
    return run


def read_list(parsed: Parsed, value: object, what: str) -> list[Block]:
    """The newest run of a list of blocks; a block that cannot be right is a fault."""
    listed, found = rows(value, what, most=2_016), []
    for place, row in enumerate(listed):
        with each(parsed, f"{what} {place}"):
            found.append(read_block(row))
    return newest_run(found, len(listed))


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
