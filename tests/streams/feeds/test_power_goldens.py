"""Power prices: recorded rows of the markets, and what their files say about time, sign and order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import PowerPrice
from streams.errors import FeedError, SettingsError
from streams.feeds import caiso, ercot_api, ercot_mis, miso, nyiso, pjm, spp
from streams.feeds.contract import Parse, Parsed, Source
from streams.feeds.ercot_documents import documents
from streams.feeds.nyiso import energy_usd_per_mwh
from streams.feeds.power_reading import Wanted, note_of, table
from streams.wire import RawRecord
from tests.support.power import at, csv_of, zipped
from tests.support.sources import ercot_api as ercot_api_case
from tests.support.sources import ercot_mis as ercot
from tests.support.sources import nyiso as nyiso_case
from tests.support.sources import pjm as pjm_case

SOURCES = [module.SOURCE for module in (ercot_api, ercot_mis, caiso, nyiso, pjm, miso, spp)]
LATER_US = at("2026-10-01T00:00Z")


@pytest.fixture(scope="module")
def power(history_dir: Path) -> Path:
    """The folder of recorded rows."""
    folder = history_dir / "wire" / "power"
    if not folder.is_dir():
        pytest.skip(f"recorded rows of the power markets: {folder} is not there; CHANGEOVER_DATA names the folder")
    return folder


def read(parser: Parse, feed: str, body: bytes, note: str = "", received_us: int = LATER_US) -> Parsed:
    """What a parser makes of a payload."""
    return parser(RawRecord(feed, received_us, "test", 1, body, note=note))


def only(parsed: Parsed) -> tuple[str, int, int, float, int | None]:
    """Series, interval, price and revision of the one price found."""
    assert parsed.faults == []
    (record,) = parsed.records
    assert isinstance(record, PowerPrice)
    return record.series, record.event_time_us, record.end_time_us, record.usd_per_mwh, record.revision


def test_a_recorded_row_of_ercot(power: Path) -> None:
    body = zipped({"a.csv": (power / "ercot_cdr_12301_spp.csv").read_text()})
    found = read(ercot_mis.parse_spp, "ercot-mis:spp", body)
    quarter = at("2025-07-30T13:30Z"), at("2025-07-30T13:45Z")
    assert only(found) == ("power:ERCOT:7RNCHSLR_ALL:rt", *quarter, 19.27, None)


def test_a_recorded_row_of_caiso(power: Path) -> None:
    body = zipped({"a.csv": (power / "caiso_oasis_PRC_LMP_DAM.csv").read_text()})
    hour = at("2022-02-01T15:00Z"), at("2022-02-01T16:00Z")
    assert only(read(caiso.parse_da, "caiso:da", body)) == ("power:CAISO:0096WD_7_N001:da", *hour, 74.63, None)


def test_a_recorded_row_of_miso(power: Path) -> None:
    body = (power / "miso_GetRealTimeFiveMinExPost.json").read_bytes()
    five = at("2025-12-03T05:00Z"), at("2025-12-03T05:05Z")
    assert only(read(miso.parse, "miso", body)) == ("power:MISO:GRE.AEPEMLREV:rt", *five, 250.66, None)


def test_a_recorded_row_of_pjm(power: Path) -> None:
    body = (power / "pjm_rt_fivemin_hrl_lmps_item.json").read_bytes()
    five = at("2024-02-20T05:00Z"), at("2024-02-20T05:05Z")
    assert only(read(pjm.parse_verified, "pjm:verified", body)) == ("power:PJM:PJM-RTO:rt", *five, 17.956076, 1)


@pytest.mark.parametrize(
    ("published", "received", "kept"),
    [
        ("2025-07-30T08:47:01-05:00", "2025-07-30T08:47:30-05:00", "2025-07-30T13:47:01Z"),
        ("2025-07-30T08:47:01-06:00", "2025-07-30T08:47:30-05:00", ""),  # an hour after it came
        ("2025-07-30T07:47:01-05:00", "2025-07-30T08:47:30-05:00", ""),  # before its interval was over
        ("yesterday", "2025-07-30T08:47:30-05:00", ""),
        ("", "2025-07-30T08:47:30-05:00", ""),
    ],
)
def test_the_time_of_publication_is_kept_where_it_can_be_right(published: str, received: str, kept: str) -> None:
    note = ercot.note(published=published)
    found = read(ercot_mis.parse_spp, "ercot-mis:spp", ercot.PRINTED, note, at(received))
    (record,) = found.records
    assert isinstance(record, PowerPrice)
    assert record.publish_time_us == (at(kept) if kept else None)
    assert found.faults == []


def test_the_next_quarter_hour_is_due_two_minutes_after_it() -> None:
    (record,) = read(ercot_mis.parse_spp, "ercot-mis:spp", ercot.PRINTED, ercot.note()).records
    assert isinstance(record, PowerPrice)
    assert record.next_due_us == at("2025-07-30T14:02Z")


def test_hour_25_beside_a_flagged_hour_is_a_fault_for_the_day_is_numbered_one_way_only() -> None:
    body = ercot.dam("11/03/2024,02:00,HB_SOUTH,1,Y", "11/03/2024,25:00,HB_SOUTH,2,N")
    found = read(ercot_mis.parse_dam, "ercot-mis:dam", body)
    assert [record.event_time_us for record in found.records if isinstance(record, PowerPrice)] == [
        at("2024-11-03T07:00Z")
    ]
    assert found.faults == ["line 3: 2024-11-03 has no hour ending 25"]


def test_of_two_prices_of_one_quarter_hour_neither_is_guessed() -> None:
    body = ercot.spp(
        "07/30/2025,9,3,HB_SOUTH,HU,20,N", "07/30/2025,9,3,HB_SOUTH,HU,20,N", "07/30/2025,9,3,HB_SOUTH,HU,21,N"
    )
    found = read(ercot_mis.parse_spp, "ercot-mis:spp", body)
    assert len(found.records) == 1
    assert found.faults == ["line 4: HB_SOUTH is printed twice for one interval, at 20.0 and at 21.0"]


def test_names_of_documents_with_retry_and_xhr_are_csv_files_and_xml_is_left_out() -> None:
    listed = [
        ercot.document("5", "SPPHLZNP6905_20241103_0130xhr_csv", "2024-11-03T01:32:05-05:00"),
        ercot.document("6", "SPPHLZNP6905_20241103_0130xhr_xml", "2024-11-03T01:32:05-05:00"),
        ercot.document("4", "SPPHLZNP6905_retry_20241103_0115_csv", "2024-11-03T01:33:40-05:00"),
        ercot.document("9", "SPPHLZNP6905_20241103_0145_csv", "never"),
    ]
    assert [document.number for document in documents(ercot.listed(*listed), "")] == ["4", "5", "9"]
    assert documents(b'{"ListDocsByRptTypeRes":{"DocumentList":{"Document":{"DocID":"1","FriendlyName":"a_csv"}}}}', "")


@pytest.mark.parametrize(
    ("lbmp", "losses", "congestion", "energy"),
    [(23.31, 1.29, -7.50, 14.52), (15.03, 0.51, 0.0, 14.52), (-4.48, 0.50, 19.50, 14.52)],
)
def test_energy_of_nyiso_adds_congestion_back(lbmp: float, losses: float, congestion: float, energy: float) -> None:
    assert energy_usd_per_mwh(lbmp, losses, congestion) == pytest.approx(energy)


@given(energy=st.floats(-500, 5_000), losses=st.floats(-50, 500), congestion=st.floats(-5_000, 5_000))
def test_energy_turns_nyiso_s_sum_around(energy: float, losses: float, congestion: float) -> None:
    lbmp = energy + losses - congestion
    assert energy_usd_per_mwh(lbmp, losses, congestion) == pytest.approx(energy, abs=1e-8)


def test_a_repeated_hour_of_nyiso_is_told_apart_although_a_row_of_its_first_passing_is_missing() -> None:
    rows = [("01:00", "1"), ("01:10", "2"), ("01:00", "3"), ("01:05", "4"), ("01:10", "5"), ("02:00", "6")]
    body = nyiso_case.file(*(nyiso_case.row(f"11/03/2024 {stamp}:00", "CAPITL", price) for stamp, price in rows))
    found = read(nyiso.parse_rt, "nyiso:rt", body)
    ends = [record.end_time_us for record in found.records if isinstance(record, PowerPrice)]
    assert ends == [at(f"2024-11-03T{stamp}Z") for stamp in ("05:00", "05:10", "06:00", "06:05", "06:10", "07:00")]


def test_a_page_of_a_query_whose_other_pages_are_missing_is_refused() -> None:
    for parser, feed, body in (
        (pjm.parse_unverified, "pjm:unverified", pjm_case.page(pjm_case.item(), total=3)),
        (ercot_api.parse_spp, "ercot-api:spp", ercot_api_case.answer(ercot_api_case.SPP_FIELDS, pages=3)),
    ):
        with pytest.raises(FeedError, match="of 3"):
            read(parser, feed, body)


def test_a_price_of_any_market_that_was_ever_printed_passes_and_one_in_another_unit_does_not() -> None:
    for price, passes in (("-251", True), ("9000", True), ("9052.53", True), ("50000", True), ("50001", False)):
        body = ercot.dam(f"07/30/2025,01:00,HB_SOUTH,{price},N")
        assert bool(read(ercot_mis.parse_dam, "ercot-mis:dam", body).records) is passes


def test_a_file_of_too_many_rows_and_a_header_with_a_column_twice_are_refused() -> None:
    with pytest.raises(FeedError, match="more than 100000 rows"):
        list(table(b"node,lmp\n" + b"A,1\n" * 100_001, [["node"], ["lmp"]]))
    for header in ("Node,LMP,lmp", "Node,LMP,LMP"):
        with pytest.raises(FeedError, match="twice"):
            list(table(csv_of(header, "A,1,2").encode(), [["node"], ["lmp"]]))
    with pytest.raises(FeedError, match="more than"):
        read(ercot_mis.parse_spp, "ercot-mis:spp", zipped({"a.csv": "0" * (65 * 1024 * 1024)}))


def test_a_note_holds_the_nodes_and_is_read_back_and_a_broken_one_is_refused() -> None:
    assert Wanted.of(note_of(("MHK VL", "N.Y.C."))).nodes == frozenset(("MHK VL", "N.Y.C."))
    assert Wanted.of("").nodes is None
    for note in ("{", "[]", '{"nodes":1}'):
        with pytest.raises(FeedError):
            Wanted.of(note)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_power_source_is_off_until_nodes_are_named(source: Source) -> None:
    assert not source.defaults_on
    assert source.kind == "power"
    with pytest.raises(SettingsError, match="nodes is empty"):
        source.build(source.options(), dict.fromkeys(source.keys, "key"))


@pytest.mark.parametrize("node", ["", "A:B", "x" * 41, "A\nB"])
def test_a_node_that_would_break_a_series_name_is_no_option(node: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        nyiso.NyisoOptions(nodes=(node,))
