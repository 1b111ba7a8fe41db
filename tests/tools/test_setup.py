"""tools/setup.sh: what it does on a machine where something is missing."""

import subprocess

WITHOUT_RIGHTS = """
id() { echo 1000; }
command() { [ "$2" = sudo ] && return 1; builtin command "$@"; }
apt-get() { echo "apt-get was run" >&2; }
"""


def bash(repository, script):
    return subprocess.run(
        ["bash", "-c", f"source {repository}/tools/setup.sh\n{script}"], capture_output=True, text=True, timeout=60
    )


def test_without_root_and_sudo_it_prints_the_one_line_and_exits_2(repository):
    result = bash(repository, f"{WITHOUT_RIGHTS}\nhas_libzbar() {{ false; }}\nset_up_system bench")
    assert result.returncode == 2
    assert "apt-get update && apt-get install -y --no-install-recommends libzbar0\n" in result.stderr
    assert "apt-get was run" not in result.stderr


def test_without_apt_it_names_what_is_missing_and_exits_2(repository):
    nowhere = 'command() { [ "$2" = apt-get ] && return 1; builtin command "$@"; }\nhas_libzbar() { false; }'
    result = bash(repository, f"{nowhere}\nset_up_system bench")
    assert result.returncode == 2
    assert "libzbar0" in result.stderr


def test_a_missing_chromium_is_said_and_is_no_reason_to_stop(repository):
    script = "has_libzbar() { true; }\nhas_chromium() { false; }\napt_offers() { false; }\nmosquitto() { :; }\n"
    script += "missing_image_packages() { :; }\n"
    result = bash(repository, script + "set_up_system test")
    assert result.returncode == 0
    assert "browser tests will be skipped" in result.stderr


def test_a_chromium_that_cannot_be_installed_is_said_and_is_no_reason_to_stop(repository):
    script = f"{WITHOUT_RIGHTS}\nhas_libzbar() {{ true; }}\nhas_chromium() {{ false; }}\napt_offers() {{ true; }}\n"
    script += "missing_image_packages() { :; }\n"
    result = bash(repository, script + "mosquitto() { :; }\nset_up_system test")
    assert result.returncode == 0
    assert "going on without chromium fonts-dejavu-core" in result.stderr


def test_programs_for_images_are_installed_for_the_tests_and_not_for_the_bench(repository):
    script = f"{WITHOUT_RIGHTS}\nhas_libzbar() {{ true; }}\nhas_chromium() {{ true; }}\nmosquitto() {{ :; }}\n"
    script += "missing_image_packages() { echo mtools; echo dosfstools; }\n"
    assert "going on without mtools dosfstools" in bash(repository, script + "set_up_system test").stderr
    assert bash(repository, script + "set_up_system bench").stderr == ""


def test_for_images_only_their_programs_are_wanted_and_they_are_not_optional(repository):
    script = f"{WITHOUT_RIGHTS}\nhas_libzbar() {{ false; }}\nhas_chromium() {{ false; }}\n"
    lacking = bash(repository, script + "missing_image_packages() { echo mtools; }\nset_up_system images")
    assert lacking.returncode == 2
    assert lacking.stderr.strip().endswith("apt-get install -y --no-install-recommends mtools")
    assert bash(repository, script + "missing_image_packages() { :; }\nset_up_system images").returncode == 0


def test_sourced_it_sets_up_nothing_by_itself(repository):
    result = bash(repository, "declare -F set_up")
    assert (result.returncode, result.stdout, result.stderr) == (0, "set_up\n", "")


def test_an_interpreter_that_does_not_run_is_passed_over(repository, tmp_path):
    real = bash(repository, "find_python").stdout.strip()
    for name, text in (("python3", "exit 127"), ("python3.13", "exit 127"), ("python3.12", f'exec {real} "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    found = bash(repository, f"PATH={tmp_path}:$PATH\nfind_python").stdout.strip()
    assert found == str(tmp_path / "python3.12")


def test_an_environment_that_is_set_up_is_left_alone_and_a_changed_setup_py_is_installed(repository, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.11.2; [ "$2" = pip ] && echo "pip was run"\nexit 0\n'
    )
    python.chmod(0o755)
    python.with_name("cart").symlink_to(python)
    setup = tmp_path / "setup.py"
    setup.write_text("first")
    script = f"ROOT={tmp_path}\nVENV={tmp_path}/.venv\nset_up_python"
    assert "pip was run" in bash(repository, f"{script} test").stderr
    assert bash(repository, f"{script} test").stderr == ""
    assert bash(repository, f"{script} bench").stderr == ""  # what the tests need holds all that the bench needs
    setup.write_text("second")
    assert "pip was run" in bash(repository, f"{script} bench").stderr
