"""Completion: what a shell is offered, the script that asks for it, and where that is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import shellingham
from commands import KEEPALIVE, environment

from analyzer.cli import app
from analyzer.commands import completion
from analyzer.errors import UsageError

PLACES = {
    "bash": ".bash_completions/keepalive.sh",
    "zsh": ".zfunc/_keepalive",
    "fish": ".config/fish/completions/keepalive.fish",
}
STARTED_FROM = {"bash": ".bashrc", "zsh": ".zshrc"}


def completed(instruction: str, **variables: str) -> list[str]:
    """What `keepalive` answers a shell."""
    code = "import sys; sys.argv[0] = 'keepalive'; from analyzer.cli import main; main()"
    changed = environment({"_KEEPALIVE_COMPLETE": instruction, **variables})
    run = subprocess.run([KEEPALIVE[0], "-c", code], capture_output=True, text=True, env=changed, check=True)
    assert run.stderr == ""
    return run.stdout.splitlines()


def in_bash(words: str) -> list[str]:
    return completed("bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))


def in_powershell(words: str, incomplete: str) -> list[str]:
    return completed("powershell_complete", COMP_WORDS=words, COMP_WORD=incomplete)


def shell_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shellingham, "detect_shell", lambda: (name, f"/bin/{name}"))


def test_words_are_offered() -> None:
    assert in_bash("keepalive analyze --verdict dead") == ["plain,dead-peer"]
    assert in_bash("keepalive explain dead-p") == ["plain,dead-peer"]
    assert "plain,medium" in in_bash("keepalive analyze --fail-on me")
    assert "plain,AWS NLB (TCP listener)" in in_bash("keepalive profiles AWS")


def test_commands_options_and_files_are_offered() -> None:
    assert in_bash("keepalive an") == ["plain,analyze", "plain,annotate"]
    assert in_bash("keepalive analyze --both") == ["plain,--both-ends"]
    assert in_bash("keepalive analyze cap") == ["file,cap"]
    assert in_bash("keepalive report a.pcap -o inc") == ["file,inc"]


def test_powershell_is_told_meanings() -> None:
    assert in_powershell("keepalive analyze --verdict dead", "dead") == ["dead-peer\tdead-peer"]
    [version] = in_powershell("keepalive --ver", "--ver")
    assert version == "--version\tPrint the version and exit."
    assert len(in_powershell("keepalive analyze --fail-on ", "")) == 4


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_the_script_is_that_of_the_shell(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell_is(shell, monkeypatch)
    completion.show(app)
    script = capsys.readouterr().out
    assert f"{'powershell' if shell == 'pwsh' else shell}_complete" in script
    assert "keepalive" in script


@pytest.mark.parametrize("shell", list(PLACES))
def test_it_is_installed_where_the_shell_looks(shell: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shell_is(shell, monkeypatch)
    started = tmp_path / STARTED_FROM.get(shell, "none")
    started.write_text("alias ll='ls -l'")
    for _ in range(2):
        completion.install(app)
    assert "_KEEPALIVE_COMPLETE" in (tmp_path / PLACES[shell]).read_text()
    lines = started.read_text().splitlines()
    assert (lines[0], len(lines)) == ("alias ll='ls -l'", 1 + (shell in STARTED_FROM))


def test_a_profile_of_powershell_is_added_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shell_is("pwsh", monkeypatch)
    for _ in range(2):
        completion.install(app)
    profile = tmp_path / ".config" / "powershell" / "Microsoft.PowerShell_profile.ps1"
    assert profile.read_text().count("Register-ArgumentCompleter") == 1


@pytest.mark.parametrize("shell", ["tcsh", ""])
def test_a_shell_that_is_not_known_is_refused(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def detect() -> tuple[str, str]:
        if not shell:
            raise shellingham.ShellDetectionFailure
        return shell, shell

    monkeypatch.setattr(shellingham, "detect_shell", detect)
    for act in (completion.show, completion.install):
        with pytest.raises(UsageError, match="tcsh" if shell else "which shell"):
            act(app)
