"""The market as known: which print counts, what is stale to the microsecond, what moves log time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import Power
from models.limits import refusal
from models.records import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Observation
from tests.support.fleets import (
    BTC,
    CURVE,
    NETWORK,
    NODE,
    POWER,
    T0,
    Run,
    btc,
    hour,
    miner,
    network,
    power,
    rate,
    site,
    tick,
    tier,
    used,
)

DAY_AHEAD = Power(node=NODE, market="da", adder_usd_per_mwh=0.0)

prints = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from((10.0, 20.0, 30.0))), min_size=1, max_size=12
)


@settings(deadline=None)  # the first call compiles
@given(prints)
def test_the_current_value_is_that_of_the_greatest_event_time_and_revision_whatever_arrives_last(
    seen: list[tuple[int, int, float]],
) -> None:
    run = Run()
    first: dict[tuple[int, int], float] = {}
    for event, revision, value in seen:
        run.feed(power(value, T0 + event, revision=revision))
        first.setdefault((event, revision), value)
    newest = max(first)
    assert run.current(POWER)[:2] == (first[newest], newest[1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from((10.0, 60.0, 200.0))), min_size=1, max_size=10), st.data())
def test_a_second_slower_ingest_of_the_same_prints_changes_nothing(
    prints_seen: list[tuple[int, float]], data: st.DataObject
) -> None:
    once = [power(value, T0 + event * SECOND_US) for event, value in prints_seen]
    twice: list[Observation] = []
    for place, one in enumerate(once):
        twice.append(one)
        late = data.draw(st.integers(0, place))
        twice += [power(old.usd_per_mwh, old.event_time_us, source="slower") for old in once[late : place + 1]]
    plain, doubled = (Run(miner(site(tier(), tier("s19", 30.0)))) for _ in range(2))
    for run, records in ((plain, once), (doubled, twice)):
        run.feed(btc(65_000.0), network(), *records)
    assert [each["to"] for each in plain.switches()] == [each["to"] for each in doubled.switches()]
    assert plain.current(POWER) == doubled.current(POWER)


def test_a_source_without_revisions_numbers_different_values_and_repeats_nothing_it_said_before() -> None:
    run = Run()
    found = []
    for value in (20.0, 20.0, 30.0, 20.0, 30.0, 40.0, 30.0):
        run.feed(power(value))
        found.append(run.current(POWER)[:2])
    assert found == [(20.0, 0), (20.0, 0), (30.0, 1), (30.0, 1), (30.0, 1), (40.0, 2), (40.0, 2)]


def test_values_seen_under_one_key_mean_nothing_under_the_next() -> None:
    run = Run()
    run.feed(power(20.0), power(30.0), power(40.0, T0 + 1), power(20.0, T0 + 1))
    assert run.current(POWER)[:2] == (20.0, 1)


def test_a_revision_near_the_greatest_allowed_is_followed_by_a_greater_one() -> None:
    run = Run()
    run.feed(power(20.0, revision=2**31 - 1), power(30.0))
    assert run.current(POWER)[:2] == (30.0, 2**31)


def test_the_network_is_ordered_by_height_not_by_time() -> None:
    run = Run()
    run.feed(network(80e12, T0 + HOUR_US, 848_001), network(70e12, T0 + 2 * HOUR_US, 848_000))
    assert run.current(NETWORK)[0] == 80e12
    run.feed(network(90e12, T0, 848_002))
    assert run.current(NETWORK)[0] == 90e12


def test_what_never_printed_is_unknown_not_zero() -> None:
    run = Run(miner(site(tier())))
    run.feed(power(20.0))
    value, _, usable = run.current(BTC)
    assert math.isnan(value)
    assert not usable


LIMITS = [
    (btc(65_000.0, next_due_us=T0 + SECOND_US), 60),
    (network(next_due_us=T0 + SECOND_US), 7_200),
    (power(20.0, next_due_us=T0 + SECOND_US), 900),
    (rate(2.0, next_due_us=T0 + SECOND_US), 86_400),
    (used(0.5, next_due_us=T0 + SECOND_US), 3_600),
]


@pytest.mark.parametrize(("one", "limit_s"), LIMITS, ids=[one.series for one, _ in LIMITS])
def test_a_series_may_be_used_to_the_microsecond_of_its_due_time_and_limit(one: Observation, limit_s: int) -> None:
    last_us = one.next_due_us + limit_s * SECOND_US
    run = Run()
    run.feed(one, tick(last_us))
    assert run.current(one.series)[2]
    run.feed(tick(last_us + 1))
    assert not run.current(one.series)[2]


def test_the_same_print_again_with_a_later_due_time_keeps_a_series_usable_and_revives_it() -> None:
    run = Run(miner(site(tier())), power_price_limit_s=10)
    run.feed(btc(65_000.0), network(), power(20.0, next_due_us=T0 + SECOND_US))
    run.feed(power(20.0, next_due_us=T0 + 5 * SECOND_US), tick(T0 + 15 * SECOND_US))
    assert run.current(POWER)[2]
    run.feed(tick(T0 + 16 * SECOND_US))
    assert states(run) == [(POWER, "stale")]
    run.feed(power(20.0, next_due_us=T0 + 60 * SECOND_US))
    assert states(run) == [(POWER, "stale"), (POWER, "ok")]


def test_a_restatement_due_earlier_takes_nothing_back() -> None:
    run = Run(power_price_limit_s=10)
    run.feed(power(20.0, next_due_us=T0 + HOUR_US), power(20.0, next_due_us=T0 + SECOND_US), tick(T0 + MINUTE_US))
    assert run.current(POWER)[2]


def states(run: Run) -> list[tuple[str, str]]:
    """(series, state) of the quality entries."""
    return [(each["series"], each["state"]) for each in run.signals if each["kind"] == "quality"]


def curve_run(*known: Observation) -> Run:
    run = Run(miner(site(tier(), power=DAY_AHEAD)))
    run.feed(btc(65_000.0), network(), *known)
    return run


def test_a_curve_is_read_at_the_interval_that_holds_log_time() -> None:
    run = curve_run(*(hour(10.0 * number, T0 + number * HOUR_US) for number in range(4)))
    found = []
    for minutes in (0, 59, 60, 61, 119, 120, 200):
        run.feed(tick(T0 + minutes * MINUTE_US + (1 if minutes == 0 else 0)))
        found.append(run.current(CURVE)[0])
    assert found == [0.0, 0.0, 10.0, 10.0, 10.0, 20.0, 30.0]


def test_a_boundary_is_crossed_at_its_first_microsecond() -> None:
    run = curve_run(hour(20.0, T0), hour(500.0, T0 + HOUR_US))
    assert run.feed(tick(T0 + HOUR_US - 1)) == []
    assert [each["to"] for each in run.feed(tick(T0 + HOUR_US))] == ["off"]


def test_a_curve_known_before_the_first_tick_is_read_at_the_first_tick() -> None:
    run = Run(start_us=None)
    run.fleet(miner(site(tier(), power=DAY_AHEAD)))
    run.feed(hour(30.0, T0), hour(40.0, T0 + HOUR_US), tick(T0 + 90 * MINUTE_US))
    assert run.current(CURVE)[0] == 40.0


def test_a_correction_of_the_current_hour_counts_at_once_and_one_of_a_later_hour_when_it_comes() -> None:
    run = curve_run(hour(20.0, T0), hour(30.0, T0 + HOUR_US))
    run.feed(hour(35.0, T0 + HOUR_US))
    assert run.current(CURVE)[0] == 20.0
    run.feed(hour(25.0, T0))
    assert run.current(CURVE)[:2] == (25.0, 1)
    run.feed(tick(T0 + HOUR_US))
    assert run.current(CURVE)[:2] == (35.0, 1)
    run.feed(hour(30.0, T0 + HOUR_US))
    assert run.current(CURVE)[0] == 35.0


def test_a_numbered_correction_of_a_curve_counts_by_its_number() -> None:
    run = curve_run(
        *(hour(value, T0 + HOUR_US, revision=number) for value, number in ((20.0, 3), (99.0, 2), (98.0, 3)))
    )
    run.feed(tick(T0 + HOUR_US))
    assert run.current(CURVE)[:2] == (20.0, 3)
    run.feed(hour(21.0, T0 + HOUR_US, revision=4))
    assert run.current(CURVE)[:2] == (21.0, 4)


def test_a_curve_may_go_from_hours_to_quarter_hours_and_today_is_still_read() -> None:
    quarters = [
        hour(
            100.0 + place, T0 + DAY_US + place * 15 * MINUTE_US, end_time_us=T0 + DAY_US + (place + 1) * 15 * MINUTE_US
        )
        for place in range(96)
    ]
    run = curve_run(*(hour(float(number), T0 + number * HOUR_US) for number in range(24)), *quarters)
    run.feed(tick(T0 + 14 * HOUR_US + 20 * MINUTE_US))
    assert run.current(CURVE) == (14.0, 0, True)
    run.feed(tick(T0 + DAY_US + 31 * MINUTE_US))
    assert run.current(CURVE) == (102.0, 0, True)


def test_a_quarter_within_a_known_hour_is_the_finer_statement() -> None:
    run = curve_run(hour(20.0, T0), hour(55.0, T0, end_time_us=T0 + 15 * MINUTE_US))
    assert run.current(CURVE)[0] == 55.0
    run.feed(tick(T0 + 15 * MINUTE_US))
    assert run.current(CURVE)[0] == 20.0


def test_a_curve_is_read_after_more_intervals_than_it_keeps() -> None:
    run = curve_run()
    for day in range(40):
        run.feed(*(hour(day + place / 100.0, T0 + day * DAY_US + place * HOUR_US) for place in range(24)))
        run.feed(tick(T0 + day * DAY_US + 5 * HOUR_US))
        assert run.current(CURVE)[0] == day + 0.05


def test_an_interval_remembers_nothing_of_the_one_whose_place_it_took() -> None:
    """Six hundred hours at 10.0, more than are kept: the last, first given as 20.0, is then corrected to 10.0."""
    run = curve_run(*(hour(10.0, T0 + number * HOUR_US, known_us=T0 + number * HOUR_US) for number in range(600)))
    last_us = T0 + 600 * HOUR_US
    run.feed(hour(20.0, last_us), hour(10.0, last_us), tick(last_us))
    assert run.current(CURVE)[:2] == (10.0, 1)


def test_a_curve_that_ends_is_used_until_its_limit_and_no_longer() -> None:
    run = curve_run(hour(20.0, T0))
    run.feed(tick(T0 + HOUR_US + 900 * SECOND_US))
    assert run.current(CURVE)[2]
    run.feed(tick(T0 + HOUR_US + 900 * SECOND_US + 1))
    assert not run.current(CURVE)[2]


def test_a_print_of_the_future_is_refused_beyond_two_seconds_and_a_curve_beyond_ten_days() -> None:
    assert refusal(btc(65_000.0, T0 + 2 * SECOND_US, receipt_time_us=T0)) is None
    assert "2.0 s after its receipt" in str(refusal(btc(65_000.0, T0 + 2 * SECOND_US + 1, receipt_time_us=T0)))
    assert refusal(network(at_us=T0 + DAY_US, receipt_time_us=T0)) is None
    assert refusal(hour(20.0, T0 + 10 * DAY_US)) is None
    assert refusal(hour(20.0, T0 + 10 * DAY_US + 1)) is not None


def log_times(*ticks: tuple[int, str]) -> list[int]:
    """Log time [s after T0] after each tick given as (s, instance)."""
    run = Run(start_us=None)
    found = []
    for seconds, instance in ticks:
        run.feed(tick(T0 + seconds * SECOND_US, instance, replayed=False))
        found.append((run.engine.log_time_us - T0) // SECOND_US)
    return found


def test_the_first_tick_sets_log_time_and_backward_ones_are_ignored() -> None:
    assert log_times((1, "a"), (0, "a"), (1, "a"), (2, "a")) == [1, 1, 1, 2]


def test_a_tick_up_to_five_seconds_ahead_counts_and_one_further_ahead_does_not() -> None:
    assert log_times((1, "a"), (6, "a"), (12, "a"), (11, "a")) == [1, 6, 6, 11]


def test_a_jump_counts_where_another_instance_stands_within_five_seconds_of_it() -> None:
    assert log_times((1, "a"), (60, "b"), (65, "a"), (66, "b")) == [1, 1, 65, 66]
    assert log_times((1, "a"), (60, "b"), (66, "a")) == [1, 1, 1]


def test_an_instances_own_earlier_tick_does_not_confirm_its_jump() -> None:
    assert log_times((1, "a"), (60, "a"), (61, "a")) == [1, 1, 1]


def test_ten_ticks_in_a_row_of_one_instance_alone_may_jump() -> None:
    lonely = [(60 + number, "b") for number in range(10)]
    assert log_times((1, "a"), *lonely) == [1] * 10 + [69]
    broken = [*lonely[:5], (2, "a"), *lonely[5:]]
    assert log_times((1, "a"), *broken)[-1] == 2


def test_a_replayed_tick_may_jump() -> None:
    run = Run()
    run.feed(tick(T0 + DAY_US))
    assert run.engine.log_time_us == T0 + DAY_US
