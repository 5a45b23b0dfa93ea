"""run.py: the README's two commands on a machine that has only Python and git."""

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.packaging.conftest import Checkout

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run_py() -> ModuleType:
    """run.py as a module."""
    spec = importlib.util.spec_from_file_location("run_py", ROOT / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_run_installs_and_the_second_starts_at_once(checkout: "Checkout") -> None:
    first = checkout.run("doctor", "--json")
    second = checkout.run("doctor", "--json")

    assert (first[0], first[1]) == (0, "doctor --json\n"), first[2]
    assert "creating .venv" in first[2]
    assert second == (0, "doctor --json\n", "")
    assert checkout.builds() == 1


def test_two_hosts_that_start_at_the_same_moment_install_once(checkout: "Checkout") -> None:
    starts = [checkout.start("serve") for _ in range(3)]
    answers = [start.communicate(timeout=100) for start in starts]

    assert [start.returncode for start in starts] == [0, 0, 0], answers
    assert [out for out, _ in answers] == ["serve\n"] * 3
    assert checkout.builds() == 1
    assert sum("waiting for it" in err for _, err in answers) == 2


def test_a_changed_project_file_is_installed_again(checkout: "Checkout") -> None:
    checkout.run("doctor")
    project = checkout.path / "pyproject.toml"
    project.write_text(project.read_text("utf-8") + "\n# changed\n", "utf-8")

    assert checkout.run("doctor")[0] == 0
    assert checkout.builds() == 2


def test_a_moved_checkout_mends_itself(checkout: "Checkout") -> None:
    checkout.run("doctor")
    moved = checkout.path.rename(checkout.path.with_name("moved"))
    code, out, _ = type(checkout)(path=moved, env=checkout.env).run("doctor")

    assert (code, out) == (0, "doctor\n")


def test_a_setup_that_was_interrupted_is_done_again(checkout: "Checkout") -> None:
    checkout.run("doctor")
    stamp = checkout.path / ".venv" / "recontact-stamp"
    stamp.write_text(stamp.read_text("utf-8")[:30], "utf-8")

    assert checkout.run("doctor")[0] == 0
    assert checkout.builds() == 2


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: "Checkout") -> None:
    checkout.run("doctor")
    (checkout.path / ".venv" / "bin" / "python").unlink()
    code, out, err = checkout.run("doctor")

    assert (code, out) == (0, "doctor\n")
    assert "creating .venv" in err


def test_a_failed_install_says_what_to_do_and_is_tried_again_next_time(checkout: "Checkout") -> None:
    project = checkout.path / "pyproject.toml"
    good = project.read_text("utf-8")
    project.write_text(good.replace("test = []", 'test = ["no-such-package-anywhere"]'), "utf-8")
    code, out, err = checkout.run("test")
    project.write_text(good, "utf-8")

    assert (code, out) == (1, "")
    assert "pip failed" in err
    assert "run the same again" in err
    assert "Traceback" not in err
    assert checkout.run("doctor")[:2] == (0, "doctor\n")


def test_further_words_and_the_callers_folder_reach_the_program(checkout: "Checkout", tmp_path: Path) -> None:
    code, out, _ = checkout.run("check-file", "a b.csv", "--json", cwd=tmp_path)

    assert (code, out) == (0, "check-file a b.csv --json\n")


@pytest.mark.parametrize(
    ("words", "code"), [pytest.param((), 2, id="no word"), pytest.param(("--help",), 0, id="help")]
)
def test_help_needs_no_setup(checkout: "Checkout", words: tuple[str, ...], code: int) -> None:
    answer = checkout.run(*words)

    assert answer[:2] == (code, "")
    assert "run.py demo" in answer[2]
    assert not (checkout.path / ".venv").exists()


def test_an_older_python_can_read_the_file_far_enough_to_be_told() -> None:
    ast.parse((ROOT / "run.py").read_text("utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("version", "platform", "words"),
    [
        pytest.param((3, 10, 14), "linux", "Python 3.11 or newer", id="an older Python"),
        pytest.param((3, 12, 1), "win32", "WSL", id="Windows"),
    ],
)
def test_an_unfit_machine_is_told_why(run_py: ModuleType, version: tuple[int, ...], platform: str, words: str) -> None:
    with pytest.raises(run_py.SetupError, match=words):
        run_py.check_system(version, platform)


def test_the_oldest_supported_python_is_accepted(run_py: ModuleType) -> None:
    run_py.check_system((3, 11, 0), "darwin")


def test_groups_that_include_groups_are_read_to_the_end(run_py: ModuleType) -> None:
    table = {"test": ["a>=1"], "check": ["b"], "dev": [{"include-group": "test"}, {"include-group": "check"}]}

    assert run_py.requirements(table, ["dev"]) == ["a>=1", "b"]


def test_make_has_a_target_for_each_task(run_py: ModuleType) -> None:
    recipes = (ROOT / "Makefile").read_text("utf-8").splitlines()

    assert all(f"\t$(PYTHON) run.py {word}" in recipes for word in ("demo", *run_py.TASKS))


def test_a_checkout_under_a_long_path_works(make_checkout: Callable[[str], "Checkout"]) -> None:
    # A script's first line may hold about 127 bytes on Linux.
    code, out, err = make_checkout("long " * 30).run("doctor")

    assert (code, out) == (0, "doctor\n"), err
