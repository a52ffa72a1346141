"""Hashprice: what one PH/s of hashrate earns in a day, from difficulty, subsidy, fees and the price of bitcoin.

Expected blocks (difficulty) are used, never blocks found or an estimated hashrate: daily luck is noise of 10 %.
Rules of the network (subsidy, retarget, hashes per unit of difficulty) are those of Bitcoin's consensus code.
"""

from __future__ import annotations

from models.jit import jit

HALVING_BLOCKS = 210_000
RETARGET_BLOCKS = 2_016
RETARGET_SECONDS = 1_209_600.0  # two weeks: 2,016 blocks of 600 s
HASHES_PER_DIFFICULTY = 4_294_967_296.0  # 2^32, the convention; the exact figure is 1 in 65,536 larger
SATOSHI_PER_BTC = 100_000_000.0


@jit
def subsidy_btc(height: int) -> float:
    """Newly issued bitcoin of the block at a height [BTC/block]: 50, halved every 210,000 blocks.

    Halved in whole satoshi as the network's consensus rule does it, so it ends at 0.

    >>> subsidy_btc(0), subsidy_btc(840_000), subsidy_btc(1_049_999), subsidy_btc(1_050_000)
    (50.0, 3.125, 3.125, 1.5625)
    """
    satoshi = 5_000_000_000
    for _ in range(height // HALVING_BLOCKS):
        satoshi = satoshi // 2
    return satoshi / SATOSHI_PER_BTC


@jit
def blocks_per_ph_day(difficulty: float) -> float:
    """Blocks that 1 PH/s finds in a day on average [blocks]: ``1e15 * 86400 / (D * 2^32)``.

    >>> round(blocks_per_ph_day(146.6833e12) * 1e6, 4)
    137.1429
    """
    return 8.64e19 / (difficulty * HASHES_PER_DIFFICULTY)


@jit
def usd_per_ph_day(difficulty: float, subsidy_btc: float, fees_btc: float, usd_per_btc: float) -> float:
    """Hashprice [USD/PH/s/day]: expected blocks * (subsidy + fees [BTC/block]) * price [USD/BTC].

    >>> round(usd_per_ph_day(146.6833e12, 3.125, 0.0188632, 65_000.0), 4)
    28.0253
    """
    return blocks_per_ph_day(difficulty) * (subsidy_btc + fees_btc) * usd_per_btc


def btc_per_ph_day(difficulty: float, subsidy_btc: float, fees_btc: float) -> float:
    """Hashprice in bitcoin [BTC/PH/s/day]: expected blocks * (subsidy + fees [BTC/block]).

    >>> round(btc_per_ph_day(146.48e12, 3.125, fees_of_share(3.125, 0.0055)), 8)
    0.00043154
    """
    return blocks_per_ph_day(difficulty) * (subsidy_btc + fees_btc)


def per_th(per_ph: float) -> float:
    """A figure per TH/s from one per PH/s: a thousandth.

    >>> round(per_th(383.54), 5)
    0.38354
    """
    return per_ph / 1_000.0


def net_of_pool(hashprice_usd_per_ph_day: float, pool_fee: float) -> float:
    """What the miner keeps of the hashprice [USD/PH/s/day]: ``(1 - phi) * h``, phi the pool's FPPS fee.

    >>> round(net_of_pool(28.0253, 0.006), 4)
    27.8571
    """
    return (1.0 - pool_fee) * hashprice_usd_per_ph_day


def fees_of_share(subsidy_btc: float, fee_share: float) -> float:
    """Fees [BTC/block] where a source prints their share f of the whole reward: ``S * f / (1 - f)``.

    >>> fees_of_share(3.0, 0.25)
    1.0
    """
    return subsidy_btc * fee_share / (1.0 - fee_share)


def fee_share(subsidy_btc: float, fees_btc: float) -> float:
    """Share of the fees in the reward: ``F / (S + F)``, so that ``S + F = S / (1 - f)``.

    >>> fee_share(3.0, 1.0)
    0.25
    """
    return fees_btc / (subsidy_btc + fees_btc)


def mean_fees_btc(total_fees_satoshi: int, start_block: int, end_block: int) -> float:
    """Mean fees [BTC/block] of the blocks from start to end, both included: ``end - start + 1`` of them.

    A source asked for 144 blocks may answer for another span: its own block numbers say over how many it summed.

    >>> mean_fees_btc(288_000_000, 840_000, 840_143)
    0.02
    """
    if not 0 <= start_block <= end_block:
        raise ValueError(f"a span of blocks needs 0 <= start_block {start_block} <= end_block {end_block}")
    return total_fees_satoshi / SATOSHI_PER_BTC / (end_block - start_block + 1)


def next_halving_height(height: int) -> int:
    """Height of the next block whose subsidy is half of that at ``height``.

    >>> next_halving_height(840_000), next_halving_height(1_049_999)
    (1050000, 1050000)
    """
    return (height // HALVING_BLOCKS + 1) * HALVING_BLOCKS


def halving_factor(subsidy_btc: float, fees_btc: float) -> float:
    """What a halving does to the hashprice at constant difficulty and price: ``(S / 2 + F) / (S + F)``.

    Difficulty then finds its new level; no reaction of the price is assumed.

    >>> halving_factor(3.125, 0.0)
    0.5
    """
    return (0.5 * subsidy_btc + fees_btc) / (subsidy_btc + fees_btc)


def network_hashes_per_s(difficulty: float) -> float:
    """Hashrate at which blocks come every 600 s at this difficulty [H/s]: ``D * 2^32 / 600``.

    >>> round(network_hashes_per_s(146.6833e12) / 1e18)
    1050
    """
    return difficulty * HASHES_PER_DIFFICULTY / 600.0


def is_retarget_height(height: int) -> bool:
    """Whether difficulty changes at this block: every 2,016th.

    >>> is_retarget_height(840_672), is_retarget_height(840_673)
    (True, False)
    """
    return height % RETARGET_BLOCKS == 0


def retarget(difficulty: float, first_block_s: float, last_block_s: float) -> float:
    """Difficulty of the next 2,016 blocks: ``D * 1,209,600 / (t_last - t_first)``, the factor limited to 1/4 to 4.

    The times [s] are those in the first and the last block of the period that ends.

    >>> retarget(100.0, 0.0, 1_209_600.0), retarget(100.0, 0.0, 604_800.0), retarget(100.0, 0.0, 1.0)
    (100.0, 200.0, 400.0)
    """
    span_s = min(max(last_block_s - first_block_s, RETARGET_SECONDS / 4.0), RETARGET_SECONDS * 4.0)
    return difficulty * RETARGET_SECONDS / span_s
