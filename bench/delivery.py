"""WebSocket delivery: how long the last words of an answer take, beside one post for each delta."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from bench.measurement.bar_chart import Bar, Chart, svg
from bench.measurement.machine import origin
from bench.measurement.page import TIMES, Page, number, table
from bench.measurement.percentiles import median
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

A model that says {{deltas}} deltas at a steady pace, and posts that take their time, as a thread
that sleeps. *Last delta*: from the moment the model said it until the post that carries it has
returned, in milliseconds, so a post's own time is the least it can be; medians. *Joined* is what
Sluice does; the reference posts each delta by itself, in order. {TIMES}: how many times sooner.

"""


@dataclass(frozen=True, slots=True)
class Case:
    deltas_per_s: int
    post_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """last_ms: from the last delta to the end of its post."""

    last_ms: float
    posts: int


@dataclass(slots=True)
class Posts:
    """Posts that take their time."""

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
    """At the same time: all they do is wait."""
    with ThreadPoolExecutor(len(cases)) as threads:
        return dict(zip(cases, threads.map(deliver, cases), strict=True))


def _joined(deltas: int, case: Case) -> Outcome:
    posts = Posts(case.post_ms / 1000)
    deadline = Deadline(lambda: FUNCTION_TIMEOUT_MS)
    with Delivery(TextFrames(), posts.post, lambda _error: None, deadline) as delivery:
        last_at = _say(deltas, case.deltas_per_s, delivery.send)
        delivery.wait_until_sent()
    return Outcome((posts.ended_at - last_at) * 1000, posts.count)


def one_post_each(deltas: int, case: Case) -> Outcome:
    """What a function does that posts each delta as it comes, the model's reply waiting for it."""
    posts, waiting = Posts(case.post_ms / 1000), threading.Semaphore(0)

    def post_all() -> None:
        for _ in range(deltas):
            waiting.acquire()
            posts.post(b"")

    poster = threading.Thread(target=post_all)
    poster.start()
    last_at = _say(deltas, case.deltas_per_s, lambda _delta: waiting.release())
    poster.join()
    return Outcome((posts.ended_at - last_at) * 1000, posts.count)


def _say(deltas: int, per_s: int, hear: Callable[[str], object]) -> float:
    """Say the deltas, each when it is due; returns when the last one was said."""
    started = time.monotonic()
    said_at = started
    for position in range(deltas):
        wait_s = started + position / per_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        said_at = time.monotonic()
        hear("word ")
    return said_at


def _page(
    deltas: int, joined: Mapping[Case, Sequence[Outcome]], single: Mapping[Case, Sequence[Outcome]]
) -> Page:
    head = ["deltas/s, post takes", "last delta, joined", "posts", "one post each", "posts", TIMES]
    rows = [_cells(case, joined[case], single[case]) for case in joined]
    goal = Case(*GOAL_CASE)
    ours, theirs = _last(joined[goal]), _last(single[goal])
    told = (
        f"\nAt {goal.deltas_per_s} deltas a second and posts of {goal.post_ms} ms the last delta is"
        f" there after {number(ours)} ms (goal: within {GOAL_MS} ms), {theirs / ours:.0f} {TIMES}"
        f" sooner (goal: {GOAL_TIMES} {TIMES}).\n"
    )
    text = [
        INTRODUCTION.format(deltas=deltas),
        table(head, rows),
        told,
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
