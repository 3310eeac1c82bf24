"""The command line. Each command is imported only when it is called, so that `run` starts without what people need."""

import difflib
import importlib

import click

from voice_node.model.errors import NodeError
from voice_node.version import VERSION

COMMANDS = {
    "demo": ("voice_node.cli.demo", "demo", "Show a whole room at work, with everything it needs."),
    "init": ("voice_node.cli.init", "init", "Write a room file from a few questions."),
    "check": ("voice_node.cli.check", "check", "Check room files and say what is wrong with them."),
    "doctor": ("voice_node.cli.doctor", "doctor", "Look at everything that a room needs."),
    "devices": ("voice_node.cli.devices", "devices", "List microphones and speakers."),
    "calibrate": ("voice_node.cli.calibrate", "calibrate", "Find gain and gate settings by listening to the room."),
    "run": ("voice_node.cli.run", "run", "Run a room until it is told to stop."),
    "say": ("voice_node.cli.ask_room", "say", "Let a room say something."),
    "ask": ("voice_node.cli.ask_room", "ask", "Ask a room as if you spoke to it, and show its answer."),
    "listen": ("voice_node.cli.ask_room", "listen", "Let a room listen without its wake word."),
    "stop": ("voice_node.cli.ask_room", "stop", "Silence a room."),
    "mute": ("voice_node.cli.ask_room", "mute", "Close a room's microphone."),
    "unmute": ("voice_node.cli.ask_room", "unmute", "Open a room's microphone."),
    "reset": ("voice_node.cli.ask_room", "reset", "Let a room forget its conversation."),
    "reload": ("voice_node.cli.ask_room", "reload", "Let a room read its file again."),
    "gate": ("voice_node.cli.gate", "gate", "Show what the gate would have sent of recordings."),
    "replay": ("voice_node.cli.replay", "replay", "Run a room with recordings as its microphone."),
    "fleet": ("voice_node.cli.fleet", "fleet", "Show all rooms of a broker, live."),
    "serve": ("voice_node.cli.serve", "serve", "Serve the local Realtime engine."),
    "token": ("voice_node.cli.token", "token", "Print a client secret for another device."),
    "forget": ("voice_node.cli.forget", "forget", "Remove a room from Home Assistant and from the broker."),
}
"""Command -> module, function, one line of help."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a person needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; raises UsageError where there is no such."""
        if cmd_name not in COMMANDS:
            ctx.fail(f"No such command '{cmd_name}'.{_meant(cmd_name)}")
        module, function, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


def _meant(name: str) -> str:
    if name.endswith((".yaml", ".yml")):
        return f" Did you mean `voice-node run {name}`?"
    near = difflib.get_close_matches(name.lower(), COMMANDS, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="voice-node")
def group() -> None:
    """A voice in a room: a local speech gate, a Realtime session, MQTT.

    Most commands take the file of a room: `init` writes one, `check` and `doctor` look at it, `run` lives by it.
    Passwords and keys are in files beside it or in the environment: docs/install.md.

    Ends with 0 where all went well, 2 where it was called in a wrong way, 78 where a file or setting cannot be used,
    77 where the service refuses the key, 74 where the microphone stays away, 75 where the room runs already, 130 after
    Ctrl-C, and with 1 for everything else.

    Example: voice-node check config/rooms/kitchen.yaml
    """


def run() -> int:
    """Run the command of `sys.argv`; its exit code. What people can mend is printed plainly.

    Raises KeyboardInterrupt where Ctrl-C was pressed, and SystemExit where a command ends so.
    """
    try:
        ended: object = group.main(prog_name="voice-node", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except NodeError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    return ended if isinstance(ended, int) else 0  # an int comes of --help and --version alone
