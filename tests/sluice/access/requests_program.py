"""`python requests_program.py SECONDS TOKENS [told]`: one environment that makes requests.

It waits for a line on stdin, then asks the gate again and again for SECONDS, and settles each
request that passes at a third of what it claimed. It prints when each one passed, in Unix ms: at
the end or, with "told", after its settlement.
The environment names the store, the limits and the account.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial

from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.errors import BudgetSpent, RateLimited
from sluice.access.gate import Ask, Gate
from sluice.access.prices import read_price_list
from sluice.access.usage import Tokens
from sluice.authentication import Principal
from sluice.aws.json_api import Limits
from sluice.settings import Settings, read_settings
from sluice.state.dynamodb import DynamoDbState
from sluice.state.sqlite import SqliteState
from sluice.state.store import StateStore

MAX_PATIENCE_S = 120


def store_of(settings: Settings) -> StateStore:
    """moto answers one request at a time, and sixteen processes wait for it."""
    if settings.state_file:
        return SqliteState(settings.state_file)
    patient = Limits(MAX_PATIENCE_S, MAX_PATIENCE_S, MAX_PATIENCE_S, attempts=100)
    return DynamoDbState(settings.state_table, os.environ, limits=patient, total_s=MAX_PATIENCE_S)


def main() -> None:
    seconds, tokens = float(sys.argv[1]), int(sys.argv[2])
    is_told = len(sys.argv) > 3
    settings = read_settings(os.environ)
    gate = Gate(
        store_of(settings),
        DeploymentLimits(settings.request_rates, (), settings.rate_limit_strategy),
        partial(read_price_list, settings.model_prices),
        lambda: os.urandom(12).hex(),
        max_contention_ms=MAX_PATIENCE_S * 1000,
    )
    account = os.environ["ACCOUNT"]
    principal = Principal("ann", account, has_record=os.environ.get("HAS_RECORD") == "true")
    ask = Ask("/v1/chat/completions", "https://x", "gpt", Tokens(tokens, 0, 0), 60.0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.monotonic() + seconds
    passed = []
    while time.monotonic() < end:
        try:
            ticket = gate.admit(principal, ask)
        except RateLimited as error:
            time.sleep(min((error.retry_ms or 0) / 1000, max(end - time.monotonic(), 0)))
            continue
        except BudgetSpent:
            break
        assert ticket is not None
        passed.append(ticket.admitted_at)
        ticket.settle(Tokens(tokens // 3, 0, 0))
        if is_told:
            sys.stdout.write(f"{ticket.admitted_at}\n")
            sys.stdout.flush()
    if not is_told:
        sys.stdout.write(" ".join(map(str, passed)))


main()
