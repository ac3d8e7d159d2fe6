from __future__ import annotations

from bench.delivery import Case, one_post_each


def test_reference_posts_each_delta_and_falls_behind_a_fast_model() -> None:
    outcome = one_post_each(10, Case(deltas_per_s=1000, post_ms=5))
    assert outcome.posts == 10
    assert outcome.last_ms >= 10 * 5 - 10  # what ten posts take, less the time of the model
