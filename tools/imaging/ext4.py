"""The ext4 file system inside an image, read and filled with debugfs: no root, no mount.

debugfs ends with 0 even where every command failed, so any line of its standard error but the banner is an error, and
whoever writes reads everything back. It keeps a file that exists, so that is removed first.
"""

import posixpath
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cart.faults import Fault
from tools.imaging import programs
from tools.imaging.entries import Entry, with_parents
from tools.imaging.programs import DEFAULT_EPOCH

LINK_DEPTH_MAX = 16
FILE_TYPES = {"dir": 0o040000, "file": 0o100000, "link": 0o120000}
NOT_THERE = ("File not found by ext2_lookup", "inode is not a directory")
E2FSCK_MENDED = 1
# What a file needs beyond its content: its inode, extents and its row in the folder, generously.
ENTRY_OVERHEAD_BYTES = 512


@dataclass(frozen=True)
class Header:
    """The superblock: what it says about itself, as dumpe2fs prints it."""

    features: tuple[str, ...]
    state: str
    uuid: str
    label: str
    block_bytes: int
    blocks: int
    free_blocks: int
    free_inodes: int

    @property
    def free_bytes(self) -> int:
        """Room for files; the share reserved for root counts, since root is who writes."""
        return self.free_blocks * self.block_bytes

    @property
    def unknown_features(self) -> tuple[str, ...]:
        """Features that the local e2fsprogs has no name for."""
        return tuple(name for name in self.features if name.startswith("FEATURE_"))

    @property
    def dirty(self) -> str:
        """Say why the file system was not left in order, or return an empty text."""
        if "needs_recovery" in self.features:
            return "its journal has to be recovered (needs_recovery)"
        if "orphan_present" in self.features:
            return "it holds files that were deleted while open (orphan_present)"
        return "" if self.state == "clean" else f"its state is {self.state!r}"


@dataclass(frozen=True)
class Row:
    """One name in a folder; mode holds the type bits too."""

    name: str
    mode: int
    uid: int
    gid: int
    size_bytes: int

    @property
    def kind(self) -> str:
        """Return "file", "dir", "link" or "other"."""
        return next((kind for kind, bits in FILE_TYPES.items() if self.mode & 0o170000 == bits), "other")


@dataclass(frozen=True)
class Ext4:
    """One ext4 file system: `offset` bytes into `image`. `epoch` is the time that is written into it."""

    image: Path
    offset: int
    epoch: int = DEFAULT_EPOCH

    @property
    def spec(self) -> str:
        """The file system as the e2fsprogs take it."""
        return f"{programs.checked_path(self.image)}?offset={self.offset}"

    # -- reading -------------------------------------------------------------------------

    def header(self) -> Header:
        """Return the superblock; IMAGE-LAYOUT where there is no ext4, IMAGE-FEATURE where it cannot be understood."""
        done = programs.run("dumpe2fs", "-h", self.spec, allowed=programs.ANY_CODE)
        told = done.stderr.decode(errors="replace")
        if "unsupported feature" in told or "unsupported read-only feature" in told:
            raise Fault("IMAGE-FEATURE", f"{self.image.name}: {_without_banner(told)}")
        if done.returncode:
            raise Fault("IMAGE-LAYOUT", f"{self.image.name}: no ext4 at byte {self.offset}: {_without_banner(told)}")
        values = dict(re.findall(r"^([^:\n]+):[ \t]*(.*)$", done.stdout.decode(errors="replace"), re.MULTILINE))
        label = values["Filesystem volume name"]
        return Header(
            features=tuple(values["Filesystem features"].split()),
            state=values["Filesystem state"],
            uuid=values["Filesystem UUID"],
            label="" if label == "<none>" else label,
            block_bytes=int(values["Block size"]),
            blocks=int(values["Block count"]),
            free_blocks=int(values["Free blocks"]),
            free_inodes=int(values["Free inodes"]),
        )

    def folders(self, paths: Iterable[str]) -> dict[str, dict[str, Row]]:
        """Return the names in each folder; a path that is not there, or no folder, has none."""
        wanted = sorted(set(paths))
        printed = self._ask([f"ls -p {_quoted(path)}" for path in wanted])
        return {path: {row.name: row for row in _rows(text)} for path, text in zip(wanted, printed, strict=True)}

    def rows(self, paths: Iterable[str]) -> dict[str, Row]:
        """Return the row of each path that is there; the last link of a path is not followed."""
        wanted = sorted(set(paths))
        folders = self.folders(posixpath.dirname(path) for path in wanted)
        found = {path: folders[posixpath.dirname(path)].get(posixpath.basename(path)) for path in wanted}
        return {path: row for path, row in found.items() if row is not None}

    def links(self, paths: Iterable[str]) -> dict[str, str]:
        """Return where each symbolic link leads, as it is written there."""
        wanted = sorted(set(paths))
        printed = self._ask([f"stat {_quoted(path)}" for path in wanted])
        quick = [re.search(r'^Fast link dest: "(.*)"$', text, re.MULTILINE) for text in printed]
        # A target of 60 bytes and more lies in a block of its own.
        slow = self.read([path for path, found in zip(wanted, quick, strict=True) if not found])
        return {path: found[1] if found else slow[path].decode() for path, found in zip(wanted, quick, strict=True)}

    def resolve(self, path: str) -> str | None:
        """Return the path that `path` leads to over any links, or None where it leads nowhere."""
        done, rest = "/", path.strip("/").split("/")
        for _ in range(LINK_DEPTH_MAX * 8):
            if not rest:
                return done
            step = posixpath.normpath(posixpath.join(done, rest.pop(0)))
            row = self.rows([step]).get(step) if step != "/" else None
            if row is None and step != "/":
                return None
            if row is not None and row.kind == "link":
                target = posixpath.join(done, self.links([step])[step])
                done, rest = "/", [part for part in target.split("/") if part] + rest
            else:
                done = step
        return None

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the content of each file that is there; for small files."""
        with tempfile.TemporaryDirectory(prefix="cart-image-") as folder:
            return {path: copy.read_bytes() for path, copy in self.copies(paths, Path(folder))}

    def copies(self, paths: Iterable[str], folder: Path) -> Iterator[tuple[str, Path]]:
        """Copy files out into `folder` and yield (path, copy) for each that is there."""
        wanted = sorted(set(paths))
        commands = [f"dump {_quoted(path)} {_quoted(str(folder / str(n)))}" for n, path in enumerate(wanted)]
        self._ask(commands)
        for n, path in enumerate(wanted):
            if (copy := folder / str(n)).exists():
                yield path, copy

    def owner_of_block(self, block: int) -> str:
        """Return the path of the file that holds a block, or an empty text: free, or part of the structure."""
        numbers = self._ask([f"icheck {block}"])[0].split("\n")[1:]
        inode = numbers[0].split("\t")[-1].strip() if numbers else ""
        if not inode.isdigit():
            return ""
        found = re.search(r"^\d+\s+(/.*)$", self._ask([f"ncheck {inode}"])[0], re.MULTILINE)
        return found[1].replace("//", "/") if found else ""

    # -- writing -------------------------------------------------------------------------

    def write(self, entries: Iterable[Entry], removed: Iterable[str] = ()) -> list[Entry]:
        """Put all entries in, with the folders above them, take `removed` away, and return what was made or set.

        A file or link that is there is replaced; a folder keeps its files and takes the mode and owner named; a folder
        that nobody named keeps those it has. IMAGE-NO-SPACE before anything is written, IMAGE-TOOL-FAILED with debugfs'
        words otherwise. The caller reads back.
        """
        named = {entry.path: entry for entry in entries}
        wanted = with_parents(named.values())
        folders = self.folders({entry.parent for entry in wanted} | {posixpath.dirname(path) for path in removed})
        for entry in wanted:
            _check_kind(entry, folders[entry.parent].get(entry.name))
        self._check_room(wanted)
        made = [entry for entry in wanted if entry.path in named or entry.name not in folders[entry.parent]]
        with tempfile.TemporaryDirectory(prefix="cart-image-") as scratch:
            commands = list(_removals(removed, folders))
            for number, entry in enumerate(made):
                commands += _commands(entry, folders[entry.parent].get(entry.name), Path(scratch) / str(number))
            self._change(commands)
        return made

    def check(self, name: str) -> None:
        """Let e2fsck look at everything; IMAGE-DIRTY with its complaints where it would mend something."""
        done = programs.run("e2fsck", "-fn", self.spec, allowed=programs.ANY_CODE)
        if done.returncode:
            lines = [line for line in done.stdout.decode(errors="replace").splitlines() if not line.startswith("Pass ")]
            raise Fault("IMAGE-DIRTY", f"{name}: e2fsck: {'; '.join(lines)[:300]}")

    def grow(self, size_bytes: int) -> None:
        """Make it `size_bytes` large, a multiple of 1024; for a file system at the start of a file of its own.

        resize2fs cuts a file down to the size of the file system, whatever the offset says.
        """
        assert self.offset == 0
        # It insists on a check that is younger than the last change.
        programs.run("e2fsck", "-fy", self.spec, epoch=self.epoch, allowed=(0, E2FSCK_MENDED))
        programs.run("resize2fs", self.spec, f"{size_bytes // 1024}K", epoch=self.epoch)

    def _check_room(self, wanted: list[Entry]) -> None:
        header = self.header()
        need = room_bytes(wanted, header.block_bytes)
        if need > header.free_bytes or len(wanted) > header.free_inodes:
            raise Fault(
                "IMAGE-NO-SPACE",
                f"{len(wanted)} entries need {need // 1_000_000 + 1} MB, free are"
                f" {header.free_bytes // 1_000_000} MB and {header.free_inodes} inodes",
            )

    def _ask(self, commands: list[str]) -> list[str]:
        """Return what each command printed, an empty text where something is not there."""
        if not commands:
            return []
        done = programs.run("debugfs", "-f", "-", self.spec, stdin="\n".join(commands) + "\n")
        _check_told(done.stderr, ignored=NOT_THERE)
        parts = re.split(r"^debugfs: .*$", done.stdout.decode(errors="surrogateescape"), flags=re.MULTILINE)
        assert len(parts) == len(commands) + 1, "debugfs echoes each command once"
        return [part.removeprefix("\n") for part in parts[1:]]

    def _change(self, commands: list[str]) -> None:
        done = programs.run("debugfs", "-w", "-f", "-", self.spec, stdin="\n".join(commands) + "\n", epoch=self.epoch)
        _check_told(done.stderr)


def room_bytes(entries: Iterable[Entry], block_bytes: int) -> int:
    """Return how much room entries take at most, in whole blocks."""
    total = 0
    for entry in entries:
        total += -(-entry.size_bytes // block_bytes) * block_bytes + ENTRY_OVERHEAD_BYTES
        total += block_bytes if entry.kind == "dir" else 0
    return total


def _commands(entry: Entry, before: Row | None, scratch: Path) -> Iterator[str]:
    """Yield the debugfs commands that make one entry. `write` takes a name in the current folder only, so: cd first."""
    yield f"cd {_quoted(entry.parent)}"
    name = _quoted(entry.name)
    # "<9>" alone is inode 9; "./<9>" is a name.
    found = _quoted(f"./{entry.name}")
    if before is not None and entry.kind != "dir":
        yield f"rm {found}"
    if entry.kind == "link":
        yield f"symlink {name} {_quoted(entry.target)}"
    elif entry.kind == "file":
        yield f"write {_quoted(str(_source(entry, scratch)))} {name}"
    elif before is None:
        yield f"mkdir {name}"
    if entry.kind != "link":
        yield f"sif {found} mode 0{FILE_TYPES[entry.kind] | entry.mode:o}"
    yield f"sif {found} uid {entry.uid}"
    yield f"sif {found} gid {entry.gid}"


def _check_kind(entry: Entry, before: Row | None) -> None:
    """Refuse to make a folder of what is none, or the other way; a link on the way is no folder for debugfs."""
    if before is not None and before.kind != entry.kind and "dir" in (before.kind, entry.kind):
        raise Fault("IMAGE-NAME", f"{entry.path} is a {before.kind} in the image, and would become a {entry.kind}")


def _source(entry: Entry, scratch: Path) -> Path:
    if isinstance(entry.data, Path) and not re.search(r'[\s"]', str(entry.data)):
        return entry.data.absolute()
    scratch.write_bytes(entry.data.read_bytes() if isinstance(entry.data, Path) else entry.data)
    return scratch


def _removals(paths: Iterable[str], folders: dict[str, dict[str, Row]]) -> Iterator[str]:
    for path in paths:
        if posixpath.basename(path) in folders[posixpath.dirname(path)]:
            yield f"rm {_quoted(path)}"


def _quoted(text: str) -> str:
    """Return a word as debugfs reads it: in quotes, a quote doubled."""
    assert "\n" not in text
    assert "\r" not in text
    return '"' + text.replace('"', '""') + '"'


def _rows(printed: str) -> Iterator[Row]:
    """Yield the rows of `ls -p`: /inode/mode/uid/gid/name/size/."""
    for line in printed.splitlines():
        parts = line.split("/")
        if len(parts) == 8 and parts[5] not in ("", ".", ".."):
            yield Row(parts[5], int(parts[2], 8), int(parts[3]), int(parts[4]), int(parts[6] or 0))


def _check_told(stderr: bytes, ignored: tuple[str, ...] = ()) -> None:
    lines = _without_banner(stderr.decode(errors="replace")).splitlines()
    complaints = [line for line in lines if line.strip() and not any(text in line for text in ignored)]
    if complaints:
        raise Fault("IMAGE-TOOL-FAILED", f"debugfs: {'; '.join(complaints[:5])}")


def _without_banner(told: str) -> str:
    return re.sub(r"^(debugfs|dumpe2fs) [\d.]+ \(.*\)\n?", "", told).strip()
