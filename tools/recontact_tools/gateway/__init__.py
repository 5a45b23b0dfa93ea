"""The way to the Recontacts API: one method per operation, and the only package that speaks HTTP."""

from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.gateway import Gateway

__all__ = ["Connection", "Gateway"]
