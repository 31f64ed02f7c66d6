"""Routes of a bank's signed feed: payment notifications and believed statement lines in JSON, problems by RFC 9457."""

from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web

from connectors.banks import bank_feed
from connectors.banks.feed_errors import (
    PROBLEM_CONTENT_TYPE,
    SIGNATURE_ERRORS,
    FeedError,
    Problem,
    encode_problem,
    feed_error,
)
from connectors.banks.standard_webhooks import Verdict, parse_secret, signed_headers, verify
from gateway.parking import Parking
from gateway.pipeline import Pipeline
from gateway.reader import POSTGRESQL_ERRORS
from gateway.routes.answering import note, note_form_error
from gateway.routes.body import read_body
from gateway.submission import TRY_AGAIN
from schemas.channel import Channel
from schemas.ids import Space
from schemas.notification import PaymentNotification, StatementLine
from schemas.outcome import Answer, PaymentOutcome

RETRY_AFTER_S = "5"


class BankRoutes:
    """A reporting channel: what it tells has happened, so it is refused for form only (design §4)."""

    def __init__(
        self, channel: Channel, pipeline: Pipeline, parking: Parking, spaces: Mapping[str, Space], utc_now: Callable[[], datetime]
    ):
        self._channel = channel
        self._pipeline = pipeline
        self._parking = parking
        self._utc_now = utc_now
        self._secrets = tuple(parse_secret(secret) for secret in channel.secrets)
        self._spaces = spaces

    async def payments(self, request: web.BaseRequest) -> web.Response:
        """Take one payment notification."""
        read = await self._read(request)
        if isinstance(read, web.Response):
            return read
        body, signed_id, verdict = read
        decoded = bank_feed.decode_payment(body, request.headers.get("Idempotency-Key"), signed_id=signed_id)
        if isinstance(decoded, FeedError):
            return self._refused(request, decoded)
        outcome = await self._stale(decoded, request) if verdict is Verdict.STALE else None
        return self._answered(decoded, outcome or await self._pipeline.submit_payment(self._channel, decoded))

    async def statement_lines(self, request: web.BaseRequest) -> web.Response:
        """Take one believed statement line of the channel's transit account."""
        read = await self._read(request)
        if isinstance(read, web.Response):
            return read
        body, signed_id, verdict = read
        decoded = bank_feed.decode_statement_line(body, request.headers.get("Idempotency-Key"), signed_id=signed_id)
        if isinstance(decoded, FeedError):
            return self._refused(request, decoded)
        covered = self._spaces.get(decoded.space)
        if decoded.transit_account != self._channel.transit_account or covered is None:
            field = "space" if covered is None else "transit_account"
            return self._refused(request, feed_error(Problem.INVALID_FIELD, field))
        outcome = await self._stale(decoded, request) if verdict is Verdict.STALE else None
        return self._answered(decoded, outcome or await self._pipeline.submit_cover(self._channel, decoded, covered))

    async def _read(self, request: web.BaseRequest) -> tuple[bytes, str | None, Verdict] | web.Response:
        if (request.content_length or 0) > self._channel.body_bytes_max:
            return self._refused(request, feed_error(Problem.BODY_TOO_LARGE))
        body = await read_body(request)
        if len(body) > self._channel.body_bytes_max:
            return self._refused(request, feed_error(Problem.BODY_TOO_LARGE))
        signed = signed_headers(request.headers)
        now = int(self._utc_now().timestamp())
        verdict = verify(signed, body, self._secrets, now=now, window_s=self._channel.replay_window_s)
        if verdict not in (Verdict.VALID, Verdict.STALE):
            return self._refused(request, SIGNATURE_ERRORS[verdict])
        return body, signed.message_id, verdict

    async def _stale(self, decoded: PaymentNotification | StatementLine, request: web.BaseRequest) -> PaymentOutcome | None:
        """Keep a stale message with a new key in the list that a person sees; None when the key is known, stale or not."""
        try:
            if await self._parking.knows_key(self._channel, decoded.external_id):
                return None
            await self._parking.park_stale(self._channel, decoded, request.headers.get("webhook-timestamp", ""))
        except POSTGRESQL_ERRORS:
            return TRY_AGAIN
        return PaymentOutcome(answer=Answer.STALE_TIMESTAMP)

    def _answered(self, decoded: PaymentNotification | StatementLine, outcome: PaymentOutcome) -> web.Response:
        note(self._channel, decoded.external_id, outcome)
        status, body = bank_feed.encode_outcome(outcome, space_name=self._channel.space_name, external_id=decoded.external_id)
        headers = {"Content-Type": bank_feed.CONTENT_TYPE if status < 400 else PROBLEM_CONTENT_TYPE}
        if outcome.answer is Answer.DUPLICATE:
            headers["Idempotency-Replayed"] = "true"
        if status == 503:
            headers["Retry-After"] = RETRY_AFTER_S
        return web.Response(status=status, body=body, headers=headers)

    def _refused(self, request: web.BaseRequest, error: FeedError) -> web.Response:
        note_form_error(self._channel, error.type_slug, request.remote)
        return web.Response(status=error.status, body=encode_problem(error), headers={"Content-Type": PROBLEM_CONTENT_TYPE})
