"""The set-up scripts, with stand-ins for Python and npm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.scripts.setup_checkout import (
    PACKAGE_LOCK,
    ROOT,
    Checkout,
    checkout_in,
    running,
    write_program,
)

PIP_REQUIREMENTS, PIP_DEVELOPMENT = "pip requirements.txt", "pip requirements-dev.txt"
EVERYTHING = ["npm ci", "npm install", PIP_DEVELOPMENT, "venv"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return checkout_in(tmp_path)


def test_fresh_clone_is_set_up_and_the_command_runs_in_it(checkout: Checkout) -> None:
    code = "import sys; print('child', sys.argv[1:])"
    finished = checkout.run("--dev", "python", "-c", code, "--a", "b")
    assert finished.stdout == "child ['--a', 'b']\n"
    assert finished.returncode == 0
    assert checkout.calls_made() == EVERYTHING
    assert "setup: Making .venv with python3 (Python 3.12.1).\n" in finished.stderr
    finished = checkout.run("--dev", "python", "-c", "pass")
    assert (finished.stdout, finished.stderr) == ("", "")
    assert checkout.calls_made() == []


def test_development_adds_to_what_the_service_needs(checkout: Checkout) -> None:
    assert checkout.set_up() == [PIP_REQUIREMENTS, "venv"]
    assert checkout.set_up("--dev") == ["npm ci", "npm install", PIP_DEVELOPMENT]
    assert checkout.set_up() == []


def test_service_starts_while_npm_still_installs_in_the_background(checkout: Checkout) -> None:
    started = checkout.root / "started"
    os.mkfifo(started)
    checkout.install_npm(f"read line < {started}; echo npm >> {checkout.calls}; exit 1")
    code = f"""
import pathlib, sys
pathlib.Path({str(started)!r}).write_text("the service runs\\n")
sys.stdin.readline()
"""
    with running(
        checkout, "--start", "python", "-c", code, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        while "npm cannot install" not in process.stderr.readline():
            pass
        process.stdin.write("end\n")
        process.stdin.close()
        assert process.wait() == 0
    assert checkout.calls_made() == ["npm", PIP_REQUIREMENTS, "venv"]


def test_start_installs_what_npx_runs_and_not_the_browser_of_the_tests(checkout: Checkout) -> None:
    installed = checkout.root / "node_modules" / ".package-lock.json"
    script = checkout.root / "scripts" / "with-venv.mjs"
    at_once = script.read_text().replace("BACKGROUND_DELAY_MS = 5000", "BACKGROUND_DELAY_MS = 0")
    script.write_text(at_once)
    done, npm = checkout.root / "done", checkout.programs / "npm"
    os.mkfifo(done)
    text = npm.read_text()
    npm.write_text(f'{text}[ "$1" = ci ] || echo > {done}\n')
    reads = ("python", "-c", f"open({str(done)!r}).read()")
    with running(checkout, "--start", *reads) as process:
        assert process.wait() == 0
    assert installed.read_text().count("integrity") == 2  # wscat and osls
    assert checkout.calls_made() == ["npm ci", "npm install", PIP_REQUIREMENTS, "venv"]
    npm.write_text(text)
    assert checkout.set_up("--dev") == ["npm install", PIP_DEVELOPMENT]
    assert installed.read_text().count("integrity") == 3


def test_changed_lock_installs_only_what_changed(checkout: Checkout) -> None:
    checkout.set_up("--dev")
    (checkout.root / "requirements-dev.txt").write_text("a==2 --hash=sha256:1\n")
    assert checkout.set_up() == []
    assert checkout.set_up("--dev") == [PIP_DEVELOPMENT]
    (checkout.root / "package-lock.json").write_text(PACKAGE_LOCK.replace("-x", "-y"))
    assert checkout.set_up("--dev") == ["npm ci", "npm install"]


def test_service_installed_after_a_change_makes_development_install_again(
    checkout: Checkout,
) -> None:
    checkout.set_up("--dev")
    lock = checkout.root / "requirements.txt"
    before = lock.read_text()
    lock.write_text("a==2 --hash=sha256:1\n")
    assert checkout.set_up() == [PIP_REQUIREMENTS]
    lock.write_text(before)
    assert checkout.set_up("--dev") == [PIP_DEVELOPMENT]


def test_node_modules_may_lack_optional_ones(checkout: Checkout) -> None:
    checkout.set_up("--dev")
    other = '"node_modules/other-platform": {"integrity": "sha512-o", "optional": true},\n"": {},'
    (checkout.root / "package-lock.json").write_text(PACKAGE_LOCK.replace('"": {},', other))
    assert checkout.set_up("--dev") == []


def test_npm_that_leaves_a_module_out_is_noticed(checkout: Checkout) -> None:
    checkout.install_npm("mkdir -p node_modules")
    finished = checkout.run("--dev", "python")
    assert finished.returncode == 1
    assert "node_modules still lacks what its lock file names." in finished.stderr


def test_npm_keeps_to_the_checkout_and_to_the_users_registry(checkout: Checkout) -> None:
    kept = {
        "npm_config_registry": "https://registry.example",
        "npm_config_@scope:registry": "https://scope.example",
        "npm_config_//registry.example/:_authToken": "token",
        "npm_config_https_proxy": "http://proxy.example",
        "NPM_CONFIG_CAFILE": "/authorities.pem",
        "npm_config_userconfig": "/home/user/.npmrc",
    }
    dropped = {
        "npm_config_prefix": "/elsewhere",
        "npm_config_global": "true",
        "npm_config_workspace": "apps/sluice",
        "NPM_CONFIG_OMIT": "dev",
        "npm_config_dry_run": "true",
    }
    record = (
        "import json, os, sys; print(json.dumps([sys.argv, dict(os.environ)]), file=sys.stderr)"
    )
    write_program(checkout.programs / "npm", f"#!{sys.executable} -I\n{record}\n")
    finished = checkout.run("--dev", **kept, **dropped)
    calls = [json.loads(line) for line in finished.stderr.splitlines() if line.startswith("[[")]
    assert [arguments[1] for arguments, _ in calls] == ["ci", "install"]
    for arguments, environment in calls:
        assert environment.items() >= kept.items()
        assert not environment.keys() & dropped.keys()
        assert {"--no-workspaces", "--no-global", str(checkout.root)} <= set(arguments)


def test_interrupted_installation_is_noticed_and_redone(checkout: Checkout) -> None:
    checkout.install_fake_python(install="kill -KILL $PPID")
    assert checkout.run("python", "-c", "pass").returncode == -signal.SIGKILL
    checkout.install_fake_python()
    checkout.calls_made()
    assert checkout.set_up("python", "-c", "pass") == [PIP_REQUIREMENTS, "venv"]


def test_venv_copied_from_another_checkout_is_made_anew(checkout: Checkout) -> None:
    checkout.set_up("--dev")
    elsewhere = checkout.root.with_name("elsewhere")
    shutil.copytree(checkout.root, elsewhere)
    copied = Checkout(elsewhere, checkout.programs, checkout.calls)
    assert copied.set_up("--dev") == [PIP_DEVELOPMENT, "venv"]


def test_another_python_makes_the_venv_anew(checkout: Checkout) -> None:
    checkout.set_up()
    other = checkout.install_fake_python(version="3.13.0", name="other-python")
    assert checkout.set_up(PYTHON=str(other)) == [PIP_REQUIREMENTS, "venv"]
    assert checkout.set_up(PYTHON=str(other)) == []


def test_python_that_does_not_run_is_passed_over(checkout: Checkout) -> None:
    write_program(checkout.programs / "python3", "#!/bin/sh\nexit 127\n")
    checkout.install_fake_python(version="3.14.0", name="python3.14")
    assert "with python3.14 (Python 3.14.0)" in checkout.run().stderr


def test_python_that_cannot_make_a_venv_says_what_to_install(checkout: Checkout) -> None:
    old = checkout.install_fake_python(version="3.9.2", name="old-python")
    finished = checkout.run("python", PYTHON=str(old))
    assert finished.returncode == 1
    assert f"expected as PYTHON={old}, got {old} is 3.9.2." in finished.stderr
    assert "Install Python 3.11 or newer, or name another Python with PYTHON=" in finished.stderr
    bare = checkout.install_fake_python(pip="", name="debian-python")
    finished = checkout.run("python", PYTHON=str(bare))
    assert finished.returncode == 1
    assert "has neither ensurepip nor pip" in finished.stderr
    assert "apt install python3-venv" in finished.stderr


def test_failed_installations_say_what_to_check_and_the_command_does_not_run(
    checkout: Checkout,
) -> None:
    checkout.install_npm("exit 1")
    checkout.install_fake_python(install="exit 1")
    finished = checkout.run("--dev", "python", "-c", "print('ran all the same')")
    assert (finished.returncode, finished.stdout) == (1, "")
    for sentence in (
        "npm cannot install what package-lock.json names",
        "pip cannot install what requirements-dev.txt locks",
    ):
        assert f"\nsetup: {sentence}" in finished.stderr
    assert finished.stderr.count("registry can be reached") == 2


def test_checkout_that_cannot_be_set_up_where_it_is_says_so(
    checkout: Checkout, tmp_path: Path
) -> None:
    odd = replace(checkout, root=tmp_path / "a:b")
    shutil.copytree(checkout.root, odd.root)
    (checkout.root / ".build").write_text("as if it may not be made")
    for place, sentence in (
        (checkout, "Cannot write to the checkout: EEXIST"),
        (odd, 'Python and PATH take no folder with ":"'),
    ):
        finished = place.run("python")
        assert finished.returncode == 1
        (line,) = finished.stderr.splitlines()
        assert line.startswith(f"setup: {sentence}")


@pytest.mark.parametrize("registry", ["closed", "silent"])
def test_real_pip_and_npm_soon_say_that_no_registry_answers(
    checkout: Checkout, registry: str
) -> None:
    for name in ("package.json", "package-lock.json", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, checkout.root)
    (checkout.programs / "npm").unlink()
    path = os.environ["PATH"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        if registry == "closed":
            server.close()
        finished = checkout.run(
            "--dev",
            "python",
            PATH=f"{checkout.programs}:{path}",
            PYTHON=sys.executable,
            PIP_INDEX_URL=url,
            PIP_CONFIG_FILE=os.devnull,
            PIP_DEFAULT_TIMEOUT="600",
            npm_config_registry=url,
            npm_config_fetch_timeout="600000",
        )
    assert finished.returncode == 1
    assert "\nsetup: npm cannot install" in finished.stderr
    assert "\nsetup: pip cannot install" in finished.stderr


@pytest.mark.parametrize("first", ["runs", "ended"])
def test_second_set_up_waits_for_the_first_unless_that_has_ended(
    checkout: Checkout, first: str
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    owner = os.getpid() if first == "runs" else ended.pid
    lock = checkout.root / ".build" / ".venv.pid"
    lock.parent.mkdir()
    lock.write_text(str(owner))
    with running(checkout, "python", "-c", "print('ran')", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        if first == "runs":
            waiting = f"setup: Waiting for process {owner}, which sets up .venv.\n"
            assert process.stderr.readline() == waiting
            assert checkout.calls_made() == []
            lock.unlink()
        assert process.communicate()[0] == "ran\n"
    assert not lock.exists()
