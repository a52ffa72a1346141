"""The pages on fleets and economics say what the code does: every key, default and range, every function."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import tomllib
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from models.fleet import AsicTier, Fact, GpuPool, Lease, Load, Miner, Power, Reference, Site

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
FLEET = (DOCS / "fleet.md").read_text(encoding="utf-8")
ECONOMICS = (DOCS / "economics.md").read_text(encoding="utf-8")

LOAD_KEYS = {entry.name for entry in fields(Load)}
FITS = ("brownian", "chain", "cylinder", "discounted", "ergodic", "fit", "levels", "ou", "robust", "stopping")
ROOMS = (
    *("hashprice", "mining", "hosting", "power", "charges", "sla.credits", "sla.budget"),
    *(f"switching.{room}" for room in FITS),
)

POWER = Power(node="ERCOT:HB_SOUTH", contract="hedged", ppa_usd_per_mwh=30.0, committed_mw=5.0)
ASIC = AsicTier(key="s21", model="S21", joules_per_th=17.5, mw=1.0)
POOL = GpuPool(key="h100", gpu="H100-SXM", gpus=8.0, kw_per_gpu=1.4, bf16_tflops=989.0)
LEASE = Lease(key="tenant", usd_per_kw_month=150.0, it_mw=100.0)
SITE = Site(key="yard", mw_cap=5.0, power=POWER, asic=(ASIC,))
MINER = Miner(key="mine", name="Mine", site=(SITE,))
FACT = Fact(claim="5 MW", date="2025-09-30", source="its meter", mark="confirmed")

TABLES: dict[str, tuple[Any, set[str]]] = {
    "[miner]": (MINER, {"site", "fact", "hypothetical"}),
    "[[site]]": (SITE, set()),
    "[site.power]": (POWER, set()),
    "Every load": (ASIC, {"model", "joules_per_th", "mw", "pue", "uptime", "pool_fee", "opex_usd_per_mwh"}),
    "[[site.asic]]": (ASIC, LOAD_KEYS),
    "[[site.gpu]]": (POOL, LOAD_KEYS - {"stop_usd_per_mw", "start_usd_per_mw", "min_on_minutes"}),
    "[[site.lease]]": (LEASE, LOAD_KEYS),
    "[site.reference]": (Reference(), set()),
    "[[fact]]": (FACT, set()),
}
"""Heading on the page -> a record of it, and the fields that the page does not list there."""

Row = dict[str, str]


def rows_under(page: str, heading: str) -> list[Row]:
    """The rows of the table under a heading."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


ROWS = [
    pytest.param(record, row, id=f"{heading} {row['key']}")
    for heading, (record, _) in TABLES.items()
    for row in rows_under(FLEET, heading)
]


def field_of(record: Any, row: Row) -> Field[Any]:
    (found,) = (entry for entry in fields(record) if f"`{entry.name}`" == row["key"])
    return found


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_lists_the_keys_of_each_table_and_no_other(heading: str) -> None:
    record, elsewhere = TABLES[heading]
    listed = [row["key"] for row in rows_under(FLEET, heading)]
    assert sorted(listed) == sorted(f"`{entry.name}`" for entry in fields(record) if entry.name not in elsewhere)


def test_a_default_that_differs_by_kind_is_listed_with_its_kind() -> None:
    common = {entry.name: entry.default for entry in fields(Load)}
    for heading in ("[[site.asic]]", "[[site.gpu]]", "[[site.lease]]"):
        record, elsewhere = TABLES[heading]
        own = {entry.name: entry.default for entry in fields(record)}
        for name in LOAD_KEYS & elsewhere:
            assert own[name] == common[name], f"{heading} {name}"


@pytest.mark.parametrize(("record", "row"), ROWS)
def test_the_default_on_the_page_is_the_default(record: object, row: Row) -> None:
    default = field_of(record, row).default
    match row["default"]:
        case "":
            assert default is MISSING
        case "none":
            assert default in (None, (), Reference())
        case written:
            assert tomllib.loads(f"value = {written.strip('`')}")["value"] == default


@pytest.mark.parametrize(("record", "row"), ROWS)
def test_the_type_on_the_page_is_the_type(record: object, row: Row) -> None:
    hint = get_type_hints(type(record))[field_of(record, row).name]
    kinds = {kind for kind in get_args(hint) or (hint,) if isinstance(kind, type)} - {type(None)}
    types = {"text": str, "number": float, "boolean": bool, "date": date}
    if row["type"] in types:
        assert kinds == {types[row["type"]]}
    else:
        assert row["type"] == ("tables" if get_origin(hint) is tuple else "table")
        assert all(is_dataclass(kind) for kind in kinds)


@pytest.mark.parametrize(("record", "row"), ROWS)
def test_the_page_says_what_is_allowed(record: Any, row: Row) -> None:
    name = field_of(record, row).name
    span = re.fullmatch(r"(-?[\d.]+) to (-?[\d.]+)", row["allowed"])
    if span is not None:
        low, high = float(span[1]), float(span[2])
        assert [getattr(replace(record, **{name: end}), name) for end in (low, high)] == [low, high]
        for beyond in (math.nextafter(low, -math.inf), math.nextafter(high, math.inf)):
            with pytest.raises(ValueError, match=f"^{name} .* is outside"):
                replace(record, **{name: beyond})
    elif row["type"] == "number":
        pytest.fail(f"{name} has no range on the page")
    elif row["allowed"] in ("a key", "ISO:NODE", "gpu:...", "utilisation:..."):
        with pytest.raises(ValueError, match=re.escape(repr("No Such"))):
            replace(record, **{name: "No Such"})
    elif row["type"] == "text" and row["allowed"] != "any":
        words = re.findall(r"`([^`]+)`", row["allowed"])
        assert [getattr(replace(record, **{name: word}), name) for word in words] == words
        with pytest.raises(ValueError, match=f"is not one of {', '.join(words)}$"):
            replace(record, **{name: "something else"})


def functions_of(room: str) -> set[str]:
    """The functions a room offers, compiled ones too."""
    module = importlib.import_module(f"models.{room}")
    own = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    return {name for name in own if name[0] != "_" and inspect.isfunction(inspect.unwrap(getattr(module, name)))}


def test_the_economics_page_names_every_function_and_only_those() -> None:
    rooms = "|".join(re.escape(room) for room in ROOMS)
    named = set(re.findall(rf"`((?:{rooms})\.[a-z_0-9]+)`", ECONOMICS))
    assert named == {f"{room}.{name}" for room in ROOMS for name in functions_of(room)}
