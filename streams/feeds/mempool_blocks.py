"""Blocks as mempool tells them: each states its figures twice, and one whose figures disagree is refused.

``difficulty`` must be that of ``bits``, and ``reward`` the subsidy at its height plus ``totalFees``. What mempool does
not know is -1, 0 or null, and fails the same tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from streams.errors import FeedError
from streams.feeds.bitcoin_rules import require_difficulty, subsidy_satoshi
from streams.feeds.contract import Parsed
from streams.feeds.reading import each, integer, number, obj, rows, text

UNCLAIMED = 0.01  # share of its reward that a miner may leave: consensus sets a most, not a least
BLOCK_ID = re.compile(r"[0-9a-f]{64}")


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
