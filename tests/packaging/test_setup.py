"""The set-up scripts and with-venv.mjs, with stand-ins for Python and npm that note their calls."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.packaged_service import CHECKOUT

# Copies itself into the .venv that it "makes"; everything but set-up is left to a real Python.
FAKE_PYTHON = """\
#!/bin/sh
case "$*" in
*ensurepip*) {probe} ;;
*version_info*) echo {version} ;;
*"-m venv "*)
  for last; do :; done
  echo venv >> {calls}
  mkdir -p "$last/bin" && cp "$0" "$last/bin/python"
  printf 'version = {version}\\ncommand = python3 -m venv %s\\n' "$last" > "$last/pyvenv.cfg" ;;
*"-m pip install"*) echo pip >> {calls}; {install} ;;
*) exec {real} "$@" ;;
esac
"""
# npm leaves the root package out of its hidden lock.
FAKE_NPM = """\
#!/bin/sh
echo npm >> {calls}
mkdir -p node_modules
sed 's/"": {{}}, //' package-lock.json > node_modules/.package-lock.json
"""
LOCK = {"packages": {"": {}, "node_modules/osls": {"version": "1.0.0", "integrity": "sha512-x"}}}


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout with the scripts and locks alone, and a PATH with Node and the stand-ins alone."""

    root: Path
    programs: Path
    calls: Path

    def install_fake_python(
        self, version: str = "3.12.1", probe: str = "", install: str = "true", name: str = "python3"
    ) -> Path:
        text = FAKE_PYTHON.format(
            version=version,
            probe=probe or f"echo {version}",
            install=install,
            calls=self.calls,
            real=sys.executable,
        )
        return write_program(self.programs / name, text)

    def command(self, *arguments: str) -> list[str]:
        return ["node", str(self.root / "scripts" / "with-venv.mjs"), *arguments]

    def environment(self, **more: str) -> Mapping[str, str]:
        return {"PATH": f"{self.programs}:/usr/bin:/bin", **more}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
        )

    def calls_made(self) -> list[str]:
        """Return what was called since the last time, sorted: the two halves run side by side."""
        calls = sorted(self.calls.read_text().split()) if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return calls


def write_program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, programs = tmp_path / "checkout", tmp_path / "bin"
    shutil.copytree(CHECKOUT / "scripts", root / "scripts")
    programs.mkdir()
    node = shutil.which("node")
    assert node is not None
    (programs / "node").symlink_to(node)
    made = Checkout(root, programs, tmp_path / "calls")
    write_program(programs / "npm", FAKE_NPM.format(calls=made.calls))
    made.install_fake_python()
    for name in ("requirements.txt", "requirements-dev.txt"):
        (root / name).write_text("a==1 --hash=sha256:0\n")
    (root / "package-lock.json").write_text(json.dumps(LOCK))
    return made


def test_fresh_clone_is_set_up_and_the_command_runs_in_it(checkout: Checkout) -> None:
    finished = checkout.run("python", "-c", "import sys; print('child', sys.argv[1:])", "--a", "b")
    assert finished.stdout == "child ['--a', 'b']\n"
    assert finished.returncode == 0
    assert checkout.calls_made() == ["npm", "pip", "venv"]
    assert "setup: making .venv with python3 (Python 3.12.1)\n" in finished.stderr


def test_second_run_sets_nothing_up_and_says_nothing(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls_made()
    finished = checkout.run("python", "-c", "pass")
    assert (finished.stdout, finished.stderr) == ("", "")
    assert checkout.calls_made() == []


def test_changed_lock_installs_into_the_same_venv(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls_made()
    (checkout.root / "requirements-dev.txt").write_text("a==2 --hash=sha256:1\n")
    checkout.run()
    assert checkout.calls_made() == ["pip"]


def test_changed_package_lock_installs_node_modules_alone(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls_made()
    (checkout.root / "package-lock.json").write_text(json.dumps(LOCK).replace("-x", "-y"))
    checkout.run()
    assert checkout.calls_made() == ["npm"]


def test_node_modules_lacking_only_optional_ones_are_complete(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls_made()
    optional = {"version": "1.0.0", "integrity": "sha512-z", "optional": True}
    packages = {**LOCK["packages"], "node_modules/other-platform": optional}
    (checkout.root / "package-lock.json").write_text(json.dumps({"packages": packages}))
    checkout.run()
    assert checkout.calls_made() == []


def test_interrupted_installation_is_noticed_and_redone(checkout: Checkout) -> None:
    checkout.install_fake_python(install="kill -KILL $PPID")
    assert checkout.run("python", "-c", "pass").returncode == -signal.SIGKILL
    checkout.install_fake_python()
    checkout.calls_made()
    assert checkout.run("python", "-c", "pass").returncode == 0
    assert {"pip", "venv"} <= set(checkout.calls_made())


def test_venv_copied_from_another_checkout_is_made_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls_made()
    elsewhere = checkout.root.with_name("elsewhere")
    shutil.copytree(checkout.root, elsewhere)
    Checkout(elsewhere, checkout.programs, checkout.calls).run()
    assert checkout.calls_made() == ["pip", "venv"]


def test_another_python_asked_for_makes_the_venv_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls_made()
    other = checkout.install_fake_python(version="3.13.0", name="other-python")
    checkout.run(PYTHON=str(other))
    assert checkout.calls_made() == ["pip", "venv"]
    checkout.run(PYTHON=str(other))
    assert checkout.calls_made() == []


def test_python_that_does_not_run_is_passed_over(checkout: Checkout) -> None:
    write_program(checkout.programs / "python3", "#!/bin/sh\nexit 127\n")
    checkout.install_fake_python(version="3.14.0", name="python3.14")
    assert "with python3.14 (Python 3.14.0)" in checkout.run().stderr


def test_no_python_new_enough_says_what_was_found_and_what_to_do(checkout: Checkout) -> None:
    old = checkout.install_fake_python(version="3.9.2", name="old-python")
    finished = checkout.run("python", PYTHON=str(old))
    assert finished.returncode == 1
    assert f"expected Python 3.11 or newer as PYTHON={old}, found {old} is 3.9.2" in finished.stderr
    assert "install Python 3.11 or newer, or name another Python with PYTHON=" in finished.stderr


def test_python_without_venv_says_which_package_to_install(checkout: Checkout) -> None:
    python = checkout.install_fake_python(probe="exit 1", name="debian-python")
    finished = checkout.run("python", PYTHON=str(python))
    assert finished.returncode == 1
    assert "lacks the modules venv and ensurepip" in finished.stderr
    assert "apt install python3-venv" in finished.stderr


@pytest.mark.parametrize(
    ("program", "text", "sentence"),
    [
        ("npm", "exit 1", "npm ci could not install what package-lock.json names"),
        ("pip", "exit 1", "pip could not install the packages locked in requirements.txt"),
    ],
)
def test_failed_download_says_what_to_check(
    checkout: Checkout, program: str, text: str, sentence: str
) -> None:
    if program == "npm":
        write_program(checkout.programs / "npm", f"#!/bin/sh\n{text}\n")
    else:
        checkout.install_fake_python(install=text)
    finished = checkout.run("python", "-c", "print('ran all the same')")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert sentence in finished.stderr
    assert "registry can be reached" in finished.stderr


def test_both_downloads_failing_are_both_told(checkout: Checkout) -> None:
    write_program(checkout.programs / "npm", "#!/bin/sh\nexit 1\n")
    checkout.install_fake_python(install="exit 1")
    stderr = checkout.run().stderr
    assert "\nsetup: npm ci could not install" in stderr
    assert "\nsetup: pip could not install" in stderr


def test_second_set_up_waits_for_the_first(checkout: Checkout) -> None:
    lock = checkout.root / ".build" / "setup.pid"
    lock.parent.mkdir()
    lock.write_text(str(os.getpid()))
    with started(checkout, "python", "-c", "print('ran')", stderr=subprocess.PIPE) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == (
            f"setup: waiting for the set-up that process {os.getpid()} does\n"
        )
        assert checkout.calls_made() == []
        lock.unlink()
        assert waiting.communicate()[0] == "ran\n"


def test_lock_of_a_process_that_is_gone_is_taken(checkout: Checkout) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock = checkout.root / ".build" / "setup.pid"
    lock.parent.mkdir()
    lock.write_text(str(gone.pid))
    assert checkout.run("python", "-c", "print('ran')").stdout == "ran\n"
    assert not lock.exists()


def test_exit_code_of_the_command_is_passed_on(checkout: Checkout) -> None:
    assert checkout.run("python", "-c", "raise SystemExit(7)").returncode == 7


def test_command_killed_by_a_signal_counts_as_a_failure(checkout: Checkout) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert checkout.run("python", "-c", code).returncode == 128 + signal.SIGKILL


def test_unknown_command_is_named(checkout: Checkout) -> None:
    finished = checkout.run("no-such-command")
    assert finished.returncode == 1
    assert "expected a command of .venv, found none named no-such-command" in finished.stderr


WAITS_FOR_A_SIGNAL = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: sys.exit(print("got", number) or 0))
print("ready", flush=True)
while True:
    signal.pause()
"""


@contextmanager
def started(
    checkout: Checkout, *arguments: str, stderr: int | None = None, **more: str
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        checkout.command(*arguments),
        env=checkout.environment(**more),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    with process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_reaches_the_command_and_its_exit_code_comes_back(
    checkout: Checkout, number: signal.Signals
) -> None:
    with started(checkout, "python", "-c", WAITS_FOR_A_SIGNAL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == f"got {number.value}\n"
        assert process.wait() == 0


def test_signal_during_set_up_ends_it_and_frees_the_lock(checkout: Checkout) -> None:
    checkout.install_fake_python(install="echo installing >&2; exec sleep 600")
    with started(checkout, "python", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "installing\n":
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    assert not (checkout.root / ".build" / "setup.pid").exists()


def test_npm_killed_outright_takes_the_command_along(checkout: Checkout) -> None:
    checkout.run()
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
