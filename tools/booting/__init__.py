"""The boot test's parts: a small Debian for arm64, an emulated board that runs it, and a shopper outside.

mirror, debian    where packages come from; the root file system, the kernel and its initrd, cached
disk, carted      the two-partition image that stands for a stock one; our own build and stamp put the cart on it
board, console    the emulated board and what it says
cell, shopping    the world's side of the load cell's line; trips through the shopper's screen
"""
