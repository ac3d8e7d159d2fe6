"""Counts what became of the cases, and prints it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.cases import Border, Case, Fault
from tests.faults.oracle import HONEST, Seen, Verdict, judge

FAULTY = tuple(verdict for verdict in Verdict if verdict not in HONEST)
SHOWN_FINDINGS = 20
SHOWN_CHARACTERS = 600


@dataclass(slots=True)
class Tally:
    """`findings` are what docs/reliability.md rules out."""

    counts: Counter[tuple[Border, str, Verdict]] = field(default_factory=Counter)
    """By fault: a case that two faults struck counts twice."""
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    documented: Counter[Verdict] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    """What the stack printed."""
    kills: int = 0
    charged: Counter[str] = field(default_factory=Counter)
    """How many answers were charged what, if each had a key with a budget."""

    def add(self, case: Case, seen: Seen) -> None:
        verdict = judge(case.answer, seen)
        self.verdicts[verdict] += 1
        for border, name in [(f.border, f.name) for f in case.struck_by] or [(Border.NONE, "none")]:
            self.counts[border, name, verdict] += 1
        if verdict in case.allowed():
            self.documented[verdict] += 1
        else:
            expected = " or ".join(sorted(case.allowed()))
            self.findings.append(f"{case}: {verdict}, expected {expected}. Seen: {seen}")

    def add_stray(self, frame: str) -> None:
        """Count a frame of an answer that had ended."""
        self.verdicts[Verdict.DOUBLED] += 1
        self.findings.append(f"{Verdict.DOUBLED}: a frame after the end of its answer: {frame}")

    def table(self, faults: Sequence[Fault]) -> str:
        """Return the counts of each fault as a table in Markdown."""
        lines = [_row("border", "fault", "struck", *Verdict), _row(*["---"] * (3 + len(Verdict)))]
        for border, name in dict.fromkeys((fault.border, fault.name) for fault in faults):
            found = [self.counts[border, name, verdict] for verdict in Verdict]
            lines.append(_row(border, name, sum(found), *(n or "" for n in found)))
        return "\n".join(lines)

    def charges(self) -> str:
        """Return as a table in Markdown what answers were charged."""
        lines = [_row("charged", "answers"), _row("---", "---")]
        lines += [_row(kind, number) for kind, number in sorted(self.charged.items())]
        return "\n".join([f"Killed: {self.kills} processes", "", *lines])

    def summary(self) -> str:
        """Return the totals as a table in Markdown, and the first findings."""
        lines = [_row("answers", *FAULTY), _row(*["---"] * (1 + len(FAULTY)))]
        undocumented = (self.verdicts[verdict] - self.documented[verdict] for verdict in FAULTY)
        lines.append(_row("undocumented", *undocumented))
        lines.append(_row("documented", *(self.documented[verdict] for verdict in FAULTY)))
        shown = [finding[:SHOWN_CHARACTERS] for finding in self.findings[:SHOWN_FINDINGS]]
        return "\n".join([*lines, "", f"Findings: {len(self.findings)}", *shown])


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
