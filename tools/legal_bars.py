"""The row of `./tools/bars` for trade weighing."""

import re
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tools.measuring import PYTHON, NotMeasured, bar, finished

FILES = ("tests/core/test_legal_cases.py", "tests/core/test_legal_broken.py")
COMMAND = f"pytest {' '.join(FILES)}"


@bar("legal-cases", "numbered cases of trade weighing that pass in both profiles, and fail when their rule is broken",
     "=", 27, "cases", COMMAND)  # fmt: skip
def legal_cases() -> float:
    """Return how many of the cases hold in every instrument, and are seen to fail when broken."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        finished([str(PYTHON), "-m", "pytest", "-q", *FILES, f"--junitxml={report}"], 300)
        if not report.exists():
            raise NotMeasured("pytest did not run")
        tests = list(ElementTree.parse(report).iter("testcase"))
    passed, failed = set(), set()
    for test in tests:
        number = re.search(r"case_(\d\d)", test.get("name", ""))
        if number:
            bad = any(test.find(what) is not None for what in ("failure", "error", "skipped"))
            (failed if bad else passed).add(number[1])
    return len(passed - failed)
