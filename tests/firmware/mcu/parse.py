"""Compiles each module that is named after the folder of the firmware, without running it."""

import sys

folder, names = sys.argv[1], sys.argv[2:]
for name in names:
    with open(folder + "/loadcell/" + name) as file:
        compile(file.read(), name, "exec")
print("parsed", len(names))
