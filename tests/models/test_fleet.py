"""What a fleet document may say: every bound, every word, and what belongs together."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fleet import (
    CONTRACTS,
    AsicTier,
    Fact,
    GpuPool,
    Lease,
    Load,
    Miner,
    Power,
    Reference,
    Site,
    overlap,
)

POWER = Power(node="ERCOT:HB_SOUTH")
ASIC = AsicTier(key="s21", model="S21", joules_per_th=17.5, mw=1.0)
POOL = GpuPool(key="h100", gpu="H100-SXM", gpus=8.0, kw_per_gpu=1.4, bf16_tflops=989.0)
LEASE = Lease(key="tenant", usd_per_kw_month=150.0, it_mw=100.0)
SITE = Site(key="yard", mw_cap=5.0, power=POWER, asic=(ASIC,))
MINER = Miner(key="mara", name="MARA", site=(SITE,))

BOUNDS: list[tuple[Any, str, float, float]] = [
    (POWER, "adder_usd_per_mwh", -1_000.0, 1_000.0),
    (POWER, "loss_fraction", 0.0, 0.5),
    (POWER, "resale_fee_usd_per_mwh", 0.0, 1_000.0),
    (replace(POWER, contract="requirements", ppa_usd_per_mwh=30.0), "ppa_usd_per_mwh", -1_000.0, 10_000.0),
    (replace(POWER, contract="hedged", ppa_usd_per_mwh=30.0, committed_mw=1.0), "committed_mw", 0.0, 100_000.0),
    (ASIC, "stop_usd_per_mw", 0.0, 1e6),
    (POOL, "start_usd_per_mw", 0.0, 1e6),
    (LEASE, "min_on_minutes", 0.0, 100_000.0),
    (ASIC, "min_off_minutes", 0.0, 100_000.0),
    (ASIC, "act_within_minutes", 0.0, 100_000.0),
    (ASIC, "joules_per_th", 5.0, 200.0),
    (ASIC, "mw", 0.001, 100_000.0),
    (ASIC, "pue", 1.0, 3.0),
    (ASIC, "uptime", 0.01, 1.0),
    (ASIC, "pool_fee", 0.0, 0.5),
    (ASIC, "opex_usd_per_mwh", 0.0, 1_000.0),
    (POOL, "gpus", 0.001, 10_000_000.0),
    (POOL, "kw_per_gpu", 0.05, 10.0),
    (POOL, "bf16_tflops", 1.0, 100_000.0),
    (POOL, "pue", 1.0, 3.0),
    (POOL, "utilisation_default", 0.0, 1.0),
    (POOL, "idle_fraction", 0.01, 1.0),
    (POOL, "opex_usd_per_gpu_hour", 0.0, 100.0),
    (LEASE, "usd_per_kw_month", 1.0, 10_000.0),
    (LEASE, "it_mw", 0.001, 100_000.0),
    (LEASE, "pue", 1.0, 3.0),
    (LEASE, "noi_margin", 0.0, 1.0),
    (SITE, "mw_cap", 0.001, 100_000.0),
]


@pytest.mark.parametrize(("record", "field", "low", "high"), BOUNDS)
def test_both_ends_of_a_range_are_allowed_and_what_lies_beyond_is_refused(
    record: Any,
    field: str,
    low: float,
    high: float,
) -> None:
    for allowed in (low, high):
        assert getattr(replace(record, **{field: allowed}), field) == allowed
    for refused in (math.nextafter(low, -math.inf), math.nextafter(high, math.inf)):
        with pytest.raises(ValueError, match=f"^{field} .* is outside "):
            replace(record, **{field: refused})
    for refused in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=f"^{field} .* is not a finite number"):
            replace(record, **{field: refused})


@pytest.mark.parametrize(
    ("record", "field", "word", "allowed"),
    [
        (POWER, "market", "spot", "rt, da"),
        (POWER, "contract", "ppa", "spot, ppa_resale, take_or_pay, requirements, hedged"),
        (ASIC, "failure", "hash", "hold, off, run"),
        (POOL, "contract", "leased", "spot, reserved"),
        (LEASE, "lease_type", "net", "triple_net, gross"),
        (LEASE, "mw_basis", "meter", "it, gross"),
    ],
)
def test_a_word_that_is_not_known_is_refused_with_those_that_are(
    record: Any,
    field: str,
    word: str,
    allowed: str,
) -> None:
    with pytest.raises(ValueError, match=f"^{field} '{word}' is not one of {allowed}$"):
        replace(record, **{field: word})


@pytest.mark.parametrize("key", ["", "A", "two words", "under_score", "-first", "é", "x" * 41, "a/b", "a\n"])
def test_a_key_that_cannot_stand_in_redis_or_a_topic_is_refused(key: str) -> None:
    for record in (ASIC, POOL, LEASE, SITE, MINER):
        with pytest.raises(ValueError, match="is not a key"):
            replace(record, key=key)


@pytest.mark.parametrize("node", ["HB_SOUTH", "ercot:HB_SOUTH", "ERCOT:", "ERCOT:a b", ":X", "ERCOT:x:y", "ERCOT:X\n"])
def test_a_node_that_names_no_market_operator_is_refused(node: str) -> None:
    with pytest.raises(ValueError, match="is not written ISO:NODE"):
        replace(POWER, node=node)


@pytest.mark.parametrize("contract", [contract for contract in CONTRACTS if contract != "spot"])
def test_a_contract_other_than_spot_needs_its_price(contract: str) -> None:
    with pytest.raises(ValueError, match=f"^contract '{contract}' needs ppa_usd_per_mwh$"):
        Power(node="ERCOT:HB_SOUTH", contract=contract, committed_mw=1.0)


@pytest.mark.parametrize("contract", ["take_or_pay", "hedged"])
def test_a_contract_with_a_volume_needs_it(contract: str) -> None:
    with pytest.raises(ValueError, match=f"^contract '{contract}' needs committed_mw$"):
        Power(node="ERCOT:HB_SOUTH", contract=contract, ppa_usd_per_mwh=30.0)


def test_series_follow_from_node_market_and_gpu() -> None:
    assert POWER.series == "power:ERCOT:HB_SOUTH:rt"
    assert replace(POWER, market="da").series == "power:ERCOT:HB_SOUTH:da"
    assert POOL.series == "gpu:H100-SXM"
    assert replace(POOL, rate_series="gpu:H100-SXM-list").series == "gpu:H100-SXM-list"


@pytest.mark.parametrize(
    ("field", "series", "prefix"),
    [("rate_series", "H100-SXM", "gpu:"), ("utilisation_series", "gpu:H100-SXM", "utilisation:")],
)
def test_a_series_of_another_kind_is_refused(field: str, series: str, prefix: str) -> None:
    with pytest.raises(ValueError, match=f"must begin with '{prefix}'"):
        replace(POOL, **{field: series})  # type: ignore[arg-type]  # which field, the parameters say


def test_a_pool_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="gpu must name the exact model"):
        replace(POOL, gpu="")


def test_a_load_of_no_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="a Load is one of its kinds"):
        Load(key="a")


def test_a_load_runs_hash_or_ai_by_its_kind() -> None:
    assert (ASIC.running, POOL.running, LEASE.running) == ("hash", "ai", "ai")


def test_dates_must_be_in_order() -> None:
    day = date(2026, 8, 1)
    with pytest.raises(ValueError, match=r"^effective_from 2026-08-01 must lie before effective_until 2026-08-01$"):
        replace(ASIC, effective_from=day, effective_until=day)


@pytest.mark.parametrize(
    ("since", "until", "day", "exists"),
    [
        (None, None, date(2024, 1, 1), True),
        (date(2024, 1, 1), None, date(2023, 12, 31), False),
        (date(2024, 1, 1), None, date(2024, 1, 1), True),
        (None, date(2024, 1, 1), date(2023, 12, 31), True),
        (None, date(2024, 1, 1), date(2024, 1, 1), False),
    ],
)
def test_a_load_exists_from_its_first_day_to_the_day_before_its_last_date(
    since: date | None, until: date | None, day: date, *, exists: bool
) -> None:
    assert replace(ASIC, effective_from=since, effective_until=until).exists_on(day) is exists


days = st.dates(date(2024, 1, 1), date(2024, 1, 10))


def in_order(span: tuple[date | None, date | None]) -> bool:
    since, until = span
    return since is None or until is None or since < until


spans = st.tuples(st.none() | days, st.none() | days).filter(in_order)


@given(spans, spans)
def test_two_loads_overlap_exactly_where_a_day_has_both(
    one: tuple[date | None, date | None], other: tuple[date | None, date | None]
) -> None:
    first = replace(ASIC, effective_from=one[0], effective_until=one[1])
    second = replace(ASIC, effective_from=other[0], effective_until=other[1])
    shared = any(
        first.exists_on(day) and second.exists_on(day) for day in (date(2023, 12, 31), *map(january, range(1, 12)))
    )
    assert overlap(first, second) is shared
    assert overlap(second, first) is shared


def january(day: int) -> date:
    return date(2024, 1, day)


def test_a_load_may_follow_another_of_its_key_but_not_stand_beside_it() -> None:
    change = date(2026, 8, 1)
    before = replace(ASIC, effective_until=change)
    after = replace(ASIC, effective_from=change, joules_per_th=13.5)
    assert replace(SITE, asic=(before, after)).loads == (before, after)
    with pytest.raises(ValueError, match=r"^two loads 's21' of site 'yard' exist on one day$"):
        replace(SITE, asic=(ASIC, after))
    with pytest.raises(ValueError, match=r"^two loads 's21' of site 'yard' exist on one day$"):
        replace(SITE, gpu=(replace(POOL, key="s21"),))


def test_loads_come_leases_first_then_pools_then_machines() -> None:
    site = replace(SITE, gpu=(POOL,), lease=(LEASE,))
    assert [load.key for load in site.loads] == ["tenant", "h100", "s21"]


def test_a_site_without_loads_is_refused_even_with_references() -> None:
    with pytest.raises(ValueError, match=r"^site 'yard' has no loads"):
        Site(key="yard", mw_cap=5.0, power=POWER, reference=Reference(asic=ASIC))


def test_a_miner_without_sites_or_with_a_site_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^miner 'mara' has no sites$"):
        replace(MINER, site=())
    with pytest.raises(ValueError, match=r"^miner 'mara' names a site twice: yard, yard$"):
        replace(MINER, site=(SITE, SITE))


@pytest.mark.parametrize("field", ["claim", "date", "source"])
def test_a_fact_without_claim_date_or_source_is_refused(field: str) -> None:
    fact = Fact(claim="60.4 EH/s", date="2025-09-30", source="shareholder letter", mark="confirmed")
    with pytest.raises(ValueError, match="a fact needs claim, date and source"):
        replace(fact, **{field: ""})


def test_a_fact_of_another_mark_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^mark 'C' is not one of confirmed, derived, unconfirmed$"):
        Fact(claim="a", date="b", source="c", mark="C")
