"""The contract of the feed as documents made from the types of the code: JSON Schema of every kind, AsyncAPI 3.0."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from models.signals import AckEntry, CommandEntry, EpochEntry, Quality, Switch
from streams.wire import SIGNAL_SCHEMA

DRAFT = "http://json-schema.org/draft-07/schema#"
KINDS: dict[str, Any] = {
    "switch": Switch,
    "quality": Quality,
    "epoch": EpochEntry,
    "command": CommandEntry,
    "ack": AckEntry,
}
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}

ENVELOPE: dict[str, dict[str, Any]] = {
    "schema": {"type": "integer", "const": SIGNAL_SCHEMA, "description": "Version of these shapes."},
    "origin": {"enum": ["live", "demo", "replay"], "description": "Where it comes from; demo is simulated."},
    "generation": {"type": "integer", "minimum": 1, "description": "Which numbering; a new one begins at seq 1."},
    "epoch": {"type": "integer", "minimum": 0, "description": "Which configuration and code decided."},
    "seq": {"type": "integer", "minimum": 1, "description": "Number in the miner's stream, without holes."},
    "chain": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Chain before this entry."},
    "id": {"type": "string", "description": "<miner>:<generation>:<seq>"},
    "offset": {"type": "integer", "minimum": 0, "description": "Record of the log that caused it."},
}
CLOSED_KEYS = {
    "from": ["hash", "ai", "off"],
    "to": ["hash", "ai", "off"],
    "class": ["mandatory", "safety", "lock-out", "contract", "operator", "economic"],
}


def json_schema(*, closed: bool = False) -> dict[str, Any]:
    """JSON Schema of an entry. Unknown keys and kinds are allowed; ``closed``, for our own tests, allows neither."""
    definitions = schemas("#/definitions/", closed=closed)
    kinds = [{"$ref": f"#/definitions/{kind}"} for kind in (*KINDS, *(() if closed else ("other",)))]
    return {
        "$schema": DRAFT,
        "title": "An entry of a miner's stream of signals",
        "description": "A reader passes over keys and kinds that it does not know.",
        "oneOf": kinds,
        "definitions": definitions,
    }


def schemas(at: str, *, closed: bool = False) -> dict[str, Any]:
    """Every schema by name; references begin with ``at``."""
    found: dict[str, Any] = {}
    for kind, cls in KINDS.items():
        shape = _object(cls, at, found, closed=closed)
        shape["properties"] = ENVELOPE | shape["properties"] | {"kind": {"const": kind}}
        shape["required"] = sorted({*shape["required"], *ENVELOPE})
        found[kind] = shape
    if not closed:
        others = {"kind": {"type": "string", "not": {"enum": sorted(KINDS)}}, "miner": {"type": "string"}}
        found["other"] = {
            "type": "object",
            "description": "A kind of a later version: keep its number and chain, and pass over the rest.",
            "properties": ENVELOPE | others,
            "required": sorted((*ENVELOPE, "kind", "miner")),
        }
    return dict(sorted(found.items()))


def _object(cls: Any, at: str, found: dict[str, Any], *, closed: bool) -> dict[str, Any]:  # noqa: ANN401 a TypedDict has no type of its own
    properties = {}
    for key, hint in get_type_hints(cls).items():
        shape = _shape(hint, at, found, closed=closed)
        properties[key] = {"enum": CLOSED_KEYS[key]} if cls is Switch and key in CLOSED_KEYS else shape
    about = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    described = {} if about.startswith("dict(") else {"description": about}
    return {
        "type": "object",
        **described,
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": not closed,
    }


def _shape(hint: Any, at: str, found: dict[str, Any], *, closed: bool) -> dict[str, Any]:  # noqa: ANN401 any type hint comes here
    """Schema of a type; what it refers to is put into ``found``."""
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if hint is NoneType:
        return {"type": "null"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        shapes = [_shape(each, at, found, closed=closed) for each in arguments]
        if all(shape.keys() == {"type"} for shape in shapes):
            return {"type": [shape["type"] for shape in shapes]}
        return {"anyOf": shapes}
    if origin is list:
        return {"type": "array", "items": _shape(arguments[0], at, found, closed=closed)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _shape(arguments[1], at, found, closed=closed)}
    if not is_typeddict(hint):
        raise TypeError(f"no schema is known for {hint!r}: add it to streams/client/contract.py")
    name = hint.__name__[0].lower() + hint.__name__[1:]
    if name not in found:
        found[name] = {}
        found[name] = _object(hint, at, found, closed=closed)
    return {"$ref": f"{at}{name}"}


def asyncapi(version: str) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the feed as the service publishes it."""
    messages = [*KINDS, "other"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Changeover signals",
            "version": version,
            "description": (
                "One numbered stream for each miner. The stream is the record; the channel is a hint to look. How a "
                "reader stays without gap or double: docs/how-to/follow-signals-in-any-language.md. Demo and replay "
                "have the prefix changeover:<origin>-<run>: instead of changeover:."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {
                "host": "localhost:6379",
                "protocol": "redis",
                "description": "Redis 7 or later, Valkey 8 or later. In production with TLS and a login for each desk.",
            }
        },
        "channels": {
            "record": _channel(
                "changeover:{tag}:signals",
                "A Redis stream. Entry 7 has id 7-0 and the fields offset, chain (after it) and json (the payload).",
                messages,
            ),
            "live": _channel(
                "changeover:{tag}:live",
                "Pub/Sub: a hint, the payload alone. It may be lost; read the record.",
                messages,
            ),
        },
        "operations": {
            f"publish{name.title()}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in messages],
            }
            for name in ("record", "live")
        },
        "components": {
            "messages": {message: _message(message) for message in messages},
            "schemas": schemas("#/components/schemas/"),
        },
    }


def _channel(address: str, description: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": "#/servers/redis"}],
        "parameters": {
            "tag": {"description": "The miner in literal braces, the hash tag of a cluster.", "examples": ["{mara}"]}
        },
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
    }


def _message(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"Entry of kind {name}" if name in KINDS else "Entry of a kind of a later version",
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document of JSON values as YAML, every string quoted as in JSON.

    >>> print(as_yaml({"a": [{"b": 1, "c": []}, "d"], "e": {}}), end="")
    "a":
      - "b": 1
        "c": []
      - "d"
    "e": {}
    """
    return "\n".join([*_lines(document, ""), ""])


def _lines(value: Any, indent: str) -> Iterator[str]:  # noqa: ANN401 any JSON value comes here
    pairs = value.items() if isinstance(value, Mapping) else ((None, each) for each in value)
    for key, each in pairs:
        lead = "-" if key is None else f"{json.dumps(key)}:"
        if not (isinstance(each, (Mapping, list)) and each):
            yield f"{indent}{lead} {json.dumps(each)}"
        elif key is None:
            first, *rest = _lines(each, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}{lead}"
            yield from _lines(each, f"{indent}  ")
