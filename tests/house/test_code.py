"""Files and functions that fit a head, modules that say what they own, names that say what they mean."""

from __future__ import annotations

import ast
import re

from tests.house.source import TOP, Function, Source, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
EMPTY_WORDS = re.compile(r"(^|_)(utils?|common|helpers?|misc|manager)(_|$)")
EMPTY_VERBS = re.compile(r"^_*(handle|process)_")
IGNORE = re.compile(r"#\s*(type:\s*ignore|noqa|mypy:|ruff:\s*noqa|pragma)(?P<rest>.*)")
CODE_AND_REASON = re.compile(r"^(\[[a-z, -]+\]|:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)\s*(#|-|:)?\s*\w.*\w{3}")
TIME_AND_CHANCE = frozenset(
    ["asyncio", "threading", "multiprocessing", "concurrent", "time", "random", "secrets", "uuid", "os", "socket", "logging"]
)
CLIENTS_AND_ENGINES = frozenset(
    ["faust", "mode", "aiokafka", "kafka", "confluent_kafka", "rocksdict", "prometheus_client", "pydantic_settings"]
)
ROOMS_OF_THE_SHELL = ("streams.engine", "streams.broker", "streams.settings", "connectors", "tests")


def test_a_file_has_at_most_400_lines() -> None:
    lengths = {source.path: len(source.text.splitlines()) for source in sources()}

    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_a_function_has_at_most_60_lines() -> None:
    lengths = {f"{source.path} {function.name}": _lines(function) for source in sources() for function in source.functions()}

    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_a_module_opens_with_what_it_owns() -> None:
    assert [source.path for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)] == []


def test_every_folder_of_the_source_is_a_package_that_the_import_contracts_see() -> None:
    folders = {(TOP / source.path).parent for source in sources() if not source.path.startswith("tests/")}

    assert sorted(str(folder.relative_to(TOP)) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_no_module_has_an_empty_name() -> None:
    assert [
        source.path for source in sources() if any(EMPTY_WORDS.search(word.removesuffix(".py")) for word in source.path.split("/"))
    ] == []


def test_no_function_or_class_has_an_empty_name() -> None:
    names = [
        (source.path, node.name) for source in sources() for node in ast.walk(source.tree) if isinstance(node, Function | ast.ClassDef)
    ]

    assert [(path, name) for path, name in names if EMPTY_VERBS.search(name) or name.endswith("Manager")] == []


def test_an_ignore_carries_its_code_and_its_reason() -> None:
    lines = [(source.path, number, line) for source in sources() for number, line in enumerate(source.text.splitlines(), 1)]
    ignores = [
        (path, number, match) for path, number, line in lines if path != "tests/house/test_code.py" and (match := IGNORE.search(line))
    ]

    assert [f"{path}:{number} {match[0]}" for path, number, match in ignores if not CODE_AND_REASON.match(match["rest"])] == []


def test_pure_packages_import_no_time_chance_loop_client_or_engine() -> None:
    banned = [
        f"{source.path}:{line} {name}" for source in sources() if source.is_pure for line, name in source.imports() if _is_impure(name)
    ]

    assert banned == []


def test_pure_packages_have_no_any_in_a_public_signature() -> None:
    pure = [source for source in sources() if source.is_pure]

    assert [place for source in pure for place in _public_anys(source)] == []


def test_every_public_function_and_class_of_the_pure_packages_says_what_it_promises() -> None:
    silent = [
        f"{source.path}:{node.lineno} {node.name}"
        for source in sources()
        if source.is_pure
        for node in _public(source)
        if not ast.get_docstring(node)
    ]

    assert silent == []


def test_nothing_is_skipped_or_left_undone() -> None:
    signs = re.compile(r"pytest\.(mark\.)?(skip|xfail)|\b(TODO|FIXME|XXX|HACK)\b|assert True\b")
    found = [
        f"{source.path}: {match[0]}"
        for source in sources()
        if source.path != "tests/house/test_code.py"
        for match in signs.finditer(source.text)
    ]

    assert found == []


def _lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _is_impure(name: str) -> bool:
    root = name.split(".")[0]
    return root in TIME_AND_CHANCE | CLIENTS_AND_ENGINES or any(f"{name}.".startswith(f"{room}.") for room in ROOMS_OF_THE_SHELL)


def _public(source: Source) -> list[Function | ast.ClassDef]:
    return [node for node in source.tree.body if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")]


def _public_anys(source: Source) -> list[str]:
    found = []
    for node in _public(source):
        methods = [node] if isinstance(node, Function) else [child for child in node.body if isinstance(child, Function)]
        for function in methods:
            if function.name.startswith("_") and not function.name.startswith("__"):
                continue
            if any("Any" in _names(annotation) for annotation in _annotations(function)):
                found.append(f"{source.path}:{function.lineno} {function.name}")
    return found


def _annotations(function: Function) -> list[ast.expr]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    found = [argument.annotation for argument in every if argument is not None]
    return [annotation for annotation in [*found, function.returns] if annotation is not None]


def _names(annotation: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(annotation) if isinstance(node, ast.Attribute)
    }
