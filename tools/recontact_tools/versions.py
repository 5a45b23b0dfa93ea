"""What differs between the versions of the API, as data: a version is one row, and no other module names one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class Feature(StrEnum):
    """An operation that a version or an account may lack although the target group is there."""

    JOB_LIST = "job_list"
    DOWNLOAD = "download"
    RID_UPLOAD = "rid_upload"


@dataclass(frozen=True, slots=True)
class Features:
    """Which of the newer operations an account has; uploads of RSIDs, overview, list and removal need none of them."""

    job_list: bool
    download: bool
    rid_upload: bool

    def has(self, feature: Feature) -> bool:
        """Tell whether *feature* is there."""
        return {
            Feature.JOB_LIST: self.job_list,
            Feature.DOWNLOAD: self.download,
            Feature.RID_UPLOAD: self.rid_upload,
        }[feature]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the API; *name* is what the version header says.

    *documented* features are in its description; the others may be there all the same, so every feature is
    looked for, never assumed. *upload_seconds* are the low and the high end of what its description says an upload
    of 10,000 IDs takes. *profiling_field* is what a target group calls its profiles, and *empty_profiles_allowed*
    whether that field may be there without any. *is_known* is False for a version that nobody here has read.
    """

    name: str
    documented: frozenset[Feature]
    upload_seconds: tuple[float, float]
    profiling_field: Literal["profiling", "profile"]
    empty_profiles_allowed: bool
    is_known: bool = True


# source: cint-api.md sections 1.1 and 1.2
V2025_12_18: Final = Version(
    name="2025-12-18",
    documented=frozenset(Feature),
    upload_seconds=(600.0, 900.0),  # 10 to 15 minutes
    profiling_field="profiling",
    empty_profiles_allowed=False,
)
# source: cint-api.md section 1.2; additive operations may have come to it since
V2025_05_27: Final = Version(
    name="2025-05-27",
    documented=frozenset(),
    upload_seconds=(180.0, 300.0),  # 3 to 5 minutes
    profiling_field="profile",
    empty_profiles_allowed=True,
)
VERSIONS: Final = (V2025_12_18, V2025_05_27)

# Whatever the version says: who plans with the slower time is never told too soon.
PLANNED_UPLOAD_SECONDS: Final = max(version.upload_seconds for version in VERSIONS)


def version_named(name: str) -> Version:
    """Return the row of the version *name*; of an unknown one nothing counts as documented."""
    for version in VERSIONS:
        if version.name == name:
            return version
    # assumed: a version that we do not know is a later one, so it is named as the newest names things
    return Version(
        name=name,
        documented=frozenset(),
        upload_seconds=PLANNED_UPLOAD_SECONDS,
        profiling_field=V2025_12_18.profiling_field,
        empty_profiles_allowed=V2025_12_18.empty_profiles_allowed,
        is_known=False,
    )
