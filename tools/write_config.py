"""Write firmware_config/cart.toml, the commented file of every key, from cart/config.py.

    .venv/bin/python tools/write_config.py

A test fails while the file and the code differ.
"""

from pathlib import Path

from cart import config

FILE = Path(__file__).resolve().parent.parent / "firmware_config" / "cart.toml"

HEADER = """\
# Configuration of one cart: every key with its meaning, unit or range, and default.
# Goes to /etc/cart/cart.toml. A key that is left out takes the default; an unknown key is an error.
# Check a changed file with: cart config check FILE
# Written by tools/write_config.py from cart/config.py: to change a default, change it there.

"""


def text() -> str:
    """Return what the file has to say."""
    return HEADER + config.render(config.default())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
