"""Rules of the bitcoin network in whole numbers: target, difficulty, subsidy, retarget. Pure arithmetic, no source.

A source states its figures twice (difficulty and bits, reward and fees); these functions say whether the two agree.
Rules: Bitcoin Core, ``src/arith_uint256.cpp`` (compact form), ``src/pow.cpp`` (retarget), ``src/validation.cpp``
(subsidy). What the deciding code computes with floats is in :mod:`models.hashprice`.
"""

from __future__ import annotations

from streams.errors import FeedError

HALVING_BLOCKS, RETARGET_BLOCKS = 210_000, 2_016  # as models.hashprice, which is compiled: settings read sources first
SATOSHI_PER_BTC = 100_000_000
LAST_HALVING = 64  # the consensus code shifts by 64 bits at most: the subsidy is 0 long before
TARGET_TIMESPAN_S = 14 * 24 * 60 * 60
LARGEST_CHANGE = 4
TARGET_LIMIT = 0xFFFF << 208  # target at difficulty 1, in the precision of the compact form
DIFFICULTY_TOLERANCE = 1e-9  # sources print 15 digits or more; another epoch differs by far more


def target_of(bits: int) -> int:
    """The 256-bit target that a header's 32-bit compact form means: ``mantissa * 256^(exponent - 3)``.

    >>> target_of(0x1D00FFFF) == TARGET_LIMIT, hex(target_of(0x1701FCA1))[:8]
    (True, '0x1fca10')
    """
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    if not 0 < bits < 2**32 or bits & 0x800000 or not mantissa:
        raise FeedError(f"bits {bits} is not the compact form of a target")
    target = mantissa << 8 * (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)
    if not 0 < target <= TARGET_LIMIT:
        raise FeedError(f"bits {bits:#x} means a target outside 1 to that of difficulty 1")
    return target


def bits_of(target: int) -> int:
    """The compact form of a target: its three leading bytes and its length, the rest cut off.

    >>> hex(bits_of(TARGET_LIMIT))
    '0x1d00ffff'
    """
    size = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & 0x800000:  # the sign bit of the compact form: one byte more, one digit less
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def difficulty_of(bits: int) -> float:
    """Difficulty of a header: how much harder than the genesis block's target.

    >>> difficulty_of(0x1D00FFFF), difficulty_of(0x1701FCA1)
    (1.0, 141668107417558.25)
    """
    return TARGET_LIMIT / target_of(bits)


def require_difficulty(difficulty: float, bits: int) -> None:
    """Refuse a difficulty that its block's bits do not give.

    >>> require_difficulty(113_757_508_810_854, 386_038_124)
    >>> require_difficulty(113_757_508_810.854, 386_038_124)
    Traceback (most recent call last):
    streams.errors.FeedError: difficulty 113757508810.854 is not the 113757508810854.0 of its bits 0x1702796c
    """
    expected = difficulty_of(bits)
    if not abs(difficulty - expected) <= DIFFICULTY_TOLERANCE * expected:
        raise FeedError(f"difficulty {difficulty} is not the {expected} of its bits {bits:#x}")


def subsidy_satoshi(height: int) -> int:
    """Newly issued bitcoin of the block at a height [satoshi].

    >>> subsidy_satoshi(0), subsidy_satoshi(1_049_999), subsidy_satoshi(1_050_000), subsidy_satoshi(13_440_000)
    (5000000000, 312500000, 156250000, 0)
    """
    if height < 0:
        raise FeedError(f"a block has no height {height}")
    halvings = height // HALVING_BLOCKS
    return 50 * SATOSHI_PER_BTC >> halvings if halvings < LAST_HALVING else 0


def subsidies_satoshi(first: int, last: int) -> int:
    """Newly issued bitcoin of the blocks from first to last, both included [satoshi].

    >>> subsidies_satoshi(736_556, 736_655), subsidies_satoshi(839_999, 840_000)
    (62500000000, 937500000)
    """
    total, height = 0, first
    while height <= last:
        until = min(last + 1, (height // HALVING_BLOCKS + 1) * HALVING_BLOCKS)
        total += (until - height) * subsidy_satoshi(height)
        height = until
    return total


def next_bits(bits: int, first_block_s: int, last_block_s: int) -> int:
    """Compact target of the next 2,016 blocks, from the times in the first and last block of the period that ends.

    ``target * (t_last - t_first) / 1,209,600``, the factor limited to 1/4 to 4, in 256-bit whole numbers. The span is
    one interval short (2,015 of them): the rule of the network.

    >>> hex(next_bits(0x1D00FFFF, 1_261_130_161, 1_262_152_739))
    '0x1d00d86a'
    """
    shortest_s, longest_s = TARGET_TIMESPAN_S // LARGEST_CHANGE, TARGET_TIMESPAN_S * LARGEST_CHANGE
    span_s = min(max(last_block_s - first_block_s, shortest_s), longest_s)
    return bits_of(min(target_of(bits) * span_s // TARGET_TIMESPAN_S, TARGET_LIMIT))


def next_retarget_height(height: int) -> int:
    """The first height above this one at which difficulty changes.

    >>> next_retarget_height(837_050), next_retarget_height(838_656)
    (838656, 840672)
    """
    return (height // RETARGET_BLOCKS + 1) * RETARGET_BLOCKS
