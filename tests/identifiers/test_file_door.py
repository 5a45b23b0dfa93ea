"""Which files may be read, against a real file system."""

import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.file_door import read_confined

SECRET = b"secret"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a folder that may be read, with a file in it, beside one that may not."""
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "root" / "ids.csv").write_bytes(b"ids")
    (tmp_path / "root" / "inner" / "more.csv").write_bytes(b"more")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.csv").write_bytes(SECRET)
    return tmp_path / "root"


def refusal(path: str, roots: list[Path], *, bytes_max: int = 100) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_confined(path, roots=roots, bytes_max=bytes_max)
    return caught.value


def test_a_file_under_a_root_is_read_by_its_full_path(root: Path) -> None:
    assert read_confined(str(root / "ids.csv"), roots=[root], bytes_max=3) == b"ids"
    assert read_confined(str(root / "inner" / "more.csv"), roots=[root.parent / "x", root], bytes_max=4) == b"more"


def test_a_file_under_a_root_is_read_by_its_path_from_there(root: Path) -> None:
    assert read_confined("ids.csv", roots=[root], bytes_max=3) == b"ids"
    assert read_confined("./inner/more.csv", roots=[root, root / "inner"], bytes_max=100) == b"more"


def test_a_root_given_twice_is_one_root(root: Path) -> None:
    assert read_confined("ids.csv", roots=[root, root / "inner" / "..", root], bytes_max=3) == b"ids"


def test_a_root_may_itself_be_reached_through_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)

    assert read_confined(str(link / "ids.csv"), roots=[link], bytes_max=3) == b"ids"
    assert read_confined(str(root / "ids.csv"), roots=[link], bytes_max=3) == b"ids"


def link_to_file(root: Path) -> str:
    (root / "link.csv").symlink_to(root / "ids.csv")
    return "link.csv"


def link_to_folder(root: Path) -> str:
    (root / "link").symlink_to(root / "inner")
    return "link/more.csv"


def link_outside(root: Path) -> str:
    (root / "link.csv").symlink_to(root.parent / "outside" / "secret.csv")
    return str(root / "link.csv")


def link_to_itself(root: Path) -> str:
    (root / "loop").symlink_to(root / "loop")
    return "loop"


def pipe(root: Path) -> str:
    os.mkfifo(root / "pipe")
    return "pipe"


def unix_socket(root: Path) -> str:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s"))
    return "s"


CASES: dict[str, Callable[[Path], str]] = {
    "missing": lambda _: "none.csv",
    "missing folder": lambda _: "none/none.csv",
    "file taken for a folder": lambda _: "ids.csv/x",
    "folder": lambda _: "inner",
    "empty": lambda _: "",
    "root by name": lambda _: ".",
    "root itself": str,
    "parent": lambda _: "../outside/secret.csv",
    "parent inside the root": lambda _: "inner/../ids.csv",
    "parent in a full path": lambda root: f"{root}/../outside/secret.csv",
    "outside": lambda root: str(root.parent / "outside" / "secret.csv"),
    "name that begins like the root": lambda root: f"{root}side/ids.csv",
    "home": lambda _: "~/ids.csv",
    "somebody's home": lambda _: "~root/ids.csv",
    "device": lambda _: "/dev/zero",
    "process": lambda _: "/proc/self/environ",
    "NUL": lambda _: "a\0b",
    "no path on any disk": lambda _: "\ud800",
    "name too long": lambda _: "x" * 5_000,
    "link to a file": link_to_file,
    "link to a folder": link_to_folder,
    "link to the outside": link_outside,
    "link to itself": link_to_itself,
    "pipe": pipe,
    "socket": unix_socket,
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
def test_everything_else_gets_one_and_the_same_refusal(root: Path, make: Callable[[Path], str]) -> None:
    error = refusal(make(root), [root])
    usual = refusal("none.csv", [])

    assert error.as_dict() == usual.as_dict()
    assert error.code is ErrorCode.FILE_NOT_READABLE
    assert "RECONTACT_UPLOAD_ROOTS" in error.next_step
    assert error.__context__ is None


def test_a_device_under_a_root_is_refused() -> None:
    assert refusal("zero", [Path("/dev")]).code is ErrorCode.FILE_NOT_READABLE


def test_a_disk_that_fails_while_reading_is_a_refusal() -> None:
    # /proc/self/mem is a regular file to look at, and its first page cannot be read.
    assert refusal("mem", [Path("/proc/self")]).code is ErrorCode.FILE_NOT_READABLE


def test_a_missing_root_is_passed_over(root: Path) -> None:
    assert read_confined("ids.csv", roots=[root / "none", root], bytes_max=3) == b"ids"


def test_a_name_found_under_two_roots_is_refused(root: Path) -> None:
    other = root.parent / "outside"
    (other / "ids.csv").write_bytes(b"other")

    assert refusal("ids.csv", [root, other]).code is ErrorCode.FILE_NOT_READABLE
    assert read_confined(str(other / "ids.csv"), roots=[root, other], bytes_max=5) == b"other"


def test_a_file_over_the_limit_is_too_large(root: Path) -> None:
    error = refusal("ids.csv", [root], bytes_max=2)

    assert (error.code, error.details) == (ErrorCode.FILE_TOO_LARGE, {"bytes_max": 2})


def test_a_large_file_is_read_whole(root: Path) -> None:
    content = os.urandom(3_000_000)
    (root / "large").write_bytes(content)

    assert read_confined("large", roots=[root], bytes_max=3_000_000) == content


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_stays_open(root: Path) -> None:
    before = open_files()
    for path in ("ids.csv", "inner/more.csv", "inner", "none.csv", str(root), "/dev/zero"):
        try:
            read_confined(path, roots=[root], bytes_max=100)
        except InvalidInput:
            continue

    assert open_files() == before


@contextmanager
def swapping(place: Path, *others: Path) -> Generator[None, None, None]:
    """Put the others in the place of a file or folder, one after the other, all the time."""
    stop = threading.Event()
    turns = [place.with_name(f"turn{number}") for number in range(len(others))]

    def swap() -> None:
        while not stop.is_set():
            for turn, other in zip(turns, others, strict=True):
                if other.suffix == ".pipe":
                    os.mkfifo(turn)
                elif other.is_relative_to(place.parent):
                    os.link(other, turn)
                else:
                    turn.symlink_to(other)
                turn.replace(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def outcomes(path: str, root: Path, *, tries: int) -> set[bytes | str]:
    seen: set[bytes | str] = set()
    for _ in range(tries):
        try:
            seen.add(read_confined(path, roots=[root], bytes_max=100))
        except InvalidInput as refused:
            seen.add(refused.code.value)
    return seen


def test_a_file_swapped_for_a_link_or_a_pipe_is_never_followed(root: Path) -> None:
    (root / "good").write_bytes(b"ids")
    with swapping(root / "ids.csv", root / "good", root.parent / "outside" / "secret.csv", root / "x.pipe"):
        seen = outcomes("ids.csv", root, tries=3_000)

    assert seen <= {b"ids", "FILE_NOT_READABLE"}


def test_a_folder_swapped_for_a_link_is_never_followed(root: Path) -> None:
    (root.parent / "outside" / "more.csv").write_bytes(SECRET)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (root / "inner").rename(root / "aside")
            (root / "inner").symlink_to(root.parent / "outside")
            (root / "inner").unlink()
            (root / "aside").rename(root / "inner")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = outcomes("inner/more.csv", root, tries=3_000)
    stop.set()
    thread.join()

    assert seen <= {b"more", "FILE_NOT_READABLE"}
