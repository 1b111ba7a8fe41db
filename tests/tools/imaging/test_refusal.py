"""What must not be written: every rule on recorded facts, and what may be written all the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tools.imaging import refusal
from tools.imaging.refusal import ImageFacts, Options, decide
from tools.imaging.targets import read_record

FACTS = Path(__file__).parent / "facts"
SHA = "ab" * 32
GOOD = ImageFacts(3_000_000_512, SHA, layout_end_bytes=3_000_000_512, machine="aarch64")
ANY = Options()


def target(name):
    return read_record(json.loads((FACTS / f"{name}.json").read_text(encoding="utf-8")))


def codes(device, image=GOOD, options=ANY):
    return [found.code for found in decide(target(device), image, options)]


DEVICES = [
    ("usb-automounted", ["mounted"]),
    ("usb-bind-mount", ["mounted"]),
    ("usb-btrfs", ["mounted"]),
    ("pi-root", ["root"]),
    ("notebook-root", ["root", "swap", "holder", "fixed-disk", "too-large"]),
    ("usb-swap", ["swap"]),
    ("usb-raid-member", ["holder"]),
    ("sata-zfs", ["holder", "fixed-disk"]),
    ("sata-data", ["fixed-disk"]),
    ("emmc", ["fixed-disk"]),
    ("optical", ["fixed-disk", "too-small"]),
    ("usb-small", ["too-small"]),
    ("usb-empty", ["too-small"]),
    ("usb-4tb", ["too-large"]),
    ("usb-partition", ["partition"]),
    ("usb-locked", ["read-only"]),
    ("not-block-file", ["not-block-device"]),
    ("not-block-directory", ["not-block-device"]),
    ("not-block-character", ["not-block-device"]),
    ("not-block-missing", ["not-block-device"]),
]


@pytest.mark.parametrize(("device", "expected"), DEVICES)
def test_a_wrong_target_is_refused(device, expected):
    assert codes(device) == expected


IMAGES = [
    ("image-truncated", {"damage": "the packed file is cut off"}),
    ("image-truncated", {"expected_size_bytes": 3_000_001_024}),
    ("image-truncated", {"layout_end_bytes": 3_000_001_024}),
    ("image-truncated", {"layout_end_bytes": None}),
    ("not-for-a-cart", {"unusable": "no ext4 at byte 4096"}),
    ("wrong-hash", {"expected_sha256": "cd" * 32}),
    ("wrong-architecture", {"machine": "armv7l"}),
    ("dirty-ext4", {"dirty_ext4": ("the journal waits",)}),
    ("no-free-space", {"free_bytes": 1_000, "needed_bytes": 1_001}),
    ("unknown-ext4-feature", {"unknown_features": ("FEATURE_C31",)}),
]


@pytest.mark.parametrize(("code", "changed"), IMAGES)
def test_a_wrong_image_is_refused(code, changed):
    assert codes("usb-reader", replace(GOOD, **changed)) == [code]


def test_another_card_in_the_reader_between_prompt_and_first_byte_is_refused():
    confirmed = replace(ANY, confirmed=target("usb-reader").identity)
    assert codes("usb-reader", options=confirmed) == []
    assert codes("usb-reader-next-card", options=confirmed) == ["identity-changed"]


@pytest.mark.parametrize("field", ["major_minor", "serial", "model", "size_bytes", "sequence"])
def test_every_part_of_the_identity_counts(field):
    seen = target("usb-reader").identity
    other = replace(seen, **{field: 1 if field == "size_bytes" else "other"})
    (found,) = decide(target("usb-reader"), GOOD, replace(ANY, confirmed=other))
    assert found.code == "identity-changed"
    assert field in found.reason


def test_the_card_that_was_just_written_is_not_written_for_the_next_cart():
    used = replace(ANY, used=frozenset({target("usb-reader").identity}))
    assert codes("usb-reader", options=used) == ["already-written"]
    assert codes("usb-reader-next-card", options=used) == []


@pytest.mark.parametrize("device", ["usb-reader", "usb-reader-by-id", "mmc-reader"])
def test_a_card_is_taken_whatever_its_device_is_called(device):
    assert codes(device) == []


def test_what_a_person_allows_is_allowed_and_nothing_else():
    assert codes("sata-data", options=replace(ANY, allow_fixed=True)) == []
    assert codes("emmc", options=replace(ANY, allow_fixed=True)) == []
    assert codes("usb-4tb", options=replace(ANY, max_size_bytes=5 * 10**12)) == []
    everything = Options(max_size_bytes=10**15, allow_fixed=True, allow_loop=True, machine="")
    kept = {"usb-automounted": "mounted", "pi-root": "root", "usb-swap": "swap", "usb-locked": "read-only",
            "usb-small": "too-small", "sata-zfs": "holder", "usb-partition": "partition"}  # fmt: skip
    assert {device: codes(device, options=everything)[0] for device in kept} == kept


def test_a_device_is_refused_before_the_image_was_read():
    assert codes("usb-automounted", image=None) == ["mounted"]
    assert codes("usb-reader", image=None) == []


@pytest.mark.parametrize("device", [path.stem for path in sorted(FACTS.glob("*.json"))])
def test_every_refusal_says_why_and_what_to_do(device):
    for found in decide(target(device), GOOD, ANY):
        assert len(found.reason) > 10
        assert len(found.remedy) > 10


def test_each_refusal_that_is_asked_for_has_a_case_here():
    asked = set(
        "mounted root swap holder fixed-disk too-small too-large not-block-device identity-changed read-only"
        " image-truncated wrong-hash wrong-architecture dirty-ext4 no-free-space unknown-ext4-feature".split()
    )
    assert len(asked) == 16
    cases = {code for _, expected in DEVICES for code in expected} | {code for code, _ in IMAGES} | {"identity-changed"}
    assert asked <= cases


def test_no_rule_looks_at_the_name_of_the_device():
    for device, expected in DEVICES:
        renamed = replace(target(device), path="/dev/mmcblk0", name="mmcblk0")
        assert [found.code for found in decide(renamed, GOOD, ANY)] == expected


def test_each_rule_is_needed(monkeypatch):
    """Without any one of the rules some case above is no longer refused as it should be."""
    rules = refusal.TARGET_RULES
    for left_out in rules:
        monkeypatch.setattr(refusal, "TARGET_RULES", tuple(rule for rule in rules if rule is not left_out))
        same = all(codes(device) == expected for device, expected in DEVICES)
        assert not same or left_out.__name__ in ("_changed", "_used")
