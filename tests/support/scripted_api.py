"""An API whose every answer is written down by the test: exact wire shapes, and no service behind them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from recontact_tools.gateway import Connection

ACCOUNT = 101
PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP0"
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
OTHER_GROUP = "01BTGNYV6HRNK8K8VKZASZCFP2"
TEMPLATE = "01JH0PEGPC4Z8RDD304E2SF0EW"
PROJECT_PATH = f"/demand/accounts/{ACCOUNT}/projects/{PROJECT}"
GROUP_PATH = f"{PROJECT_PATH}/target-groups/{GROUP}"
EXCLUSION_GROUPS_PATH = f"/demand/accounts/{ACCOUNT}/target-groups/{GROUP}/exclusion-groups"
SURVEY = "https://survey.example/wave2?RID=[%RID%]&RECONTACT_RSID=[%RECONTACT_RSID%]&key=canary-key"
CONNECTION = Connection("https://api.example/v1", "https://api.example/v1/oauth/token", "robot", "canary-secret")

Answer = Callable[[httpx.Request], httpx.Response]


def answering(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a JSON document, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _request: httpx.Response(status, content=content, headers=headers)


def settings_document() -> dict[str, Any]:
    """Describe what both a draft and the details of a launched target group show."""
    return {
        "name": "Wave 2",
        "business_unit_id": 3337,
        "locale": "eng_us",
        "study_type_code": "recontact",
        "industry_lockout_code": "no_lock_out",
        "completes_goal": 500,
        "expected_length_of_interview_minutes": 10,
        "expected_incidence_rate": 0.9,
        "live_url": SURVEY,
        "test_url": SURVEY,
    }


def allocations_document(**opened: object) -> dict[str, Any]:
    """Describe allocations as a target group shows them: suppliers have a number, `id`."""
    return {
        "open_exchange_allocations": {
            "exchange_suppliers": [{"id": 420, "name": "Clix Sense"}, {"id": 7, "name": "Seven"}],
            "blocked_suppliers": [{"id": 9, "name": "Nine"}],
            "exchange_min_percentage": 0,
            "exchange_max_percentage": 100,
            "groups": [{"group_id": "1", "min_percentage": 0, "max_percentage": 50, "suppliers": [{"id": 7}]}],
            **opened,
        },
        "private_exchange_allocations": {"blocked_suppliers": [], "groups": []},
    }


def template_document() -> dict[str, Any]:
    """Describe the same allocations as a template shows them: suppliers have a text, `supplier_id`."""
    return {
        "template_name": "Recontact",
        "open_exchange_allocations": {
            "exchange_suppliers": [{"supplier_id": "7"}, {"supplier_id": "420"}],
            "blocked_suppliers": [{"supplier_id": "9"}],
            "exchange_min_percentage": 0,
            "exchange_max_percentage": 100,
            "groups": [
                {"group_name": "x", "min_percentage": 0, "max_percentage": 50, "suppliers": [{"supplier_id": "7"}]}
            ],
        },
        "private_exchange_allocations": {"blocked_suppliers": []},
    }


def draft_document() -> dict[str, Any]:
    """Describe a draft that is ready."""
    return {
        **settings_document(),
        "cost_per_interview": {"value": "2.7352", "currency_code": "USD"},
        "fielding_specification": {"start_at": "2026-11-01T00:00:00.000Z", "end_at": "2027-01-31T00:00:00Z"},
        "exclusion": {"enabled": False},
        "respondent_activity_exclusions": [],
        "profiling": None,
        "allocations": {**allocations_document(), "template_id": TEMPLATE},
    }


def overview_document() -> dict[str, Any]:
    """Describe how a launched target group stands."""
    return {
        "status": "live",
        "study_type_code": "recontact",
        "progress": {
            "filling_goal": 500,
            "current_completes": 3,
            "current_prescreens": 600,
            "filling_strategy": "completes",
        },
        "current_cost_per_interview": {"value": "2.7352", "currency_code": "USD"},
        "median_length_of_interview_seconds": 630,
    }


def run_document() -> dict[str, Any]:
    """Describe the one fielding run."""
    return {"start_fielding_at": "2026-11-01T00:00:00.000Z", "end_fielding_at": "2027-01-31T00:00:00.000Z"}


@dataclass
class ScriptedApi:
    """Answers by path below the base URL; what has none is a 404. *asked* counts the requests of each path."""

    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: Counter[str] = field(default_factory=Counter[str])
    queries: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/v1")
        if path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "canary-token", "expires_in": 86400})
        self.asked[path] += 1
        self.queries.setdefault(path, []).append(request.url.query.decode())
        missing = answering({"id": "x", "object": "not_found_error", "detail": "resource not found"}, 404)
        return self.answers.get(path, missing)(request)

    def say(self, tail: str, body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer a read of the target group; *tail* is "" for itself, else what follows its path."""
        self.say_at(GROUP_PATH + tail, body, status, headers)

    def say_at(self, path: str, body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer any read."""
        self.answers[path] = answering(body, status, headers)

    def be_around(self) -> None:
        """Answer what is the same for drafts and launched target groups."""
        self.say("/recontacts/overview", {"saved_respondent_ids_count": 1200})
        self.say("/recontacts/jobs/upload-respondents-by-file", {"data": [], "next_cursor": None})
        self.say("/exclusions/overview", {"saved_respondent_ids_count": 0, "saved_access_respondent_guids_count": 0})
        self.say_at(f"{PROJECT_PATH}/exclusions", [{"target_group_id": GROUP, "project_exclusion_enabled": False}])
        self.say_at(EXCLUSION_GROUPS_PATH, {"data": []})

    def be_draft(self, **changes: object) -> None:
        """Be a draft that is ready, but for *changes* of its document."""
        self.be_around()
        self.say("", {**draft_document(), **changes})

    def be_launched(self, **changes: object) -> None:
        """Be a launched target group that is ready, but for *changes* of its details."""
        self.be_around()
        self.say("", b"", 301, {"location": "https://elsewhere.example/never"})
        self.say("/details", {**settings_document(), **changes})
        self.say("/overview", overview_document())
        self.say("/fielding-runs", {"data": [run_document()], "has_more": False})
        self.say("/profiles", {"profiles": []})
        self.say("/allocation-specification", {**allocations_document(), "template_id": TEMPLATE})
        self.say("/exclusion-policy", {"project_exclusion_enabled": False})
        self.say("/respondent-activity-exclusions", {"respondent_activity_exclusions": []})
