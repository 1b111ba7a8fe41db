"""Why a verb cannot be done."""

DONE, FAILED, USAGE, CONFIGURATION, HARDWARE = range(5)


class Refused(Exception):
    """Told in one line; `exit_code` is one of the above."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code
