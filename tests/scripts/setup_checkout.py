"""A checkout to set up, with stand-ins for Python and npm that note their calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Copies itself into the .venv that it "makes"; everything but set-up is left to a real Python.
FAKE_PYTHON = """\
#!/bin/sh
case "$*" in
*find_spec*) echo {version} {pip} ;;
*locked_packages.py*)
  if [ ! -e "$3/bin/python" ]; then
    echo venv >> {calls}
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
  fi
  echo "pip $4" >> {calls}; {install} ;;
*) exec {real} "$@" ;;
esac
"""
# npm leaves the root package out of its hidden lock. `--omit=dev` leaves out what is for
# development, but osls if the command names it.
FAKE_NPM = """\
#!/bin/sh
echo "npm $1" >> {calls}
mkdir -p node_modules
case "$*" in
*--omit=dev*osls@1.2.3*) omitted='/browser/d' ;;
*--omit=dev*) omitted='/"dev"/d' ;;
*) omitted= ;;
esac
sed -e '/"": {{}}/d' -e "$omitted" package-lock.json > node_modules/.package-lock.json
"""
PACKAGE_LOCK = """\
{"packages": {
"": {},
"node_modules/browser": {"dev": true, "integrity": "sha512-b"},
"node_modules/osls": {"dev": true, "integrity": "sha512-x", "version": "1.2.3"},
"node_modules/wscat": {"integrity": "sha512-z"}
}}
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout with only the scripts and locks, and a PATH with only Node and the stand-ins."""

    root: Path
    programs: Path
    calls: Path

    def install_fake_python(
        self,
        version: str = "3.12.1",
        pip: str = "pip",
        install: str = "true",
        name: str = "python3",
    ) -> Path:
        text = FAKE_PYTHON.format(
            version=version,
            pip=pip,
            install=install,
            calls=self.calls,
            real=sys.executable,
        )
        return write_program(self.programs / name, text)

    def install_npm(self, text: str) -> None:
        write_program(self.programs / "npm", f"#!/bin/sh\n{text}\n")

    def command(self, *arguments: str) -> list[str]:
        return ["node", str(self.root / "scripts" / "with-venv.mjs"), *arguments]

    def environment(self, **more: str) -> Mapping[str, str]:
        return {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.programs), **more}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
        )

    def set_up(self, *arguments: str, **environment: str) -> list[str]:
        """Run a command that must not fail; return what set it up."""
        finished = self.run(*arguments, **environment)
        assert finished.returncode == 0, finished.stderr
        return self.calls_made()

    def calls_made(self) -> list[str]:
        """Return what was called since the last time, sorted: pip and npm run at the same time."""
        calls = sorted(self.calls.read_text().splitlines()) if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return calls


def write_program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def checkout_in(folder: Path) -> Checkout:
    """Lay out the scripts and locks alone, with the stand-ins."""
    root, programs = folder / "checkout", folder / "bin"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    programs.mkdir()
    node = shutil.which("node")
    assert node is not None
    (programs / "node").symlink_to(node)
    made = Checkout(root, programs, folder / "calls")
    write_program(programs / "npm", FAKE_NPM.format(calls=made.calls))
    made.install_fake_python()
    for name in ("requirements.txt", "requirements-dev.txt"):
        (root / name).write_text("a==1 --hash=sha256:0\n")
    (root / "package-lock.json").write_text(PACKAGE_LOCK)
    return made


@contextmanager
def running(
    checkout: Checkout, *arguments: str, stdin: int | None = None, stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        checkout.command(*arguments),
        env=checkout.environment(),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    with process:
        yield process
