"""The documents are true: their commands exist and answer, their tables are those of the code."""

import os
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from cart import config
from cart.__main__ import VERBS, main
from tools import write_texts

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README_LINES_MAX = 150
PROGRAMS = ("cart", "cart-backoffice", "python", "python3")


def fenced_lines(text):
    """Return the lines of fenced shell blocks, joined at a trailing backslash, without comments."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"(^|\s)#.*$", "", line).removeprefix("$ ").strip() for line in lines]


def commands_in(text):
    """Return (program, words) of each of our commands in fenced blocks; pipes and `&&` split a line."""
    found = []
    for line in fenced_lines(text):
        for part in re.split(r"&&|\|\||[|;]", line):
            words = shlex.split(part)
            while words and re.fullmatch(r"sudo|[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words:
                program = words[0].removeprefix(".venv/bin/")
                if program in PROGRAMS or program.startswith(("./tools/", "tools/", "./.ci/")):
                    found.append((program, words[1:]))
    return found


def wrong_with(program, words):
    """Return what is wrong with one command, or an empty text. Nothing is run but --help."""
    if program == "cart":
        return wrong_with_verb(words)
    if program == "cart-backoffice":
        return exit_code([sys.executable, "-m", "cart.backoffice", *words[:1], "--help"])
    if program in ("python", "python3"):
        return exit_code([sys.executable, *words[:2], "--help"]) if words[:1] == ["-m"] else ""
    path = ROOT / program
    if not path.is_file() or (path.suffix != ".py" and not os.access(path, os.X_OK)):
        return f"{program} is not there, or cannot be run"
    if path.name == "bench":  # sets up and then is `cart bench`
        return wrong_with_verb(["bench", *words])
    if path.name in ("bars", "chaos"):  # the same, with its Python beside it
        return exit_code([sys.executable, "-m", f"tools.{path.name}", "--help"])
    return exit_code([*([sys.executable] if path.suffix == ".py" else []), str(path), "--help"])


def wrong_with_verb(words):
    """Return what argparse has against `cart WORDS...`, or an empty text."""
    words = [word for word in words if word not in ("-v", "-vv")]
    if words[:1] in ([], ["--help"], ["--version"], ["VERB"]):
        return ""
    if words[0] not in VERBS:
        return f"no verb {words[0]}"
    parser = ArgumentParser(prog=words[0], exit_on_error=False)
    import_module(f"cart.commands.{words[0].replace('-', '_')}").add_arguments(parser)
    try:
        parser.parse_args(words[1:])
    except SystemExit as end:
        return "" if end.code == 0 else f"cart {' '.join(words)}: not understood"
    except Exception as error:
        return f"cart {' '.join(words)}: {error}"
    return ""


def exit_code(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    return "" if result.returncode == 0 else f"{' '.join(command[1:])}: exit {result.returncode}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_command_in_the_documents_exists_and_answers(document):
    faults = [wrong_with(program, words) for program, words in commands_in(document.read_text(encoding="utf-8"))]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize(
    "line",
    ["cart no-such-verb", "cart version --no-such-option", "./tools/no-such-tool", "true && cart doctor --nothing"],
)
def test_a_planted_wrong_command_is_found(line):
    (command,) = commands_in(f"```sh\n{line}\n```\n")
    assert wrong_with(*command)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers_help(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"usage: cart {verb}" in capsys.readouterr().out


def test_the_table_of_faults_is_that_of_the_code():
    document = (ROOT / "docs" / "OPERATING.md").read_text(encoding="utf-8")
    assert write_texts.fault_table() in document, "run: python -m tools.write_texts"
    assert write_texts.with_faults(document) == document


def test_the_wiring_in_the_readme_is_that_of_the_configuration():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for text in config.key_texts():
        if text.key.endswith("_pin"):
            assert f"| `{text.key}` | GPIO {text.default} |" in readme, text.key


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_between_the_documents_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    assert [t for t in targets if t and not (document.parent / t).exists()] == []


def test_each_invariant_in_the_architecture_names_a_test_that_exists():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) >= 8
    for file, test in named:
        assert (ROOT / file).is_file(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"
