"""Checks the firmware against vectors.txt: micropython vectors.py FIRMWARE_DIR VECTORS; prints what fails."""

import sys

sys.path.insert(0, sys.argv[1])

from loadcell import commands, line


def whole(words):
    return [int(word) for word in words]


def rebuilt(body):
    """Make the body again with the firmware's own functions."""
    kind, _, rest = body.partition(",")
    words = rest.split(",")
    if kind == "W":
        return line.weight(int(words[0]), int(words[1]), whole(words[2].split(":")), int(words[3], 16))
    if kind == "I":
        return line.acceleration(*whole(words))
    if kind == "T":
        return line.temperature(*whole(words))
    if kind == "H":
        return line.identity(words[1], int(words[0]), words[2], words[3], int(words[4]), int(words[5]), words[6])
    if kind == "E":
        return line.fault(words[0], rest[len(words[0]) + 1 :])
    return line.answer(kind == "A", rest)


def main(path):
    checked = 0
    with open(path) as file:
        texts = file.read().split("\n")
    for text in texts:
        kind, _, vector = text.partition(":")
        raw = vector.encode()
        if kind == "good":
            right = line.framed(rebuilt(vector[1:-5])) == raw + b"\r\n"
        elif kind == "command":
            right = commands.Commands().feed(raw + b"\r\n") == [vector[1:-5]]
        elif kind == "nocommand":
            right = commands.Commands().feed(raw + b"\r\n") == []
        else:
            continue
        checked += 1
        if not right:
            print("wrong:", text)
    print("checked", checked)


main(sys.argv[2])
