"""Raw bytes to records: what cannot be right is refused with a reason, what is beside it is kept, nothing raises."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.records import (
    BtcPrice,
    Clock,
    DecidingConfig,
    EpochStart,
    FleetChange,
    GpuRate,
    Network,
    PowerPrice,
    Utilisation,
)
from streams.feeds.contract import Parsed
from streams.fleetfile import encode_miner
from streams.history.contract import observation_object
from streams.parse import MAX_OBSERVATIONS, PARSERS, parse
from streams.wire import MAX_MESSAGE_BYTES, RawRecord
from tests.support.fleets import LONG_US, T0, btc, hour, miner, network, pool, power, rate, site, tier, used

GOOD = [btc(65_000.0), network(), power(-20.0), hour(30.0, T0 + LONG_US // 6), rate(2.5), used(0.5)]
FLEET = miner(site(tier(), pool()))
EPOCH = {"epoch": 1, "config": asdict(DecidingConfig()), "code_hash": "abc"}


def parsed(feed: str, payload: bytes | object, at_us: int = T0) -> Parsed:
    """What comes of a payload."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return parse(RawRecord(feed, at_us, "test", 1, body, 7))


def one(**changes: Any) -> dict[str, Any]:
    """A good price of bitcoin with some fields changed; a field set to ... is left out."""
    found = observation_object(btc(65_000.0)) | changes
    return {name: value for name, value in found.items() if value is not ...}


def reason(feed: str, payload: bytes | object) -> str:
    """Why a payload gave nothing."""
    found = parsed(feed, payload)
    assert found.records == []
    assert found.faults
    return found.reason


def test_observations_come_out_as_they_went_in_with_the_receipt_time_of_the_header() -> None:
    found = parsed("observation", [observation_object(each) for each in GOOD])
    assert found.records == GOOD
    assert found.faults == []
    kinds = [BtcPrice, Network, PowerPrice, PowerPrice, GpuRate, Utilisation]
    assert [type(each) for each in found.records] == kinds


def test_ticks_fleets_and_epochs_come_out_as_they_went_in() -> None:
    assert parsed("clock", {"time_us": T0}).records == [Clock(time_us=T0, instance="test")]
    assert parsed("clock", {"time_us": T0, "replayed": True}).records == [
        Clock(time_us=T0, instance="test", replayed=True)
    ]
    assert parsed("fleet", encode_miner(FLEET)).records == [FleetChange(miner=FLEET)]
    assert parsed("epoch", EPOCH).records == [EpochStart(epoch=1, config=DecidingConfig(), code_hash="abc")]


def test_a_whole_number_may_stand_where_a_figure_is_meant() -> None:
    (found,) = parsed("observation", [one(usd_per_btc=65_000)]).records
    assert isinstance(found, BtcPrice)
    assert (found.usd_per_btc, type(found.usd_per_btc)) == (65_000.0, float)


DEEP = "[" * 900 + "]" * 900

BAD_OBSERVATIONS: dict[str, tuple[object, str]] = {
    "bitcoin at nothing": (one(usd_per_btc=0), "usd_per_btc 0.0 is outside 100.0 to 10000000.0"),
    "a price in satoshi": (one(usd_per_btc=6.5e12), "is outside 100.0 to"),
    "a rate under the name of a price": (
        one(kind="gpu_rate", usd_per_gpu_hour=2.5, usd_per_btc=...),
        "series 'btc:usd' does not begin with 'gpu:', as those of gpu_rate do",
    ),
    "a price of bitcoin under the name of a curve": (
        one(series="power:ERCOT:HB_SOUTH:da"),
        "series 'power:ERCOT:HB_SOUTH:da' does not begin with 'btc:'",
    ),
    "utilisation in percent": (observation_object(used(0.5)) | {"utilisation": 50}, "utilisation 50.0 is outside"),
    "power in another unit": (observation_object(power(1.0)) | {"usd_per_mwh": 1e6}, "usd_per_mwh 1000000.0"),
    "difficulty of nothing": (observation_object(network()) | {"difficulty": 0}, "difficulty 0.0 is outside"),
    "an interval that ends before it starts": (observation_object(power(1.0)) | {"end_time_us": T0}, "end_time_us"),
    "seconds for microseconds": (one(event_time_us=T0 // 1_000_000), "is not a time in microseconds UTC"),
    "a print of the future": (one(event_time_us=T0 + 2_000_001), "2.0 s after its receipt"),
    "a curve of next year": (observation_object(hour(1.0, T0 + 13 * LONG_US)), "after its receipt"),
    "a missing field": (one(usd_per_btc=...), "btc_price lacks usd_per_btc"),
    "an unknown field": (one(usd_per_bitcoin=1.0), "unknown fields usd_per_bitcoin; allowed:"),
    "the header's own field": (one(receipt_time_us=T0), "unknown fields receipt_time_us"),
    "text for a figure": (one(usd_per_btc="65000"), "btc_price.usd_per_btc is '65000', not float"),
    "true for a figure": (one(usd_per_btc=True), "btc_price.usd_per_btc is True, not float"),
    "true for a whole number": (one(revision=True), "btc_price.revision is True"),
    "a figure for a whole number": (one(event_time_us=float(T0)), "btc_price.event_time_us is"),
    "null for a figure": (one(usd_per_btc=None), "btc_price.usd_per_btc is None"),
    "a revision below nothing": (one(revision=-1), "revision -1 is outside"),
    "a revision beyond 32 bits": (one(revision=2**31), "revision 2147483648 is outside"),
    "a series without a name": (one(series=""), "must not be empty"),
    "a name without end": (one(source="x" * 201), "200 characters"),
    "an unknown kind": (one(kind="wind"), "kind 'wind' is not one of btc_price, network"),
    "no kind": (one(kind=...), "kind None is not one of"),
    "a list for a kind": (one(kind=[]), "kind [] is not one of"),
    "no object": (7, "kind None is not one of"),
    "a list": ([1, 2], "kind None is not one of"),
}


@pytest.mark.listed
@pytest.mark.parametrize("case", BAD_OBSERVATIONS)
def test_a_bad_observation_is_refused_with_its_reason_and_those_beside_it_are_kept(case: str) -> None:
    bad, said = BAD_OBSERVATIONS[case]
    found = parsed("observation", [observation_object(GOOD[0]), bad, observation_object(GOOD[4])])
    assert found.records == [GOOD[0], GOOD[4]]
    assert len(found.faults) == 1
    assert found.faults[0].startswith("observation 1: ")
    assert said in found.faults[0]


GIVEN = orjson.dumps([one()])
BAD_PAYLOADS: dict[str, tuple[str, bytes, str]] = {
    "truncated": ("observation", GIVEN[:-20], "not JSON"),
    "empty": ("observation", b"", "not JSON"),
    "not a number": ("observation", GIVEN.replace(b"65000.0", b"NaN"), "not JSON"),
    "infinity": ("observation", GIVEN.replace(b"65000.0", b"Infinity"), "not JSON"),
    "beyond any float": ("observation", GIVEN.replace(b"65000.0", b"1e999"), "not JSON"),
    "a number of 400 digits": ("observation", GIVEN.replace(b"65000.0", b"9" * 400), "not JSON"),
    "a number of 20 digits": ("observation", GIVEN.replace(b"65000.0", b"9" * 20), "usd_per_btc 1e+20 is outside"),
    "not text": ("observation", b"\xff\xfe\x00", "not JSON"),
    "zipped": ("observation", b"\x1f\x8b\x08\x00" + bytes(100), "not JSON"),
    "one, not a list": ("observation", GIVEN[1:-1], "the payload is a dict, not a list"),
    "deeper than JSON may be": ("observation", b"[" * 5_000 + b"]" * 5_000, "not JSON"),
    "a deep kind": ("observation", f'[{{"kind":{DEEP}}}]'.encode(), "is not one of"),
    "a deep field": ("observation", GIVEN.replace(b"65000.0", DEEP.encode()), "btc_price.usd_per_btc"),
    "more than may come at once": ("observation", b"[" + b"1," * MAX_OBSERVATIONS + b"1]", "100001 observations"),
    "an unknown feed": (
        "weather",
        GIVEN,
        "feed 'weather' is unknown: known feeds are observation, clock, fleet, epoch",
    ),
    "no feed": ("", GIVEN, "feed '' is unknown"),
    "a payload beyond the limit": ("observation", b" " * (MAX_MESSAGE_BYTES + 1), "is over 16777216"),
    "a tick without time": ("clock", b"{}", "a tick needs time_us"),
    "a tick in seconds": ("clock", b'{"time_us":1718582400}', "is not a time in microseconds"),
    "a tick in words": ("clock", b'{"time_us":"noon"}', "a tick needs time_us"),
    "a tick of true": ("clock", b'{"time_us":true}', "a tick needs time_us"),
    "a tick with more": ("clock", b'{"time_us":1718582400000000,"zone":"UTC"}', "unknown fields zone"),
    "a deep tick": ("clock", f'{{"time_us":{DEEP}}}'.encode(), "a tick needs time_us"),
    "a tick of a list": ("clock", b"[]", "a tick is a list, not an object"),
    "an unknown key of a miner": ("fleet", encode_miner(FLEET)[:-1] + b',"stock":1}', "stock = 1 is not a known key"),
    "a fleet of text": ("fleet", b'"mara"', "fleet record"),
    "a deep fleet": ("fleet", f'{{"key":{DEEP}}}'.encode(), "fleet record"),
    "a truncated fleet": ("fleet", encode_miner(FLEET)[:-5], "not JSON"),
    "an epoch of nothing": ("epoch", b'{"epoch":0,"code_hash":"x","config":{}}', "epoch (int from 1)"),
    "an epoch of true": ("epoch", b'{"epoch":true,"code_hash":"x","config":{}}', "epoch (int from 1)"),
    "an epoch without configuration": ("epoch", b'{"epoch":1,"code_hash":"x"}', "config is a NoneType"),
    "a policy that is none": (
        "epoch",
        b'{"epoch":1,"code_hash":"x","config":{"policy":"coin"}}',
        "policy 'coin' is not",
    ),
    "an unknown setting": ("epoch", b'{"epoch":1,"code_hash":"x","config":{"hope":1}}', "unknown fields hope"),
    "a limit of text": ("epoch", b'{"epoch":1,"code_hash":"x","config":{"warm_up_s":"1"}}', "config.warm_up_s is '1'"),
    "a limit of nothing": ("epoch", b'{"epoch":1,"code_hash":"x","config":{"warm_up_s":0}}', "warm_up_s 0 is outside"),
    "offsets of text": ("epoch", b'{"epoch":1,"code_hash":"x","config":{"skip_offsets":["7"]}}', "skip_offsets is"),
}


@pytest.mark.listed
@pytest.mark.parametrize("case", BAD_PAYLOADS)
def test_a_bad_payload_is_refused_with_its_reason(case: str) -> None:
    feed, payload, said = BAD_PAYLOADS[case]
    found = reason(feed, payload)
    assert said in found
    assert len(found) < Parsed.SHOWN_CHARACTERS + 100


@pytest.mark.listed
@pytest.mark.parametrize("usd_per_mwh", [-500.0, 0.0, 9_000.0])
def test_negative_prices_and_nine_thousand_dollars_pass(usd_per_mwh: float) -> None:
    assert parsed("observation", [observation_object(power(usd_per_mwh))]).records == [power(usd_per_mwh)]


def test_a_payload_nested_too_deeply_is_refused_however_deep_the_callers_stack_is() -> None:
    """Python's own limit on the depth of calls is met by showing the value, not by parsing it."""
    payload = f'{{"time_us":{DEEP}}}'.encode()

    def deeper(levels: int) -> str:
        return reason("clock", payload) if levels == 0 else deeper(levels - 1)

    assert "a tick needs time_us" in deeper(sys.getrecursionlimit() // 4)


def test_of_many_faults_the_first_are_told_and_the_rest_counted() -> None:
    found = parsed("observation", [one(usd_per_btc=0)] * 8)
    assert len(found.faults) == 8
    assert found.reason.startswith("observation 0: ")
    assert found.reason.endswith("; and 3 more")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
TEMPLATES: list[tuple[str, Any]] = [
    ("observation", [observation_object(each) for each in GOOD]),
    ("clock", {"time_us": T0, "replayed": True}),
    ("fleet", orjson.loads(encode_miner(FLEET))),
    ("epoch", EPOCH),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def mutated(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """The document with one place changed."""
    if not path:
        return to
    copy = value.copy()
    copy[path[0]] = mutated(copy[path[0]], path[1:], to)
    return copy


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(TEMPLATES), st.data(), json_values)
def test_no_change_of_any_place_of_a_good_payload_makes_it_raise(
    template: tuple[str, Any], data: st.DataObject, value: Any
) -> None:
    feed, document = template
    path = data.draw(st.sampled_from(places(document)))
    found = parsed(feed, mutated(document, path, value))
    assert found.records or found.faults or not value
    assert isinstance(found.reason, str)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from([*PARSERS, "other"]), st.binary(max_size=200) | json_values.map(orjson.dumps))
def test_no_payload_of_any_feed_makes_it_raise(feed: str, payload: bytes) -> None:
    found = parsed(feed, payload)
    assert found.records or found.faults or payload == b"[]"
