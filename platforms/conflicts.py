"""What a service refuses for how things stand, said once for the API, the admin and commands."""


class Conflict(Exception):
    """What stands forbids it, whoever asks; nothing was changed. The API answers 409 with this code.

    The text is for people: one sentence that says what stands in the way.
    """

    def __init__(self, detail: str, *, code: str = "conflict") -> None:
        super().__init__(detail)
        self.code = code
