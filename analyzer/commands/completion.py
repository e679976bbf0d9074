"""`--install-completion` and `--show-completion`: what a shell offers while a command is typed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click
import shellingham
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from analyzer.errors import UsageError

PROGRAM, VARIABLE = "keepalive", "_KEEPALIVE_COMPLETE"
POWERSHELL, PROFILE = ("powershell", "pwsh"), "Microsoft.PowerShell_profile.ps1"


class PowerShellComplete(ShellComplete):
    """The shells of Windows, which click does not know."""

    name = "powershell"
    source_template = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:%(complete_var)s = "powershell_complete"
    $Env:COMP_WORDS = $commandAst.ToString()
    $Env:COMP_WORD = $wordToComplete
    %(prog_name)s | ForEach-Object {
        $value, $meaning = $_ -split "`t", 2
        [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $meaning)
    }
    $Env:%(complete_var)s = $Env:COMP_WORDS = $Env:COMP_WORD = ""
}
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is being typed, and that one."""
        incomplete = os.environ["COMP_WORD"]
        words = split_arg_string(os.environ["COMP_WORDS"])[1:]
        return (words[:-1] if incomplete and words else words), incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A word and what it means, which must not be empty."""
        return f"{item.value}\t{item.help or item.value}"


def complete_in_powershell() -> None:
    """Have click answer the shells of Windows, too."""
    add_completion_class(PowerShellComplete)


def show(root: click.Command) -> None:
    """Print the script for the shell that runs this."""
    click.echo(_script(root, _shell()), nl=False)


def install(root: click.Command) -> None:
    """Write the script to where the shell that runs this looks for it."""
    shell = _shell()
    path = _place(shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    if shell in POWERSHELL:
        _append(path, _script(root, shell))
    else:
        path.write_text(_script(root, shell), encoding="utf-8")
    if shell == "bash":
        _append(Path.home() / ".bashrc", f"source {shlex.quote(str(path))}\n")
    elif shell == "zsh":
        _append(Path.home() / ".zshrc", "fpath+=~/.zfunc; autoload -Uz compinit; compinit\n")
    click.echo(f"{shell} completion installed in {path}\nCompletion will take effect once you restart the terminal")


def _shell() -> str:
    """The shell that runs this; raises UsageError where there is no completion for it."""
    try:
        shell = str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure as error:
        raise UsageError("completion: cannot tell which shell this is") from error
    if shell not in (*POWERSHELL, "bash", "zsh", "fish"):
        raise UsageError(f"completion: {shell} is not supported; bash, zsh, fish and PowerShell are")
    return shell


def _script(root: click.Command, shell: str) -> str:
    known: type[ShellComplete] | None = PowerShellComplete if shell in POWERSHELL else get_completion_class(shell)
    assert known is not None
    return known(root, {}, PROGRAM, VARIABLE).source()


def _place(shell: str) -> Path:
    """Where the script of this shell lies; in PowerShell the user's profile (about_Profiles)."""
    home = Path.home()
    return {
        "bash": home / ".bash_completions" / f"{PROGRAM}.sh",
        "zsh": home / ".zfunc" / f"_{PROGRAM}",
        "fish": home / ".config" / "fish" / "completions" / f"{PROGRAM}.fish",
        "powershell": home / "Documents" / "WindowsPowerShell" / PROFILE,
        "pwsh": home / ("Documents/PowerShell" if os.name == "nt" else ".config/powershell") / PROFILE,
    }[shell]


def _append(path: Path, lines: str) -> None:
    """Add these lines to a file, unless it has them."""
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    if lines not in there:
        apart = "" if there.endswith("\n") or not there else "\n"
        path.write_text(there + apart + lines, encoding="utf-8")
