"""The layout of the package: layers, import cycles, and libraries that only one module may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kfq_async

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(kfq_async.__file__).parent
LAYERS: dict[str, list[set[str]]] = {
    "": [
        {"_version", "config", "languages", "logs", "redaction"},
        {"base_errors"},
        {"hooks", "models"},
        {"errors"},
        {"documents", "protocol"},
        {"callbacks", "transport"},
        {"contracts"},
        {"resources", "sandbox"},
        {"session"},
        {"__init__", "integrations", "onboarding", "testing"},
        {"cli", "examples"},
        {"__main__"},
    ],
    "onboarding": [
        {"failures", "keys", "queues", "records"},
        {"input", "ledgers"},
        {"completion", "decisions", "output"},
        {"planner"},
        {"runner"},
        {"jobs"},
        {"__init__"},
    ],
    "sandbox": [
        {"quirks"},
        {"addresses", "binding", "checks", "dates", "faults", "fixtures", "fonts", "store"},
        {"callback_client", "directory", "documents", "fault_injection", "lifecycle", "orders", "seals", "values"},
        {"collisions"},
        {"contract_files", "gateway", "positions", "rendering", "signing"},
        {"stamps"},
        {"accounts", "contract_repository", "files", "parties"},
        {"drafts"},
        {"administration", "contracts", "downloads", "links"},
        {"events", "notifications"},
        {"identity"},
        {"web"},
        {"responses"},
        {"app"},
        {"server"},
        {"__init__"},
    ],
    "cli": [
        {"help", "options", "terminal"},
        {"failures", "findings", "progress", "report", "request"},
        {"contract", "demo", "doctor", "link", "onboard", "sandbox", "sandbox_control", "verify_callback"},
        {"app"},
        {"__init__"},
    ],
}
"""The layers of the package and of each package with subpackages, lowest first; an entry is a module or a package."""
LEVELS = {
    package: {name: level for level, names in enumerate(layers) for name in names} for package, layers in LAYERS.items()
}
MODULES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")
}
PACKAGES = sorted(module for module in MODULES if module.endswith("__init__.py"))
MOVED = """
callbacks/: proofs reading verifiers
onboarding/: bodies brake calls cells charts checks columns entries hashes headings holders jobs ledger
onboarding/: ledger_postgres ledger_sqlite moving outcomes outputs planning postgres_sql reading report report_style
onboarding/: rows sealing sources sqlite_sql statistics streams waiting watching writers
onboarding/tables/: __init__ delimited encodings jsonlines opening table unseen workbooks
sandbox/: accidents console delivery desk forms keys listener operator_page records sender sheet state thread
sandbox/pages/: __init__ console frame identify words
sandbox/web/: addresses contract_texts sheet words
transport/: deadlines pacing retrying settings slots verdicts
"""
"""Modules that were renamed, or merged into others."""


def child_of(package: str, module: str) -> str:
    """Return the entry of the package's layers that a module belongs to: ``models`` for ``models/fields.py``."""
    return module.removeprefix(f"{package}/" if package else "").partition("/")[0].removesuffix(".py")


def package_of(module: str) -> str:
    """Return the top-level package or module that a file belongs to."""
    return child_of("", module)


@cache
def imports_of(module: str, *, type_checking: bool = True) -> frozenset[str]:
    """Return the dotted names that a file imports anywhere, under ``TYPE_CHECKING`` only on request."""
    names: set[str] = set()
    for node in nodes(MODULES[module], type_checking=type_checking):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def nodes(tree: ast.AST, *, type_checking: bool) -> Iterator[ast.AST]:
    """Walk a syntax tree, with or without the bodies of ``if TYPE_CHECKING:``."""
    yield tree
    children: Iterable[ast.AST] = ast.iter_child_nodes(tree)
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING" and not type_checking:
        children = tree.orelse
    for child in children:
        yield from nodes(child, type_checking=type_checking)


def modules_used_by(module: str, *, type_checking: bool = True) -> set[str]:
    """Return the files of this package that a file imports, without the parent packages that Python loads first."""
    names = {name for name in imports_of(module, type_checking=type_checking) if name.split(".")[0] == "kfq_async"}
    return {module_of(name) for name in names}


def module_of(name: str) -> str:
    """Return the file that an imported name comes from."""
    path = name.split(".")[1:]
    while path:
        for file in (f"{'/'.join(path)}.py", f"{'/'.join(path)}/__init__.py"):
            if file in MODULES:
                return file
        path.pop()
    return "__init__.py"


def packages_used_by(module: str) -> set[str]:
    """Return the top-level packages and modules that a file imports."""
    return {package_of(other) for other in modules_used_by(module)}


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one cycle of a graph, or nothing if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as problem:
        found: list[str] = problem.args[1]
        return found
    return []


def importers_of(library: str) -> set[str]:
    """Return the files that import a library."""
    return {module for module in MODULES if any(name.split(".")[0] == library for name in imports_of(module))}


def callers_of(name: str) -> set[str]:
    """Return the files that call a function or class of this name."""
    return {module for module, tree in MODULES.items() if any(_calls(node, name) for node in ast.walk(tree))}


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name


def readers_of_the_environment() -> set[str]:
    """Return the files that use ``os.environ`` or ``os.getenv``."""
    readers = {f"os.{name}" for name in ("environ", "environb", "getenv", "getenvb")}
    return {
        module
        for module, tree in MODULES.items()
        if readers
        & (imports_of(module) | {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)})
    }


@pytest.mark.parametrize("package", LAYERS)
def test_layers_are_complete(package: str) -> None:
    """Every module and package has its layer, and every entry of the layers exists."""
    prefix = f"{package}/" if package else ""
    children = {child_of(package, module) for module in MODULES if module.startswith(prefix)}
    assert children == LEVELS[package].keys()
    assert sum(len(names) for names in LAYERS[package]) == len(LEVELS[package])


def test_packages_with_subpackages_have_layers() -> None:
    """A package that has subpackages says in which order its parts stand."""
    subpackages = [module.split("/")[:-2] for module in PACKAGES if module.count("/") > 1]
    assert {"/".join(parent) for parent in subpackages} == LAYERS.keys() - {""}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down(module: str) -> None:
    """A module imports only from its own package and from lower layers, in annotations too."""
    for package, levels in LEVELS.items():
        if module.startswith(f"{package}/" if package else ""):
            child = child_of(package, module)
            inside = {other for other in modules_used_by(module) if other.startswith(f"{package}/" if package else "")}
            used = {child_of(package, other) for other in inside} - {child}
            assert {other for other in used if levels[other] >= levels[child]} == set()


def test_no_import_cycle_between_modules() -> None:
    """No module imports itself by way of others; imports that only type checkers see are left out."""
    assert cycle({module: modules_used_by(module, type_checking=False) for module in MODULES}) == []


def test_no_import_cycle_between_packages() -> None:
    """No package needs itself by way of others, type checking included."""
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        graph.setdefault(package_of(module), set()).update(packages_used_by(module) - {package_of(module)})
    assert cycle(graph) == []


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}, set[str]()),
        ({"a": {"a"}}, {"a"}),
        ({"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}}, {"b", "c", "d"}),
    ],
)
def test_cycles_are_found(graph: dict[str, set[str]], found: set[str]) -> None:
    """The search finds a cycle of any length, and none in a graph without one."""
    assert set(cycle(graph)) == found


def test_type_checking_imports_are_told_apart() -> None:
    """An import under ``if TYPE_CHECKING:`` is an import of the package, but not of the running module."""
    tree = ast.parse("import a\nif TYPE_CHECKING:\n    import b\nelse:\n    import c\nif other:\n    import d")

    def imported(*, type_checking: bool) -> list[str]:
        found = [node for node in nodes(tree, type_checking=type_checking) if isinstance(node, ast.Import)]
        return [node.names[0].name for node in found]

    assert (imported(type_checking=True), imported(type_checking=False)) == (["a", "b", "c", "d"], ["a", "c", "d"])


@pytest.mark.parametrize("module", PACKAGES)
def test_packages_say_what_they_hold(module: str) -> None:
    """The docstring of a package is one sentence."""
    text = ast.get_docstring(MODULES[module]) or ""
    assert re.fullmatch(r"[^\n]*\.", text)
    assert re.search(r"[.!?] [A-Z]", text) is None


def test_moved_modules_are_gone() -> None:
    """No module has one of the former names."""
    lines = [line.split(": ") for line in MOVED.strip().splitlines()]
    former = {f"{package}{name}.py" for package, names in lines for name in names.split()}
    assert former & MODULES.keys() == set()


@pytest.mark.parametrize("package", ["models", "documents", "protocol", "errors", "redaction"])
@pytest.mark.parametrize("library", ["aiohttp", "asyncio", "tenacity"])
def test_pure_packages_do_no_io(package: str, library: str) -> None:
    """Models, protocol, errors and redaction know no network and no event loop; one module reads a file in a thread."""
    importers = {module for module in importers_of(library) if package_of(module) == package}
    assert importers <= {"documents/attachments.py"}


@pytest.mark.parametrize("library", ["os", "random", "secrets", "socket", "time"])
def test_the_protocol_has_neither_clock_nor_randomness(library: str) -> None:
    """Encoding and decoding depend on their arguments alone."""
    assert {module for module in importers_of(library) if package_of(module) == "protocol"} == set()


@pytest.mark.parametrize(
    ("library", "place"),
    [
        ("cattrs", "protocol/codec.py"),
        ("fontTools", "sandbox/fonts.py"),
        ("opentelemetry", "integrations/opentelemetry.py"),
        ("pyhanko", "sandbox/signing.py"),
        ("pypdfium2", "sandbox/rendering.py"),
        ("tenacity", "transport/retry.py"),
        ("procrastinate", "onboarding/jobs/worker.py"),
        ("python_calamine", "onboarding/input/workbook_reader.py"),
        ("stdnum", "onboarding/input/validation.py"),
        ("xlsxwriter", "onboarding/output/tables.py"),
    ],
)
def test_libraries_are_imported_once(library: str, place: str) -> None:
    """A library that could be replaced is imported in one module."""
    assert importers_of(library) == {place}


@pytest.mark.parametrize("framework", ["fastapi", "sanic"])
def test_frameworks_are_imported_by_their_integration(framework: str) -> None:
    """A web framework is imported where it is integrated, and by the example that shows it."""
    assert importers_of(framework) <= {f"integrations/{framework}.py", f"examples/{framework}_app.py"}


@pytest.mark.parametrize("library", ["aiohttp", "os", "random", "secrets", "socket"])
def test_callbacks_do_no_http(library: str) -> None:
    """Notifications are authenticated, parsed and acknowledged as plain values, independent of the web server."""
    assert {module for module in importers_of(library) if package_of(module) == "callbacks"} == set()


def test_client_sessions_are_built_once() -> None:
    """All connections to the platform come from one place, which sets redirects, cookies and timeouts.

    The sandbox, which plays the platform, sends its notifications through a session of its own.
    """
    assert callers_of("ClientSession") == {"transport/client.py", "sandbox/callback_client.py"}


@pytest.mark.parametrize("package", ["contracts", "resources"])
def test_nothing_above_the_wire_imports_the_transport(package: str) -> None:
    """Resources are given a ``send``, and work with any; a lane knows nothing of calls."""
    users = {module for module in MODULES if package_of(module) == package and "transport" in packages_used_by(module)}
    assert users == set()


def test_the_sandbox_stands_on_the_protocol_alone() -> None:
    """The sandbox shares models and protocol with the client, and nothing of the client's HTTP."""
    used = {
        package for module in MODULES if package_of(module) == "sandbox" for package in packages_used_by(module)
    } - {"sandbox"}
    assert used <= {"documents", "errors", "models", "protocol"}


def test_the_sandbox_is_imported_in_few_places() -> None:
    """A service that runs in production does not load the sandbox."""
    users = {package_of(module) for module in MODULES if "sandbox" in packages_used_by(module)}
    assert users - {"sandbox"} <= {"cli", "testing", "examples"}


def test_redis_is_imported_where_it_is_used() -> None:
    """The package imports Redis for one store and one lane; the examples show the client that they are given."""
    assert importers_of("redis") == {"callbacks/stores_redis.py", "contracts/lanes_redis.py", "examples/companies.py"}


@pytest.mark.parametrize("library", ["psycopg", "psycopg_pool"])
def test_psycopg_is_imported_where_it_is_used(library: str) -> None:
    """The package imports psycopg for one ledger and one lane."""
    assert importers_of(library) == {"onboarding/ledgers/postgres.py", "contracts/lanes_postgres.py"}


def test_the_environment_is_read_in_few_places() -> None:
    """`AsyncSession.from_env`, `log_to_stderr`, the command line and the examples alone depend on the environment."""
    readers = {package_of(module) for module in readers_of_the_environment()}
    assert readers <= {"session", "logs", "cli", "examples"}
    assert "session" in readers


def test_cryptography_is_imported_where_it_is_needed() -> None:
    """Signatures of the protocol, the sandbox's key, and the encryption of requests in the outbox."""
    assert importers_of("cryptography") == {
        "protocol/signing.py",
        "sandbox/signing.py",
        "sandbox/store.py",
        "onboarding/jobs/outbox.py",
    }


UNWANTED = {
    *("cryptography", "redis", "psycopg", "procrastinate", "sqlite3", "fastapi", "sanic"),
    *("cyclopts", "rich", "pdfminer", "fontTools", "pyhanko", "pypdfium2", "hypothesis", "pytest"),
}
IMPORT = """
import sys
before = set(sys.modules)
import kfq_async
print(*{name.partition(".")[0] for name in sys.modules.keys() - before})
print(*(name for name in sys.modules if name.startswith("kfq_async.")))
"""


def test_importing_the_package_is_cheap() -> None:
    """Importing the package loads neither cryptography, nor a server, nor the tools of tests and command line."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    libraries, modules = (set(line.split()) for line in done.stdout.splitlines())
    assert "aiohttp" in libraries
    assert libraries.isdisjoint(UNWANTED)
    assert {package_of(module.partition(".")[2].replace(".", "/")) for module in modules} <= {
        "_version",
        "base_errors",
        "callbacks",
        "config",
        "contracts",
        "errors",
        "hooks",
        "logs",
        "models",
        "protocol",
        "redaction",
        "resources",
        "session",
        "transport",
    }
