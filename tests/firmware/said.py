"""What the files of firmware_config say, without their comments."""

from pathlib import Path

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "firmware_config"


def lines(path: Path) -> list[str]:
    """Return the lines that say something."""
    text = path.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
