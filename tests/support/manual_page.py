"""The manual page keepalive(1), made of the options of the commands and the topics of `keepalive explain`.

`python tests/support/manual_page.py --write` renews it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from analyzer.cli import app
from analyzer.manual.topics import Block, blocks, topics
from analyzer.version import __version__

PAGE = Path(__file__).parents[2] / "analyzer" / "manual" / "keepalive.1"
SEE_ALSO = ("tcpdump(8)", "wireshark(1)", "tshark(1)", "ss(8)", "tcp(7)", "pcap-filter(7)")


def page() -> str:
    """The whole page, in man(7) macros."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    context = click.Context(app)
    commands: dict[str, Any] = {name: app.get_command(context, name) for name in app.list_commands(context)}
    yield f'.TH KEEPALIVE 1 "" "tcp-keepalive-analyzer {__version__}" "User Commands"'
    yield ".SH NAME"
    yield f"keepalive \\- {_escaped(app.help or '').rstrip('.')}"
    yield ".SH SYNOPSIS"
    for name, command in commands.items():
        yield f".B keepalive {_escaped(name)}"
        yield f"[\\fIOPTION\\fR]... {_arguments(command)}".rstrip()
        yield ".br"
    yield ".SH COMMANDS"
    for name, command in commands.items():
        yield f".SS keepalive {_escaped(name)}"
        yield from _text(command.help)
        for option in command.params:
            if option.param_type_name == "option" and not option.hidden:
                yield ".TP"
                yield f"\\fB{_escaped(_spelling(option))}\\fR"
                yield _escaped(option.help or "")
    for topic in topics().values():
        yield f".SH {_escaped(topic.title.upper() if topic.name == 'exit-status' else topic.title)}"
        yield from _text(topic.body)
    yield ".SH SEE ALSO"
    yield _escaped(", ".join(SEE_ALSO))


def _arguments(command: Any) -> str:
    return " ".join(
        f"\\fI{_escaped(one.metavar or one.name)}\\fR" for one in command.params if one.param_type_name == "argument"
    )


def _spelling(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag or option.count:
        return names
    values = getattr(option.type, "choices", None)
    return f"{names} {option.metavar or ('|'.join(map(str, values)) if values else option.type.name.upper())}"


def _text(text: str) -> Iterator[str]:
    for block in blocks(text):
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if block.kind == "code":
        yield from (".PP", ".nf", ".RS 4")
        yield from (_escaped(line) for line in block.text.splitlines())
        yield from (".RE", ".fi")
        return
    yield from (".IP \\(bu 2",) if block.kind == "item" else (".PP",)
    yield _emphasised(block.text)


def _emphasised(text: str) -> str:
    """Code between backticks in bold."""
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", _escaped(text))


def _escaped(text: str) -> str:
    text = " ".join(text.split(" ")).replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return "\\&" + text if text.startswith((".", "'")) else text


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
