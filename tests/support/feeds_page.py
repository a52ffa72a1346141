"""The page of sources: what each says of itself, and what its feed was observed to do under every fault.

``python -m tests.support.feeds_page docs/reference`` runs every feed against its fake server and writes the page.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from streams.feeds.contract import Source
from streams.feeds.sources import SOURCES
from tests.support.feed_faults import HTTP_COLUMNS, SOCKET_COLUMNS, Observed, observe
from tests.support.recorded_files import lines as recorded
from tests.support.sources_register import CASES

NAME = "feeds.md"
COMMAND = "python -m tests.support.feeds_page docs/reference"
INTRODUCTION = """\
Each source is one file of `streams/feeds/`: a feed that appends what it received to the raw log, and parsers that read
it after the log. No test calls a real source: each feed runs against a server on loopback that behaves as the source's
documentation describes. What no recording and no reachable document confirms is marked *unconfirmed*.
"""
FAULTS = """\
## Under faults

Observed, not promised: every feed against its own fake server with one fault at a time. After each of them the feed
was started again with the server well, and delivered.

- *again*: the feed ends with an error that is worth another try; the service starts it again after its own growing
  pause, or after the time the source asked for.
- *stops*: the error says that an operator must look (a key, an address); the service tries all the same.
- *goes on*: the feed notices nothing that matters, or needs nothing.
- *kept*, *refused*: what came was appended to the log; its parser found prices in it, or refused it with a reason.
"""
SOCKETS = """\
### Websockets

A frame that is lost or late is seen only where the source numbers its messages; elsewhere each price still carries its
own time, and the core passes over one that is older than what it knows. `silent` is no frame at all for the time set.
"""
POLLS = """\
### Polls

An answer is taken whole or not at all: a body that ends early or a gzip stream without its end is never read.
"""
RECORDED = """\
## Payloads of other hands

What others recorded, or published as samples, through the parsers as they run live; frames of websockets also through a
real socket. A test fails where one of these counts differs. Few of them hold a price of ours: they are of other pairs,
other models or a single offer. Most show that what is not ours gives no price.

*parsed*: observations found. *ignored*: payloads that say nothing of a price of ours. *refused*: payloads, or rows of
one, that are refused; of the reason the first words, # for a figure.
"""


def lines(observed: Mapping[tuple[str, str], Observed]) -> Iterator[str]:
    """The page."""
    yield "# Sources"
    yield ""
    yield f"<!-- Made from the code and a run of every feed: {COMMAND} -->"
    yield ""
    yield from INTRODUCTION.splitlines()
    for source in SOURCES:
        yield from about(source)
    yield ""
    yield from FAULTS.splitlines()
    sockets = [case.source for case in CASES if case.serve_socket]
    polls = [case.source for case in CASES if case.serve]
    if sockets:
        yield from ("", *SOCKETS.splitlines(), "", *table(sockets, SOCKET_COLUMNS, observed))
    if polls:
        yield from ("", *POLLS.splitlines(), "", *table(polls, HTTP_COLUMNS, observed))
    yield from ("", *RECORDED.splitlines(), "", *recorded())


def about(source: Source) -> Iterator[str]:
    """What a source says of itself."""
    yield from ("", f"## {source.name}", "")
    on = "on" if source.defaults_on else "off until it is set up"
    yield f"Kind `{source.kind}`, {on} where the settings say nothing. Etiquette: {source.etiquette}."
    parsers = ", ".join(f"`{name}`" for name in source.parsers)
    yield f"Payloads in the log: {parsers}."
    if source.keys or source.optional_keys:
        needed = ", ".join(f"`{key}`" for key in source.keys) or "none"
        optional = ", ".join(f"`{key}`" for key in source.optional_keys) or "none"
        yield f"Keys from the environment: needed {needed}; optional {optional}."
    yield from ("", *options_table(source.options))
    for key, model in nested(source.options):
        yield from ("", f"Each table `[[feeds.{source.name}.{key}]]`:", "", *options_table(model))
    yield ""
    yield "Written from " + ", ".join(f"<{page}>" for page in source.documentation) + "."
    for doubt in source.unconfirmed:
        yield f"Unconfirmed: {doubt}."


def options_table(model: type[BaseModel]) -> Iterator[str]:
    """The keys of a table of settings."""
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for key, field in model.model_fields.items():
        default = field.get_default(call_default_factory=False)
        shown = "" if default is PydanticUndefined or default is None else f"`{plain(default)}`"
        yield f"| `{key}` | {'needed' if field.is_required() else shown} | {meaning_of(field)} |"


def meaning_of(field: FieldInfo) -> str:
    """What a key means, with its words where it takes no others."""
    words = [each for each in get_args(field.annotation) if isinstance(each, str)]
    return (
        f"{field.description} One of {', '.join(f'`{word}`' for word in words)}." if words else f"{field.description}"
    )


def nested(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The options that are lists of tables of their own."""
    for key, field in model.model_fields.items():
        for each in get_args(field.annotation):
            if isinstance(each, type) and issubclass(each, BaseModel):
                yield key, each


def plain(default: object) -> str:
    """A default as a settings file has it."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple | list):
        return ", ".join(map(str, default)) or "none"
    return str(default)


def table(names: Sequence[str], columns: Sequence[str], observed: Mapping[tuple[str, str], Observed]) -> Iterator[str]:
    """Sources down, faults across would be too wide: faults down, sources that behave alike together."""
    yield "| fault | observed | sources |"
    yield "|---|---|---|"
    for column in columns:
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(observed[name, column].behaviour, []).append(name)
        for behaviour, alike in groups.items():
            who = "all" if len(alike) == len(names) else ", ".join(alike)
            yield f"| {column} | {behaviour} | {who} |"


def page(observed: Mapping[tuple[str, str], Observed]) -> bytes:
    """The page as it is committed."""
    return "\n".join([*lines(observed), ""]).encode()


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_bytes(page(asyncio.run(observe())))
