"""What the operators' commands share: one clear line for what went wrong, a progress bar, finding what was named."""

import sys
import time
import unicodedata
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TextIO

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from platforms.database import first_line
from platforms.models import Platform, User

_PATIENCE_SECONDS = 1.0
_REDRAW_SECONDS = 0.1
_BAR_WIDTH = 30
_NEAR = 200
_USAGE = "Error: "  # how Django's parser begins what it says of a wrong usage
_SHORT = 60
_REPLACEMENT = "\ufffd"
_INTERRUPTED = 130  # as a shell says it: 128 and the number of SIGINT


class OperatorCommand(BaseCommand):
    """A command that fails with one line on stderr and status 1, whatever was wrong with what it was given."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser that raises CommandError for a wrong usage: argparse says it in many lines, with status 2."""
        # A word cut short could be another option than the one that was meant: --force for --force-color.
        parser = super().create_parser(prog_name, subcommand, allow_abbrev=False, **kwargs)
        parser.called_from_command_line = False
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command as it was typed. What is wrong with that is one line too."""
        try:
            super().run_from_argv(argv)
        except CommandError as error:
            # What the run itself raises gets here only where --traceback asks for it.
            if not str(error).startswith(_USAGE):
                raise
            self.stderr.write(one_line(f"{argv[1]}: {str(error).removeprefix(_USAGE)}; see --help"))
            sys.exit(error.returncode)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. Raises CommandError, also for what the database or a rule refuses."""
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError(one_line(" ".join(error.messages))) from error
        except PermissionDenied as error:
            raise CommandError(one_line(str(error) or "Not permitted.")) from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {one_line(first_line(str(error)))}") from error
        except UnicodeError as error:
            encoding = getattr(error, "encoding", "text")
            raise CommandError(f"Something here cannot be written or read as {encoding}.") from error
        except OSError as error:
            raise CommandError(one_line(f"{error.filename or 'Input or output'}: {error.strerror or error}")) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=_INTERRUPTED) from None

    def progress(self, total: int | None) -> "Progress":
        """Return a progress bar on stderr, for a `with` block; total None where nobody knows."""
        return Progress(sys.stderr, total)


class Progress:
    """A bar that appears on a terminal once the work has taken a second, and is gone when it is done."""

    def __init__(self, stream: TextIO, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._total = total
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._next_draw = clock() + _PATIENCE_SECONDS
        self._width = 0

    def __enter__(self) -> "Progress":
        """Start."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave an empty line, for what is said next."""
        self.hide()

    def show(self, done: int) -> None:
        """Say how far the work is, in units of the total."""
        if not self._is_terminal or self._clock() < self._next_draw:
            return
        self._next_draw = self._clock() + _REDRAW_SECONDS
        if not self._total:
            self._write(f"{done:,}")
            return
        share = min(done / self._total, 1.0)
        filled = round(share * _BAR_WIDTH)
        self._write(f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {share:4.0%}")

    def hide(self) -> None:
        """Make room for a line of output; the bar comes back with the next `show`."""
        self._write("")

    def _write(self, text: str) -> None:
        if text or self._width:
            # Over what is there; where nothing is to stay, back to where the line begins.
            self._stream.write(f"\r{text:<{self._width}}" + ("" if text else "\r"))
            self._stream.flush()
            self._width = len(text)


def one_line(text: str) -> str:
    """Return the text on one line, with nothing in it that a terminal would obey.

    Bytes that are no UTF-8, which Python keeps as lone surrogates, become the replacement character.
    """
    text = "".join(_REPLACEMENT if unicodedata.category(letter) == "Cs" else letter for letter in text)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def shortened(text: str) -> str:
    """Return the text on one line, short enough to be part of one."""
    line = one_line(text)
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"


def did_you_mean(name: str, known: list[str]) -> str:
    """Return ` Did you mean …?` where something known is close to the name, else nothing."""
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def find_platform(code: str) -> Platform:
    """Return the platform of this code. Raises CommandError, which names a close one where there is one."""
    # What cannot be printed (NUL, lone surrogates) is no code, and some databases fail when asked for it.
    platforms = Platform.objects.all() if code.isprintable() else Platform.objects.none()
    platform = platforms.filter(code=code).first()
    if platform is None:
        # Those that begin alike: a few of perhaps a million.
        near = platforms.filter(code__startswith=code[:2]).order_by("code").values_list("code", flat=True)
        hint = did_you_mean(code, list(near[:_NEAR]))
        raise CommandError(f"There is no platform {shortened(code)}.{hint}")
    return platform


def find_user(username: str) -> User:
    """Return the active user of this name. Raises CommandError."""
    user = User.objects.filter(username=username).first() if username.isprintable() else None
    if user is None:
        raise CommandError(f"There is no user {shortened(username)}.")
    if not user.is_active:
        raise CommandError(f"{one_line(username)} is not active.")
    return user
