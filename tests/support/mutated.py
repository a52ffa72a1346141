"""Payloads broken at one place, from a seed: bytes, values of JSON, cells of CSV, files of a zip."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

DEEP = "stands for lists in lists"  # orjson reads them deeper than it writes them
EMPTIED: tuple[object, ...] = (None, "", [], {})
WRONG: tuple[object, ...] = (
    True,
    [],
    {},
    [1],
    {"a": 1},
    DEEP,
    10**19,
    -1,
    1e308,
    -1e308,
    0,
    "NaN",
    "1e999",
    "-",
    "\u0663",
    "9" * 400,
)
HOSTILE: tuple[bytes, ...] = (
    *(b"", b" ", b"null", b"true", b"0", b"[]", b"{}", b'""', b"[[]]", b"[null]", b'{"":null}', b"\x00", b"\xff\xfe"),
    *(b"NaN", b"[1e999]", b"[" * 900 + b"]" * 900, b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900, b'"\\ud800"'),
    *(b"<html></html>", b"<?xml version='1.0'?><a/>", b"a,b\n1,2\n", b'a,"b\n', b"\x1f\x8b\x08\x00", b"PK\x03\x04"),
    *(b"PK\x05\x06" + bytes(18), b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"9" * 5_000, b"\r\n" * 1_000),
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A broken payload. ``emptied``: a value of it was taken away, so that nothing new can be read from it."""

    what: str
    body: bytes
    emptied: bool = False


def mutations(body: bytes, seed: int, each: int = 5) -> Iterator[Mutation]:
    """Several of every kind that this payload can suffer."""
    chance = random.Random(seed)
    for _ in range(each):
        yield Mutation("cut off", body[: chance.randrange(len(body) + 1)])
        yield flipped(body, chance)
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict | list):
        for _ in range(each * 2):
            for mutate in (emptied, dropped, wrong, scaled):
                yield mutate(value, chance)
    elif zipfile.is_zipfile(io.BytesIO(body)):
        yield from of_zip(body, chance, each)
    else:
        for _ in range(each * 4):
            yield of_text(body, chance)


def flipped(body: bytes, chance: random.Random) -> Mutation:
    """One bit turned."""
    broken = bytearray(body or b"\x00")
    place = chance.randrange(len(broken))
    broken[place] ^= 1 << chance.randrange(8)
    return Mutation(f"bit turned at {place}", bytes(broken))


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def changed(value: object, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> bytes:
    """The JSON with what lies at a path changed."""
    copy: Any = orjson.loads(orjson.dumps(value))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return orjson.dumps(copy).replace(b'"%b"' % DEEP.encode(), b"[" * 900 + b"]" * 900)


def somewhere(value: object, chance: random.Random) -> tuple[Any, ...]:
    """A path into a JSON value that has any."""
    return chance.choice(list(places(value)) or [()])


def emptied(value: object, chance: random.Random) -> Mutation:
    """A value taken away, its key left."""
    path, new = somewhere(value, chance), chance.choice(EMPTIED)
    return put(value, path, new, emptied=True)


def wrong(value: object, chance: random.Random) -> Mutation:
    """Something else in a value's place."""
    return put(value, somewhere(value, chance), chance.choice(WRONG))


def put(value: object, path: tuple[Any, ...], new: object, *, emptied: bool = False) -> Mutation:
    """Another value at a path."""
    if not path:
        return Mutation(f"all = {str(new)[:20]}", orjson.dumps(new), emptied)
    body = changed(value, path, lambda holder, key: holder.__setitem__(key, new))
    return Mutation(f"{path} = {repr(new)[:30]}", body, emptied)


def dropped(value: object, chance: random.Random) -> Mutation:
    """A key or a row taken away."""
    path = somewhere(value, chance)
    if not path:
        return Mutation("nothing to drop", b"{}", emptied=True)
    return Mutation(f"without {path}", changed(value, path, lambda holder, key: holder.pop(key)), emptied=True)


def scaled(value: object, chance: random.Random) -> Mutation:
    """A number a thousand times larger or smaller."""
    numbers = [path for path in places(value) if is_number(at(value, path))]
    if not numbers:
        return wrong(value, chance)
    path, factor = chance.choice(numbers), chance.choice((1_000, 1e-3))
    found = at(value, path)
    new = repr(float(found) * factor) if isinstance(found, str) else found * factor
    return put(value, path, new if not isinstance(new, int) or abs(new) < 2**63 else 2**63)


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What lies at a path."""
    for key in path:
        value = value[key]
    return value


def is_number(value: object) -> bool:
    """Whether a value is a number, or text that is one."""
    if isinstance(value, str):
        return value.replace(".", "", 1).removeprefix("-").isdigit() and value.isascii()
    return isinstance(value, int | float) and not isinstance(value, bool)


def of_text(body: bytes, chance: random.Random) -> Mutation:
    """A cell of a CSV, or a word of any text, made another."""
    rows = [line.split(b",") for line in body.split(b"\n")]
    row = chance.choice(rows)
    place = chance.randrange(len(row))
    new = chance.choice((b"", b"x", b"9" * 40, b"-", b"NaN", b"1e999", b'"', b"1,2", b"\x00", b"99/99/9999"))
    old, row[place] = row[place], new
    return Mutation(f"{old[:20]!r} = {new[:20]!r}", b"\n".join(b",".join(cells) for cells in rows))


def of_zip(body: bytes, chance: random.Random, each: int) -> Iterator[Mutation]:
    """Files of a zip broken inside, the zip whole."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(each * 4):
        place = chance.randrange(len(files))
        inner = of_text(files[place][1], chance)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, (name, content) in enumerate(files):
                archive.writestr(name, inner.body if number == place else content)
        yield Mutation(f"{files[place][0]}: {inner.what}", packed.getvalue())
