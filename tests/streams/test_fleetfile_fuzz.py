"""Whatever happens to a fleet document, it is a miner or one kind of refusal, never another exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fleet import Miner
from streams.errors import FeedError, SettingsError
from streams.fleetfile import decode_miner, encode_miner, miner_of, read_miners
from tests.support.fleet_document import TEXT, document

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["spot", "hedged", "ERCOT:HB_WEST", "gross", "off", "mara", "gpu:H100-SXM"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
)


def places(value: object) -> list[list[Any]]:
    """Every list or table in a document together with each of its keys."""
    found: list[list[Any]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        found += [[value, key], *places(inner)]
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The document with one to three places replaced, removed, doubled or given a new neighbour."""
    changed = document()
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(places(changed) or [[changed, "miner"]]))
        match draw(st.sampled_from(["replace", "remove", "add", "double"])):
            case "replace":
                holder[key] = draw(values)
            case "remove":
                holder.pop(key, None) if isinstance(holder, dict) else holder.pop(key)
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=12))] = draw(values)
            case _ if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
    return changed


def outcome(read: Callable[[], Miner], refused: type[Exception]) -> Miner | str:
    """The miner, or what the one allowed kind of refusal says; anything else ends the test."""
    try:
        return read()
    except refused as error:
        return str(error)


def is_miner_or_one_line(found: Miner | str, begin: str) -> bool:
    """Whether a miner came out that survives the log, or a refusal in one line that names its source."""
    if isinstance(found, Miner):
        return decode_miner(encode_miner(found)) == found
    return found.startswith(begin) and "\n" not in found


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_a_mutated_document_is_a_miner_or_a_settings_error_and_nothing_else(changed: dict[str, Any]) -> None:
    found = outcome(lambda: miner_of(changed, "fleet.toml"), SettingsError)
    assert is_miner_or_one_line(found, "fleet.toml: ")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 40), st.text(max_size=10))
def test_a_file_cut_and_patched_anywhere_is_a_miner_or_a_settings_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, length: int, patch: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "patched.toml"
    file.write_bytes((TEXT[:place] + patch + TEXT[place + length :]).encode("utf-8", "surrogatepass"))
    found = outcome(lambda: read_miners(file)[0], SettingsError)
    assert is_miner_or_one_line(found, f"{file}: ")


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_a_mutated_record_is_a_miner_or_a_feed_error_and_nothing_else(changed: dict[str, Any]) -> None:
    head = changed.get("miner")
    fields = {**(head if isinstance(head, dict) else {}), **changed}
    fields.pop("miner", None)
    payload = json.dumps(fields, default=str).encode()
    found = outcome(lambda: decode_miner(payload), FeedError)
    assert is_miner_or_one_line(found, "fleet record: ")
