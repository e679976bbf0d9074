"""The front door: arguments, printing, exit status."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

import click

from analyzer.commands.console import say
from analyzer.commands.declared import WIDEST, Command, Decorator, first_paragraph, option
from analyzer.commands.exits import (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_UNREADABLE,
    EXIT_UNWRITABLE,
    EXIT_USAGE,
)
from analyzer.commands.options import may_color
from analyzer.errors import CaptureError, OutputError, UsageError

# In the order of the help, each with the module that it lies in.
COMMANDS = {
    **{name: name for name in ("analyze", "chart", "report", "advise", "annotate", "extract", "live")},
    **{name: name for name in ("sockets", "scan", "query", "explain", "profiles", "crosscheck")},
    **dict.fromkeys(("schema", "dashboard"), "shipped"),
}


class Commands(Command, click.Group):
    """All commands, each imported when it is called: `analyze` does not wait for what it does not use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"analyzer.commands.{COMMANDS[cmd_name]}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, or an error that names the nearest ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, and what each command does: the first paragraph of its help."""
        super().format_options(ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_paragraph(one.help or "")) for name, one in commands if one])


def instead(name: str, act: Callable[[click.Context], None], meaning: str) -> Decorator:
    """An option that does something in place of a command."""

    def called(context: click.Context, option: click.Parameter, wanted: bool) -> None:
        if wanted and not context.resilient_parsing:
            act(context)
            context.exit()

    return option(name, is_flag=True, is_eager=True, expose_value=False, callback=called, help=meaning)


def _version(context: click.Context) -> None:
    from analyzer.version import __version__

    click.echo(f"keepalive {__version__}")


def _install(context: click.Context) -> None:
    from analyzer.commands.completion import install

    install(context.command)


def _show(context: click.Context) -> None:
    from analyzer.commands.completion import show

    show(context.command)


@click.group(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": WIDEST},
)
@instead("--version", _version, "Print the version and exit.")
@instead("--install-completion", _install, "Install completion for the current shell.")
@instead("--show-completion", _show, "Show completion for the current shell, to copy it or customize the installation.")
def app() -> None:
    """Find TCP keepalive probes in packet captures, and judge every connection by them."""


def main() -> None:
    """Run the command line and turn what goes wrong into a message and an exit status."""
    # numpy comes with a library of linear algebra, which starts a thread for each processor; nothing here uses it.
    for library in ("OPENBLAS", "MKL", "BLIS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    # Python looks for garbage again and again while modules are imported, and when it ends. A command that reads
    # captures leaves none worth the time; `live`, which goes on, turns it on again.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    closed = False
    try:
        status = _run()
        if status != EXIT_UNWRITABLE:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough, which is no failure: `keepalive ... | head`
        status, closed = 0, True
    except OSError as error:
        say(f"{error.filename or 'standard output'}: {error.strerror or error}")
        status = EXIT_UNWRITABLE
    if closed or status == EXIT_UNWRITABLE:
        # The interpreter must not try again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _leave(status)


def _leave(status: int) -> NoReturn:
    """End this process at once: Python would free one by one what the system frees with the process."""
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):  # of streams that were closed, which is told by now if it matters
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _run() -> int:
    if "_KEEPALIVE_COMPLETE" in os.environ:
        from analyzer.commands.completion import complete_in_powershell

        complete_in_powershell()
    try:
        return app(standalone_mode=False, color=None if may_color() else False) or 0
    except (UsageError, CaptureError, OutputError) as error:
        say(str(error))
        return {UsageError: EXIT_USAGE, CaptureError: EXIT_UNREADABLE}.get(type(error), EXIT_UNWRITABLE)
    except click.ClickException as error:  # its own usage errors
        error.show()
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except SystemExit as error:
        if not error.code:  # words for a shell to complete
            return 0
        raise BrokenPipeError from error  # what click makes of a closed pipe
    except OSError:
        raise
    except Exception:
        import traceback

        traceback.print_exc()
        say("internal error: please report it with the lines above")
        return EXIT_INTERNAL
