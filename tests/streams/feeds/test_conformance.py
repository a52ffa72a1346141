"""What every source keeps: its documented payloads give exactly what they say, and no bytes break its parsers.

What no parser can know, and none is asked for here: that a digit was changed in a number which stays possible, or that
a number grew a thousandfold and stays inside the range of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.commands import Record
from models.records import Observation
from streams.errors import FeedError
from streams.feeds.contract import MAX_NOTE, Parse, Parsed, Source
from streams.feeds.sources import SOURCES
from streams.parse import PARSERS, parse
from streams.wire import RawRecord
from tests.support.mutated import HOSTILE, mutations
from tests.support.sources_contract import Case, Payload
from tests.support.sources_register import CASES

BY_NAME = {source.name: source for source in SOURCES}
CASE_BY_NAME = {case.source: case for case in CASES}
NAMES = list(BY_NAME)
PARSER_NAMES = [name for source in SOURCES for name in source.parsers]
TIMES = {"event_time_us", "receipt_time_us", "next_due_us", "publish_time_us", "end_time_us"}
SEED = 20_260_614


def every(case: Case) -> Iterator[Payload]:
    """All payloads of a case."""
    yield from case.payloads
    yield from case.ignored
    yield from case.refused


def of(source: Source, payload: Payload) -> Parse:
    """The parser of a payload."""
    return source.parsers[payload.feed]


def read(parser: Parse, raw: RawRecord) -> Parsed | None:
    """What a parser makes of a record, None where it refuses it; any other exception is a failure of the test."""
    try:
        return parser(raw)
    except (FeedError, ValueError) as fault:
        said = str(fault)
    assert 0 < len(said) < 1_000
    return None


def figures(records: Sequence[Record]) -> set[tuple[object, ...]]:
    """Series and numbers of observations, without times."""
    found = set()
    for record in records:
        assert isinstance(record, Observation)
        names = [name for name in record.__dataclass_fields__ if name not in TIMES | {"revision"}]
        found.add(tuple(getattr(record, name) for name in names))
    return found


def test_every_source_has_its_documented_payloads_and_every_case_its_source() -> None:
    assert [case.source for case in CASES] == NAMES
    assert len(set(PARSER_NAMES)) == len(PARSER_NAMES)
    assert set(PARSER_NAMES) <= PARSERS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_source_says_what_must_be_known_of_it(name: str) -> None:
    source = BY_NAME[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert all(each == name or each.startswith(f"{name}:") for each in source.parsers)
    assert source.documentation
    assert all(re.match(r"https?://", page) for page in source.documentation)
    assert source.etiquette
    assert all(re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", key) for key in (*source.keys, *source.optional_keys))
    assert all(field.description for field in source.options.model_fields.values())
    assert not (source.keys and source.defaults_on), "a source that needs a key is off until it is set up"


@pytest.mark.parametrize("name", NAMES)
def test_a_feed_is_made_from_its_options_and_keys_without_touching_anything(name: str) -> None:
    case = CASE_BY_NAME[name]
    assert case.keys.keys() <= {*BY_NAME[name].keys, *BY_NAME[name].optional_keys}
    assert BY_NAME[name].build(case.options("http://127.0.0.1:9"), case.keys).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_payload_is_documented_whole(name: str) -> None:
    case = CASE_BY_NAME[name]
    assert case.payloads
    assert {payload.feed for payload in (*case.payloads, *case.ignored)} == set(BY_NAME[name].parsers)
    assert case.refused
    assert all(payload.cites and len(payload.note) <= MAX_NOTE for payload in every(case))
    assert (case.serve is None) + (case.serve_socket is None) < 2, "its feed must run against a server"


@pytest.mark.listed
@pytest.mark.parametrize("name", NAMES)
def test_documented_payloads_give_exactly_what_they_say_each_time_they_are_read(name: str) -> None:
    for payload in CASE_BY_NAME[name].payloads:
        parser = of(BY_NAME[name], payload)
        found = parser(payload.raw())
        assert tuple(found.records) == payload.gives, payload.body[:300]
        assert len(found.faults) == payload.faults, found.faults
        assert parser(payload.raw()) == found
        assert parse(payload.raw()).records == list(payload.gives), "nothing of it lies in the future"


@pytest.mark.parametrize("name", NAMES)
def test_what_says_nothing_of_a_price_is_ignored_and_what_is_wrong_is_refused(name: str) -> None:
    for payload in CASE_BY_NAME[name].ignored:
        assert of(BY_NAME[name], payload)(payload.raw()) == Parsed(), payload.body[:300]
    for payload in CASE_BY_NAME[name].refused:
        assert read(of(BY_NAME[name], payload), payload.raw()) is None, payload.body[:300]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_names_its_source_and_times_that_can_be(name: str) -> None:
    for payload in CASE_BY_NAME[name].payloads:
        for record in payload.gives:
            assert isinstance(record, Observation)
            assert record.source == name
            assert record.receipt_time_us == payload.receipt_time_us
            assert record.next_due_us >= record.event_time_us
            if record.publish_time_us is not None:
                assert record.publish_time_us <= record.receipt_time_us + 2_000_000


@pytest.mark.listed
@pytest.mark.parametrize("name", NAMES)
def test_a_broken_payload_is_refused_or_read_and_gives_no_number_that_it_does_not_hold(name: str) -> None:
    case = CASE_BY_NAME[name]
    for number, payload in enumerate(every(case)):
        parser, whole = of(BY_NAME[name], payload), figures(payload.gives)
        for mutation in mutations(payload.body, SEED + number):
            found = read(parser, payload.raw(mutation.body))
            if found is None:
                continue
            assert found == parser(payload.raw(mutation.body)), mutation.what
            if mutation.emptied and not case.aggregates:
                assert figures(found.records) <= whole, mutation.what


@pytest.mark.listed
@pytest.mark.parametrize("parser", PARSER_NAMES)
def test_hostile_bytes_give_nothing(parser: str) -> None:
    for body in HOSTILE:
        found = read(PARSERS[parser], RawRecord(parser, 1_781_415_345_500_000, "test", 1, body))
        assert found is None or found.records == [], body[:80]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("parser", PARSER_NAMES)
@settings(max_examples=60)
@given(value=JSON, noise=st.binary(max_size=80))
def test_any_json_and_any_bytes_are_read_or_refused(parser: str, value: object, noise: bytes) -> None:
    for body in (orjson.dumps(value), noise):
        read(PARSERS[parser], RawRecord(parser, 1_781_415_345_500_000, "test", 1, body))
