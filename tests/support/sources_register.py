"""The documented payloads of every source, named once: a new source adds its file and its line here."""

from __future__ import annotations

from tests.support.sources_contract import Case

CASES: tuple[Case, ...] = ()
