"""Settings of approvals that are given outside the client."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, model_validator

from recontact_mcp.settings_values import absolute, principals, words


class ApprovalSettings(BaseModel):
    """How sure it must be that a person agreed, and how they are asked."""

    approval_minimum: Literal["client-elicited", "human-oob"] | None = Field(
        default=None,
        description="How sure it must be that a person agreed to a removal: `client-elicited` (the client says that"
        " they typed the phrase) or `human-oob` (they agreed outside the client). Default: `client-elicited` over"
        " stdio, `human-oob` over HTTP and wherever two persons or a passkey are required, for no client can tell that"
        " it was a colleague or a passkey; beside those, `client-elicited` is refused.",
    )
    approval_seconds: float = Field(
        # ours: time to find a colleague and to sign in; what is stored is counted once more at the end anyway.
        default=1_800.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds for which a person may agree outside the client, and for which that may be used.",
    )
    approval_approvers: Annotated[frozenset[str], BeforeValidator(words), AfterValidator(principals)] = Field(
        default=frozenset(),
        description="Principals who may approve the removals of others, `issuer#subject`, separated by commas; where a"
        ' comma stands in one, as JSON: `["issuer#subject"]`.',
    )
    approval_two_person: bool = Field(
        default=False,
        description="Whoever asks for a removal cannot approve it: one of `RECONTACT_APPROVAL_APPROVERS` must, outside"
        " the client.",
    )
    approval_passkey: Literal["off", "optional", "required"] = Field(
        default="off",
        description="Passkeys on the approval page: `optional` asks those who have registered one for it, `required`"
        " lets nobody approve without, on a terminal neither. One is registered with a code that `recontact-mcp"
        " approve --enrol PRINCIPAL` shows.",
    )
    approval_client_id: str | None = Field(
        default=None,
        description="OpenID Connect client with which people sign in on the approval page, at the issuer whose tokens"
        " are accepted. Its redirect URI is the public URL with `/approve/signed-in`.",
    )
    approval_client_secret: SecretStr | None = Field(
        default=None, description="Secret of that client, `RECONTACT_APPROVAL_CLIENT_ID`."
    )
    approval_client_secret_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File with that secret and nothing else, in place of `RECONTACT_APPROVAL_CLIENT_SECRET`. It must"
        " be yours, and closed to everybody else (`chmod 600`).",
    )
    approval_login_seconds: int = Field(
        default=900,  # ours: whoever left their desk longer ago than a meeting's break signs in again
        ge=0,
        le=86_400,
        description="Seconds ago that people who open the approval page may have signed in at the issuer; who did so"
        " earlier signs in again (`max_age`). The issuer must say when it was (`auth_time` in the id token, as OpenID"
        " Connect wants it). 0: an earlier sign-in will do.",
    )
    open_browser: bool = Field(
        default=True,
        description="Over stdio, open the approval page in this user's browser; without it `recontact-mcp approve` on"
        " a terminal is the way.",
    )

    @property
    def approval_is_outside(self) -> bool:
        """Whether what is asked for can only be shown outside the client: a second person, or a passkey."""
        return self.approval_two_person or self.approval_passkey == "required"

    @model_validator(mode="after")
    def _outside(self) -> Self:
        if self.approval_minimum == "client-elicited" and self.approval_is_outside:
            raise ValueError(
                "RECONTACT_APPROVAL_MINIMUM=client-elicited would let a client answer for the person whom"
                " RECONTACT_APPROVAL_TWO_PERSON or RECONTACT_APPROVAL_PASSKEY=required wants asked outside it: unset"
                " it."
            )
        return self
