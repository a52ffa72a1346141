"""Every example in README and docs is run; one that cannot be (it would start a broker, say) is checked by its words.

A ``console`` block holds ``$ command`` lines and what they print (``...`` stands for anything), a ``sh`` block commands
alone. They run in a folder of their own that shows the project's files, the packaged sample, and every ``toml`` block
of the same page whose first line is a comment with its name. A comment ``<!-- not run: why -->`` before a block says
why it is not run here; its commands and options must exist all the same.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]*?) -->\s*\n)?^```(?P<kind>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
SAMPLE = ROOT / "streams" / "history" / "sample"
NAMED = re.compile(r"\A# (?P<name>[\w.-]+\.toml)\n")
SECONDS = 200
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
OURS = {"changeover", ".venv/bin/changeover"}
FOREIGN = {"git", "redis-cli", "docker", "cd", "python3", ".ci/run", "bash", "kcat", "curl", "jq"}


@dataclass(frozen=True)
class Example:
    """A fenced block of a page; ``why`` it is not run, empty for one that is."""

    place: str
    kind: str
    text: str
    why: str

    @property
    def page(self) -> str:
        """The page it stands on."""
        return self.place.partition(":")[0]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Pairs of a command and what the page says it prints."""
        if self.kind == "sh":
            lines = re.sub(r"\\\n", " ", self.text).splitlines()
            return [(line.strip(), "") for line in lines if line.strip() and not line.startswith("#")]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        pairs = [re.sub(r"\\\n", " ", part).partition("\n") for part in parts]
        return [(command.strip(), printed) for command, _, printed in pairs]


def examples() -> list[Example]:
    """Every fenced block of README, CONTRIBUTING and docs that has a language."""
    found = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text() if page.is_file() else ""
        for block in BLOCK.finditer(text):
            line = text[: block.start("kind")].count("\n") + 1
            place = f"{page.relative_to(ROOT)}:{line}"
            found.append(Example(place, block["kind"], block["text"], (block["why"] or "").strip()))
    return found


EXAMPLES = examples()


def environment() -> dict[str, str]:
    """The caller's environment with our commands first on PATH and no setting of ours."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHANGEOVER_", "KAFKA_", "REDIS_"))
    }
    return kept | {"PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}", "COLUMNS": "120", "TERM": "dumb"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that shows what a reader has at hand; what examples write stays in it."""
    for path in [*ROOT.iterdir(), *SAMPLE.glob("*.gz")]:
        if not path.name.startswith("."):
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def run(command: str, folder: Path, *, check: bool = True) -> str:
    """What a command prints; after the time limit it is ended with all that it started."""
    process = subprocess.Popen(
        ["bash", "-c", re.sub(r"(?<!\S)\.venv/bin/", f"{BIN}/", command)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        shown, said = process.communicate()
        pytest.fail(f"{command}: not done after {SECONDS} s\n{shown}{said}")
    assert not check or process.returncode == 0, f"{command}\n{shown}{said}"
    return shown


def test_there_are_examples() -> None:
    assert {one.kind for one in EXAMPLES} >= {"console"}
    assert any(one.page == "README.md" for one in EXAMPLES)


def check_console(example: Example, folder: Path) -> None:
    """Run the commands of a console example and compare what they print."""
    for other in EXAMPLES:
        if other.page == example.page and (match := NAMED.match(other.text)):
            (folder / match["name"]).write_text(other.text)
    assert example.commands
    for command, printed in example.commands:
        shown = run(command, folder, check="echo $?" not in command)
        if printed.strip():
            assert doctest.OutputChecker().check_output(printed, shown, LIKE), f"{command}\nprinted:\n{shown}"


def check_python(example: Example, folder: Path) -> None:
    """Run a Python example in a process of its own, or its prompts as a doctest."""
    if ">>>" in example.text:
        test = doctest.DocTestParser().get_doctest(example.text, {}, example.place, None, 0)
        assert doctest.DocTestRunner(optionflags=LIKE).run(test).failed == 0
    else:
        run(shlex.join([sys.executable, "-c", example.text]), folder)


def check_toml(example: Example, _: Path) -> None:
    """Read a TOML example."""
    assert tomllib.loads(example.text)


def check_json(example: Example, _: Path) -> None:
    """Read a JSON example."""
    assert json.loads(example.text)


def check_words(command: str) -> None:
    """Check that a command line's program, subcommand and options exist, without running it."""
    words = [word for word in shlex.split(command, comments=True) if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets), command
    elif words[0] in OURS:
        path = words[1 : 1 + depth(words[1:])]
        text = run(shlex.join(["changeover", *path, "--help"]), ROOT)
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert {option for option in options if option not in text} == set(), command
    else:
        assert words[0] in FOREIGN, f"{command}: {words[0]} is neither ours nor known"


def depth(words: list[str]) -> int:
    """How many words name the command: one, or two where the first is a group."""
    if not words or words[0].startswith("-"):
        return 0
    return 2 if len(words) > 1 and "COMMAND" in run(shlex.join(["changeover", words[0], "--help"]), ROOT) else 1


CHECKS = {
    "console": check_console,
    "sh": check_console,
    "python": check_python,
    "pycon": check_python,
    "toml": check_toml,
    "json": check_json,
}
RUN = [example for example in EXAMPLES if not example.why and example.kind != "text"]
NOT_RUN = [example for example in EXAMPLES if example.why]


@pytest.mark.parametrize("example", RUN, ids=[example.place for example in RUN])
def test_an_example_runs_and_prints_what_the_page_says(example: Example, folder: Path) -> None:
    CHECKS[example.kind](example, folder)


@pytest.mark.parametrize("example", NOT_RUN, ids=[f"{example.place} ({example.why})" for example in NOT_RUN])
def test_an_example_that_is_not_run_uses_only_what_exists(example: Example) -> None:
    assert example.kind in {"console", "sh"}
    assert example.commands
    for command, _ in example.commands:
        check_words(command)


@pytest.mark.parametrize("text", ["$ echo one\ntwo\n", "$ false\n", "one\n"])
def test_a_console_example_that_is_wrong_is_found(text: str, folder: Path) -> None:
    with pytest.raises(AssertionError):
        check_console(Example("here:1", "console", text, ""), folder)


@pytest.mark.parametrize("text", ["x = 1 / 0\n", ">>> 1 + 1\n3\n"])
def test_a_python_example_that_is_wrong_is_found(text: str, folder: Path) -> None:
    with pytest.raises(AssertionError):
        check_python(Example("here:1", "python", text, ""), folder)


@pytest.mark.parametrize(
    "command", ["make nonsense", "changeover nonsense", "changeover replay --nonsense", "nonsense"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    with pytest.raises(AssertionError):
        check_words(command)
