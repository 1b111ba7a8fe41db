"""Lines for the firmware and words for the kernel: well formed, for the right board, on the panel's pins."""

import re

from cart import config
from tests.firmware.said import FOLDER, lines


def boot_sections():
    """Return (filter, line) of the fragments as the image gets them, one after the other."""
    found, current = [], "none"
    for name in ("all.txt", "pi4.txt", "pi5.txt"):
        for line in lines(FOLDER / "boot" / "config.txt.d" / name):
            if line.startswith("["):
                current = line
            else:
                found.append((current, line))
    return found


def test_each_fragment_speaks_to_its_own_board_and_leaves_the_rest_to_all():
    for name in ("all", "pi4", "pi5"):
        said = lines(FOLDER / "boot" / "config.txt.d" / f"{name}.txt")
        assert said[0] == f"[{name}]"
        assert [line for line in said if line.startswith("[")][-1] == "[all]"


def test_a_line_of_the_firmware_is_a_setting_it_takes():
    for section, line in boot_sections():
        assert section in ("[all]", "[pi4]", "[pi5]")
        assert re.fullmatch(r"[a-z_0-9]+=[\w,=-]+", line), line
        assert len(line) <= 98  # the firmware cuts what is longer


def test_the_pins_before_the_daemon_are_those_of_the_panel():
    settings = {}
    for _, line in boot_sections():
        found = re.fullmatch(r"gpio=([\d,]+)=([a-z,]+)", line)
        if found:
            settings |= {int(pin): found[2] for pin in found[1].split(",")}
    panel = config.default().panel
    assert settings == {
        **dict.fromkeys((panel.red_pin, panel.green_pin, panel.buzzer_pin), "op,dl"),
        **dict.fromkeys((panel.gate_pin, panel.help_pin), "ip,pu"),
    }


def test_a_shutdown_button_is_on_no_pin_of_the_panel():
    (pin,) = (int(line.rpartition("=")[2]) for _, line in boot_sections() if "gpio-shutdown" in line)
    panel = config.default().panel
    assert pin not in (panel.red_pin, panel.green_pin, panel.buzzer_pin, panel.gate_pin, panel.help_pin)


def test_the_kernels_words_are_single_words_and_none_is_both_added_and_removed():
    added, removed = (lines(FOLDER / "boot" / f"cmdline.{what}") for what in ("add", "remove"))
    assert all(re.fullmatch(r"\S+", word) for word in added + removed)
    assert not set(added) & set(removed)
    # The system's own: without them the image does not boot or does not grow.
    assert not any(word.startswith(("root=", "rootfstype=", "init=", "fsck.repair=")) for word in removed)
