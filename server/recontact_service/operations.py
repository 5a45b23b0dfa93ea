"""The operations of the service, and what the documents say of each beside its path."""

from enum import StrEnum


class Operation(StrEnum):
    """Every operation, by the API's own operation id (the token's is ours)."""

    ISSUE_TOKEN = "issue_token"  # noqa: S105 - the name of an operation
    UPLOAD_RSIDS = "recontact_create_upload_rsids_by_file_job"
    GET_RSIDS_UPLOAD = "get_recontacts_rsids_upload_file_job_status"
    UPLOAD_RESPONDENTS = "recontact_create_upload_respondents_by_file_job"
    LIST_UPLOADS = "recontact_list_upload_respondents_by_file_jobs"
    GET_RESPONDENTS_UPLOAD = "get_recontact_upload_respondents_by_file_job"
    DOWNLOAD = "recontact_download_job_file"
    REMOVE_ALL = "create_all_recontact_rsids_removal_job"
    GET_REMOVAL = "recontacts_remove_all_rsids_job_status"
    OVERVIEW = "get_recontacts_overview"
    LIST_RSIDS = "get_target_group_rsid_recontact_list"
    GET_TARGET_GROUP = "get_target_group"
    GET_DETAILS = "get_target_group_details"
    GET_OVERVIEW = "get_target_group_overview"
    GET_OVERVIEW_BY_ID = "get_target_group_overview_by_target_group_id"
    LIST_FIELDING_RUNS = "get_fielding_runs_by_target_group_id"
    LIST_PROFILES = "list_profiles"
    GET_ALLOCATIONS = "get_target_group_allocation_specification"
    GET_EXCLUSION_POLICY = "get_target_group_exclusion_policy_api"
    GET_ACTIVITY_EXCLUSIONS = "get_target_group_respondent_activity_exclusions"
    GET_EXCLUSIONS_OVERVIEW = "get_exclusions_overview"
    LIST_EXCLUDED_RSIDS = "get_target_group_rsid_exclusion_list_api_paginated"
    LIST_PROJECT_EXCLUSIONS = "get_exclusion_by_project_api"
    LIST_EXCLUSION_GROUPS = "get_exclusion_groups_for_target_group"
    LIST_EXCLUSION_GROUP_MEMBERS = "get_exclusion_group_target_group_exclusions"
    LIST_STUDY_TYPES = "get_study_types"
    LIST_TEMPLATES = "list_global_allocation_templates"
    GET_TEMPLATE = "get_global_allocation_template_by_template_id"
    GET_TEMPLATE_OF_UNIT = "get_global_allocation_template_by_id_for_business_unit_id"


# source: the headers of their 200 answers
TRACED = frozenset(
    {
        Operation.GET_DETAILS,
        Operation.LIST_FIELDING_RUNS,
        Operation.GET_ALLOCATIONS,
        Operation.GET_EXCLUSION_POLICY,
        Operation.GET_ACTIVITY_EXCLUSIONS,
        Operation.LIST_PROJECT_EXCLUSIONS,
        Operation.LIST_EXCLUSION_GROUP_MEMBERS,
        Operation.GET_TEMPLATE_OF_UNIT,
    }
)

# source: their lists of answers hold no 400; assumed: an identifier in their path that is none names nothing (404)
WITHOUT_BAD_REQUEST = frozenset(
    {
        Operation.GET_EXCLUSION_POLICY,
        Operation.GET_ACTIVITY_EXCLUSIONS,
        Operation.LIST_EXCLUDED_RSIDS,
        Operation.LIST_PROJECT_EXCLUSIONS,
        Operation.LIST_EXCLUSION_GROUP_MEMBERS,
    }
)
