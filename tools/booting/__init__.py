"""The boot test's parts: a small Debian for arm64, an emulated board that runs it, and a shopper outside.

cli, needs            the command line; what this machine must have
mirror, debian        where packages come from; the root file system, the kernel and its initrd, cached
disk, carted          the image that stands for a stock one; our own build and stamp put the cart on it
board, console        the emulated board, and what it says
power_cut             what a card keeps when the power goes
cell, shopping, store the world around the cart: the basket, the shopper, the broker and the ledger
journey               the test itself, step by step
"""
