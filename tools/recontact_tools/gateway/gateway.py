"""One method per operation of the API."""

import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import anyio
import httpx

from recontact_tools.errors import NotFound, Refused
from recontact_tools.gateway import paths
from recontact_tools.gateway.accounts import Accounts
from recontact_tools.gateway.answers import Answer
from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.features import FeatureFinder
from recontact_tools.gateway.readers import (
    read_count,
    read_file,
    read_job,
    read_job_page,
    read_respondent_page,
)
from recontact_tools.gateway.requests import IdentifierFile, Requests
from recontact_tools.gateway.retries import Retries
from recontact_tools.gateway.session import Session
from recontact_tools.gateway.target_groups import TargetGroupReads
from recontact_tools.gateway.tokens import TokenSource
from recontact_tools.gateway.verdicts import bad_cursor, endless_pages, is_bad_request
from recontact_tools.gateway.way import Way
from recontact_tools.gateway.wire import Wire
from recontact_tools.models import IdType, Job, JobPage, RespondentPage, TargetGroup
from recontact_tools.observing import Observer
from recontact_tools.versions import Feature, Features, version_named

T = TypeVar("T")
Page = TypeVar("Page", JobPage, RespondentPage)


class Gateway:
    """Speak to the Recontacts API; one gateway serves one event loop, and any number of tasks on it.

    *transport* reaches an app in this process; without it, the network. Every method raises `Refused` for a
    4xx (`NotFound`, `NotPermitted`, `JobRunning`, `RateLimited` among them), `Unreachable` if nothing
    happened for want of a connection or a token, and `InvalidInput` for an id that cannot be in a URL. The
    methods that need an operation which an account may lack raise `FeatureMissing` if it does.
    Reads raise `Unreachable` also if no attempt had a usable answer; the two methods that start a job raise
    `OutcomeUnknown` if the request was sent and its answer lost.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.version = version_named(connection.api_version)
        polite = transport is None  # an app in this process needs no sparing, unless the connection says so
        requests = Requests(connection)
        retries = Retries(connection.reads_retried, connection.retry_seconds, now, sleep, jitter)
        accounts = Accounts(connection, polite=polite, now=now, sleep=sleep, jitter=jitter)
        self._wire = Wire(connection, transport)
        way = Way(self._wire, connection, polite=polite, now=now)
        tokens = TokenSource(requests, exchange=way.token, now=now, secret_source=connection.secret_source)
        self._session = Session(requests, way=way, tokens=tokens, retries=retries, accounts=accounts)
        self._features = FeatureFinder(self._session, accounts, self.version)
        self.target_groups = TargetGroupReads(self._session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def be_watched(self, observer: Observer) -> None:
        """Let *observer* watch every request from now on."""
        self._wire.observer = observer

    async def aclose(self) -> None:
        """Close all connections, and the transport that was passed in."""
        await self._wire.aclose()

    async def upload_file(self, group: TargetGroup, *, file_name: str, content: bytes, id_type: IdType) -> str:
        """Start an upload and return the job's id; *content* is under 5,000,000 bytes, one id a line.

        Uploads of RSIDs take the path that every account has; if those of RIDs are known to be missing, the file
        is not sent.
        """
        tail, query = paths.upload_tail(id_type)
        file = IdentifierFile(file_name, content)
        if id_type is IdType.RID:
            self._features.require(group, Feature.RID_UPLOAD)
        try:
            return await self._session.start(paths.recontacts_path(group, tail), query=query, file=file)
        except NotFound as error:
            if id_type is IdType.RSID:
                raise
            refused = await self._features.explained(group, Feature.RID_UPLOAD, error)
        raise refused

    async def get_upload_job(self, group: TargetGroup, job_id: str, *, id_type: IdType | None = None) -> Job:
        """Return an upload job; *id_type* spares a request if it is known."""
        return await self._session.bounded(lambda: self._look_for_upload_job(group, job_id, id_type))

    async def list_upload_jobs(self, group: TargetGroup, *, page_size: int, cursor: str | None) -> JobPage:
        """Return one page of upload jobs, newest first, of both id types; *page_size* is 1 to 100."""
        path = paths.recontacts_path(group, paths.RESPONDENT_UPLOADS)
        page = partial(self._page, path, read_job_page, page_size=page_size, cursor=cursor)
        return await self._featured(group, Feature.JOB_LIST, page)

    async def download_upload_file(self, group: TargetGroup, job_id: str) -> bytes:
        """Return the file of an upload job as it was sent."""
        path = paths.recontacts_path(group, paths.RESPONDENT_UPLOADS, job_id)
        return await self._featured(group, Feature.DOWNLOAD, lambda: self._session.read(f"{path}/download", read_file))

    async def features(self, group: TargetGroup) -> Features:
        """Return which of the newer operations the group's account has.

        It looks by one or two harmless reads, and remembers what it saw for REMEMBERED_SECONDS. Raises `NotFound`
        if there is no such target group, for then nothing can be told.
        """
        return await self._features.look(group)

    async def check_feature(self, group: TargetGroup, feature: Feature) -> None:
        """Raise `FeatureMissing` if the group's account is seen to lack *feature*, looking as `features` does."""
        await self._features.check(group, feature)

    async def remove_all(self, group: TargetGroup) -> str:
        """Start the removal of everything stored for *group* and return the job's id."""
        return await self._session.start(paths.recontacts_path(group, paths.REMOVALS))

    async def get_removal_job(self, group: TargetGroup, job_id: str) -> Job:
        """Return a removal job."""
        return await self._get_job(group, paths.REMOVALS, job_id)

    async def get_overview(self, group: TargetGroup) -> int:
        """Return how many RSIDs are stored for *group*, 0 to 100,000."""
        return await self._session.read(paths.recontacts_path(group, paths.OVERVIEW), read_count)

    async def list_respondents(self, group: TargetGroup, *, page_size: int, cursor: str | None) -> RespondentPage:
        """Return one page of the stored RSIDs; *page_size* is 1 to 100."""
        path = paths.recontacts_path(group, paths.RSIDS)
        return await self._page(path, read_respondent_page, page_size=page_size, cursor=cursor)

    async def _get_job(self, group: TargetGroup, tail: str, job_id: str) -> Job:
        path = paths.recontacts_path(group, tail, job_id)
        return await self._session.read(path, lambda answer: read_job(answer, job_id))

    async def _look_for_upload_job(self, group: TargetGroup, job_id: str, id_type: IdType | None) -> Job:
        tail, other = paths.upload_job_tails(id_type)
        if self._features.lacks(group, Feature.RID_UPLOAD):
            return await self._get_job(group, paths.RSID_UPLOADS, job_id)
        try:
            return await self._get_job(group, tail, job_id)
        except NotFound:
            # source: cint-api.md section 5, row 14: whether one path shows the other's jobs is not documented
            pass
        return await self._get_job(group, other, job_id)

    async def _featured(self, group: TargetGroup, feature: Feature, read: Callable[[], Awaitable[T]]) -> T:
        self._features.require(group, feature)

        async def explained() -> T:
            try:
                return await read()
            except NotFound as error:
                refused = await self._features.explained(group, feature, error)
            raise refused

        return await self._session.bounded(explained)

    async def _page(self, path: str, reader: Callable[[Answer], Page], *, page_size: int, cursor: str | None) -> Page:
        try:
            page = await self._session.read(path, reader, query=paths.page_query(page_size, cursor))
        except Refused as error:
            if not cursor or not is_bad_request(error):
                raise
            refused = bad_cursor(error)
        else:
            if cursor and page.next_cursor == cursor:
                raise endless_pages()
            return page
        raise refused
