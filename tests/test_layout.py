"""The house: each room stands only on rooms below it, and some doors are opened in one place alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import kfq_async

ROOT = Path(kfq_async.__file__).parent
LAYERS = [
    {"_version", "config", "errors", "models"},
    {"protocol"},
    {"callbacks", "resources", "sandbox", "transport"},
    {"session"},
    {"__init__", "integrations", "onboarding", "testing"},
    {"cli", "examples"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
MODULES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")
}


def package_of(module: str) -> str:
    """Return the room of a file, as ``models`` for ``models/fields.py``."""
    return module.partition("/")[0].removesuffix(".py")


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return what a file imports anywhere in it, type checking included, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def rooms_used_by(module: str) -> set[str]:
    """Return the rooms that a file imports from; a name of the package itself comes from ``__init__``."""
    paths = [name.split(".")[1:] for name in imports_of(module) if name.split(".")[0] == "kfq_async"]
    return {path[0] if path and path[0] in LEVEL else "__init__" for path in paths}


def importers_of(package: str) -> set[str]:
    """Return the files that import a package."""
    return {module for module in MODULES if any(name.split(".")[0] == package for name in imports_of(module))}


def callers_of(name: str) -> set[str]:
    """Return the files that call something of this name."""
    return {module for module, tree in MODULES.items() if any(_calls(node, name) for node in ast.walk(tree))}


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name


def readers_of_the_environment() -> set[str]:
    """Return the files that use ``os.environ`` or ``os.getenv``."""
    doors = {f"os.{name}" for name in ("environ", "environb", "getenv", "getenvb")}
    return {
        module
        for module, tree in MODULES.items()
        if doors
        & (imports_of(module) | {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)})
    }


def test_every_room_is_on_a_floor() -> None:
    """A new module has its place in the house before it has its first line."""
    assert {package_of(module) for module in MODULES} <= LEVEL.keys()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_go_down(module: str) -> None:
    """Each room imports only from itself and from rooms below it."""
    room = package_of(module)
    used = rooms_used_by(module) - {room}
    assert {other for other in used if LEVEL[other] >= LEVEL[room]} == set()


@pytest.mark.parametrize("room", ["models", "protocol", "errors"])
@pytest.mark.parametrize("package", ["aiohttp", "asyncio", "tenacity"])
def test_the_pure_rooms_do_no_io(room: str, package: str) -> None:
    """Models, protocol and errors know no network and no event loop."""
    assert {module for module in importers_of(package) if package_of(module) == room} == set()


@pytest.mark.parametrize("package", ["os", "random", "secrets", "socket", "time"])
def test_the_protocol_has_neither_clock_nor_randomness(package: str) -> None:
    """What the protocol writes and reads depends on its arguments alone."""
    assert {module for module in importers_of(package) if package_of(module) == "protocol"} == set()


@pytest.mark.parametrize(
    ("package", "place"),
    [
        ("cattrs", "protocol/codec.py"),
        ("tenacity", "transport/retry.py"),
        ("psycopg", "onboarding/ledgers/postgres.py"),
        ("procrastinate", "onboarding/jobs/worker.py"),
        ("psycopg_pool", "onboarding/ledgers/postgres.py"),
        ("python_calamine", "onboarding/input/workbook.py"),
        ("stdnum", "onboarding/input/validation.py"),
        ("xlsxwriter", "onboarding/output/files.py"),
    ],
)
def test_libraries_behind_one_door(package: str, place: str) -> None:
    """A library that could be replaced is imported in one module."""
    assert importers_of(package) == {place}


@pytest.mark.parametrize("framework", ["fastapi", "sanic"])
def test_frameworks_behind_one_door(framework: str) -> None:
    """A web framework is imported where it is integrated, and by the example that shows it."""
    assert importers_of(framework) <= {f"integrations/{framework}.py", f"examples/{framework}_app.py"}


@pytest.mark.parametrize("package", ["aiohttp", "os", "random", "secrets", "socket"])
def test_callbacks_do_no_http(package: str) -> None:
    """What comes back is read, proved and answered as plain values, whatever serves it."""
    assert {module for module in importers_of(package) if package_of(module) == "callbacks"} == set()


def test_one_client_session() -> None:
    """All connections to the platform come from one place, where redirects, cookies and time-outs are settled.

    Those of the sandbox, which plays the platform, come from its sender.
    """
    assert callers_of("ClientSession") == {"transport/client.py", "sandbox/notifications.py"}


def test_resources_are_handed_what_they_use() -> None:
    """Resources do not know the transport, so they work with any ``send``."""
    users = {module for module in MODULES if package_of(module) == "resources" and "transport" in rooms_used_by(module)}
    assert users == set()


def test_the_sandbox_has_few_doors() -> None:
    """A service that runs in production does not load the sandbox."""
    users = {package_of(module) for module in MODULES if "sandbox" in rooms_used_by(module)}
    assert users - {"sandbox"} <= {"cli", "testing", "examples"}


def test_a_store_in_redis_is_made_by_its_users() -> None:
    """The package imports Redis for one store; the examples show the client that it is given."""
    assert importers_of("redis") == {"callbacks/stores_redis.py", "examples/companies.py"}


def test_the_environment_is_read_in_few_places() -> None:
    """Besides `AsyncSession.from_env`, the command line and the examples, nothing depends on the environment."""
    readers = {package_of(module) for module in readers_of_the_environment()}
    assert readers <= {"session", "cli", "examples"}
    assert "session" in readers


def test_what_cryptography_is_for() -> None:
    """Signatures of the protocol, the key of the sandbox, and the seal of requests that wait."""
    assert importers_of("cryptography") == {"protocol/signing.py", "sandbox/store.py", "onboarding/jobs/outbox.py"}


UNWANTED = {
    *("cryptography", "redis", "psycopg", "procrastinate", "sqlite3", "fastapi", "sanic"),
    *("cyclopts", "rich", "hypothesis", "pytest"),
}
IMPORT = """
import sys
before = set(sys.modules)
import kfq_async
print(*{name.partition(".")[0] for name in sys.modules.keys() - before})
print(*(name for name in sys.modules if name.startswith("kfq_async.")))
"""


def test_what_an_import_costs() -> None:
    """Importing the package loads neither cryptography, nor a server, nor what belongs to tests and command line."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    libraries, modules = (set(line.split()) for line in done.stdout.splitlines())
    assert "aiohttp" in libraries
    assert libraries.isdisjoint(UNWANTED)
    assert {package_of(module.partition(".")[2].replace(".", "/")) for module in modules} <= {
        "_version",
        "callbacks",
        "config",
        "errors",
        "models",
        "protocol",
        "resources",
        "session",
        "transport",
    }
