"""What differs between the versions of the API, and where else nothing does."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recontact_service.operations import Operation
from recontact_service.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version: *name* is the value of its header; operations that it *lacks* are unknown to it.

    A draft shows its profiling in the field *profiling*, the profiles in it as *profiles*; a draft without any
    shows *no_profiling*.
    """

    name: str
    lacks: frozenset[Operation]
    profiling: str
    profiles: str
    no_profiling: Json


NEWEST = Version(
    name="2025-12-18",  # source: info.version
    lacks=frozenset(),
    profiling="profiling",
    profiles="profiles",
    no_profiling=None,  # source: ProfilingResponse, "null or omitted"
)
_OLDER = Version(
    name="2025-05-27",  # source: cint-api.md section 1.2, and for everything below
    lacks=frozenset(
        {
            Operation.UPLOAD_RESPONDENTS,
            Operation.LIST_UPLOADS,
            Operation.GET_RESPONDENTS_UPLOAD,
            Operation.DOWNLOAD,
        }
    ),
    profiling="profile",
    profiles="drafts",
    no_profiling={"profile_adjustment_type": "percentage", "drafts": []},  # assumed: read as it has to be written
)
VERSIONS: Mapping[str, Version] = MappingProxyType({version.name: version for version in (NEWEST, _OLDER)})
