"""Where the guest's packages come from: the mirror that this machine itself uses, for another release."""

import subprocess
from typing import NamedTuple

from cart.faults import Fault

RELEASE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FORMAT = "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)"


class Source(NamedTuple):
    """One repository of Debian: its address and its suite, bookworm-updates for instance."""

    uri: str
    suite: str


def machine_sources() -> list[Source]:
    """Return the guest's repositories on this machine's mirror; Fault BOOT-NO-MIRROR where apt names none of Debian."""
    command = ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Fault("BOOT-NO-MIRROR", str(error)) from None
    found = for_release(said, RELEASE)
    if not found:
        raise Fault("BOOT-NO-MIRROR", "apt-get indextargets names no repository of Debian")
    return found


def for_release(indextargets: str, release: str) -> list[Source]:
    """Return the repositories of `release` that correspond to those in apt's list; none where there is no Debian in it.

    indextargets  lines in FORMAT

    The addresses stay, the release's name is exchanged: trixie-security becomes bookworm-security. Backports and the
    like are left out.
    """
    found = []
    for line in indextargets.splitlines():
        origin, codename, component, uri = line.split("|")
        _, dash, pocket = codename.partition("-")
        if origin == "Debian" and component == "main" and pocket in ("", "updates", "security"):
            found.append(Source(uri, f"{release}{dash}{pocket}"))
    return list(dict.fromkeys(found))


def sources_list(sources: list[Source]) -> str:
    """Return them as the one-line-style file that apt and mmdebstrap read."""
    return "".join(f"deb [signed-by={KEYRING}] {source.uri} {source.suite} main\n" for source in sources)
