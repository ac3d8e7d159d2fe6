"""The SSM parameters of a function: all read by one request, in a thread that begins at its start.

Lambda may give a function its first event at once, or freeze its process for hours before it. Then
what the thread has begun is lost, and the first request reads again.
"""

from __future__ import annotations

import time
from _thread import allocate_lock, start_new_thread  # `threading` takes 1 ms to import

from sluice.trace import Calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PATIENCE_S = 1.0
"""How long a request waits for the thread, in seconds since it began. SSM answers in some 10 ms."""


def _nothing() -> None: ...


class Parameters:
    """Call it with a name for the parameter's decrypted value. From any thread.

    environ: see JsonApi. clock: seconds since 1970, which go on while the process is frozen.
    """

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._environ = environ
        self._clock = clock
        self._names: tuple[str, ...] = ()
        self._values: dict[str, str] = {}
        self._meanwhile: Callable[[], object] = _nothing
        self._begun_at = 0.0
        self._is_reading = allocate_lock()
        self.calls = Calls("parameters", clock)

    def begin(self, names: Iterable[str], meanwhile: Callable[[], object] = _nothing) -> None:
        """Begin to read parameters; does not wait for them.

        meanwhile: what the first request that must wait does first. It runs once.
        """
        self._names = tuple(dict.fromkeys(filter(None, names)))
        self._meanwhile = meanwhile
        if not self._names:
            return
        # Here, so that no client waits for these imports.
        from sluice.aws import ssm  # noqa: F401, PLC0415
        from sluice.http import tls  # noqa: F401, PLC0415

        # A snapshot lives for weeks: secrets are read after it was restored.
        if self._environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            return
        self._begun_at = self._clock()
        self._is_reading.acquire()
        start_new_thread(self._read_in_thread, ())

    def __call__(self, name: str) -> str:
        """The value. Raises LookupError with AWS's code if it cannot be read; then try again."""
        if name not in self._values:
            meanwhile, self._meanwhile = self._meanwhile, _nothing
            meanwhile()
            self._wait_for_thread()
        if name not in self._values:
            self._read_again(name)
        return self._values[name]

    def _wait_for_thread(self) -> None:
        seconds = self._begun_at + PATIENCE_S - self._clock()
        if self._is_reading.acquire(timeout=min(max(seconds, 0.0), PATIENCE_S)):
            self._is_reading.release()

    def _read_in_thread(self) -> None:
        from sluice.aws.errors import AwsError  # noqa: PLC0415 -- see _read

        try:
            self._read(self._names)
        except AwsError:
            pass  # the request that needs a value reads again, and says why that fails
        finally:
            self._is_reading.release()

    def _read_again(self, name: str) -> None:
        from sluice.aws.errors import AwsError, AwsRefused  # noqa: PLC0415 -- see _read

        unread = [name, *(each for each in self._names if each not in (name, *self._values))]
        try:
            try:
                self._read(unread)
            except AwsRefused:
                if len(unread) == 1:
                    raise
                self._read([name])  # AWS refuses all for one that the role may not read
        except AwsError as error:
            raise LookupError(str(error)) from error
        if name not in self._values:
            raise LookupError("ParameterNotFound")

    def _read(self, names: Iterable[str]) -> None:
        # For deployments that keep their keys in SSM, in the thread.
        from sluice.aws.json_api import JsonApi  # noqa: PLC0415
        from sluice.aws.ssm import LIMITS, SSM, read_parameters  # noqa: PLC0415

        api = JsonApi(SSM, self._environ, LIMITS)
        try:
            with self.calls.begin("GetParameters"):
                found = read_parameters(api, list(names))
        finally:
            api.close()
        self._values = {**self._values, **found}
