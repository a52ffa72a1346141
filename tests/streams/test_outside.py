"""What outsiders may write: each refusal names its field, and no message reaches a series that is not its writer's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import NODE
from streams.feeds.sources import SOURCES
from streams.outside import MAX_MESSAGE_BYTES, MAX_OBSERVATIONS, RESERVED, admit, json_schema
from streams.parse import parse
from streams.wire import RawRecord

NOW_US = 1_718_582_400_000_000
DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = DOCS / "reference" / "observation.schema.json"
PAGE = DOCS / "how-to" / "send-your-own-prices.md"

POWER = {
    "kind": "power_price",
    "series": "hub",
    "event_time_us": NOW_US,
    "end_time_us": NOW_US + 300_000_000,
    "next_due_us": NOW_US + 600_000_000,
    "usd_per_mwh": -12.5,
}
RATE = {
    "kind": "gpu_rate",
    "series": "H100-SXM",
    "event_time_us": NOW_US,
    "next_due_us": NOW_US + 1,
    "usd_per_gpu_hour": 2,
}
USE = {
    "kind": "utilisation",
    "series": "spot+1",
    "event_time_us": NOW_US,
    "next_due_us": NOW_US + 1,
    "utilisation": 0.5,
}


def admitted(message: object, header: str | None = "desk-a") -> list[dict[str, Any]]:
    """What is let in."""
    found: list[dict[str, Any]] = orjson.loads(admit(json.dumps(message).encode(), header, NOW_US))
    return found


def refusal(message: object, header: str | None = "desk-a") -> str:
    """Why it is not."""
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    with pytest.raises(ValueError) as caught:
        admit(raw, header, NOW_US)
    return str(caught.value)


def test_each_kind_gets_a_series_in_its_writers_namespace() -> None:
    (power, curve, rate, use) = admitted([POWER, POWER | {"market": "da"}, RATE, USE])
    assert power["series"] == "power:PRIVATE:desk-a.hub:rt"
    assert curve["series"] == "power:PRIVATE:desk-a.hub:da"
    assert rate["series"] == "gpu:private.desk-a.H100-SXM"
    assert use["series"] == "utilisation:desk-a.spot+1"
    assert {each["source"] for each in (power, curve, rate, use)} == {"private:desk-a"}


def test_a_private_power_series_can_be_named_as_a_sites_node() -> None:
    longest = POWER | {"series": "s" * 29}
    for message, principal in ((POWER, "desk-a"), (longest, "p" * 30)):
        (found,) = admitted(message, principal)
        node = found["series"].removeprefix("power:").removesuffix(":rt")
        assert NODE.match(node)


def test_what_is_admitted_parses_into_the_same_records() -> None:
    payload = admit(json.dumps([POWER, RATE, USE]).encode(), "desk-a", NOW_US)
    parsed = parse(RawRecord("observation", NOW_US, "agents-1", 0, payload))
    assert parsed.faults == []
    assert [record.kind for record in parsed.records] == ["power_price", "gpu_rate", "utilisation"]  # type: ignore[union-attr]  # all are observations


def test_the_principal_may_stand_in_the_message_instead_of_the_header() -> None:
    assert admitted(RATE | {"principal": "desk-b"}, None)[0]["source"] == "private:desk-b"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"", "Invalid JSON"),
        (b"\xff", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"null", "should be an object"),
        ([], "at least 1 item"),
        ([RATE] * (MAX_OBSERVATIONS + 1), "at most 1000 items"),
        ({"kind": "btc_price"}, "does not match any of the expected tags"),
        (RATE | {"colour": 1}, "gpu_rate.colour: Extra inputs are not permitted"),
        ({key: RATE[key] for key in RATE if key != "next_due_us"}, "gpu_rate.next_due_us: Field required"),
        (RATE | {"series": "a.b"}, "gpu_rate.series"),
        (RATE | {"series": "gpu:H100"}, "gpu_rate.series"),
        (RATE | {"series": ""}, "gpu_rate.series"),
        (RATE | {"usd_per_gpu_hour": "2"}, "gpu_rate.usd_per_gpu_hour"),
        (RATE | {"usd_per_gpu_hour": 0}, "gpu_rate.usd_per_gpu_hour"),
        (RATE | {"usd_per_gpu_hour": float("nan")}, "gpu_rate.usd_per_gpu_hour"),
        (RATE | {"event_time_us": 1_718_582_400}, "event_time_us 1718582400 is not a time in microseconds"),
        (RATE | {"event_time_us": 1.5}, "gpu_rate.event_time_us"),
        (POWER | {"usd_per_mwh": 50_001}, "power_price.usd_per_mwh"),
        (POWER | {"end_time_us": NOW_US}, "end_time_us must lie after event_time_us"),
        (POWER | {"market": "spot"}, "power_price.market"),
        (USE | {"utilisation": 50}, "utilisation.utilisation"),
        (RATE | {"principal": "desk-b"}, "header principal 'desk-a' and field principal 'desk-b' differ"),
        ([RATE, RATE | {"series": "a.b"}], "1.gpu_rate.series"),
    ],
)
def test_a_refusal_names_the_field_and_the_reason(message: object, said: str) -> None:
    assert said in refusal(message)


def test_nobody_and_nobodys_name_are_refused() -> None:
    assert "nobody is named" in refusal(RATE, None)
    assert "should match pattern" in refusal(RATE, "Desk A")
    assert "nobody is named" in refusal(RATE, "")


@pytest.mark.parametrize("message", [POWER, RATE, USE], ids=["power", "rate", "utilisation"])
def test_no_outsider_writes_a_series_of_one_of_our_sources(message: dict[str, object]) -> None:
    said = "principal 'http-json' is the name of a source of ours"
    assert said in refusal(message, "http-json")
    assert said in refusal(message | {"principal": "http-json"}, None)
    assert said in refusal([message | {"principal": "desk-a"}, message | {"principal": "http-json"}], None)
    (mine,) = admitted(message, "http-json-2")
    assert "http-json-2." in mine["series"]


def test_the_names_of_all_sources_with_a_private_namespace_are_reserved() -> None:
    assert {source.name for source in SOURCES if source.kind == "private"} == RESERVED


def test_a_message_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    assert "1048576 at most" in refusal(b" " * (MAX_MESSAGE_BYTES + 1))


whole = json.dumps([POWER, RATE, USE]).encode()
damaged = st.builds(
    lambda place, cut, put: whole[:place] + put + whole[place + cut :],
    st.integers(0, len(whole)),
    st.integers(0, 20),
    st.binary(max_size=5) | st.sampled_from([b"NaN", b"null", b"1e999", b"-", b'"', b"[]", b"{}"]),
)


@given(st.binary(max_size=100) | damaged)
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_come_are_admitted_or_refused_with_a_reason(message: bytes) -> None:
    try:
        payload = admit(message, "desk-a", NOW_US)
    except ValueError:
        return
    assert parse(RawRecord("observation", NOW_US, "agents-1", 0, payload)).faults == []


names = st.text("abcXYZ019_+-.:", min_size=1, max_size=40)


@given(names, names, st.sampled_from([POWER, RATE, USE]))
@settings(max_examples=300, deadline=None)
def test_no_name_leads_out_of_the_writers_namespace(series: str, principal: str, message: dict[str, object]) -> None:
    try:
        (found,) = admitted(message | {"series": series}, principal)
    except ValueError:
        return
    inside = {
        "power_price": f"power:PRIVATE:{principal}.{series}:rt",
        "gpu_rate": f"gpu:private.{principal}.{series}",
        "utilisation": f"utilisation:{principal}.{series}",
    }
    assert found["series"] == inside[str(message["kind"])]
    assert "." not in principal
    assert "." not in series


@pytest.mark.parametrize("block", re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
def test_every_message_on_the_page_that_explains_it_is_admitted(block: str) -> None:
    assert admitted(json.loads(block))


def test_the_schema_in_the_docs_accepts_what_is_admitted_and_refuses_what_is_not() -> None:
    schema = json.loads(SCHEMA.read_text())
    assert schema == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    for message in (POWER, RATE, USE, [POWER, RATE, USE]):
        assert check.is_valid(message)
    refused: list[object] = [
        RATE | {"colour": 1},
        RATE | {"series": "a.b"},
        POWER | {"market": "spot"},
        [],
        {"kind": "btc_price"},
    ]
    for wrong in refused:
        assert not check.is_valid(wrong)
