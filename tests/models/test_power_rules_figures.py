"""What each power rule says in figures, at the hours and in the programs that it is for."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from models.charges import capacity_usd_per_mwh, coincident_peak_curtails, coincident_peak_usd_per_mw
from models.power_rules import settlement
from models.power_rules.adder import Adder
from models.power_rules.ancillary import Ancillary
from models.power_rules.carbon import Carbon
from models.power_rules.coincident_peak import CoincidentPeak
from models.power_rules.contract import FREE, MUST_RUN, MUST_STOP, NEVER, QUIET, Answer, PowerRule, Window, instant_us
from models.power_rules.day_ahead import DayAhead
from models.power_rules.demand_response import DemandResponse
from models.power_rules.fixed_charge import FixedCharge
from models.power_rules.register import Rules, answer, table_of, words
from models.power_rules.season import Season
from models.power_rules.settlement import INTERVAL, Settlement
from models.records import HOUR_US, MINUTE_US

NAN = float("nan")
QUARTER_US = 15 * MINUTE_US


def ask(rule: PowerRule, at: str, known: str | None = None, values: tuple[float, ...] = ()) -> Answer:
    """What a rule says of a time, written with its offset, by what is known then."""
    table = table_of([rule])
    at_us = instant_us(datetime.fromisoformat(at))
    known_us = at_us if known is None else instant_us(datetime.fromisoformat(known))
    return answer(table.rows[0], np.array([*values, NAN, NAN, NAN]), table.windows, at_us, known_us)


def four_peaks(**fields: Any) -> CoincidentPeak:
    """ERCOT's program at 64,000 USD/MW-year."""
    return CoincidentPeak(**{"key": "4cp", "program": "4cp", "usd_per_mw_year": 64_000.0, "probability": 0.1, **fields})


def test_capacity_of_pjm_stands_on_the_bill_alone() -> None:
    said = ask(FixedCharge(key="capacity", usd_per_mw_day=329.17), "2026-07-01T00:00:00+00:00")
    assert said[2] == pytest.approx(13.72, abs=0.005)
    assert said[:2] == (0.0, 0.0)
    assert said[2] == capacity_usd_per_mwh(329.17, 1.0)
    half = ask(FixedCharge(key="demand", usd_per_kw_month=7.3, load_factor=0.5), "2026-07-01T00:00:00+00:00")
    assert half[2] == pytest.approx(20.0)


def test_four_peaks_are_counted_on_summer_afternoons_in_texas() -> None:
    rule = four_peaks()
    said = ask(rule, "2024-08-20T15:00:00-05:00")
    # a tenth of a quarter of 64,000 USD/MW over a window of four hours
    assert said[0] == pytest.approx(0.1 * 64_000.0 / 4.0 / 4.0)
    assert said[4] == instant_us(datetime(2024, 8, 20, 23, tzinfo=UTC))
    assert ask(rule, "2024-08-20T13:59:59-05:00")[5] == QUIET
    assert ask(rule, "2024-08-20T18:00:00-05:00")[4] == instant_us(datetime(2024, 8, 21, 19, tzinfo=UTC))
    assert ask(rule, "2024-10-01T15:00:00-05:00")[4] == instant_us(datetime(2025, 6, 1, 19, tzinfo=UTC))
    assert ask(rule, "2024-08-18T15:00:00-05:00")[0] > 0.0  # a Sunday counts in ERCOT


def test_five_peaks_leave_out_weekends_and_holidays() -> None:
    rule = CoincidentPeak(key="5cp", program="5cp", usd_per_mw_year=329.17 * 365.0, probability=0.2)
    assert ask(rule, "2024-07-03T15:00:00-04:00")[0] == pytest.approx(0.2 * 329.17 * 365.0 / 5.0 / 5.0)
    for quiet in ("2024-07-04T15:00:00-04:00", "2024-07-06T15:00:00-04:00", "2024-09-02T15:00:00-04:00"):
        assert ask(rule, quiet)[5] == QUIET
    assert ask(rule, "2024-07-04T15:00:00-04:00")[4] == instant_us(datetime(2024, 7, 5, 18, tzinfo=UTC))


def test_the_one_peak_of_new_york_lies_in_july_or_august() -> None:
    rule = CoincidentPeak(key="icap", program="icap", usd_per_mw_year=50_000.0, probability=0.1)
    assert ask(rule, "2024-08-28T17:00:00-04:00")[0] == pytest.approx(0.1 * 50_000.0 / 5.0)
    assert ask(rule, "2024-06-28T17:00:00-04:00")[5] == QUIET
    assert ask(rule, "2024-07-20T17:00:00-04:00")[5] == QUIET


@settings(deadline=None)
@given(chance=st.floats(0.0, 1.0), margin=st.floats(-50.0, 2_000.0), rate=st.floats(0.0, 200_000.0))
def test_a_load_that_pays_the_adder_stops_where_the_window_costs_more_than_it_earns(
    chance: float, margin: float, rate: float
) -> None:
    adder = ask(four_peaks(probability=chance, usd_per_mw_year=rate), "2024-08-20T15:00:00-05:00")[0]
    window = coincident_peak_usd_per_mw(chance, rate, 4)
    if abs(window - margin * 4.0) > 1e-6:
        assert (margin - adder < 0.0) == coincident_peak_curtails(window, margin, 4.0)


@pytest.mark.parametrize(
    ("source", "value", "chance"),
    [
        ("probability", 0.3, 0.3),
        ("probability", 1.7, 1.0),
        ("load", 75_000.0, 0.0),
        ("load", 80_000.0, 0.5),
        ("load", 99_000.0, 1.0),
        ("price", NAN, 0.1),
    ],
)
def test_the_chance_of_a_peak_is_read_where_it_is_known(source: str, value: float, chance: float) -> None:
    ends = {} if source == "probability" else {"possible_at": 75_000.0, "certain_at": 85_000.0}
    rule = four_peaks(probability_from=source, series="load:ercot", **ends)
    said = ask(rule, "2024-08-20T15:00:00-05:00", values=(value,))
    assert said[0] == pytest.approx(chance * 4_000.0)
    assert ("unknown" in words(rule, said, (value,))) == np.isnan(value)


def test_a_rewritten_rule_is_another_document_with_its_dates() -> None:
    old = four_peaks(effective_until=date(2027, 1, 1))
    new = four_peaks(
        effective_from=date(2027, 1, 1),
        known_from=date(2026, 12, 1),
        peaks=12,
        season=Season(zone="US/Central", months=tuple(range(1, 13)), from_hour=6.0, until_hour=21.0),
    )
    assert Rules(coincident_peak=(old, new)).all == (old, new)
    winter = "2027-02-01T07:00:00-06:00"
    assert ask(old, winter)[5] == QUIET
    assert ask(new, winter)[0] == pytest.approx(0.1 * 64_000.0 / 12.0 / 15.0)
    assert ask(new, winter, known="2026-11-30T00:00:00+00:00")[5] == QUIET
    with pytest.raises(ValueError, match="'4cp' are in force on one day"):
        Rules(coincident_peak=(four_peaks(), new))


def test_an_adder_holds_in_its_hours_through_the_change_of_the_clock() -> None:
    night = Season(zone="US/Central", months=(3, 4), from_hour=22.0, until_hour=24.0)
    rule = Adder(key="night", usd_per_mwh=-2.0, season=night)
    assert ask(rule, "2024-03-09T22:00:00-06:00")[0] == -2.0
    assert ask(rule, "2024-03-10T21:59:00-05:00")[5] == QUIET
    assert ask(rule, "2024-03-10T22:00:00-05:00")[4] == instant_us(datetime(2024, 3, 11, 5, tzinfo=UTC))


def test_carbon_is_intensity_times_price() -> None:
    rule = Carbon(key="carbon", usd_per_tonne=50.0, tonnes_per_mwh=0.4, intensity_series="carbon:ercot")
    assert ask(rule, "2024-08-20T15:00:00-05:00")[0] == pytest.approx(20.0)
    assert ask(rule, "2024-08-20T15:00:00-05:00", values=(0.2,))[0] == pytest.approx(10.0)


def span(start: str, hours: float, known: str | None = None) -> Window:
    """A window from a time on."""
    begins = datetime.fromisoformat(start)
    announced = None if known is None else datetime.fromisoformat(known)
    return Window(start=begins, end=begins + timedelta(hours=hours), known=announced)


def test_a_called_load_is_off_in_time_paid_within_the_window_and_free_after_it() -> None:
    call = span("2024-08-20T15:00:00-05:00", 3.0, known="2024-08-20T13:00:00-05:00")
    rule = DemandResponse(
        key="program", off_usd_per_mwh=500.0, penalty_usd_per_mwh=50.0, ready_minutes=30.0, call=(call,)
    )
    told = [ask(rule, f"2024-08-20T{at}:00-05:00") for at in ("12:59", "13:00", "14:30", "15:00", "17:59", "18:00")]
    assert [said[3] for said in told] == [FREE, FREE, MUST_STOP, MUST_STOP, MUST_STOP, FREE]
    assert [said[1] for said in told] == [0.0, 0.0, 0.0, 500.0, 500.0, 0.0]
    minutes = [None if said[4] == NEVER else said[4] // MINUTE_US % 1_440 for said in told]
    assert minutes == [None, 19 * 60 + 30, 20 * 60, 23 * 60, 23 * 60, None]
    assert "called off" in words(rule, told[3], ())
    asked = DemandResponse(key="asked", off_usd_per_mwh=80.0, penalty_usd_per_mwh=40.0, binding=False, call=(call,))
    assert ask(asked, "2024-08-20T16:00:00-05:00")[:4] == (40.0, 80.0, 0.0, FREE)


def test_two_calls_that_overlap_are_one_stop() -> None:
    rule = DemandResponse(
        key="program",
        off_usd_per_mwh=1.0,
        call=(span("2024-08-20T15:00:00-05:00", 2.0), span("2024-08-20T16:00:00-05:00", 3.0)),
    )
    for hour in (15, 16, 17, 18):
        assert ask(rule, f"2024-08-20T{hour}:30:00-05:00")[3] == MUST_STOP
    assert ask(rule, "2024-08-20T19:00:00-05:00")[3] == FREE


def test_an_award_forbids_to_stop_and_a_deployment_forbids_to_run() -> None:
    rule = Ancillary(
        key="reserve",
        usd_per_mw_hour=12.0,
        share=0.5,
        deployment_usd_per_mwh=2.0,
        award=(span("2024-08-20T14:00:00-05:00", 6.0),),
        deployment=(span("2024-08-20T16:00:00-05:00", 1.0),),
    )
    awarded, deployed = ask(rule, "2024-08-20T15:00:00-05:00"), ask(rule, "2024-08-20T16:00:00-05:00")
    assert awarded[:4] == (-5.0, 0.0, 0.0, MUST_RUN)  # half a MW at 12, less 2 for each MW-hour offered
    assert deployed[:4] == (0.0, 6.0, 0.0, MUST_STOP)
    assert ask(rule, "2024-08-20T15:00:00-05:00", known="2024-08-20T13:00:00-05:00")[5] == QUIET
    assert "must run" in words(rule, awarded, ())
    assert "deployed, must stop" in words(rule, deployed, ())


def interval_after(*prints: tuple[float, float]) -> Any:
    """A running interval after prints of (minute of the hour, USD/MWh)."""
    interval = np.zeros(1, INTERVAL)[0]
    interval["last"] = NAN
    for minute, price in prints:
        settlement.observe(interval, QUARTER_US, HOUR_US + int(minute * MINUTE_US), price)
    return interval


def test_a_spike_late_in_a_quarter_hour_counts_for_its_part() -> None:
    interval = interval_after((0, 30.0), (5, 30.0), (10, 900.0))
    mean, seen = settlement.mean_so_far(interval, QUARTER_US, HOUR_US + 10 * MINUTE_US)
    assert mean == 30.0
    assert seen == pytest.approx(2.0 / 3.0)
    expected = settlement.expected_usd_per_mwh(mean, seen, 900.0)
    assert expected == pytest.approx((30.0 + 30.0 + 900.0) / 3.0)
    rule = Settlement(key="zone", signal="power:ERCOT:HB_SOUTH:rt", basis_usd_per_mwh=1.5)
    said = ask(rule, "2024-08-20T15:10:00-05:00", values=(900.0, mean, seen))
    assert 900.0 + said[0] == pytest.approx(321.5)
    assert words(rule, said, (900.0, mean, seen)) == "zone: signal 900.00, expected settlement 321.50 USD/MWh"
    later = ask(rule, "2024-08-20T15:15:00-05:00", "2024-08-20T15:10:00-05:00", (900.0, mean, seen))
    assert later[0] == 1.5


@settings(deadline=None)
@given(prints=st.lists(st.tuples(st.floats(0.0, 44.9), st.floats(-300.0, 5_000.0)), min_size=1, max_size=12))
def test_the_mean_so_far_is_the_mean_by_time(prints: list[tuple[float, float]]) -> None:
    ordered = sorted((int(minute * MINUTE_US), price) for minute, price in prints)
    interval = np.zeros(1, INTERVAL)[0]
    interval["last"] = NAN
    for at_us, price in ordered:
        settlement.observe(interval, QUARTER_US, at_us, price)
    at_us = ordered[-1][0] + MINUTE_US // 10
    mean, seen = settlement.mean_so_far(interval, QUARTER_US, at_us)
    start_us = at_us // QUARTER_US * QUARTER_US
    before = [price for at, price in ordered if at <= start_us]
    steps = [(start_us, before[-1])] if before else [(start_us, next(price for at, price in ordered if at > start_us))]
    steps += [(at, price) for at, price in ordered if at > start_us]
    total = sum(
        price * ((steps[place + 1][0] if place + 1 < len(steps) else at_us) - at)
        for place, (at, price) in enumerate(steps)
    )
    assert seen == (at_us - start_us) / QUARTER_US
    if at_us > start_us:
        assert mean == pytest.approx(total / (at_us - start_us), abs=1e-6, rel=1e-9)


def test_the_day_ahead_curve_informs_and_moves_nothing() -> None:
    rule = DayAhead(key="curve", curve="power:ERCOT:HB_SOUTH:da", signal="power:ERCOT:HB_SOUTH:rt")
    said = ask(rule, "2024-08-20T15:00:00-05:00", values=(44.02, 42.41))
    assert said[:4] == (0.0, 0.0, 0.0, FREE)
    assert words(rule, said, (44.02, 42.41)) == "curve: day-ahead 44.02, now 42.41 USD/MWh (-1.61)"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: four_peaks(program="7cp"), "not one of 4cp, 5cp, icap"),
        (lambda: four_peaks(probability=1.1), "outside 0.0 to 1.0"),
        (lambda: four_peaks(probability_from="load"), "series goes with"),
        (lambda: four_peaks(series="load:ercot"), "series goes with"),
        (lambda: four_peaks(probability_from="load", series="load:ercot", possible_at=2.0, certain_at=1.0), "below"),
        (lambda: FixedCharge(key="none"), "give one of"),
        (lambda: FixedCharge(key="both", usd_per_mw_day=1.0, usd_per_kw_month=1.0), "give one of"),
        (lambda: Season(zone="US/Central", months=()), "at least one month"),
        (lambda: Season(zone="US/Central", months=(13,)), "outside 1 to 12"),
        (lambda: Season(zone="Mars", months=(1,)), "not one of UTC"),
        (lambda: Season(zone="UTC", months=(1,), from_hour=5.0, until_hour=5.0), "must lie before"),
        (lambda: Window(start=datetime(2024, 1, 1), end=datetime(2024, 1, 2)), "no offset from UTC"),  # noqa: DTZ001 - what is refused
        (lambda: span("2024-01-01T00:00:00+00:00", 0.0), "must lie before"),
        (lambda: span("2024-01-01T00:00:00+00:00", 1.0, "2024-01-02T00:00:00+00:00"), "must not lie after"),
        (lambda: Settlement(key="zone", signal="btc:usd"), "must begin with 'power:'"),
        (lambda: Adder(key="much", usd_per_mwh=1e6), "outside"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_rules_are_written_as_tables_of_a_site() -> None:
    text = """
    [[adder]]
    key = "delivery"
    usd_per_mwh = 4.5

    [[coincident_peak]]
    key = "4cp"
    program = "4cp"
    usd_per_mw_year = 64000.0
    probability = 0.1
    effective_until = 2027-01-01

    [[demand_response]]
    key = "program"
    off_usd_per_mwh = 500.0
    loads = ["s21"]
    [[demand_response.call]]
    start = 2024-08-20T15:00:00-05:00
    end = 2024-08-20T18:00:00-05:00
    """
    adapter = TypeAdapter(Rules)
    read = adapter.validate_json(TypeAdapter(dict[str, Any]).dump_json(tomllib.loads(text)))
    assert [rule.key for rule in read.all] == ["delivery", "4cp", "program"]
    assert read.coincident_peak[0].effective_until == date(2027, 1, 1)
    assert read.demand_response[0].call[0].end == datetime(2024, 8, 20, 23, tzinfo=UTC)
    assert adapter.validate_json(adapter.dump_json(read)) == read
