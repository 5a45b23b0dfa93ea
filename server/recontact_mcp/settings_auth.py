"""Settings of authorization: whose tokens are accepted, and what each principal may do."""

from pydantic import BaseModel


class AuthSettings(BaseModel):
    """Who may use the server over HTTP."""
