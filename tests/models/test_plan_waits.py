"""At an interval's begin a plan waits for that interval's print, whatever else is due then."""

from __future__ import annotations

from models.records import MINUTE_US, SECOND_US
from tests.support.fleets import T0, Run, btc, miner, network, power, site, tick, tier

QUARTER_US = 15 * MINUTE_US


def planned(run: Run) -> float:
    """For which interval the site was planned last [min since T0]."""
    return float((run.engine.state.sites[0]["planned_us"] - T0) / MINUTE_US)


def started() -> Run:
    """A load that started at T0 and may stop again a quarter of an hour later."""
    run = Run(miner(site(tier(min_on_minutes=15.0, initially_on=False))), policy="rolling_plan")
    run.feed(btc(65_000.0), network(), power(10.0, T0))
    assert run.modes() == {"s21": "hash"}
    assert planned(run) == 0.0
    return run


def test_the_end_of_a_stay_at_an_intervals_begin_plans_nothing_before_the_print() -> None:
    run = started()
    run.feed(tick(T0 + QUARTER_US))
    assert planned(run) == 0.0
    run.feed(power(12.0, T0 + QUARTER_US))
    assert planned(run) == 15.0


def test_a_print_that_does_not_come_is_waited_for_a_minute() -> None:
    run = started()
    run.feed(tick(T0 + QUARTER_US), tick(T0 + QUARTER_US + 59 * SECOND_US))
    assert planned(run) == 0.0
    run.feed(tick(T0 + QUARTER_US + MINUTE_US))
    assert planned(run) == 15.0
