"""The simulated market: the same to the bit for a seed, true to its parameters, and valid by the log's own rules."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from statistics import NormalDist, fmean, pstdev
from typing import Any

import orjson
import pytest

from models.records import DAY_US, HOUR_US, MINUTE_US, OBSERVATION_KINDS, SECOND_US
from streams.demo.chance import Chance
from streams.demo.market import START_US, MarketEvent, MarketParameters, events
from streams.demo.network import EPOCH_BLOCKS, NetworkParameters, blocks, retarget
from streams.demo.opening import OPENING_S
from streams.demo.prices import (
    PRINT_US,
    BtcParameters,
    GpuParameters,
    PowerParameters,
    UtilisationParameters,
    btc_prices,
    gpu_rates,
    power_prices,
    utilisations,
)
from streams.errors import SettingsError

DAYS = 60
PRINTS = DAYS * DAY_US // PRINT_US
OPENING_PRINTS = OPENING_S * SECOND_US // PRINT_US

DIGEST = """
import hashlib, itertools
from streams.demo.market import events
digest = hashlib.sha256()
for event in itertools.islice(events({seed}), 20_000):
    digest.update(repr(tuple(event)).encode())
print(digest.hexdigest())
"""


def first_hours(seed: int, hours: float, speed: float = 60.0) -> list[MarketEvent]:
    end_us = START_US + round(hours * HOUR_US)
    return list(itertools.takewhile(lambda event: event.receipt_time_us < end_us, events(seed, speed)))


def observed(found: list[MarketEvent], kind: str) -> Iterator[dict[str, Any]]:
    for event in found:
        if event.feed == "observation":
            yield from (each for each in orjson.loads(event.payload) if each["kind"] == kind)


def digest_in_a_process(seed: int, hash_seed: str) -> str:
    environment = {"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin"}
    code = DIGEST.format(seed=seed)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.guarantee("G2")
def test_a_seed_gives_the_same_payloads_whatever_the_hash_seed() -> None:
    digests = {digest_in_a_process(7, hash_seed) for hash_seed in ("0", "1", "31337")}
    assert len(digests) == 1
    here = hashlib.sha256()
    for event in itertools.islice(events(7), 20_000):
        here.update(repr(tuple(event)).encode())
    assert digests == {here.hexdigest()}


def test_another_seed_gives_another_market() -> None:
    assert first_hours(1, 0.5) != first_hours(2, 0.5)


def test_receipt_times_never_step_back_and_the_clock_speaks_first() -> None:
    found = first_hours(3, 6.0)
    times = [event.receipt_time_us for event in found]
    assert times == sorted(times)
    assert found[0].feed == "clock"


@pytest.mark.parametrize("speed", [1.0, 60.0, 3_600.0])
def test_ticks_and_bitcoin_prices_come_five_times_a_real_second(speed: float) -> None:
    real_s = 10
    found = first_hours(3, real_s * speed / 3_600, speed)
    assert sum(event.feed == "clock" for event in found) == 5 * real_s
    assert sum(1 for _ in observed(found, "btc_price")) == 5 * real_s


@pytest.mark.parametrize("speed", [0.0, 0.9, 3_601.0, float("nan")])
def test_a_speed_nobody_can_follow_is_refused(speed: float) -> None:
    with pytest.raises(SettingsError, match=r"--speed .* from 1 to 3600"):
        next(events(1, speed))


def test_every_observation_is_one_the_log_accepts_and_says_it_is_simulated() -> None:
    kinds = set()
    for event in first_hours(4, 30.0):
        if event.feed == "clock":
            assert orjson.loads(event.payload) == {"time_us": event.receipt_time_us, "replayed": True}
            continue
        for each in orjson.loads(event.payload):
            kind = OBSERVATION_KINDS[each.pop("kind")]
            record = kind(**each, receipt_time_us=event.receipt_time_us)
            assert record.source == "demo"
            assert record.event_time_us <= record.receipt_time_us < record.next_due_us + 1
            kinds.add(record.kind)
    assert kinds == {"btc_price", "power_price", "gpu_rate", "utilisation", "network"}


def test_the_next_print_comes_when_the_last_one_said_it_would() -> None:
    found = first_hours(4, 12.0)
    for series in ("power:DEMO:NORTH:rt", "utilisation:demo-spot", "gpu:B200", "btc:usd"):
        due = None
        for event in found:
            if event.feed != "observation":
                continue
            for each in orjson.loads(event.payload):
                if each["series"] == series:
                    assert due is None or due == event.receipt_time_us or series == "btc:usd"
                    due = each["next_due_us"]
        assert due is not None


def free_power(seed: int) -> list[dict[str, float]]:
    """Prints by node after the opening."""
    stream = power_prices(PowerParameters(), seed, START_US)
    prints = itertools.islice(stream, OPENING_PRINTS, OPENING_PRINTS + PRINTS)
    return [{str(each["series"]).split(":")[2]: float(str(each["usd_per_mwh"])) for each in many} for _, many in prints]


def test_power_has_the_mean_the_negative_share_and_the_spikes_of_its_parameters() -> None:
    power = PowerParameters()
    prints = free_power(11)
    spike_usd = power.spike_chance * (power.spike_floor + power.spike_mean) / (1.0 - power.spike_persistence)
    for node, basis in power.basis:
        values = [each[node] for each in prints]
        assert fmean(values) == pytest.approx(power.mean + basis + spike_usd, abs=3.5)
        total = NormalDist(0.0, (power.deviation**2 + power.node_deviation**2) ** 0.5)
        expected = fmean(total.cdf(-(power.mean + basis + adder)) for adder in power.hourly)
        assert sum(value < 0.0 for value in values) / PRINTS == pytest.approx(expected, rel=0.35)
    north = [each["NORTH"] for each in prints]
    above = power.mean + power.spike_floor
    started = sum(after >= above > before for before, after in itertools.pairwise(north))
    assert started == pytest.approx(PRINTS * power.spike_chance, rel=0.35)
    assert max(north) > 1_000.0


def test_power_reverts_to_its_mean() -> None:
    north = [min(each["NORTH"], 120.0) for each in free_power(12)]
    high = [after for before, after in zip(north, north[36:], strict=False) if before > 60.0]
    assert len(high) > 100
    assert fmean(high) < 55.0


def test_the_hourly_shape_of_power_sums_to_nothing() -> None:
    assert len(PowerParameters().hourly) == 24
    assert sum(PowerParameters().hourly) == 0.0


def test_bitcoin_moves_by_its_volatility_and_its_jumps() -> None:
    step_us, steps = MINUTE_US, 120 * 1_440
    stream = btc_prices(BtcParameters(), Chance(5, "btc"), START_US, step_us)
    prices = [float(str(many[0]["usd_per_btc"])) for _, many in itertools.islice(stream, steps)]
    returns = [after / before - 1.0 for before, after in itertools.pairwise(prices)]
    btc = BtcParameters()
    quiet = [each for each in returns if abs(each) < 0.004]
    assert pstdev(quiet) == pytest.approx(btc.volatility / (365.25 * 1_440) ** 0.5, rel=0.05)
    jumps = len(returns) - len(quiet)
    seen_share = 2.0 * NormalDist(0.0, btc.jump_deviation).cdf(-0.004)
    assert jumps == pytest.approx(btc.jumps_per_day * 120 * seen_share, rel=0.2)


def test_gpu_rates_stay_near_their_means() -> None:
    gpu = GpuParameters()
    rates: dict[str, list[float]] = {model: [] for model, _ in gpu.means}
    for _, many in itertools.islice(gpu_rates(gpu, 6, START_US), 20_000):
        for each in many:
            rates[str(each["series"]).removeprefix("gpu:")].append(float(str(each["usd_per_gpu_hour"])))
    for model, mean in gpu.means:
        assert fmean(rates[model]) == pytest.approx(mean, rel=0.02)
        assert pstdev(rates[model]) == pytest.approx(gpu.deviation * mean, rel=0.35)


def test_utilisation_lies_about_its_mean_within_0_and_1() -> None:
    stream = utilisations(UtilisationParameters(), Chance(8, "utilisation"), START_US)
    shares = [float(str(many[0]["utilisation"])) for _, many in itertools.islice(stream, 12, 20_000)]
    assert fmean(shares) == pytest.approx(UtilisationParameters().mean, abs=0.01)
    assert pstdev(shares) == pytest.approx(UtilisationParameters().deviation, rel=0.2)
    assert min(shares) >= 0.0
    assert max(shares) <= 1.0


def chain(seed: int, number: int) -> list[tuple[int, dict[str, Any]]]:
    stream = blocks(NetworkParameters(), Chance(seed, "network"), START_US)
    return [(receipt_us, many[0]) for receipt_us, many in itertools.islice(stream, number)]


def test_blocks_come_every_ten_minutes_on_average_once_difficulty_has_followed() -> None:
    found = chain(9, 6_000)
    settled = found[100:]
    gap_s = (settled[-1][0] - settled[0][0]) / SECOND_US / (len(settled) - 1)
    assert gap_s == pytest.approx(600.0, rel=0.04)


def test_difficulty_retargets_within_the_first_hours_and_again_an_epoch_later() -> None:
    found = chain(9, 2_100)
    changes = [
        (after["height"], after["difficulty"] / before["difficulty"])
        for (_, before), (_, after) in itertools.pairwise(found)
        if after["difficulty"] != before["difficulty"]
    ]
    assert [height % EPOCH_BLOCKS for height, _ in changes] == [0, 0]
    assert changes[0][1] == pytest.approx(NetworkParameters().surplus, rel=0.005)
    assert found[20][0] - START_US < 6 * HOUR_US


def test_heights_have_no_holes() -> None:
    heights = [state["height"] for _, state in chain(9, 500)]
    assert heights == list(range(heights[0], heights[0] + 500))


def test_a_retarget_is_limited_to_a_quarter_and_four() -> None:
    assert retarget(8.0, 1e9) == 2.0
    assert retarget(8.0, 1.0) == 32.0


def test_fees_are_the_mean_of_144_blocks() -> None:
    for _, state in chain(9, 50):
        assert state["fee_blocks"] == 144
        assert state["fees_btc_per_block"] == pytest.approx(0.0173, rel=0.4)


def test_parameters_reach_their_processes() -> None:
    cheap = MarketParameters(btc=BtcParameters(usd_per_btc=20_000.0, volatility=0.0, jumps_per_day=0.0))
    found = list(itertools.islice(events(1, 60.0, cheap), 200))
    assert {each["usd_per_btc"] for each in observed(found, "btc_price")} == {20_000.0}
