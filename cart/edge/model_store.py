"""The folder of models that a cart made by enrolling: numbered versions, each whole, and a link to the one in use.

    models/0001/ 0002/ ...   network, head, labels, statistics, manifest; never changed once there
    models/current           a link to one of them; the vision process follows it when it starts

A version is written beside and renamed, and the link replaced, so that whatever is interrupted leaves the model that
was. The last VERSIONS_KEPT versions stay, to go back to.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cart.edge.classifier import MANIFEST_FILE, verified
from cart.faults import Fault

CURRENT = "current"
VERSIONS_KEPT = 5


class ModelStore:
    """The models below `folder`, which is made when it is first written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def link(self) -> Path:
        """The path that [classifier] model_dir names, so that the version in use is used."""
        return self.folder / CURRENT

    def current(self) -> Path | None:
        """Return the folder of the version in use, or None before the first."""
        return self.link.resolve() if self.link.is_dir() else None

    def versions(self) -> tuple[Path, ...]:
        """Return the folders of all versions, oldest first."""
        found = self.folder.glob("[0-9]" * 4) if self.folder.is_dir() else ()
        return tuple(sorted(path for path in found if (path / MANIFEST_FILE).is_file()))

    def add(self, files: Mapping[str, bytes]) -> Path:
        """Write a version with its manifest and use it; return its folder. Fault MODEL-STORE where that fails."""
        with self._locked():
            number = int(self.versions()[-1].name) + 1 if self.versions() else 1
            if number > 9_999:
                raise Fault("MODEL-STORE", f"{self.folder}: there is no number after 9999")
            draft, final = self.folder / ".draft", self.folder / f"{number:04}"
            for stale in (draft, final):  # a version without a manifest was never finished
                shutil.rmtree(stale, ignore_errors=True)
            draft.mkdir()
            for name, content in files.items():
                _write(draft / name, content)
            hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            _write(draft / MANIFEST_FILE, (json.dumps({"sha256": hashes}, indent=1, sort_keys=True) + "\n").encode())
            _flush(draft)
            draft.rename(final)
            self._point_at(final)
            self._forget_oldest()
            return final

    def use(self, name: str) -> Path:
        """Use the version of this name, or number, from the next start on.

        Errors: Fault MODEL-VERSION where there is none, MODEL-HASH or MODEL-MISSING for one that is damaged; the one
        in use then stays.
        """
        # Asked before the lock, which makes the folder.
        found = next((path for path in self.versions() if path.name == name.zfill(4)), None)
        if found is None:
            raise Fault("MODEL-VERSION", f"no version {name} in {self.folder}")
        with self._locked():
            verified(found)
            self._point_at(found)
            return found

    def _point_at(self, version: Path) -> None:
        draft = self.folder / ".link"
        draft.unlink(missing_ok=True)
        # Relative, so that the folder can be copied to another cart.
        draft.symlink_to(version.name)
        draft.replace(self.link)
        _flush(self.folder)

    def _forget_oldest(self) -> None:
        for old in self.versions()[:-VERSIONS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep a second command out; the lock goes with the process."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError:
            raise Fault("MODEL-STORE", f"{self.folder}: another command is writing to it") from None
        except OSError as error:
            raise Fault("MODEL-STORE", f"{self.folder}: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Let renames reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
