"""How much of a request is read, and for how long it is waited for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What no client may exceed; bytes and seconds."""

    url_bytes: int = 8_192  # ours: the longest of ours is a cursor of 3 kB
    header_bytes: int = 32_768  # ours: a token with many claims has 8 kB
    headers: int = 100  # ours: clients send about 15, and proxies add as many
    head_seconds: float = 10.0  # ours: from the first byte of a request to the end of its headers
    body_bytes: int = 65_536  # ours: of routes that say nothing else; forms of our pages have some hundred bytes
    body_seconds: float = 10.0  # ours: how long the body of a request may stand still, in all
    body_bytes_per_second: float = 16_384.0  # ours: each such amount that arrived gives it a second more

    def body_deadline(self, began: float, received: int) -> float:
        """Return the moment until which more of a body must come, of which so many bytes have.

        One that drips runs out of time; one that flows never does before it reaches its greatest size.
        """
        return began + self.body_seconds + received / self.body_bytes_per_second
