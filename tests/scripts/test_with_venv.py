"""with-venv.mjs runs a command as if the shell had: streams, signals and exit code."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.scripts.setup_checkout import Checkout, checkout_in, running, write_program

WAITS_FOR_A_SIGNAL = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: sys.exit(print("got", number) or 0))
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return checkout_in(tmp_path)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
def test_exit_code_of_the_command_is_passed_on(
    checkout: Checkout, code: str, expected: int
) -> None:
    assert checkout.run("python", "-c", code).returncode == expected


def test_unknown_command_is_named(checkout: Checkout) -> None:
    finished = checkout.run("no-such-command")
    assert finished.returncode == 1
    assert ".venv has no command no-such-command" in finished.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_reaches_the_command_and_its_exit_code_comes_back(
    checkout: Checkout, number: signal.Signals
) -> None:
    with running(checkout, "python", "-c", WAITS_FOR_A_SIGNAL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == f"got {number.value}\n"
        assert process.wait() == 0


def test_ctrl_c_of_a_terminal_is_not_passed_on_to_a_command_that_counts_it(
    checkout: Checkout,
) -> None:
    """The terminal sends it to the command itself; npm sends another to with-venv.mjs."""
    controller, terminal = pty.openpty()
    program = ("--terminal", "python", "-c", WAITS_FOR_A_SIGNAL)
    with running(checkout, *program, stdin=terminal) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == f"got {signal.SIGTERM.value}\n"
    os.close(controller)
    os.close(terminal)
    with running(checkout, *program, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == f"got {signal.SIGINT.value}\n"


def test_signal_during_set_up_ends_it_and_frees_the_lock(checkout: Checkout) -> None:
    checkout.install_fake_python(install="echo installing >&2; exec sleep 600")
    with running(checkout, "python", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "installing\n":
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    assert not (checkout.root / ".build" / ".venv.pid").exists()


def test_npm_killed_outright_takes_the_command_along(checkout: Checkout) -> None:
    checkout.set_up()
    npm = write_program(
        checkout.programs / "npm-start",
        f"#!/bin/sh\n{' '.join(checkout.command('python', 'waits.py'))}\nexit 0\n",
    )
    (checkout.root / "waits.py").write_text(WAITS_FOR_A_SIGNAL)
    environment = checkout.environment(npm_lifecycle_event="start")
    with subprocess.Popen([npm], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == f"got {signal.SIGTERM.value}\n"  # and its end is reached
