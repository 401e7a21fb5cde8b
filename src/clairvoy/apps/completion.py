"""``clairvoy completion SHELL``: what lets a shell complete commands, options and names of files."""

from __future__ import annotations

import argparse
import sys

from clairvoy.errors import SettingsError

SHELLS = ("bash", "zsh", "fish", "powershell", "tcsh")
_EPILOG = """\
  clairvoy completion bash > ~/.local/share/bash-completion/completions/clairvoy
  clairvoy completion zsh > ~/.zfunc/_clairvoy                 with fpath+=~/.zfunc before compinit in .zshrc
  clairvoy completion fish > ~/.config/fish/completions/clairvoy.fish
  clairvoy completion powershell >> $PROFILE

Every release has these files too. Options of commands whose extra is not installed are left out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy completion`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def run(args: argparse.Namespace) -> int:
    """Write the completion to standard output; return 0.

    Raises
    ------
    SettingsError
        shtab is not installed, or too old to know the shell.
    """
    try:
        import shtab

        script = shtab.complete(_parser(), args.shell)
    except (ImportError, NotImplementedError) as error:
        raise SettingsError(
            f"{error}; `clairvoy completion` needs: pip install 'clairvoy[completion]'"
        ) from error
    sys.stdout.write(script)
    return 0


def _parser() -> argparse.ArgumentParser:
    from clairvoy.apps.cli import whole_parser  # which loads this module itself

    return whole_parser()
