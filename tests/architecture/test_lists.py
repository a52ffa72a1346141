"""Lists that stand in two places agree: pins and dependencies, versions, commands, links."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from streams import exit_codes
from streams.compilation import SOURCES
from tests.architecture.imports import reached_from

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "deploy").glob("*.lock"))]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
)
# What the path from record to signal imports and what changes no decision: not in the hash of what decides.
DECIDES_NOTHING = {
    "streams/errors.py": "messages",
    "streams/now.py": "the clock of feeds, which stand beside their parsers; a parser is given its times",
    "streams/__init__.py": "a docstring",
    "models/__init__.py": "a docstring",
}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def normal(name: str) -> str:
    """A distribution's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Every dependency that pyproject.toml names: to run, embedded, to develop, to build."""
    lines = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
        *(line for group in PROJECT["dependency-groups"].values() for line in group),
        *PROJECT["build-system"]["requires"],
    ]
    return {normal(re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0]) for line in lines}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+\s+(.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> set[str]:
    """The targets of the Makefile that have a line of help."""
    return set(re.findall(r"^([a-z]+):.*## \S", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_dependency_is_pinned() -> None:
    pinned = {normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)}
    assert declared() - pinned == set()


@pytest.mark.parametrize("lock", LOCKS, ids=[str(lock.relative_to(ROOT)) for lock in LOCKS])
def test_every_pin_has_its_hash(lock: Path) -> None:
    pins = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert pins


@pytest.mark.parametrize("lock", LOCKS, ids=[str(lock.relative_to(ROOT)) for lock in LOCKS])
def test_a_lock_names_no_host_and_no_path(lock: Path) -> None:
    place = re.compile(r"://|--(extra-)?index|--find-links|(?<![\w.])/\w|file:")
    assert [line for line in lock.read_text().splitlines() if place.search(line)] == []


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


def test_every_target_of_the_makefile_has_a_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())
    assert targets() == phony


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_make_command_of_a_page_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|\$ |^)make ([a-z]+)", page.read_text(), re.MULTILINE))
    assert named - targets() == set()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_of_the_docs_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    reached: set[Path] = set()
    waiting = [index, ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve()
            for link in LINK.findall(page.read_text())
            if "://" not in link
        ]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def test_the_readme_promises_the_python_versions_of_the_package() -> None:
    floor, ceiling = re.findall(r"3\.(\d+)", PROJECT["project"]["requires-python"])
    versions = {f"3.{minor}" for minor in range(int(floor), int(ceiling))}
    classified = {line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if "Python :: 3." in line}
    assert classified == versions
    assert all(version in (ROOT / "README.md").read_text() for version in (min(versions), max(versions)))


def test_the_hash_of_what_decides_covers_every_source_on_the_path_from_record_to_signal() -> None:
    hashed = {path for pattern in SOURCES for path in ROOT.glob(pattern)}
    reached = set(reached_from("streams.pipeline", ("models", "streams")).values())
    assert {str(path.relative_to(ROOT)) for path in reached - hashed} - set(DECIDES_NOTHING) == set()


def test_the_readme_names_every_exit_code() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)}
    assert named == codes
