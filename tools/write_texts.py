"""Write the texts that say what the code says: cart.toml, the table of faults in docs/OPERATING.md, the manifest of
the legally relevant part, and CHECKSUMS.

    .venv/bin/python -m tools.write_texts

Tests fail while one of them and the code differ.
"""

import argparse
from pathlib import Path

from cart import config
from cart.faults import FAULTS
from cart.wire import legal_manifest
from tools.checksums import NAME, checksums_text

ROOT = Path(__file__).resolve().parent.parent
CONFIG_FILE = ROOT / "firmware_config" / "cart.toml"
OPERATING = ROOT / "docs" / "OPERATING.md"
START, END = "<!-- faults: written by tools/write_texts.py -->\n", "<!-- end of faults -->\n"

CONFIG_HEADER = """\
# Configuration of one cart: every key with its meaning, unit or range, and default.
# Goes to /etc/cart/cart.toml. A key that is left out takes the default; an unknown key is an error.
# Check a changed file with: cart config check FILE
# Written by tools/write_texts.py from cart/config.py: to change a default, change it there.

"""


def main() -> None:
    """Write all of them."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    CONFIG_FILE.write_text(config_text(), encoding="utf-8")
    OPERATING.write_text(with_faults(OPERATING.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "cart" / legal_manifest.NAME).write_bytes(legal_manifest_bytes())
    (ROOT / NAME).write_text(checksums_text(ROOT), encoding="utf-8")


def config_text() -> str:
    """Return what firmware_config/cart.toml has to say."""
    return CONFIG_HEADER + config.render(config.default())


def legal_manifest_bytes() -> bytes:
    """Return what cart/legal_manifest.json has to say."""
    firmware = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in sorted((ROOT / legal_manifest.FIRMWARE).rglob("*.py"))
    }
    package = {path: (ROOT / "cart" / path).read_bytes() for path in legal_manifest.MODULES}
    return legal_manifest.manifest_bytes(package, firmware)


def with_faults(document: str) -> str:
    """Return the document with the table of faults between its two marks as the code has it."""
    before, _, rest = document.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{fault_table()}\n{END}{after}"


def fault_table() -> str:
    """Return the table of every fault: code, meaning, likely causes in order, next step, exit code."""
    lines = ["| code | what it means | likely, in this order | next step | exit |", "|---|---|---|---|---|"]
    for code, text in FAULTS.items():
        causes = "; ".join(text.causes)
        cells = (f"`{code}`", text.meaning, causes, text.next_step, str(text.exit_code))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
