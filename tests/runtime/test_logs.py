import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from voice_node.runtime.logs import JournalFormatter, Redaction, set_up

CANARY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The root's handlers, all levels and the hooks belong to the process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("websockets", "asyncio")}
    hooks = sys.excepthook, threading.excepthook
    yield
    sys.excepthook, threading.excepthook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What was written to standard error since the last look."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    return lambda: capsys.readouterr().err


def line_of(formatter: logging.Formatter, level: int, message: str, *args: object) -> str:
    return formatter.format(logging.LogRecord("name", level, "file", 1, message, args, None))


def test_a_line_names_the_level_and_the_room(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen")
    logging.getLogger("voice_node.test").warning("the %s is %d", "answer", 42)
    logging.getLogger("voice_node.test").debug("not this")
    written = stderr()
    assert written.endswith(" WARNING [kitchen] the answer is 42\n")
    assert written.count("\n") == 1


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_the_level(stderr: Callable[[], str], level: str) -> None:
    set_up(level, "kitchen")
    for name in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("voice_node.test"), name)("a line at %s", name)
    names = ["debug", "info", "warning", "error"]
    assert stderr().count("\n") == len(names) - names.index(level)


def test_setting_up_again_replaces(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen", ["old secret"])
    set_up("info", "hall", [CANARY])
    logging.getLogger("x").info("%s", CANARY)
    written = stderr()
    assert written.count("\n") == 1
    assert "[hall]" in written
    assert CANARY not in written


def fail_twice() -> None:
    try:
        os.environ[CANARY]
    except KeyError as error:
        raise RuntimeError("outer") from error


@pytest.mark.parametrize("tells_words", [True, False])
def test_no_secret_leaves_by_any_way(stderr: Callable[[], str], tells_words: bool) -> None:
    set_up("debug", "kitchen", [CANARY], tells_words=tells_words)
    log = logging.getLogger("someone.else")
    log.info(f"in the message: {CANARY}")  # noqa: G004 - as a careless library would
    log.info("in an argument: %s", CANARY)
    log.info("in a mapping: %r", {"Authorization": f"Bearer {CANARY}"})
    log.info("in bytes: %s", CANARY.encode())
    try:
        int(f"in an exception: {CANARY}")
    except ValueError:
        log.exception("in a traceback")
    try:
        fail_twice()
    except RuntimeError:
        log.exception("in a chained traceback")
    log.info("in the stack", stack_info=True)
    written = stderr()
    assert CANARY not in written
    assert written.count("[secret]") >= (6 if tells_words else 4)
    assert "Traceback" in written


def test_a_line_that_cannot_be_written_tells_no_secret_and_stops_nothing(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen", [CANARY])
    log = logging.getLogger("careless")
    log.info("two are wanted: %s %s", CANARY)
    log.info("%d", CANARY)
    log.info("after it")
    written = stderr()
    assert CANARY not in written
    assert "test_logs.py" in written, "a bug in a call of the log is to be found"
    assert written.endswith("after it\n")


def test_secrets_that_hold_each_other_leave_nothing(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen", ["short", "short-and-long", "", "secret"])
    logging.getLogger("x").info("short-and-long, short, secret.")
    assert stderr().endswith("[kitchen] [secret], [secret], [secret].\n")


def test_secrets_are_words_and_no_patterns() -> None:
    formatter = Redaction("%(message)s", ["a.c*", "(("])
    assert line_of(formatter, logging.INFO, "a.c* abc ((") == "[secret] abc [secret]"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("forbidden in the garden", "forbidden in the garden"),
        ("password=den", "password=[secret]"),
        ("me:den@host 'den' my_den_", "me:[secret]@host '[secret]' my_[secret]_"),
        (repr("one\nden"), "'one\\n[secret]'"),
        (repr(b"den"), "b'[secret]'"),
        ("f(($1)", "f[secret]1)"),
        ("garden-gates", "[secret]s"),
    ],
)
def test_a_short_secret_leaves_words_that_it_is_a_part_of(text: str, written: str) -> None:
    formatter = Redaction("%(message)s", ["den", "(($", "garden-gate"])
    assert line_of(formatter, logging.INFO, "%s", text) == written


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, 7),
        (logging.INFO, 6),
        (logging.WARNING, 4),
        (logging.ERROR, 3),
        (logging.CRITICAL, 2),
        (25, 6),
    ],
)
def test_the_journal_gets_priorities(level: int, priority: int) -> None:
    formatter = JournalFormatter("[kitchen] %(message)s", [])
    assert line_of(formatter, level, "hello") == f"<{priority}>[kitchen] hello"


def test_every_line_of_a_message_has_its_priority() -> None:
    formatter = JournalFormatter("[kitchen] %(message)s", [CANARY])
    assert line_of(formatter, logging.ERROR, "one\n<0>two %s", CANARY) == "<3>[kitchen] one\n<3><0>two [secret]"


@pytest.mark.parametrize("library", ["websockets", "websockets.client", "asyncio"])
def test_chatty_libraries_never_speak_below_info(library: str) -> None:
    set_up("debug", "kitchen")
    assert not logging.getLogger(library).isEnabledFor(logging.DEBUG)
    assert logging.getLogger(library).isEnabledFor(logging.INFO)
    assert logging.getLogger("voice_node.x").isEnabledFor(logging.DEBUG)
    set_up("error", "kitchen")
    assert not logging.getLogger(library).isEnabledFor(logging.WARNING)


SCRIPT = """
import logging, os, sys
from voice_node.runtime.logs import set_up
if sys.argv[1] == "ours":
    place = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{place.st_dev}:{place.st_ino}"
set_up("info", "kitchen")
logging.getLogger("x").warning("hello")
"""


@pytest.mark.parametrize(
    ("whose", "expected"), [("ours", "<4>[kitchen] hello\n"), ("another's", " WARNING [kitchen] ")]
)
def test_the_journal_is_known_by_its_stream(whose: str, expected: str) -> None:
    """A desktop's terminals inherit `JOURNAL_STREAM`, although what they write does not go to the journal."""
    environ = os.environ | {"JOURNAL_STREAM": "1:1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, whose], env=environ, capture_output=True, text=True, timeout=30, check=True
    )
    assert expected in done.stderr
    assert done.stderr.startswith("<") is (whose == "ours")


@pytest.mark.parametrize("place", ["raise ValueError(WORD)", "Thread(target=fail).start()"])
def test_a_bug_that_nobody_catches_is_told_without_secrets(place: str) -> None:
    program = f"""
from threading import Thread
from voice_node.runtime.logs import set_up
WORD = "{CANARY}"
set_up("info", "kitchen", [WORD])
def fail():
    raise ValueError(WORD)
{place}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "CRITICAL [kitchen]" in ended.stderr
    assert "ValueError" in ended.stderr
    assert "line 7, in fail" in ended.stderr or "line 8, in <module>" in ended.stderr
    assert CANARY not in ended.stderr


# --- spoken words ---------------------------------------------------------------------------------------------------

WORDS = "my diary begins with"


def stumble(words: str) -> None:
    try:
        os.environ[words]
    except KeyError as error:
        error.add_note(words)
        raise RuntimeError(f"cannot read {words!r}") from error


def test_a_bug_is_told_with_its_places_and_without_what_it_says(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen")
    try:
        stumble(WORDS)
    except RuntimeError:
        logging.getLogger("x").exception("a turn could not be read")
    told = stderr()
    assert WORDS not in told
    assert "ERROR   [kitchen] a turn could not be read\nTraceback" in told
    assert told.count("in stumble") == 2
    assert "\nKeyError\nthis led to:\n" in told
    assert told.endswith("\nRuntimeError\n")


def test_a_group_of_bugs_is_told_with_each(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen")
    bugs = ExceptionGroup(WORDS, [ValueError(WORDS), ExceptionGroup(WORDS, [OSError(WORDS)])])
    logging.getLogger("x").error("two tasks failed", exc_info=bugs)
    told = stderr()
    assert WORDS not in told
    for line in ("\nExceptionGroup\n", "\n1 in it:\n", "\n  ValueError\n", "\n2 in it:\n", "\n    OSError\n"):
        assert line in told


def test_a_chain_without_end_is_cut(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen")
    bug: Exception = ValueError(WORDS)
    for _ in range(2000):
        bug, origin = RuntimeError(WORDS), bug
        bug.__cause__ = origin
    logging.getLogger("x").error("it failed", exc_info=bug)
    told = stderr()
    assert told.count("RuntimeError") == 9
    assert "and more" in told


async def fail(words: str) -> None:
    raise ValueError(words)


@pytest.mark.parametrize("tells_words", [True, False])
def test_what_asyncio_says_of_a_bug_holds_no_words(stderr: Callable[[], str], tells_words: bool) -> None:
    set_up("info", "kitchen", tells_words=tells_words)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda words: int(words), WORDS)
        lost = loop.create_task(fail(WORDS))
        await asyncio.wait([lost])

    asyncio.run(main())
    gc.collect()
    told = stderr()
    assert "ValueError" in told
    assert "Exception in callback" in told
    assert "Task exception was never retrieved" in told
    assert (WORDS in told) is tells_words


def test_the_texts_of_bugs_are_told_where_words_may_be(stderr: Callable[[], str]) -> None:
    set_up("info", "kitchen", tells_words=True)
    try:
        stumble(WORDS)
    except RuntimeError:
        logging.getLogger("x").exception("a turn could not be read")
    assert f"RuntimeError: cannot read '{WORDS}'" in stderr()


def test_what_another_formatter_told_of_a_bug_is_not_told_again() -> None:
    bug = ValueError(WORDS)
    record = logging.LogRecord("x", logging.ERROR, "file", 1, "it failed", (), (ValueError, bug, None))
    assert WORDS in logging.Formatter().format(record)
    assert WORDS not in Redaction("%(message)s", []).format(record)
