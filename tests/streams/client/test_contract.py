"""The published contract: real messages keep it, the typed records have its keys, AsyncAPI's own schema accepts it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import fastjsonschema
import orjson
import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships no types

from models.records import DecidingConfig
from models.signals import Content
from streams.client import contract, records
from streams.compilation import code_hash
from streams.history import open_history
from streams.pipeline import Mode, Pipeline
from streams.replay import Question, fleet_for_replay, replay
from streams.shipped import shipped
from streams.wire import ENVELOPE, RawRecord
from tests.support.demo_log import CODE, batches_of, log_of

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "docs" / "reference"
# Of the npm package @asyncapi/specs 6.11.1 (Apache-2.0), the file 3.0.0-without-$id.json with its white space removed.
ASYNCAPI = ROOT / "tests" / "support" / "asyncapi-3.0.0.schema.json.gz"
MESSAGES = 10_000


def published() -> dict[str, Any]:
    """The AsyncAPI document as it is committed."""
    document: dict[str, Any] = yaml.safe_load((REFERENCE / "asyncapi.yaml").read_text())
    return document


def real_messages() -> Iterator[bytes]:
    """Entries of a day of the demo's market, of people's orders in it, then of replays of the packaged sample."""
    pipeline = Pipeline(Mode(origin="demo", code_hash=CODE, marks=False, sites=False))
    entries = [each.json for batch in pipeline.process(log_of(1, 24.0)).batches for each in batch.entries]
    yield from entries
    switch = next(found for found in map(orjson.loads, reversed(entries)) if found["kind"] == "switch")
    for batch in pipeline.process(orders(switch, pipeline.offset, pipeline.market.log_time_us)).batches:
        yield from (entry.json for entry in batch.entries)
    fleet = fleet_for_replay(shipped("examples"), {}, None)
    for amortise_hours in range(1, 100):
        for policy in ("band", "breakeven"):
            config = DecidingConfig(policy=policy, amortise_hours=float(amortise_hours))
            answer = replay(Question(open_history("sample"), fleet, config, code_hash()), 1)
            for stream in answer.entries.values():
                yield from (entry.json for entry in stream)


def orders(switch: dict[str, Any], offset: int, now_us: int) -> list[RawRecord]:
    """A switch that is confirmed twice, and its load ordered about; one order is refused, and a tick ends another."""
    place = {"miner": switch["miner"], "site": switch["site"], "load": switch["load"], "who": "A", "issued_us": now_us}
    ack = place | {"decision": switch["decision"], "note": "by hand"}
    hold = place | {"action": "hold", "why": "a test", "until_us": now_us + 60_000_000}
    payloads = [
        ("ack", ack | {"id": "a1"}),
        ("ack", ack | {"id": "a2"}),
        ("command", hold | {"id": "c1"}),
        ("command", hold | {"id": "c2", "expected_version": 0}),
        ("command", place | {"id": "c3", "action": "lock-out", "why": "a test"}),
        ("command", place | {"id": "c4", "action": "release", "why": "a test"}),
        ("command", hold | {"id": "c5", "action": "force", "mode": "off"}),
        ("clock", {"time_us": now_us + 61_000_000, "replayed": True}),
    ]
    return [
        RawRecord(feed, now_us, "test", number, orjson.dumps(payload), offset + 1 + number)
        for number, (feed, payload) in enumerate(payloads)
    ]


def from_document(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """A schema that stands for itself: what AsyncAPI names, JSON Schema defines."""
    text = json.dumps(document["components"]["schemas"]).replace("#/components/schemas/", "#/definitions/")
    return {"$schema": contract.DRAFT, "$ref": f"#/definitions/{kind}", "definitions": json.loads(text)}


@pytest.mark.timeout(120)
def test_ten_thousand_real_messages_keep_the_published_contract_and_have_no_other_keys() -> None:
    document = published()
    by_kind = {kind: fastjsonschema.compile(from_document(document, kind)) for kind in contract.KINDS}
    whole = fastjsonschema.compile(orjson.loads((REFERENCE / "signals.schema.json").read_bytes()))
    closed = fastjsonschema.compile(contract.json_schema(closed=True))
    seen: dict[str, int] = {}
    for number, message in enumerate(real_messages()):
        entry = orjson.loads(message)
        by_kind[entry["kind"]](entry)
        closed(entry)
        if number % 10 == 0:
            whole(entry)
        seen[entry["kind"]] = seen.get(entry["kind"], 0) + 1
        if sum(seen.values()) == MESSAGES:
            break
    assert sum(seen.values()) == MESSAGES
    assert set(seen) == set(contract.KINDS)


def test_both_validators_agree_on_a_message_and_on_spoilt_ones() -> None:
    (message,) = (entry for batch in batches_of(1)[:1] for entry in batch.entries[:1])
    schema = contract.json_schema()
    Draft7Validator.check_schema(schema)
    fast, thorough = fastjsonschema.compile(schema), Draft7Validator(schema)
    good = orjson.loads(message.json)
    spoilt = [good | {"seq": 0}, good | {"chain": "x"}, {key: good[key] for key in good if key != "id"}, [good]]
    assert thorough.is_valid(good)
    fast(good)
    for each in spoilt:
        assert not thorough.is_valid(each)
        with pytest.raises(fastjsonschema.JsonSchemaException):
            fast(each)


def test_a_kind_of_a_later_version_is_no_breach() -> None:
    (message,) = (entry for batch in batches_of(1)[:1] for entry in batch.entries[:1])
    later = orjson.loads(message.json) | {"kind": "weather", "colour": "red"}
    fastjsonschema.compile(contract.json_schema())(later)
    with pytest.raises(fastjsonschema.JsonSchemaException):
        fastjsonschema.compile(contract.json_schema(closed=True))(later)


def test_every_kind_that_the_core_makes_is_in_the_contract_and_a_record_of_the_client() -> None:
    assert set(contract.KINDS.values()) == set(get_args(Content))
    assert set(contract.KINDS) == set(records.KINDS)
    for kind, cls in contract.KINDS.items():
        keys = {records._key(each.name) for each in fields(records.KINDS[kind]) if each.name not in records.OURS}
        assert keys == set(get_type_hints(cls)) | ENVELOPE
    assert set(contract.ENVELOPE) == ENVELOPE


def test_the_official_schema_of_asyncapi_accepts_the_document_and_refuses_a_spoilt_one() -> None:
    official = Draft7Validator(json.loads(gzip.decompress(ASYNCAPI.read_bytes())))
    document = published()
    assert [error.message for error in official.iter_errors(document)] == []
    document["operations"]["publishLive"]["action"] = "shout"
    assert not official.is_valid(document)


def test_a_type_that_has_no_schema_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="no schema is known for <class 'bytes'>: add it"):
        contract._shape(bytes, "#/", {}, closed=False)
