"""The FAT file system with the firmware inside an image, read and filled with mtools: no root, no mount."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cart.faults import Fault
from tools.imaging import programs
from tools.imaging.programs import DEFAULT_EPOCH

CLUSTER_BYTES_MAX = 32_768


@dataclass(frozen=True)
class Fat:
    """One FAT file system: `offset` bytes into `image`. Only its top folder is touched."""

    image: Path
    offset: int
    epoch: int = DEFAULT_EPOCH

    @property
    def spec(self) -> str:
        """The file system as mtools take it."""
        return f"{programs.checked_path(self.image)}@@{self.offset}"

    def names(self) -> tuple[str, ...]:
        """Return the names in the top folder, sorted; IMAGE-LAYOUT where there is no FAT."""
        done = programs.run("mdir", "-a", "-b", "-i", self.spec, "::/", allowed=(0, 1))
        if done.returncode:
            told = done.stderr.decode(errors="replace").strip()
            if "not found" in told:  # an empty folder
                return ()
            raise Fault("IMAGE-LAYOUT", f"{self.image.name}: no FAT at byte {self.offset}: {told[-200:]}")
        return tuple(sorted(line.removeprefix("::/").rstrip("/") for line in done.stdout.decode().splitlines()))

    def free_bytes(self) -> int:
        """Return the room that is left."""
        done = programs.run("mdir", "-a", "-i", self.spec, "::/", allowed=(0, 1))
        found = re.search(r"([\d ]+) bytes free", done.stdout.decode(errors="replace"))
        if not found:
            raise Fault("IMAGE-LAYOUT", f"{self.image.name}: mdir tells no free room at byte {self.offset}")
        return int(found[1].replace(" ", ""))

    def read(self, name: str) -> bytes | None:
        """Return a file of the top folder, or None."""
        if name not in self.names():
            return None
        return programs.run("mcopy", "-n", "-i", self.spec, f"::/{name}", "-").stdout

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put files into the top folder, in place of those of the same names; IMAGE-NO-SPACE before anything."""
        if not files:
            return
        need = sum(-(-len(data) // CLUSTER_BYTES_MAX) * CLUSTER_BYTES_MAX for data in files.values())
        if need > (free := self.free_bytes()):
            raise Fault("IMAGE-NO-SPACE", f"the boot partition needs {need} bytes, {free} are free")
        with tempfile.TemporaryDirectory(prefix="cart-image-") as folder:
            sources = []
            for name, data in sorted(files.items()):
                assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
                source = Path(folder) / name
                source.write_bytes(data)
                os.utime(source, (self.epoch, self.epoch))  # -m keeps it: the present must not get in
                sources.append(str(source))
            programs.run("mcopy", "-D", "o", "-m", "-o", "-i", self.spec, *sources, "::/", epoch=self.epoch)

    def remove(self, names: set[str]) -> None:
        """Take files of the top folder away; those that are not there are no error."""
        for name in sorted(names & set(self.names())):
            programs.run("mdel", "-i", self.spec, f"::/{name}", epoch=self.epoch)
