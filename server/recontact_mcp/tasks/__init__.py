"""The Tasks extension: for clients that speak it, a job that a tool started is a task they can look at and ask to stop.

A task is a view of a durable job and holds nothing itself. `extension` and `listening` know the protocol and nothing of
recontacts; `jobs` knows our jobs; `wire` is what both say.
"""

from recontact_mcp.tasks.extension import Tasks
from recontact_mcp.tasks.jobs import JobTasks
from recontact_mcp.tasks.listening import TaskListening

__all__ = ["JobTasks", "TaskListening", "Tasks"]
