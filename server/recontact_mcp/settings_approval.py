"""Settings of approvals that are given outside the client."""

from pydantic import BaseModel


class ApprovalSettings(BaseModel):
    """How sure it must be that a person agreed, and how they are asked."""
