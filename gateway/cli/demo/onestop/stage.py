"""The stage of one dossier: the one-stop example province and all its software in small, up for the story."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import gateway
from gateway.cli.demo.onestop.telling import Desk, OneStop
from gateway.cli.mocked import plan
from gateway.client.bus import Bus
from gateway.client.identity import read_signer
from gateway.compose import running, stand_in
from gateway.config.settings import read_settings

_EXAMPLE: Final = Path(gateway.__file__).resolve().parent.parent / "deploy" / "example-onestop"
#: Who is played by which software in small: system -> (member of the telling, adapter).
_PLAYED: Final = {
    "G22/dvcqg": ("portal", "dvcqg"),
    "H33.01/onestop": ("office", "onestop"),
    "H33.07/onestop": ("district", "onestop_wso2"),
    "H33.02/signing": ("signing", "qlvb_signing"),
    "H33.90/pay": ("bank", "payment_gateway"),
    "H33.91/post": ("post", "vnpost"),
    "H33.92/mail": ("mail", "mail_notice"),
    "H33.92/sms": ("sms", "sms_gateway"),
    "H33.93/lookup": ("kiosk", "status_lookup"),
}
#: What the example says that holds here, too, whatever the software in small would have.
_KEPT: Final = frozenset({"to", "beneficiary", "calls", "contact", "secret", "digits", "from_name"})
#: A story has no time for the waits of a province.
_RETRY: Final = {"first": "200ms", "factor": 1.5, "cap": "1s", "deadline": "1d"}


@contextlib.asynccontextmanager
async def stage(story: OneStop) -> AsyncIterator[None]:
    """The province and all that it is connected to, for the length of a ``with`` block."""
    plan.found(story.folder, 0)
    async with contextlib.AsyncExitStack() as stack:
        systems: list[tuple[plan.Placed, Mapping[str, Any]]] = []
        for placed in plan.read_plan(_EXAMPLE):
            settings: dict[str, Any] = {}
            if placed.system in _PLAYED:
                name, adapter = _PLAYED[placed.system]
                software = await stack.enter_async_context(stand_in(adapter).agency(story.folder))
                setattr(story, name, software)
                settings = dict(getattr(software, "login_settings", None) or software.settings)
            systems.append((_settled(placed, settings), settings))
        _settings_of(systems, "H33.90/pay")["to"] = ["G22", "H33.01", "H33.07.20"]
        _settings_of(systems, "H33.02/signing")["to"] = ["H33.01/app"]
        _settings_of(systems, "H33.91/post")["to"] = ["H33.01/app"]
        _settings_of(systems, "G22/dvcqg")["catalogue"] = False
        secret = secrets.token_urlsafe(24)
        (story.folder / "keys" / "H33.07-onestop.secret").write_text(f"{secret}\n", "utf-8")
        await plan.write(story.folder, _EXAMPLE, systems)
        story.district.inbox_secret = secret
        read = read_settings(story.folder)
        async with running(read) as story.gateway, Bus.reach(read.public_url) as story.bus:
            await _connect(story, read.public_url, stack)
            yield


def _settings_of(systems: list[tuple[plan.Placed, Mapping[str, Any]]], name: str) -> dict[str, Any]:
    return next(dict_of(settings) for placed, settings in systems if placed.system == name)


def dict_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, to be written to."""
    if not isinstance(settings, dict):
        raise TypeError("the settings of software in small are a dictionary")
    return settings


def _settled(placed: plan.Placed, settings: Mapping[str, Any]) -> plan.Placed:
    """The system of the example with what of its own settings holds here."""
    own = placed.members.get("settings", {})
    kept = {name: value for name, value in own.items() if name in _KEPT} if settings else own
    wishes = [{**each, "retry": _RETRY} for each in placed.members.get("subscriptions", [])]
    return plan.Placed(placed.agency, {**placed.members, "settings": kept, "subscriptions": wishes})


async def _connect(story: OneStop, url: str, stack: contextlib.AsyncExitStack) -> None:
    """Tell each software where the bus is."""
    story.calling = story.portal.calling(f"{url}/in/G22/dvcqg", twice=True)
    story.office.door, story.office.agency = f"{url}/in/H33.01/onestop", "H33.01"
    story.district.door, story.district.bus = f"{url}/in/H33.07/onestop", url
    story.district.agency, story.district.system = "H33.07", "H33.07/onestop"
    story.signing.door = f"{url}/in/H33.02/signing"
    story.bank.door = f"{url}/in/H33.90/pay"
    story.kiosk.door = f"{url}/in/H33.93/lookup/"
    for name, system in (("centre", "H33.01/app"), ("land", "H33.07.20/land")):
        stem = story.folder / "keys" / system.replace("/", "-")
        signer = read_signer(stem.with_name(f"{stem.name}.pem"), stem.with_name(f"{stem.name}.crt"))
        client = stand_in("inbox").InboxClient(url, system, signer=signer)
        stack.push_async_callback(client.close)
        setattr(story, name, Desk(system, signer, client, story.bus))
    story.say(f"Một cửa liên thông bốn cấp, trục tại {url}", f"One-stop through four levels, the bus at {url}")
    for agency in story.gateway.picture.directory.agencies.values():
        listed = ", ".join(f"{each.local_name} ({each.adapter})" for each in agency.systems)
        story.say(f"  {agency.code:<10} {agency.name}: {listed}", f"  {agency.code:<10} {agency.name}: {listed}")
