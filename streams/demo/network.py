"""The simulated bitcoin network: blocks at random, fees, and difficulty that retargets by the network's own rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from models.records import SECOND_US
from streams.demo.chance import Chance
from streams.demo.prices import Printed, observation

EPOCH_BLOCKS = 2_016
TARGET_S = 600
FEE_BLOCKS = 144
SATOSHI_PER_BTC = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkParameters:
    """Where the chain stands at the start. Mean time of a block is ``600 s / surplus`` until difficulty follows.

    The start lies ``blocks_to_retarget`` blocks before an epoch's end, so that a run of some minutes sees difficulty
    change. ``fees_satoshi`` is the mean of a block's fees; ``growth_per_block`` is the hashrate's, a share of 1.
    """

    next_epoch_height: int = 931_392
    blocks_to_retarget: int = 14
    difficulty: float = 146_470_000_000_000.0
    surplus: float = 1.03
    growth_per_block: float = 0.00001
    fees_satoshi: float = 1_730_000.0
    latency_us: int = SECOND_US


def retarget(difficulty: float, elapsed_s: float) -> float:
    """Difficulty of the next epoch: ``D * 1209600 / elapsed``, the factor limited to 1/4 to 4.

    ``elapsed_s`` runs from the epoch's first block to its last. Source: the network's consensus rule.

    >>> retarget(100.0, 1_209_600 / 1.05), retarget(100.0, 1.0)
    (105.0, 400.0)
    """
    factor = EPOCH_BLOCKS * TARGET_S / elapsed_s
    return difficulty * min(max(factor, 0.25), 4.0)


def blocks(parameters: NetworkParameters, chance: Chance, start_us: int) -> Iterator[Printed]:
    """State of ``network:btc`` at the start and after every block; fees are the mean of the last 144 blocks."""
    fees = deque((_fees(parameters, chance) for _ in range(FEE_BLOCKS)), maxlen=FEE_BLOCKS)
    difficulty, speed = parameters.difficulty, parameters.surplus
    height = parameters.next_epoch_height - parameters.blocks_to_retarget
    past_s = (EPOCH_BLOCKS - parameters.blocks_to_retarget) * TARGET_S / parameters.surplus
    first_us, now_us = start_us - round(past_s * SECOND_US), start_us
    while True:
        mean_btc = round(sum(fees) / FEE_BLOCKS / SATOSHI_PER_BTC, 8)
        state = observation(
            "network",
            "network:btc",
            now_us,
            now_us + TARGET_S * SECOND_US,
            height=height,
            difficulty=difficulty,
            fees_btc_per_block=mean_btc,
            fee_blocks=FEE_BLOCKS,
        )
        yield now_us + parameters.latency_us, [state]
        last_us = now_us
        now_us += round(chance.exponential(TARGET_S / speed * difficulty / parameters.difficulty) * SECOND_US)
        height += 1
        speed += speed * parameters.growth_per_block
        fees.append(_fees(parameters, chance))
        if height % EPOCH_BLOCKS == 0:
            difficulty = round(retarget(difficulty, (last_us - first_us) / SECOND_US), 2)
            first_us = now_us


def _fees(parameters: NetworkParameters, chance: Chance) -> int:
    """Fees of one block [satoshi]: exponential about the mean."""
    return round(chance.exponential(parameters.fees_satoshi))
