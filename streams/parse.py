"""Raw record -> records of the core. Pure: the same bytes give the same records. What cannot be read says why.

Parsing comes after the log, so that a parser's bug is fixed and history run again. Caps on size and rows come before
parsing. A payload of many observations loses only those that are wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import cast

import orjson

from models import policies
from models.commands import Ack, Command
from models.limits import refusal
from models.records import (
    OBSERVATION_KINDS,
    Clock,
    DecidingConfig,
    EpochStart,
    FleetChange,
    Observation,
)
from streams.errors import ChangeoverError, FeedError
from streams.feeds.contract import Parsed
from streams.feeds.sources import SOURCES
from streams.fleetfile import decode_miner
from streams.fleetfile_errors import shown
from streams.wire import MAX_MESSAGE_BYTES, RawRecord

MAX_OBSERVATIONS = 100_000


def parse(raw: RawRecord) -> Parsed:
    """Records of a raw record. Never raises on what a payload may hold.

    >>> parse(RawRecord("clock", 1, "a", 1, b'{"time_us":1718582400')).reason
    'clock: the payload is not JSON: unexpected end of data: line 1 column 22 (char 21)'
    """
    parser = PARSERS.get(raw.feed)
    if parser is None:
        known = ", ".join(PARSERS)
        return Parsed([], [f"feed {raw.feed!r} is unknown: known feeds are {known}"])
    if len(raw.payload) > MAX_MESSAGE_BYTES:
        return Parsed([], [f"{raw.feed}: payload of {len(raw.payload)} bytes is over {MAX_MESSAGE_BYTES}"])
    try:
        return _plausible(parser(raw))
    except (ChangeoverError, ValueError) as fault:
        return Parsed([], [f"{raw.feed}: {fault}"])


def _plausible(parsed: Parsed) -> Parsed:
    """Without the observations that speak of a time not yet come; each is a fault."""
    for record in [record for record in parsed.records if isinstance(record, Observation)]:
        ahead = refusal(record)
        if ahead is not None:
            parsed.records.remove(record)
            parsed.faults.append(f"{record.series}: {ahead}")
    return parsed


def _json(raw: RawRecord) -> object:
    try:
        return cast("object", orjson.loads(raw.payload))
    except orjson.JSONDecodeError as fault:
        raise FeedError(f"the payload is not JSON: {fault}") from fault


def _object(value: object, allowed: frozenset[str], what: str) -> dict[str, object]:
    """A JSON object with no keys but those allowed."""
    if not isinstance(value, dict):
        raise FeedError(f"{what} is a {type(value).__name__}, not an object")
    found = cast("dict[str, object]", value)
    unknown = found.keys() - allowed
    if unknown:
        raise FeedError(
            f"{what} has unknown fields {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(allowed))}"
        )
    return found


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field of an observation is read."""

    types: tuple[type, ...]
    required: bool
    expects: str


def _rules(kind: type[Observation | Command | Ack]) -> dict[str, FieldRule]:
    """Field rules of a record, from its dataclass."""
    rules = {}
    for item in fields(kind):
        if item.name == "receipt_time_us":
            continue
        text = str(item.type)
        types: tuple[type, ...] = {"str": (str,), "int": (int,), "float": (float, int)}[text.split(" |", maxsplit=1)[0]]
        types = (*types, type(None)) if "None" in text else types
        rules[item.name] = FieldRule(types, item.default is MISSING, text)
    return rules


RULES = {name: _rules(kind) for name, kind in OBSERVATION_KINDS.items()}
ALLOWED = {name: frozenset(rules) | {"kind"} for name, rules in RULES.items()}


def read_observation(value: object, receipt_time_us: int) -> Observation:
    """One observation from its JSON object. FeedError or ValueError says which field is wrong and what it may be."""
    name = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in OBSERVATION_KINDS:
        raise FeedError(f"kind {shown(name)} is not one of {', '.join(OBSERVATION_KINDS)}")
    arguments = _arguments(name, RULES[name], _object(value, ALLOWED[name], name))
    observation = OBSERVATION_KINDS[name](receipt_time_us=receipt_time_us, **arguments)  # type: ignore[arg-type]  # checked by RULES
    ahead = refusal(observation)
    if ahead is not None:
        raise FeedError(f"{name} {observation.series}: {ahead}")
    return observation


def _arguments(name: str, rules: dict[str, FieldRule], found: dict[str, object]) -> dict[str, object]:
    """Arguments of a record from an object's fields. FeedError names the first that is missing or of another type."""
    arguments: dict[str, object] = {}
    for field, rule in rules.items():
        if field not in found:
            if rule.required:
                raise FeedError(f"{name} lacks {field}")
            continue
        given = found[field]
        if type(given) not in rule.types:
            raise FeedError(f"{name}.{field} is {shown(given)}, not {rule.expects}")
        arguments[field] = float(given) if float in rule.types and isinstance(given, int) else given
    return arguments


def _observations(raw: RawRecord) -> Parsed:
    rows = _json(raw)
    if not isinstance(rows, list):
        raise FeedError(f"the payload is a {type(rows).__name__}, not a list of observations")
    if len(rows) > MAX_OBSERVATIONS:
        raise FeedError(f"{len(rows)} observations in one record are over {MAX_OBSERVATIONS}")
    parsed = Parsed([], [])
    for place, row in enumerate(rows):
        try:
            parsed.records.append(read_observation(row, raw.receipt_time_us))
        except (FeedError, ValueError) as fault:
            parsed.faults.append(f"observation {place}: {fault}")
    return parsed


CLOCK_FIELDS = frozenset(("time_us", "replayed"))


def _clock(raw: RawRecord) -> Parsed:
    found = _object(_json(raw), CLOCK_FIELDS, "a tick")
    time_us, replayed = found.get("time_us"), found.get("replayed", False)
    if type(time_us) is not int or type(replayed) is not bool:
        raise FeedError(f"a tick needs time_us (int) and may have replayed (bool), not {shown(found)}")
    return Parsed([Clock(time_us=time_us, instance=raw.instance, replayed=replayed)], [])


def _fleet(raw: RawRecord) -> Parsed:
    return Parsed([FleetChange(miner=decode_miner(raw.payload))], [])


ORDER_RULES = {"command": _rules(Command), "ack": _rules(Ack)}


def _order(raw: RawRecord) -> Parsed:
    """A command or an acknowledgement: one JSON object with the record's fields."""
    rules = ORDER_RULES[raw.feed]
    arguments = _arguments(raw.feed, rules, _object(_json(raw), frozenset(rules), f"a record of feed {raw.feed!r}"))
    record: Command | Ack
    record = Command(**arguments) if raw.feed == "command" else Ack(**arguments)  # type: ignore[arg-type]  # checked by the rules
    return Parsed([record], [])


EPOCH_FIELDS = frozenset(("epoch", "config", "code_hash"))
CONFIG_FIELDS = frozenset(item.name for item in fields(DecidingConfig))


def read_config(value: object) -> DecidingConfig:
    """A deciding configuration from its JSON object. Raises FeedError or ValueError: what it may not be."""
    found = _object(value, CONFIG_FIELDS, "config")
    kinds = {item.name: str(item.type) for item in fields(DecidingConfig)}
    arguments: dict[str, object] = {}
    for name, given in found.items():
        if name == "skip_offsets":
            if not isinstance(given, list) or any(type(offset) is not int for offset in given):
                raise FeedError(f"config.skip_offsets is {shown(given)}, not a list of offsets")
            arguments[name] = tuple(cast("list[int]", given))
            continue
        types = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}[kinds[name]]
        if type(given) not in types:
            raise FeedError(f"config.{name} is {shown(given)}, not {kinds[name]}")
        arguments[name] = float(cast("float", given)) if kinds[name] == "float" else given
    config = DecidingConfig(**arguments)  # type: ignore[arg-type]  # checked above
    policies.code_of(config.policy)
    return config


def _epoch(raw: RawRecord) -> Parsed:
    found = _object(_json(raw), EPOCH_FIELDS, "an epoch")
    epoch, code_hash = found.get("epoch"), found.get("code_hash")
    if type(epoch) is not int or not 1 <= epoch < 2**31 or type(code_hash) is not str:
        given = f"{shown(epoch)} and {shown(code_hash)}"
        raise FeedError(f"an epoch needs epoch (int from 1) and code_hash (str), not {given}")
    return Parsed([EpochStart(epoch=epoch, config=read_config(found.get("config")), code_hash=code_hash)], [])


PARSERS: dict[str, Callable[[RawRecord], Parsed]] = {
    "observation": _observations,
    "clock": _clock,
    "fleet": _fleet,
    "epoch": _epoch,
    "command": _order,
    "ack": _order,
    **{name: parser for source in SOURCES for name, parser in source.parsers.items()},
}
