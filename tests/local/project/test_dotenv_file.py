"""Reading .env, with osls's own reader as the judge."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.errors import ConfigurationError
from local.project.dotenv_file import dotenv_of_stage, parse_dotenv, read_dotenv

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[3]
SHELL = {"HOME": "/root", "EMPTY": "", "SET": "by the shell", "PRICE": "a\\$b", "ODD": "a$$b$`c"}
FILES = (
    "A=1\n# a comment\n\nexport B='two words'\nC=\nD\nE: yes",
    "\ufeffA=1\r\nB=2\rC=3",
    "A=p#q\nB='p#q' # comment\nC=\"p#q\"# comment\nD=`p#q`\nE=p #q\nF=#q\nG= ' # ' ",
    "A=$HOME/x\nB=a$b\nC=${HOME}/x\nD='$HOME'\nE=`$HOME`\nF=\\$HOME\nG=a\\\\$b\nH=5$",
    "A=one\nB=$A two\nC=${B}$B\nD=$LATER\nLATER=$A\nSELF=$SELF\nX=x${X}",
    "A=${EMPTY:-none}\nB=${EMPTY-none}\nC=${HOME:+yes}\nD=${NO:+yes}\nE=${NO:-a:-b}\nF=${NO:-$A}",
    "A=${HOME+x-y}\nB=${NO-${HOME}}\nC=${nullable}\nD=${}\nE=${HOME\nF=$1\nG=${1}",
    'A=`x`\nB=`it\'s "x"`\nC=\'a "b"\'\nD="it\'s"\nE=\'it\'s\'\nF="a"b"',
    "A=\"one\\ntwo\\r\"\nB='one\\ntwo'\nC=one\\ntwo\nD=`one\\ntwo`",
    'A="one\ntwo"\nB=\'one\n\ntwo\'\nC=`\n`\nD="x\n# no comment"',
    'A="say \\"hi\\""\nB=\'it\\\'s\'\nC=`\\``',
    "A = 1\n  B  =  2  \nC= 3\t\nexport\tD=4\nE.F-G=5\n1=6\nA=7",
    "SET=by the file\nA=$SET\nHOME=other\nB=$HOME\nC=$PRICE\nD=$ODD",
    "A=$B\nB=$C\nC=$A\nD=${D:-d}\nE=${HOME}${HOME}",
    'PROXY=http://user:p#w@proxy:8080\nPROMPT_X="You say $5, \\`no\\`"\nKEY=sk-a$b&c$$',
    "A=\u00a01\u00a0\nB=\u30002\u3000\u2028C=3\nD=\x1f4\x1f\nE=h\u00e4\U0001f600",
    "",
)
PIECES = (
    *"ABC=:#'\"`\\xy-+${}\n\n\t\u00a0\ufeff",
    *("\r\n", "\\n", "=1", ":-", ":+", "$A", "${B}", "${C:-d}", "export ", "null", "$$", "$'"),
)
JUDGE = """
import { createRequire } from 'node:module'
const require = createRequire(createRequire(import.meta.url).resolve('osls/package.json'))
const { parse, populate } = require('dotenv')
const { expand } = require('dotenv-expand')
let input = ''
for await (const piece of process.stdin) input += piece
const { files, shell } = JSON.parse(input)
console.log(JSON.stringify(files.map((file) => {
  const parsed = parse(file)
  const processEnv = { ...shell }
  populate(processEnv, parsed)
  return expand({ parsed, processEnv }).parsed
})))
"""


def judged(files: list[str]) -> list[dict[str, str]]:
    """What osls reads from each file."""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", JUDGE],
        cwd=ROOT,
        input=json.dumps({"files": files, "shell": SHELL}),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def read(text: str, environ: Mapping[str, str] = SHELL) -> dict[str, str] | None:
    """What is read here, or None for a file that is invalid."""
    try:
        return parse_dotenv(text, ".env", environ)
    except ConfigurationError:
        return None


def test_file_is_read_as_osls_reads_it() -> None:
    made_up = random.Random(17)  # noqa: S311 -- the same files each time
    random_files = [
        "".join(f"{made_up.choice('ABC')}={''.join(made_up.choices(PIECES, k=4))}\n" for _ in "123")
        for _ in range(4000)
    ]
    files = [file for file in (*FILES, *random_files) if read(file) is not None]
    assert len(files) > 1000
    assert set(FILES) <= {*files}
    for file, expected in zip(files, judged(files), strict=True):
        assert read(file) == expected, file


def test_value_may_refer_to_the_shell_but_not_to_itself_in_a_circle() -> None:
    assert read("A=$HOME", {"HOME": "/me"}) == {"A": "/me"}
    with pytest.raises(ConfigurationError, match=r"^\.env: A refers to itself\.$"):
        parse_dotenv("A=1${B}2\nB=x${C}y\nC=z${B}", ".env", {})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nB hush\n", 2),
        ("A='hush\n", 1),
        ('A=1\r\nB="hush\r\nC=3', 2),
        ("A='1'\nB='1\n2'\nC='hush' or\n", 4),
        ("=hush", 1),
        ("A=1\nB=hush\0\n", 2),
    ],
)
def test_invalid_line_is_named_but_not_quoted(text: str, line: int) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"^a/\.env, line {line}: must be NAME=value"
    ) as caught:
        parse_dotenv(text, "a/.env", {})
    assert "hush" not in str(caught.value)


def test_file_of_the_stage_replaces_the_other_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB=2\n")
    (tmp_path / ".env.prod").write_text("A=3\n")
    assert read_dotenv(dotenv_of_stage(tmp_path, "prod"), {}) == {"A": "3"}
    assert read_dotenv(dotenv_of_stage(tmp_path, "dev"), {}) == {"A": "1", "B": "2"}


@pytest.mark.parametrize("name", ["missing", "."])
def test_missing_file_has_no_variables(tmp_path: Path, name: str) -> None:
    assert read_dotenv(tmp_path / name, {}) == {}


def test_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigurationError, match=r"\.env must be UTF-8"):
        read_dotenv(path, {})


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.symlink_to(path)  # a circle
    with pytest.raises(ConfigurationError, match=r"Cannot read .*\.env: "):
        read_dotenv(path, {})
