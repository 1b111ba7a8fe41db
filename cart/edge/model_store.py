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
        self._draft = folder / ".draft"
        self._is_alone = False

    @property
    def link(self) -> Path:
        """The path that [classifier] model_dir names, so that the version in use is used."""
        return self.folder / CURRENT

    def current(self) -> Path | None:
        """Return the folder of the version in use, or None before the first; Fault MODEL-STORE where it is gone."""
        with self._readable():
            if self.link.is_symlink() and not self.link.is_dir():
                there = ", ".join(path.name for path in self.versions()) or "none"
                raise Fault("MODEL-STORE", f"{self.link} leads nowhere; versions to use: {there}")
            return self.link.resolve() if self.link.is_dir() else None

    def versions(self) -> tuple[Path, ...]:
        """Return the folders of all versions, oldest first; Fault MODEL-STORE where the folder cannot be read."""
        with self._readable():
            found = self.folder.glob("[0-9]" * 4) if self.folder.is_dir() else ()
            return tuple(sorted(path for path in found if (path / MANIFEST_FILE).is_file()))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other commands out, from reading the model in use to writing the next; Fault MODEL-STORE if one is in.

        Without it two that begin together both start from the same version, and what the first learnt is lost. The lock
        goes with the process.
        """
        if self._is_alone:
            yield
            return
        with self._opened_lock():
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False

    def add(self, files: Mapping[str, bytes]) -> Path:
        """Write a version with its manifest and use it; return its folder. Fault MODEL-STORE where that fails."""
        with self.alone():
            number = int(self.versions()[-1].name) + 1 if self.versions() else 1
            if number > 9_999:
                raise Fault("MODEL-STORE", f"{self.folder}: there is no number after 9999")
            try:
                return self._added(files, self.folder / f"{number:04}")
            except OSError as error:
                # On a full disk half a version would keep the room from what needs it more: the database.
                shutil.rmtree(self._draft, ignore_errors=True)
                raise self._fault(error) from error

    def use(self, name: str) -> Path:
        """Use the version of this name, or number, from the next start on.

        Errors: Fault MODEL-VERSION where there is none, MODEL-HASH or MODEL-MISSING for one that is damaged; the one
        in use then stays.
        """
        # Asked before the lock, which makes the folder.
        found = next((path for path in self.versions() if path.name == name.zfill(4)), None)
        if found is None:
            raise Fault("MODEL-VERSION", f"no version {name} in {self.folder}")
        with self.alone():
            verified(found)
            try:
                self._point_at(found)
            except OSError as error:
                raise self._fault(error) from error
            return found

    def _added(self, files: Mapping[str, bytes], final: Path) -> Path:
        for stale in (self._draft, final):  # a version without a manifest was never finished
            shutil.rmtree(stale, ignore_errors=True)
        self._draft.mkdir()
        for name, content in files.items():
            _write(self._draft / name, content)
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        _write(self._draft / MANIFEST_FILE, (json.dumps({"sha256": hashes}, indent=1, sort_keys=True) + "\n").encode())
        _flush(self._draft)
        self._draft.rename(final)
        self._point_at(final)
        self._forget_oldest()
        return final

    def _point_at(self, version: Path) -> None:
        draft = self.folder / ".link"
        draft.unlink(missing_ok=True)
        # Relative, so that the folder can be copied to another cart.
        draft.symlink_to(version.name)
        draft.replace(self.link)
        _flush(self.folder)

    def _forget_oldest(self) -> None:
        kept = self.versions()[-VERSIONS_KEPT:]
        # Without a manifest, too: of a version whose removal was interrupted only a part is left.
        for old in self.folder.glob("[0-9]" * 4):
            if old not in kept:
                shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Name the folder that this user may not look into."""
        try:
            yield
        except OSError as error:
            raise self._fault(error) from error

    @contextmanager
    def _opened_lock(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("a")
        except OSError as error:
            raise self._fault(error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Fault("MODEL-STORE", f"{self.folder}: another command is writing to it") from None
            except OSError as error:
                raise self._fault(error) from error
            yield

    def _fault(self, error: OSError) -> Fault:
        return Fault("MODEL-STORE", f"{self.folder}: {error.strerror or error}")


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
