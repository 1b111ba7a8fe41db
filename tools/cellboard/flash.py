"""Firmware and settings onto the board, with mpremote over its USB port."""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cart.clock import SystemClock
from cart.wire.loadcell import Answer, Value, frame
from tools.cellboard.port import NS_PER_S, heard, opened
from tools.cellboard.refused import DONE, HARDWARE, USAGE, Refused
from tools.cellboard.render import FIRMWARE, VERSION, rendered

ANSWER_S, BACK_S, POLL_S = 2, 15, 0.05


def run(args: argparse.Namespace) -> int:
    """Put firmware and settings onto the board and start it."""
    text = rendered(args.settings)
    mpremote = shutil.which("mpremote") or shutil.which("mpremote", path=str(Path(sys.executable).parent))
    if mpremote is None:
        raise Refused("mpremote is not there: pip install mpremote", USAGE)
    if not args.port.exists():
        raise Refused(f"{args.port} is not there: is the board plugged in, with MicroPython on it?", HARDWARE)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "loadcell.cfg"
        config.write_text(text, encoding="ascii")
        _into_prompt(args.port)
        done = subprocess.run([mpremote, *flash_words(args.port, config)], check=False)
    if done.returncode:
        raise Refused(f"mpremote ended with {done.returncode}", HARDWARE)
    print(f"firmware {VERSION}, settings {text[:4]}: now ./tools/cell.py check")
    return DONE


def flash_words(port: Path, config: Path) -> list[str]:
    """Return what mpremote has to do: the program's folder, the settings, main.py last, and a restart.

    main.py goes last, so that a board whose flashing broke off stays at its prompt.
    """
    modules = sorted(str(path) for path in (FIRMWARE / "loadcell").glob("*.py"))
    words = ["connect", str(port.resolve())]
    words += ["+", "exec", "import os\nif 'main.py' in os.listdir(): os.remove('main.py')"]
    words += ["+", "exec", "import os\nif 'loadcell' not in os.listdir(): os.mkdir('loadcell')"]
    words += ["+", "fs", "cp", *modules, ":loadcell/", "+", "fs", "cp", str(config), ":loadcell.cfg"]
    return [*words, "+", "fs", "cp", str(FIRMWARE / "main.py"), ":main.py", "+", "reset"]


def _into_prompt(port: Path) -> None:
    """Ask a board that runs our program to stop at MicroPython's prompt, and wait until it is back."""
    clock = SystemClock()
    with opened(port) as line:
        line.write(frame("B,REPL"))
        if not any(map(_is_answer, heard(line, ANSWER_S, enough=_is_answer))):
            return
    # It restarts: the port goes, and comes again.
    deadline_ns = clock.monotonic_ns() + BACK_S * NS_PER_S
    gone = False
    while clock.monotonic_ns() < deadline_ns:
        there = port.exists()
        if gone and there:
            return
        gone = gone or not there
        time.sleep(POLL_S)
    raise Refused(f"{port} did not come back after its restart", HARDWARE)


def _is_answer(value: Value) -> bool:
    return isinstance(value, Answer) and value.taken
