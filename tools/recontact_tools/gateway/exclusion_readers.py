"""Reading who may not enter: the exclusions of a target group, of its project, and of groups of target groups."""

from typing import cast

from recontact_tools.gateway.answers import Answer, Unreadable, json_object
from recontact_tools.gateway.fields import Fields, count, flag, key, label, lines, listed, required, text
from recontact_tools.target_group_facts import ActivityExclusion, ExcludedCounts, ExclusionGroup


def read_project_exclusion(answer: Answer) -> bool:
    """Read whether a target group excludes who completed another of its project.

    Raises:
        Unreadable: It does not say.
    """
    enabled = flag(json_object(answer.body), "project_exclusion_enabled")
    if enabled is None:
        raise Unreadable
    return enabled


def read_project_groups(answer: Answer) -> tuple[tuple[str, bool], ...]:
    """Read which target groups a project has, and whether each has the project exclusion enabled.

    Raises:
        Unreadable: It is no such list.
    """
    return tuple(
        (required(text(line, "target_group_id")).upper(), flag(line, "project_exclusion_enabled") is True)
        for line in listed(answer, "data", "exclusions")
    )


def read_activity(answer: Answer) -> tuple[ActivityExclusion, ...]:
    """Read the activity exclusions of a launched target group.

    Raises:
        Unreadable: It is no such list.
    """
    found = activity_in(listed(answer, "respondent_activity_exclusions", "data"))
    if found is None:
        raise Unreadable
    return found


def activity_in(entries: list[Fields] | None) -> tuple[ActivityExclusion, ...] | None:
    """Return the activity exclusions in *entries*; None if there are no entries, or if one names nothing."""
    if entries is None:
        return None
    kinds = [(label(entry, "type"), label(entry, "id"), label(entry, "duration")) for entry in entries]
    found = tuple(ActivityExclusion(kind, entity, duration) for kind, entity, duration in kinds if kind and entity)
    return found if len(found) == len(entries) else None


def read_excluded_counts(answer: Answer) -> ExcludedCounts:
    """Read how many single respondents are excluded; that of the GUIDs may be absent.

    Raises:
        Unreadable: It holds no count.
    """
    found = json_object(answer.body)
    rsids = count(found, "saved_respondent_ids_count")
    guids = count(found, "saved_access_respondent_guids_count")
    if rsids is None:
        raise Unreadable
    return ExcludedCounts(rsids, guids or 0)


def read_exclusion_groups(answer: Answer) -> tuple[ExclusionGroup, ...]:
    """Read the exclusion groups that a target group is in.

    Raises:
        Unreadable: It is no such list.
    """
    return tuple(
        ExclusionGroup(required(key(line, "exclusion_group_id")), label(line, "tag")) for line in listed(answer, "data")
    )


def read_members(answer: Answer) -> tuple[str, ...]:
    """Read the ids of the target groups in an exclusion group, listed as they are or as objects that name them.

    Raises:
        Unreadable: It is no such list.
    """
    return tuple(required(_member(line)).upper() for line in lines(answer, "data", "target_groups"))


def _member(line: object) -> str | None:
    found = cast("Fields", line) if isinstance(line, dict) else {"id": line}
    return text(found, "target_group_id") or text(found, "id")
