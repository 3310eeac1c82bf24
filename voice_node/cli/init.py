"""`voice-node init`: a room file from a few questions, each with an answer that Enter gives."""

import asyncio
import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from voice_node.audio.level import SILENCE_DBFS
from voice_node.cli.credentials import folder_of, store, with_stored
from voice_node.cli.doctor_broker import check_broker
from voice_node.cli.doctor_finding import Finding, Patient, Status
from voice_node.cli.init_devices import Choice, choices, with_levels
from voice_node.cli.init_room_file import Answers, BrokerPlace, broker_place, language_code, room_file, room_id
from voice_node.model.errors import ConfigError, NodeError
from voice_node.settings.edit import write_file
from voice_node.settings.load import LoadedRoom, load_room
from voice_node.settings.schema import MqttSettings, RoomSettings
from voice_node.settings.secrets import read_secrets

with suppress(ImportError):
    # Python's own prompts go by the C library's stderr, which is nowhere once PortAudio is silenced; readline's do not.
    import readline  # noqa: F401

PROVIDERS = ("local", "openai", "azure", "xai", "localai", "speaches", "custom")
WITH_KEY = ("openai", "azure", "xai")
WITH_URL = ("azure", "localai", "speaches", "custom")
_BAR_WIDTH = 20


class Language(click.ParamType[str]):
    """A code that the room file takes; anything else is refused where it is said."""

    name = "language"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code as it is."""
        try:
            return language_code(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class NotWritten(NodeError):
    """There is a file already, and nobody said that it may go."""


@dataclass(frozen=True, slots=True)
class Given:
    """The command's options; None is asked for, or takes its default."""

    name: str | None
    language: str | None
    microphone: str | None
    speaker: str | None
    broker: str | None
    provider: str | None
    url: str | None
    model: str | None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("room", metavar="ROOM")
@click.option("--output", metavar="PATH", type=click.Path(path_type=Path), help="The file; ROOM.yaml if not given.")
@click.option("--name", help="What the room is called in Home Assistant.")
@click.option("--language", metavar="CODE", type=Language(), help="What is spoken there: en, de, pt-BR ...")
@click.option("--microphone", metavar="DEVICE", help="A name or a number from `voice-node devices`.")
@click.option("--speaker", metavar="DEVICE", help="The same; none: there is no speaker.")
@click.option("--broker", metavar="URL", help="mqtt://[USER@]HOST[:PORT], or mqtts://...; password: MQTT_PASSWORD.")
@click.option("--provider", type=click.Choice(PROVIDERS), help="Who understands and answers; key: OPENAI_API_KEY.")
@click.option("--url", help="Where the provider is; for azure, localai, speaches and custom.")
@click.option("--model", help="The provider's model; azure: the deployment.")
@click.option(
    "--credentials",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep password and key there; without it, you are asked whether in credentials/ROOM beside the file.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: what is not given takes its default.")
@click.option("--overwrite", is_flag=True, help="A file that is there already is replaced.")
def init(
    room: str, output: Path | None, credentials: Path | None, yes: bool, overwrite: bool, **options: str | None
) -> None:
    """Write a room file from a few questions.

    Lists microphones with what they hear, tries the broker, and checks the file as the room itself would. Password and
    key never stand in the file: they are kept in files that you alone can read, or you are told where they go.

    Example: voice-node init kitchen
    """
    logging.getLogger("voice_node").addHandler(logging.NullHandler())  # what matters of it is shown
    asks = not yes and is_terminal()
    identity = room_id(room)
    path = output or Path(f"{identity}.yaml")
    if path.exists() and not overwrite and not (asks and click.confirm(f"{path} is there already. Replace it?")):
        raise NotWritten(f"{path} is there already and stays as it is; --overwrite replaces it")
    given = Given(**options)
    secrets = _known(path)
    if asks:
        click.echo(f"Room {identity}. Enter takes what stands in brackets.\n")
        answers, asked = _ask(identity, room, given, secrets)
    else:
        answers, asked = _take(identity, room, given), {}
        _report(_try_broker(answers.broker, identity, secrets.get("mqtt_password")))
    loaded = _write(path, answers)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"\nWritten: {path}")
    _keep(path, credentials, secrets | asked if credentials is not None else asked, asks=asks)
    _show_next(path, answers, secrets | asked, is_for_service=credentials is not None)


def is_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def _known(path: Path) -> dict[str, str]:
    """Secrets that need not be asked for: of the environment, and those that are kept for this file already."""
    found = read_secrets(with_stored(os.environ, path))
    named = {"mqtt_password": found.mqtt_password, "openai_api_key": found.openai_api_key}
    return {name: secret.get_secret_value() for name, secret in named.items() if secret is not None}


def _take(identity: str, room: str, given: Given) -> Answers:
    """Without a question."""
    return Answers(
        room=identity,
        name=given.name or _name(room),
        language=given.language or _language(),
        microphone=_device(given.microphone or "default"),
        speaker=_device(given.speaker or "default"),
        broker=broker_place(given.broker) if given.broker else BrokerPlace(),
        provider=given.provider or "local",
        url=given.url,
        model=given.model,
    )


def _ask(identity: str, room: str, given: Given, secrets: Mapping[str, str]) -> tuple[Answers, dict[str, str]]:
    """Everything that is not given; the answers, and the secrets that were typed."""
    answers = _take(identity, room, given)
    if given.name is None:
        answers = replace(answers, name=click.prompt("What is it called in Home Assistant", answers.name))
    if given.language is None:
        answers = replace(
            answers, language=click.prompt("What is spoken there (en, de ...)", answers.language, type=Language())
        )
    if given.microphone is None:
        answers = replace(answers, microphone=_choose("Microphone", _microphones()))
    if given.speaker is None:
        answers = replace(answers, speaker=_choose("Speaker", choices("output"), "none"))
    broker, password = _ask_broker(answers.broker, identity, given.broker is not None, secrets.get("mqtt_password"))
    asked = {"mqtt_password": password} if password else {}
    answers = replace(answers, broker=broker)
    if given.provider is None:
        click.echo("\nWho understands and answers? local: this device, for nothing.")
        answers = replace(answers, provider=click.prompt("Provider", "local", type=click.Choice(PROVIDERS)))
    if answers.provider in WITH_URL and not answers.url:
        answers = replace(answers, url=click.prompt("Its address (https://... or ws://...)"))
    if answers.provider in (*WITH_URL, "xai") and not answers.model:
        answers = replace(answers, model=click.prompt("Model", "", show_default=False) or None)
    if answers.provider in WITH_KEY and "openai_api_key" not in secrets:
        key = click.prompt("API key (not shown; Enter: later)", "", hide_input=True, show_default=False).strip()
        asked |= {"openai_api_key": key} if key else {}
    return answers, asked


def _ask_broker(
    place: BrokerPlace, identity: str, is_given: bool, password: str | None
) -> tuple[BrokerPlace, str | None]:
    """Until it answers, or the person goes on without; the place, and the password where one was typed."""
    typed: str | None = None
    click.echo()
    while True:
        if not is_given:
            try:
                wanted = broker_place(click.prompt("Broker (mqtt://HOST:PORT)", _address(place)))
            except ConfigError as error:
                click.echo(f"  {error}")
                continue
            user = wanted.username or click.prompt("Its user, or none", place.username or "none")
            place = replace(wanted, username=None if user == "none" else user)
        if place.username is not None and (password is None or typed is not None):
            typed = click.prompt("Its password (not shown)", "", hide_input=True, show_default=False) or None
        findings = _try_broker(place, identity, typed or password)
        _report(findings)
        if not any(finding.status is Status.FAULT for finding in findings):
            return place, typed
        if not click.confirm("Try again?", default=True):
            return place, typed
        is_given = False


def _try_broker(place: BrokerPlace, identity: str, password: str | None) -> list[Finding]:
    """What there is to say of the broker and the login; of rooms and discovery there is nothing yet."""
    mqtt = MqttSettings.model_validate(place.section)
    secrets = read_secrets({} if password is None else {"MQTT_PASSWORD": password})
    patient = Patient(Path(), RoomSettings(room=identity, mqtt=mqtt), secrets, {})
    found = asyncio.run(check_broker(patient))
    return [finding for finding in found if finding.subject in ("broker", "commands")]


def _report(findings: Sequence[Finding]) -> None:
    for finding in findings:
        if finding.status is Status.OK and finding.subject == "broker":
            click.secho(f"  broker, ok: {finding.text}", fg="green")
        elif finding.status is not Status.OK:
            click.secho(f"  {finding.subject}, {finding.status}: {finding.text}", fg="yellow", err=True)
            click.echo(f"  {finding.advice}", err=True)


def _microphones() -> list[Choice]:
    click.echo("\nListening to each microphone for a moment; say something ...")
    return asyncio.run(with_levels(choices("input")))


def _choose(what: str, offered: Sequence[Choice], without: str = "default") -> int | str:
    """One of the devices, by its number in the list or in words."""
    if not offered:
        click.echo(f"{what}: there is none here at the moment.")
        return without
    click.echo()
    for number, choice in enumerate(offered, 1):
        mark = " (default)" if choice.is_default else ""
        click.echo(f"  {number:2}  {_bar(choice)}{choice.name}{mark}")
    default = "default" if any(choice.is_default for choice in offered) else "1"
    extra = ", none" if without == "none" else ""
    answer: str = click.prompt(f"{what} (number, default{extra}, or a part of a name)", default).strip()
    if answer.isdecimal() and 1 <= int(answer) <= len(offered):
        return offered[int(answer) - 1].value
    return answer


def _bar(choice: Choice) -> str:
    """What a microphone hears; nothing for a speaker."""
    if choice.level_dbfs is None:
        return ""
    share = max(0.0, min(1.0, (choice.level_dbfs + 80) / 80))
    filled = round(share * _BAR_WIDTH)
    said = "silent  " if choice.level_dbfs <= SILENCE_DBFS else f"{choice.level_dbfs:4.0f} dB "
    return f"{'█' * filled}{'·' * (_BAR_WIDTH - filled)} {said} "


def _write(path: Path, answers: Answers) -> LoadedRoom:
    """Check the text as the room would, and only then put it in its place; raises ConfigError."""
    text = room_file(answers, path.name)
    try:
        text.encode()
    except UnicodeEncodeError:  # words of the command line that were no UTF-8
        raise ConfigError("not written: an answer has a letter that is no UTF-8") from None
    with tempfile.TemporaryDirectory(prefix="voice-node-init-") as folder:
        trial = Path(folder) / path.name
        trial.write_text(text, encoding="utf-8")
        try:
            load_room(trial)
        except ConfigError as error:
            raise ConfigError(f"not written: {str(error).replace(str(trial), path.name)}") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, text)
    return load_room(path)


def _keep(path: Path, folder: Path | None, secrets: Mapping[str, str], *, asks: bool) -> None:
    """Store secrets: in `folder`, else after a yes where every command looks for them."""
    own = folder_of(path)
    if not secrets:
        return
    if folder is None and not (
        asks and click.confirm(f"Keep what you typed in {own}, for this user alone?", default=True)
    ):
        return
    for written in store(folder or own, secrets):
        click.echo(f"Kept: {written}, for this user alone")
    if folder is not None and folder.absolute() != own:
        click.echo(f"Commands look for them in {own}; to let them look here:")
        click.echo(f"  export CREDENTIALS_DIRECTORY={shlex.quote(str(folder.absolute()))}")


def _show_next(path: Path, answers: Answers, secrets: Mapping[str, str], *, is_for_service: bool) -> None:
    if answers.broker.username is not None and "mqtt_password" not in secrets:
        click.echo("The password of the broker is still missing: export MQTT_PASSWORD=...")
    if answers.provider in WITH_KEY and "openai_api_key" not in secrets:
        click.echo("The API key is still missing: export OPENAI_API_KEY=...")
    click.echo("Next:")
    for command, why in (("doctor", "is all well?"), ("calibrate", "gain and gate for this room"), ("run", "the room")):
        click.echo(f"  voice-node {command} {path}".ljust(44) + f" # {why}")
    if not is_for_service:
        click.echo(f"  script/install {path}".ljust(44) + " # or as a service, from the clone of the repository")


def _address(place: BrokerPlace) -> str:
    return f"{'mqtts' if place.is_tls else 'mqtt'}://{place.host}:{place.port}"


def _device(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _name(room: str) -> str:
    words = room.strip().replace("_", " ")
    return words if any(letter.isupper() for letter in words) else words.capitalize()


def _language() -> str:
    """The system's, else English."""
    found = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    code = found.partition(".")[0].partition("_")[0]
    return code if code.isalpha() and 2 <= len(code) <= 3 else "en"
