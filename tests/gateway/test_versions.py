"""The versions of the API, as data."""

import pytest

from recontact_tools.models import JobKind
from recontact_tools.schedule import documented
from recontact_tools.versions import (
    PLANNED_UPLOAD_SECONDS,
    V2025_05_27,
    V2025_12_18,
    VERSIONS,
    Feature,
    Features,
    Version,
    version_named,
)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_a_version_is_found_by_the_name_in_its_header(version: Version) -> None:
    assert version_named(version.name) is version


def test_the_newer_version_documents_what_the_older_does_not() -> None:
    assert V2025_12_18.documented == frozenset(Feature)
    assert V2025_05_27.documented == frozenset()


def test_of_a_version_that_nobody_has_read_nothing_counts_as_documented() -> None:
    version = version_named("2031-01-01")
    assert (version.name, version.is_known, version.documented) == ("2031-01-01", False, frozenset())
    assert version.profiling_field == V2025_12_18.profiling_field


def test_uploads_are_planned_with_the_slowest_times_of_any_version() -> None:
    assert all(version.upload_seconds <= PLANNED_UPLOAD_SECONDS for version in VERSIONS)
    rate = documented(JobKind.UPLOAD, pace=1.0)
    assert (rate.low, rate.high) == PLANNED_UPLOAD_SECONDS


def test_features_are_asked_for_by_name() -> None:
    some = Features(job_list=True, download=False, rid_upload=True)
    assert [some.has(feature) for feature in Feature] == [True, False, True]
