"""The users of the cart's units, put into an image's passwd, group and shadow files.

systemd-sysusers would make them at first boot; but files of theirs are put in before, and a boot that makes users is
one more thing that can go wrong. The numbers are fixed (places.toml), so that sysusers finds what it would have made.
"""

import shlex
from dataclasses import dataclass

from cart.faults import Fault
from tools.imaging.entries import Entry
from tools.imaging.ext4 import Ext4

PASSWD, GROUP, SHADOW, GSHADOW = "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"
SYSTEM_ID_MAX = 999
S_PER_DAY = 86_400
LOCKED = "!*"


@dataclass(frozen=True)
class User:
    """A row `u` of sysusers.d; a group of the same name and number comes with it."""

    name: str
    number: int
    description: str
    home: str
    shell: str


@dataclass(frozen=True)
class Declared:
    """What a file of sysusers.d asks for."""

    users: tuple[User, ...]
    groups: tuple[str, ...]


def parse(text: str, numbers: dict[str, int]) -> Declared:
    """Return what a sysusers.d file declares; `numbers` are those of its users."""
    users, groups = [], []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "u":
            words += ["-"] * (6 - len(words))
            if words[1] not in numbers:
                raise Fault("IMAGE-ACCOUNT", f"user {words[1]} has no number in places.toml")
            home = "/" if words[4] == "-" else words[4]
            users.append(User(words[1], numbers[words[1]], words[3].strip("-"), home, words[5]))
        elif words[0] == "g":
            groups.append(words[1])
        else:
            raise Fault("IMAGE-ACCOUNT", f"{line!r}: only u and g are understood")
    return Declared(tuple(users), tuple(groups))


def entries(root: Ext4, declared: Declared, epoch: int) -> list[Entry]:
    """Return the changed account files; IMAGE-ACCOUNT where a name or number belongs to somebody else already."""
    texts = {path: data.decode() for path, data in root.read([PASSWD, GROUP, SHADOW, GSHADOW]).items()}
    if PASSWD not in texts or GROUP not in texts:
        raise Fault("IMAGE-ACCOUNT", f"the image has no {PASSWD} or no {GROUP}")
    added = added_texts(texts, declared, epoch)
    rows = root.rows(added)
    return [
        Entry(path, mode=rows[path].mode & 0o7777, uid=rows[path].uid, gid=rows[path].gid, data=text.encode())
        for path, text in added.items()
    ]


def added_texts(texts: dict[str, str], declared: Declared, epoch: int) -> dict[str, str]:
    """Return the account files with users and groups added; those that are there as wanted are left alone."""
    passwd, groups = _table(texts[PASSWD]), _table(texts[GROUP])
    new = {path: [text.rstrip("\n")] for path, text in texts.items()}
    for user in declared.users:
        if _is_there(passwd, user.name, user.number) and _is_there(groups, user.name, user.number):
            continue
        number = str(user.number)
        passwd[user.name] = groups[user.name] = number
        new[PASSWD].append(f"{user.name}:x:{number}:{number}:{user.description}:{user.home}:{user.shell}")
        new[GROUP].append(f"{user.name}:x:{number}:")
        new.get(SHADOW, []).append(f"{user.name}:{LOCKED}:{epoch // S_PER_DAY}::::::")
        new.get(GSHADOW, []).append(f"{user.name}:{LOCKED}::")
    for name in declared.groups:
        if name not in groups:
            groups[name] = _free_number(groups)
            new[GROUP].append(f"{name}:x:{groups[name]}:")
            new.get(GSHADOW, []).append(f"{name}:{LOCKED}::")
    return {path: "\n".join(lines) + "\n" for path, lines in new.items()}


def _is_there(table: dict[str, str], name: str, number: int) -> bool:
    if table.get(name, str(number)) != str(number):
        raise Fault("IMAGE-ACCOUNT", f"{name} has number {table[name]} in the image, {number} in places.toml")
    owner = next((other for other, taken in table.items() if taken == str(number) and other != name), None)
    if owner:
        raise Fault("IMAGE-ACCOUNT", f"number {number} of {name} belongs to {owner} in the image")
    return name in table


def _table(text: str) -> dict[str, str]:
    rows = [line.split(":") for line in text.splitlines()]
    return {row[0]: row[2] for row in rows if len(row) > 2}


def _free_number(table: dict[str, str]) -> str:
    taken = set(table.values())
    return next(str(number) for number in range(SYSTEM_ID_MAX, 0, -1) if str(number) not in taken)
