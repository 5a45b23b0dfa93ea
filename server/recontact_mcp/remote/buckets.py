"""How often a caller may call: a bucket that fills at a steady rate, as a pure function of its state and the time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a caller has left: *tokens* at the moment *at*."""

    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Pace:
    """At most *burst* calls at once, and *per_second* of them in the long run."""

    per_second: float
    burst: float

    def spent(self, bucket: Bucket | None, now: float) -> tuple[Bucket, float]:
        """Return the bucket after one more call, and 0; or as it is, and in how many seconds a call may come.

        None is the bucket of a caller who was not seen before. A clock that goes back fills nothing.
        """
        tokens = self._filled(bucket, now)
        if tokens >= 1.0:
            return Bucket(tokens - 1.0, now), 0.0
        return Bucket(tokens, now), (1.0 - tokens) / self.per_second

    def is_full(self, bucket: Bucket, now: float) -> bool:
        """Whether nothing would be forgotten with a bucket."""
        return self._filled(bucket, now) >= self.burst

    def _filled(self, bucket: Bucket | None, now: float) -> float:
        if bucket is None:
            return self.burst
        return min(self.burst, bucket.tokens + max(0.0, now - bucket.at) * self.per_second)
