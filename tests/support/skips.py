"""What a run did not prove: every skipped proof is named with its reason, and CI does not accept any."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import pytest

PROOF = "proof"
LISTED = "listed"


@dataclass(frozen=True, slots=True)
class Skip:
    """A test that did not run, what it would have proven and why it did not."""

    test: str
    proofs: tuple[str, ...]
    reason: str


def refuses_skips(environment: Mapping[str, str]) -> bool:
    """Whether a skipped proof fails the run: in CI, or where asked for."""
    return any(environment.get(name, "") not in ("", "0", "false") for name in ("CI", "CHANGEOVER_REFUSE_SKIPS"))


def proofs_of(item: pytest.Item) -> list[str]:
    """The guarantees a test proves; ``listed`` for one that the project promises to run without naming a guarantee."""
    guarantees = [str(marker.args[0]) for marker in item.iter_markers("guarantee")]
    return sorted(set(guarantees)) + ([LISTED] if item.get_closest_marker(LISTED) else [])


class SkipPolicy:
    """A pytest plugin; works with xdist too, as what it needs travels in the reports."""

    def __init__(self, *, refuse: bool) -> None:
        self.refuse = refuse
        self.skips: list[Skip] = []
        self.ran = 0

    @property
    def unproven(self) -> list[Skip]:
        """The skips of tests that prove something."""
        return [skip for skip in self.skips if skip.proofs]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        report.user_properties.extend((PROOF, proof) for proof in proofs_of(item))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            proofs = tuple(str(value) for name, value in report.user_properties if name == PROOF)
            self.skips.append(Skip(report.nodeid, proofs, reason_of(report.longrepr)))
        elif report.when == "call":
            self.ran += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.skips:
            return
        write = terminalreporter.write_line
        terminalreporter.section("not proven here")
        write(f"{self.ran} tests ran, {len(self.skips)} were skipped, {len(self.unproven)} of those prove something")
        for (proof, reason), tests in by_proof(self.unproven).items():
            write(f"not proven here: {proof} because {reason}")
            for test in tests:
                write(f"    {test}")
        if self.refuse and self.unproven:
            write("This run does not accept skipped proofs (CI or CHANGEOVER_REFUSE_SKIPS is set): it has failed.")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (
            self.refuse
            and self.unproven
            and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def reason_of(longrepr: object) -> str:
    """The words of ``pytest.skip``."""
    text = longrepr[2] if isinstance(longrepr, tuple) else longrepr
    return str(text).removeprefix("Skipped: ")


def by_proof(skips: list[Skip]) -> dict[tuple[str, str], list[str]]:
    """The skipped tests of each (proof, reason)."""
    found: dict[tuple[str, str], list[str]] = {}
    for skip in skips:
        for proof in skip.proofs:
            found.setdefault((proof, skip.reason), []).append(skip.test)
    return dict(sorted(found.items()))
