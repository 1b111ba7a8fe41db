"""Every file has a place on the device or a use beside it, and the checksums are those of the files."""

import subprocess
import tomllib

from tests.conftest import REPOSITORY
from tools import checksums

PLACES = tomllib.loads((REPOSITORY / "firmware_config" / "places.toml").read_text(encoding="utf-8"))


def test_every_file_is_placed_or_named_beside():
    named = {*PLACES["files"], *PLACES["beside"]}
    assert named == {*checksums.files(REPOSITORY), checksums.NAME}
    assert not set(PLACES["files"]) & set(PLACES["beside"])


def test_no_two_files_have_the_same_place():
    places = list(PLACES["files"].values())
    assert len(set(places)) == len(places)
    assert all(place.startswith("/etc/") for place in places)


def test_a_link_leads_to_a_file_that_is_placed_or_to_nothing():
    assert set(PLACES["links"].values()) <= {*PLACES["files"].values(), "/dev/null"}


def test_the_owners_are_the_users_that_the_system_will_make():
    users = (REPOSITORY / "firmware_config" / "sysusers.d" / "cart.conf").read_text(encoding="utf-8")
    made = {words[1]: int(words[2]) for words in map(str.split, users.splitlines()) if words[:1] == ["u"]}
    assert PLACES["owners"] == {"root": 0, **made}


def test_our_drop_ins_win_over_those_of_the_system():
    for place in PLACES["files"].values():
        if ".conf.d/" in place:
            assert place.rpartition("/")[2] > "70-"


def test_the_checksums_are_those_of_the_files():
    written = (REPOSITORY / checksums.NAME).read_text(encoding="utf-8")
    assert written == checksums.checksums_text(REPOSITORY), "run: python -m tools.write_texts"


def test_sha256sum_reads_the_list_and_finds_a_changed_file(tmp_path):
    (tmp_path / "firmware_config").mkdir()
    (tmp_path / "systemd").mkdir()
    unit = tmp_path / "systemd" / "cart.service"
    unit.write_text("[Unit]\n")
    (tmp_path / checksums.NAME).write_text(checksums.checksums_text(tmp_path))
    command = ["sha256sum", "-c", "--quiet", checksums.NAME]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    unit.write_text("[Unit]\n\n")
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 1
