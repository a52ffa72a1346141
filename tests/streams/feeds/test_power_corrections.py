"""Corrected prices as served bytes, through parser and engine: the next revision of an interval; what is over stays."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from models.fleet import Power
from models.records import Observation
from streams.feeds import caiso, ercot_api, miso, spp
from streams.feeds.contract import Source
from streams.wire import RawRecord
from tests.support.fleets import Run, miner, site, tick, tier
from tests.support.power import at
from tests.support.sources import caiso as caiso_case
from tests.support.sources import ercot_api as api
from tests.support.sources import miso as miso_case
from tests.support.sources import spp as spp_case

SOURCES: Mapping[str, Source] = {
    source.name: source for source in (caiso.SOURCE, ercot_api.SOURCE, miso.SOURCE, spp.SOURCE)
}


class Site:
    """A site on one node of a market, at a moment of log time, fed with answers as they came."""

    def __init__(self, node: str, market: str, moment: str) -> None:
        self.series = f"power:{node}:{market}"
        power = Power(node=node, market=market, adder_usd_per_mwh=0.0)
        self.run = Run(miner(site(tier(), power=power)), start_us=at(moment))
        self.received_us = at(moment)

    def hear(self, feed: str, body: bytes) -> tuple[float, int]:
        """Price and revision that count after an answer, received a second after the one before."""
        self.received_us += 1_000_000
        parsed = SOURCES[feed.partition(":")[0]].parsers[feed](RawRecord(feed, self.received_us, "test", 1, body))
        assert parsed.faults == []
        for record in parsed.records:
            assert isinstance(record, Observation)
            if record.series == self.series:
                self.run.feed(record)
        self.run.feed(tick(self.received_us))
        return self.run.current(self.series)[:2]


def caiso_rt(*rows: tuple[str, str, str]) -> bytes:
    """Real-time prices of 2025-07-18: begin, end, price."""
    return caiso_case.real_time(*(caiso_case.rt_row(begin, end, "LMP", "LMP_PRC", price) for begin, end, price in rows))


def test_a_correction_of_caiso_counts_where_its_interval_does_and_changes_nothing_that_is_over() -> None:
    site_of = Site("CAISO:TH_NP15_GEN-APND", "rt", "2025-07-18T07:12Z")
    first = ("07:00", "07:05", "46.5"), ("07:05", "07:10", "40.25")
    assert site_of.hear("caiso:rt", caiso_rt(*first)) == (40.25, 0)
    assert site_of.hear("caiso:rt", caiso_rt(*first)) == (40.25, 0)
    assert site_of.hear("caiso:rt", caiso_rt(("07:00", "07:05", "21.5"), first[1])) == (40.25, 0)
    assert site_of.hear("caiso:rt", caiso_rt(("07:05", "07:10", "31.5"))) == (31.5, 1)
    assert site_of.hear("caiso:rt", caiso_rt(*first)) == (31.5, 1), "an answer of before, come late"


def test_a_day_of_caiso_read_again_restates_the_hour_that_counts() -> None:
    site_of = Site("CAISO:TH_NP15_GEN-APND", "da", "2025-07-18T07:12Z")
    hours = caiso_case.da_row(7, "31.5"), caiso_case.da_row(8, "-4.5")
    assert site_of.hear("caiso:da", caiso_case.day_ahead(*hours)) == (31.5, 0)
    assert site_of.hear("caiso:da", caiso_case.day_ahead(caiso_case.da_row(6, "99"), hours[1])) == (31.5, 0)
    assert site_of.hear("caiso:da", caiso_case.day_ahead(caiso_case.da_row(7, "33.5"), hours[1])) == (33.5, 1)


def test_a_day_ahead_file_of_miso_written_anew_is_the_next_revision() -> None:
    site_of = Site(f"MISO:{miso_case.NODE}", "da", "2026-07-28T06:30Z")
    row = miso_case.day_row
    first = miso_case.ahead("07/28/2026", row(miso_case.NODE, "LMP", 41.5, -3.25, 38.5))
    again = miso_case.ahead("07/28/2026", row(miso_case.NODE, "LMP", 44.5, -2.75, 38.5))
    assert site_of.hear("miso:da", first) == (-3.25, 0)
    assert site_of.hear("miso:da", again) == (-2.75, 1)


def test_a_day_ahead_file_of_spp_written_anew_is_the_next_revision() -> None:
    site_of = Site(f"SPP:{spp_case.NORTH}", "da", "2026-07-28T06:30Z")
    ends = spp_case.hours_of(spp_case.SUMMER)
    for price, expected in ((21.25, (21.25, 0)), (23.75, (23.75, 1))):
        body = spp_case.file(spp_case.day_row(ends[1], spp_case.NORTH, price), header=spp_case.DAY_HEADER)
        assert site_of.hear("spp:da", body) == expected


@pytest.mark.parametrize(("feed", "market"), [("spp", "rt"), ("dam", "da")])
def test_a_correction_by_ercots_api_is_the_next_revision_of_the_price_it_corrects(feed: str, market: str) -> None:
    site_of = Site("ERCOT:HB_SOUTH", market, "2025-07-30T13:47Z")
    rt = market == "rt"
    when: list[object] = ["2025-07-30", 9, 3, "HB_SOUTH", "HU"] if rt else ["2025-07-30", 9, "HB_SOUTH"]
    fields, corrected = (api.SPP_FIELDS, api.SPP_CORRECTED) if rt else (api.DAM_FIELDS, api.DAM_CORRECTED)
    first, stamp = api.answer(fields, [*when, -20.5, False]), "2025-07-30T08:47:00"
    again = api.answer(corrected, [*when, -20.5, -18.25, stamp, False])
    assert site_of.hear(f"ercot-api:{feed}", first) == (-20.5, 0)
    assert site_of.hear(f"ercot-api:{feed}-corrections", again) == (-18.25, 1)
