"""Runs one command of `npm run keys` and prints its result."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from scripts.access.shell import Shell
from scripts.keys.command_line import alias_of, fields_of
from scripts.keys.commands import Records
from scripts.keys.shown import described, details, listed
from sluice.access.records import Record, shown
from sluice.settings import Settings

SHOWN_ONCE = "Its key is shown now and never again:"
BLOCKED = "New requests are refused from now on. Answers in progress go on."
UNBLOCKED = "Its requests pass again within 30 seconds."
UPDATED = "It counts within 30 seconds."
URL_NOTE = (
    "Note: the Function URL takes keys with FUNCTION_URL_AUTH=none only. Neither the shell nor .env"
    " sets it."
)
PRINCIPAL_NOTE = (
    "Note: records of principals count with IAM_RECORDS=true only. Neither the shell nor .env sets"
    " it. With it, whoever signs requests without a record is refused."
)


class Command:
    """One command. settings: of the place."""

    def __init__(
        self,
        chosen: argparse.Namespace,
        records: Records,
        settings: Mapping[str, str],
        shell: Shell,
    ) -> None:
        self._chosen = chosen
        self._records = records
        self._settings = settings
        self._shell = shell

    def run(self) -> None:
        """Raises ToolError, SettingsError."""
        command = self._chosen.command
        run: dict[str, Callable[[], None]] = {
            "create": self._create,
            "list": self._list,
            "show": self._show,
            "update": self._update,
            "block": self._block,
            "unblock": self._unblock,
            "rotate": self._rotate,
            "delete": self._delete,
        }
        run[command]()

    def _create(self) -> None:
        alias, principal = alias_of(self._chosen), self._chosen.principal
        record, key = self._records.create(alias, fields_of(self._chosen), principal)
        what = f"{SHOWN_ONCE}\n\n{key}\n" if key else f"It is for {principal}."
        self._print(f"Created {alias}. {what}", {**_with_key(key), **shown(record)})
        if principal and not self._is_set("IAM_RECORDS", "true"):
            self._shell.err.write(f"{PRINCIPAL_NOTE}\n")
        elif key and not self._is_set("FUNCTION_URL_AUTH", "none"):
            self._shell.err.write(f"{URL_NOTE}\n")

    def _list(self) -> None:
        found, now, strategy = self._records.all(), self._shell.clock(), self._strategy()
        if self._chosen.json:
            self._shell.print_json([described(each, now, strategy) for each in found])
        else:
            self._shell.out.write(listed(found, now, strategy))

    def _show(self) -> None:
        stored, now = self._records.find(alias_of(self._chosen)), self._shell.clock()
        if self._chosen.json:
            self._shell.print_json(described(stored, now, self._strategy()))
        else:
            self._shell.out.write(details(stored, now, self._strategy()))

    def _update(self) -> None:
        alias, fields = alias_of(self._chosen), fields_of(self._chosen)
        if not fields:
            self._show()
            return
        self._printed_record(f"Updated {alias}. {UPDATED}", self._records.update(alias, fields))

    def _block(self) -> None:
        alias = alias_of(self._chosen)
        record = self._records.update(alias, {"blocked": True})
        self._printed_record(f"Blocked {alias}. {BLOCKED}", record)

    def _unblock(self) -> None:
        alias = alias_of(self._chosen)
        record = self._records.update(alias, {"blocked": False})
        self._printed_record(f"Unblocked {alias}. {UNBLOCKED}", record)

    def _rotate(self) -> None:
        alias = alias_of(self._chosen)
        record, key, charged = self._records.rotate(alias)
        document = {**_with_key(key), **shown(record), "charged_requests": charged}
        text = f"Rotated {alias}. {SHOWN_ONCE}\n\n{key}\n\nThe old key is refused from now on."
        self._print(f"{text}{_charged(charged)}", document)

    def _delete(self) -> None:
        alias = alias_of(self._chosen)
        charged = self._records.delete(alias).charged
        document = {"key_alias": alias, "deleted": True, "charged_requests": charged}
        self._print(f"Deleted {alias}.{_charged(charged)}", document)

    def _printed_record(self, text: str, record: Record) -> None:
        self._print(text, shown(record))

    def _print(self, text: str, document: Mapping[str, Any]) -> None:
        if self._chosen.json:
            self._shell.print_json(document)
        else:
            self._shell.out.write(f"{text}\n")

    def _is_set(self, name: str, value: str) -> bool:
        return self._settings.get(name, "").strip().lower() == value

    def _strategy(self) -> str:
        return vars(Settings)["rate_limit_strategy"].read(self._settings)  # type: ignore[no-any-return]  # of Setting


def _with_key(key: str | None) -> dict[str, str]:
    return {"key": key} if key else {}


def _charged(count: int) -> str:
    if not count:
        return ""
    requests = "1 request in progress is" if count == 1 else f"{count} requests in progress are"
    return f" {requests} charged what was reserved."
