"""Routes of payment terminals (OSMP) and of Sber online: GET with a query, or POST urlencoded, answered in XML."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from connectors.terminals import osmp, sber_online
from connectors.terminals.access import basic_matches, network_allows, parse_networks
from connectors.terminals.parameters import Encoding, read_parameters
from gateway.checks import Checks
from gateway.pipeline import Pipeline
from gateway.routes.answering import note, note_form_error
from gateway.routes.body import read_body
from schemas.channel import Channel
from schemas.outcome import Refusal

Answering = Callable[[dict[str, str], str], Awaitable[bytes]]
"""Parameters and the caller's address -> the answer's XML."""

_XML = {"Content-Type": osmp.CONTENT_TYPE}


class TerminalRoutes:
    """The asking channels spoken over a query string."""

    def __init__(self, channel: Channel, pipeline: Pipeline, checks: Checks):
        self._channel = channel
        self._pipeline = pipeline
        self._checks = checks
        self._networks = parse_networks(channel.allow_networks)

    async def osmp(self, request: web.BaseRequest) -> web.Response:
        """Answer one OSMP request (protocols.md §1)."""
        return await self._admitted(request, self._osmp)

    async def sber_online(self, request: web.BaseRequest) -> web.Response:
        """Answer one Sber online request; HTTP status is 200 whatever the code (protocols.md §1b)."""
        return await self._admitted(request, self._sber)

    async def _admitted(
        self, request: web.BaseRequest, answer: Callable[[dict[str, str], str], Awaitable[bytes]]
    ) -> web.Response:
        channel, address = self._channel, request.remote or ""
        if self._networks and not network_allows(self._networks, address):
            note_form_error(channel, "network", address)
            return web.Response(status=403, text="Доступ запрещён")
        if channel.basic_user and not basic_matches(
            request.headers.get("Authorization"), channel.basic_user, channel.basic_password
        ):
            note_form_error(channel, "credentials", address)
            return web.Response(status=401, text="Нет доступа", headers={"WWW-Authenticate": 'Basic realm="kopeck"'})
        raw = request.rel_url.raw_query_string.encode("utf-8", "surrogateescape")
        if request.method == "POST":
            body = await read_body(request)
            if len(body) > channel.body_bytes_max:
                note_form_error(channel, "body-too-large", address)
                return web.Response(status=413, text="Сообщение слишком велико")
            raw = raw + b"&" + body if raw else body
        parameters = read_parameters(raw)
        if parameters.encoding is not Encoding.UTF_8:
            note_form_error(channel, "windows-1251", address)
        return web.Response(body=await answer(parameters.values, address), headers=_XML)

    async def _osmp(self, values: dict[str, str], address: str) -> bytes:
        channel = self._channel
        asked = osmp.decode(values)
        if isinstance(asked, osmp.PayRequest):
            outcome = await self._pipeline.submit_payment(channel, asked.notification)
            note(channel, asked.notification.external_id, outcome)
            return osmp.encode_pay(outcome, asked, space=channel.space)
        if isinstance(asked, osmp.CheckRequest):
            if asked.form_refusal is not Refusal.NONE:
                note_form_error(channel, asked.form_refusal.name.lower(), address)
                return osmp.encode_check(asked, asked.form_refusal)
            return osmp.encode_check(
                asked, await self._checks.check(channel, asked.account_number, asked.amount_kopecks, address)
            )
        note_form_error(channel, asked.reason, address)
        return osmp.encode_undecodable()

    async def _sber(self, values: dict[str, str], address: str) -> bytes:
        channel = self._channel
        asked = sber_online.decode(values)
        if isinstance(asked, sber_online.SberPaymentRequest):
            outcome = await self._pipeline.submit_payment(channel, asked.notification)
            note(channel, asked.notification.external_id, outcome)
            return sber_online.encode_payment(outcome, asked, space=channel.space, recorded_at=outcome.recorded_at)
        if isinstance(asked, sber_online.SberCheckRequest):
            if asked.form_refusal is not Refusal.NONE:
                note_form_error(channel, asked.form_refusal.name.lower(), address)
                return sber_online.encode_check(asked.form_refusal)
            return sber_online.encode_check(await self._checks.check(channel, asked.account_number, None, address))
        note_form_error(channel, asked.reason, address)
        return sber_online.encode_undecodable(asked)
