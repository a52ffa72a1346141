"""Rooms stay small and say what lives in them; nothing is left unfinished and no machine is named."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("models", "streams")
LINES_OF_A_MODULE = 300
LINES_OF_A_TEST_FILE = 500  # a table of cases may be long
LINES_OF_A_FUNCTION = 50  # its docstring not counted: units, source and a worked number may take the room they need
VAGUE = {"util", "utils", "helper", "helpers", "manager", "common", "base", "core", "misc", "lib"}
MOCKS_PER_100_TESTS = 5

# Written in pieces, so that this file does not find itself.
UNFINISHED = re.compile(
    "|".join((r"\bTO" + "DO", r"\bFIX" + "ME", r"\bX" + r"XX\b", r"\bplace" + "holder", r"raise NotImpl" + "emented"))
)
MACHINE_PATH = re.compile(r"(?<![\w.$}{])/(?:" + "work|root|home/[a-z]|Users/[a-z]|tmp/[a-z]" + r")\b")
INDEX_HOST = re.compile(
    "|".join((r"py" + r"pi\.org", "python" + "hosted", r"maven\.apache\.org/maven2", r"repo1\.mav" + "en"))
)
BROAD = {"Exception", "BaseException"}
SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b(?::[A-Z0-9, ]+(?![a-z])|\[[a-z, -]+\])?(?P<reason>.*)")
REASON = re.compile(r"[A-Za-z`]{2,}\S*\s+\S{2,}")


def ours(*suffixes: str) -> list[Path]:
    """Files of the project as git would commit them, of these endings."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted(
        path for name in listed if (path := ROOT / name).is_file() and (not suffixes or path.suffix in suffixes)
    )


def named(path: Path) -> str:
    """A path as a reader of the project knows it."""
    return str(path.relative_to(ROOT))


SOURCES = [path for path in ours(".py") if path.relative_to(ROOT).parts[0] in PACKAGES]
TESTS = [path for path in ours(".py") if path.relative_to(ROOT).parts[0] == "tests"]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def readable(path: Path) -> str:
    """Text of a file, empty for one that is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Where a pattern stands."""
    return [
        f"{named(path)}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(readable(path).splitlines(), 1)
        if pattern.search(line)
    ]


def lacks_reason(line: str) -> bool:
    """Whether a line silences a tool without saying why."""
    match = SUPPRESSION.search(line)
    return match is not None and not REASON.search(match["reason"])


def none_of(wrong: list[str]) -> None:
    """Fail with every finding on a line of its own."""
    assert not wrong, "\n".join(["", *wrong])


def test_no_module_is_longer_than_300_lines() -> None:
    limits = dict.fromkeys(SOURCES, LINES_OF_A_MODULE) | dict.fromkeys(TESTS, LINES_OF_A_TEST_FILE)
    lengths = {path: len(path.read_text().splitlines()) for path in limits}
    none_of([f"{named(path)}: {length} lines" for path, length in lengths.items() if length > limits[path]])


def test_no_function_is_longer_than_50_lines() -> None:
    lengths = {
        f"{named(path)}:{function.lineno} {function.name}": lines_of(function)
        for path in SOURCES + TESTS
        for function in functions(ast.parse(path.read_text()))
    }
    none_of([f"{name}: {length} lines" for name, length in lengths.items() if length > LINES_OF_A_FUNCTION])


def test_every_module_says_in_its_first_line_what_lives_there() -> None:
    docstrings = {path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in SOURCES + TESTS}
    none_of([named(path) for path, text in docstrings.items() if not re.match(r"\S.*[.:?]$", text.partition("\n")[0])])


def test_no_name_of_a_room_is_vague() -> None:
    none_of([named(path) for path in SOURCES + TESTS if set(re.split(r"[/_.]", named(path))) & VAGUE])


def test_nothing_is_left_unfinished() -> None:
    none_of(lines_with(UNFINISHED, ours(".py", ".md", ".toml", ".yml", ".yaml", ".lua")))


def test_no_file_names_a_path_of_one_machine() -> None:
    none_of(lines_with(MACHINE_PATH, ours()))


def test_no_file_names_the_host_of_a_package_index() -> None:
    none_of(lines_with(INDEX_HOST, ours()))


def test_tests_are_no_packages() -> None:
    none_of([named(path) for path in TESTS if path.name == "__init__.py"])


def test_every_suppression_has_its_reason_on_the_line() -> None:
    none_of(
        [
            f"{named(path)}:{number}: {line.strip()[:110]}"
            for path in SOURCES + TESTS
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if path != Path(__file__) and lacks_reason(line)
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        "x()  # noqa: BLE001",
        "x()  # noqa",
        "x()  # noqa: BLE001, S110",
        "x()  # type: ignore",
        "x()  # type: ignore[arg-type]",
    ],
)
def test_a_suppression_without_a_reason_is_found(line: str) -> None:
    assert lacks_reason(line)


@pytest.mark.parametrize(
    "line",
    [
        "x()  # noqa: BLE001 - a supervisor reports it",
        "x()  # noqa: S110  nothing to undo",
        "x()  # type: ignore[misc]  # stub is wrong",
        "x()",
    ],
)
def test_a_suppression_with_a_reason_passes(line: str) -> None:
    assert not lacks_reason(line)


def broad_without_reason(source: str) -> list[int]:
    """Lines of handlers that catch everything, do not raise it again, and say nowhere why."""
    lines = source.splitlines()
    bare = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            caught = {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)} if node.type else BROAD
            raises = any(isinstance(part, ast.Raise) for part in ast.walk(node))
            explained = any("#" in line for line in lines[node.lineno - 1 : node.end_lineno])
            if caught & BROAD and not raises and not explained:
                bare.append(node.lineno)
    return bare


def test_every_broad_except_says_why_it_is_broad() -> None:
    none_of([f"{named(path)}:{line}" for path in SOURCES + TESTS for line in broad_without_reason(path.read_text())])


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException as error", " (ValueError, Exception)"])
def test_a_broad_except_without_a_reason_is_found(caught: str) -> None:
    assert broad_without_reason(f"try:\n    x()\nexcept{caught}:\n    pass\n") == [3]
    assert broad_without_reason(f"try:\n    x()\nexcept{caught}:  # a supervisor reports it\n    pass\n") == []


def test_mocks_stay_rare() -> None:
    mocks = len(lines_with(re.compile(r"\b(Magic|Async)?Mock\(|\bmocker\b|monkeypatch\.setattr"), TESTS))
    tests = sum(
        function.name.startswith("test_") for path in TESTS for function in functions(ast.parse(path.read_text()))
    )
    assert mocks * 100 <= tests * MOCKS_PER_100_TESTS
