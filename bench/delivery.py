"""WebSocket delivery: delay of an answer's last delta, compared with one post per delta."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from bench.measurement.machine import origin
from bench.measurement.page import Page, table
from bench.measurement.percentiles import median
from scripts.bar_chart import Bar, Chart, svg
from scripts.figures import TIMES, number
from sluice.deadline import Deadline
from sluice.websocket.delivery import Delivery
from sluice.websocket.frames import TextFrames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.measurement.plan import Plan

DELTAS_PER_S = (20, 100, 200)
POST_MS = (5, 20, 50)
DELTAS = 400  # an answer of about 300 words
ROUNDS = 3
FUNCTION_TIMEOUT_MS = 900_000
GOAL_CASE, GOAL_MS, GOAL_TIMES = (200, 20), 50, 10
INTRODUCTION = f"""# WebSocket delivery

A model emits {{deltas}} deltas at a steady pace; each post takes a fixed time (a sleeping thread).
Lower is better.

* Last delta: milliseconds from the model's last delta until its post has returned; medians. A
  post's own time is the minimum.
* Joined: what Sluice does. The reference posts each delta separately, in order.
* {TIMES}: how many times sooner Sluice is.

"""


@dataclass(frozen=True, slots=True)
class Case:
    deltas_per_s: int
    post_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """last_ms: from the last delta until its post has returned."""

    last_ms: float
    posts: int


@dataclass(slots=True)
class Posts:
    """Posts of a fixed duration."""

    seconds: float
    count: int = 0
    ended_at: float = 0.0

    def post(self, _frame: bytes, _timeout_s: float = math.inf) -> None:
        time.sleep(self.seconds)
        self.count += 1
        self.ended_at = time.monotonic()


def report(plan: Plan) -> Page:
    deltas = max(20, plan.times(DELTAS))
    cases = [Case(*pair) for pair in product(DELTAS_PER_S, POST_MS)]
    joined: dict[Case, list[Outcome]] = {case: [] for case in cases}
    single: dict[Case, list[Outcome]] = {case: [] for case in cases}
    for _ in range(plan.times(ROUNDS)):
        for outcomes, deliver in ((joined, _joined), (single, one_post_each)):
            for case, outcome in _all_cases(cases, partial(deliver, deltas)).items():
                outcomes[case].append(outcome)
    return _page(deltas, joined, single)


def _all_cases(cases: Sequence[Case], deliver: Callable[[Case], Outcome]) -> Mapping[Case, Outcome]:
    """Run all cases at the same time: they only wait."""
    with ThreadPoolExecutor(len(cases)) as threads:
        return dict(zip(cases, threads.map(deliver, cases), strict=True))


def _joined(deltas: int, case: Case) -> Outcome:
    posts = Posts(case.post_ms / 1000)
    deadline = Deadline(lambda: FUNCTION_TIMEOUT_MS)
    with Delivery(TextFrames(), posts.post, lambda _error: None, deadline) as delivery:
        last_at = _emit(deltas, case.deltas_per_s, delivery.send)
        delivery.wait_until_sent()
    return Outcome((posts.ended_at - last_at) * 1000, posts.count)


def one_post_each(deltas: int, case: Case) -> Outcome:
    """Post each delta separately, as a function without Sluice's delivery does."""
    posts, waiting = Posts(case.post_ms / 1000), threading.Semaphore(0)

    def post_all() -> None:
        for _ in range(deltas):
            waiting.acquire()
            posts.post(b"")

    poster = threading.Thread(target=post_all)
    poster.start()
    last_at = _emit(deltas, case.deltas_per_s, lambda _delta: waiting.release())
    poster.join()
    return Outcome((posts.ended_at - last_at) * 1000, posts.count)


def _emit(deltas: int, per_s: int, take: Callable[[str], object]) -> float:
    """Emit each delta when it is due; return the time of the last one."""
    started = time.monotonic()
    said_at = started
    for position in range(deltas):
        wait_s = started + position / per_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        said_at = time.monotonic()
        take("word ")
    return said_at


def _page(
    deltas: int, joined: Mapping[Case, Sequence[Outcome]], single: Mapping[Case, Sequence[Outcome]]
) -> Page:
    head = [
        "deltas/s, duration of a post",
        "last delta, joined",
        "posts",
        "one post per delta",
        "posts",
        TIMES,
    ]
    rows = [_cells(case, joined[case], single[case]) for case in joined]
    goal = Case(*GOAL_CASE)
    ours, theirs = _last(joined[goal]), _last(single[goal])
    summary = (
        f"\nAt {goal.deltas_per_s} deltas per second and posts of {goal.post_ms} ms the last delta"
        f" arrives after {number(ours)} ms (goal: within {GOAL_MS} ms), {theirs / ours:.0f} {TIMES}"
        f" sooner (goal: {GOAL_TIMES} {TIMES}).\n"
    )
    text = [
        INTRODUCTION.format(deltas=deltas),
        table(head, rows),
        summary,
        "\n![Delivery](delivery.svg)\n\n",
        origin(),
    ]
    return Page("".join(text), _picture(joined, single))


def _cells(case: Case, joined: Sequence[Outcome], single: Sequence[Outcome]) -> list[str]:
    ours, theirs = _last(joined), _last(single)
    return [
        f"{case.deltas_per_s}, {case.post_ms} ms",
        number(ours),
        f"{median(outcome.posts for outcome in joined):.0f}",
        number(theirs),
        f"{median(outcome.posts for outcome in single):.0f}",
        f"{theirs / ours:.1f}",
    ]


def _last(outcomes: Sequence[Outcome]) -> float:
    return median(outcome.last_ms for outcome in outcomes)


def _picture(
    joined: Mapping[Case, Sequence[Outcome]], single: Mapping[Case, Sequence[Outcome]]
) -> str:
    return svg([_chart(per_s, joined, single) for per_s in DELTAS_PER_S])


def _chart(
    per_s: int, joined: Mapping[Case, Sequence[Outcome]], single: Mapping[Case, Sequence[Outcome]]
) -> Chart:
    bars = []
    for case in (case for case in joined if case.deltas_per_s == per_s):
        posts = f"posts of {case.post_ms} ms"
        bars.append(Bar(f"{posts}: joined", _last(joined[case]), is_ours=True))
        bars.append(Bar(f"{posts}: one post per delta", _last(single[case])))
    return Chart(f"Delay of the last delta at {per_s} deltas per second (median)", "ms", bars)
