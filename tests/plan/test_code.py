"""What changes the digest of a step's code, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.plan.code import CodeIndex

STEP = """
from helpers import clean
LIMIT = 3

def step(data):
    return clean(data)[:LIMIT]
"""
HELPERS = """
def clean(data):
    return strip(data)

def strip(data):
    return [item.strip() for item in data]

def other(data):
    return data
"""


@pytest.fixture
def digest(tmp_path: Path) -> Callable[..., str]:
    """Writes files (`a__b` is a/b.py) and gives the digest of `main:step`, or of another entrypoint."""

    def digest(entrypoint: str = "main:step", **files: str) -> str:
        for name, text in files.items():
            path = tmp_path / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return CodeIndex(tmp_path).digest(entrypoint)

    return digest


def test_comment_and_formatting_do_not_count(digest):
    before = digest(main=STEP, helpers=HELPERS)
    after = digest(main="# why\n" + STEP.replace("[:LIMIT]", "[ :LIMIT ]  # cut"), helpers=HELPERS + "\n\n# end")
    assert after == before


def test_same_on_another_place(digest, tmp_path):
    before = digest(main=STEP, helpers=HELPERS)
    (tmp_path / "moved").mkdir()
    for name in ("main.py", "helpers.py"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert CodeIndex(tmp_path / "moved").digest("main:step") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return clean(data)", "return clean(data) or []"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("def step(data)", "def step(data: list)"),
        ("def step(data)", "def step(data=None)"),
        ("def step(data):", "def step(data):\n    'What it does.'"),
        ("def step", "import functools\n@functools.cache\ndef step"),
        ("import clean", "import other as clean"),
        ("LIMIT = 3", "LIMIT = 3\nprint('side effect')"),
        ("LIMIT = 3", "LIMIT = 3\nfor LIMIT in range(4): pass"),
        ("LIMIT = 3", "from __future__ import annotations\nLIMIT = 3"),
    ],
)
def test_what_a_step_says_counts(digest, old, new):
    assert digest(main=STEP, helpers=HELPERS) != digest(main=STEP.replace(old, new), helpers=HELPERS)


def test_changed_helper_of_a_helper_counts(digest):
    before = digest(main=STEP, helpers=HELPERS)
    assert digest(helpers=HELPERS.replace("item.strip()", "item.lstrip()")) != before


def test_unrelated_function_does_not_count(digest):
    before = digest(main=STEP, helpers=HELPERS)
    assert (
        digest(main=STEP + "\ndef unrelated(): ...", helpers=HELPERS.replace("return data\n", "return 1\n")) == before
    )


def test_unrelated_constant_and_import_do_not_count(digest):
    before = digest(main=STEP, helpers=HELPERS)
    assert digest(main="import json, os\nNAMES = ['a']\n" + STEP) == before


def test_main_block_does_not_count(digest):
    before = digest(main=STEP, helpers=HELPERS)
    assert digest(main=STEP + "\nif __name__ == '__main__':\n    print(step([]))\n") == before


@pytest.mark.parametrize(
    "line",
    [
        "TABLE['a'] = {}",
        "TABLE.x = {}",
        "TABLE.update(a={})",
        "with open('x') as file: A = {}",
        "if True:\n    print({})",
        "try:\n    import a\nexcept ImportError:\n    print({})",
        "X = register({})",
        "@register\ndef other(): return {}",
        "class Other(Base): x = {}",
        "class Other:\n    TABLE['a'] = {}",
        "class Other:\n    x: int = register({})",
        "def other(x=register({})): ...",
        "TABLE += [{}]",
        "del TABLE[{}]",
        "assert TABLE, {}",
        "A, TABLE['x'] = {}, 2",
        "HOOK = lambda x=register({}): x",
        "X = somewhere.register({})",
        "X = list(map(register, [{}]))",
        "@somewhere.accessor\nclass Other:\n    x = {}",
        "class Other(somewhere.Plugin):\n    x = {}",
        "class Other(metaclass=somewhere.Meta):\n    x = {}",
        "def other(x): ...\n@other(1)\nclass C:\n    x = {}",
    ],
)
def test_what_acts_on_import_counts(digest, line):
    text = "TABLE = {{}}\nclass Base: pass\ndef register(x): return x\ndef step(): return 1\n"
    one, two = (digest(main=text.format() + line.replace("{}", value)) for value in ("1", "2"))
    assert one != two


@pytest.mark.parametrize(
    "line",
    [
        "X = {}",
        "X: int = {}",
        "import a{}",
        "from a import b{}",
        "T = TypeVar('T', bound={})",
        "@dataclass(frozen={})\nclass Other: ...",
        "class Other(NamedTuple):\n    x: int = {}",
        "class Other(Exception):\n    'Text {}'",
        "def other(): print({})",
        "HOOK = lambda: print({})",
        "'just text {}'",
        "X = len('a,b'.split({}))",
        "class Other(Generic[T]):\n    x: int = {}",
        "@property\ndef other(): return {}",
        "try:\n    import a\nexcept ImportError:\n    a = {}",
        "if TYPE_CHECKING:\n    from a import b{}",
        "__all__ += ['{}']",
    ],
)
def test_plain_definitions_count_only_when_named(digest, line):
    text = "from typing import Generic, NamedTuple, TypeVar\nfrom dataclasses import dataclass\ndef step(): return 1\n"
    one, two = (digest(main=text + line.replace("{}", value)) for value in ("1", "2"))
    assert one == two


def test_effects_of_a_module_that_is_only_touched_count(digest):
    before = digest(main="import setup_things\ndef step(): ...", setup_things="print(1)\ndef f(): return 1")
    assert digest(setup_things="print(2)\ndef f(): return 1") != before
    assert digest(setup_things="print(1)\ndef f(): return 2") == before


def test_base_class_and_method_count(digest):
    main = "class Base:\n    def run(self): return 1\nclass Child(Base): ...\ndef step(): return Child().run()"
    assert digest(main=main) != digest(main=main.replace("return 1", "return 2"))


def test_decorator_counts(digest):
    main = "def twice(f):\n    return lambda: 2 * f()\n@twice\ndef step(): return 1"
    assert digest(main=main) != digest(main=main.replace("2 *", "3 *"))


def test_forward_annotation_counts(digest):
    main = "class Model:\n    size = 1\ndef step(model: 'list[Model]'): ..."
    assert digest(main=main) != digest(main=main.replace("size = 1", "size = 2"))


IMPORTS = [
    "from pkg.tools.text import low",
    "from pkg.tools import low",
    "from pkg.tools import text; low = text.low",
    "import pkg.tools.text as text; low = text.low",
    "import pkg.tools.text; low = pkg.tools.text.low",
    "import pkg; low = pkg.tools.text.low",
]
TOP_IMPORTS = [
    "from pkg.tools.text import *",
    "from pkg.tools import *",
    "try: from pkg.tools.text import low\nexcept ImportError: low = None",
]
PACKAGE = {"pkg__init": "import pkg.tools.text", "pkg__tools__init": "from .text import low"}


@pytest.mark.parametrize("statement", IMPORTS + TOP_IMPORTS)
def test_every_way_to_import(digest, statement):
    main = f"{statement}\ndef step(): return low()"
    before = digest(main=main, **PACKAGE, pkg__tools__text="def low(): return 1")
    assert digest(pkg__tools__text="def low(): return 2") != before


@pytest.mark.parametrize("statement", IMPORTS)
def test_every_way_to_import_inside_a_function(digest, statement):
    main = f"def step():\n    {statement}; return low()"
    before = digest(main=main, **PACKAGE, pkg__tools__text="def low(): return 1")
    assert digest(pkg__tools__text="def low(): return 2") != before


def test_submodule_that_somebody_else_imported(digest):
    files = {"main": "import pkg, helper\ndef step(): return pkg.sub.f()", "helper": "import pkg.sub", "pkg__init": ""}
    before = digest(**files, pkg__sub="def f(): return 1")
    assert digest(pkg__sub="def f(): return 2") != before


@pytest.mark.parametrize("use", ["getattr(pkg, 'sub').f()", "take(pkg)"])
def test_package_that_is_handed_on_counts_with_all_below(digest, use):
    files = {"main": f"import pkg, helper\ndef step(): return {use}", "helper": "import pkg.sub", "pkg__init": ""}
    before = digest(**files, pkg__sub="def f(): return 1")
    assert digest(pkg__sub="def f(): return 2") != before


def test_folder_without_init(digest):
    files = {"main": "import space, helper\ndef step(): return space.sub.f()", "helper": "import space.sub"}
    before = digest(**files, space__sub="def f(): return 1")
    assert digest(space__sub="def f(): return 2") != before


def test_star_import_of_what_a_package_lists(digest):
    files = {"main": "from pkg import *\ndef step(): return sub.f()", "pkg__init": "__all__ = ['sub']"}
    before = digest(**files, pkg__sub="def f(): return 1")
    assert digest(pkg__sub="def f(): return 2") != before


def test_top_level_modules_beside_one_that_imports_by_name(digest):
    before = digest(main="def step(name): return __import__(name)", other="X = 1")
    assert digest(other="X = 2") != before


@pytest.mark.parametrize("text", ["'import ' + 'pkg.other'", "'import pkg.other; pkg.other.f()'"])
def test_module_named_in_a_text_that_is_executed(digest, text):
    before = digest(main=f"def step(): exec({text})", pkg__other="X = 1")
    assert digest(pkg__other="X = 2") != before


def test_digest_is_remembered(tmp_path):
    (tmp_path / "main.py").write_text("def step(): ...")
    index = CodeIndex(tmp_path)
    before = index.digest("main:step")
    (tmp_path / "main.py").write_text("def step(): return 1")
    assert index.digest("main:step") == before != CodeIndex(tmp_path).digest("main:step")


def test_project_module_named_like_a_quiet_one(digest):
    main = "from enum import Enum\nclass Color(Enum):\n    RED = 1\ndef step(): ..."
    before = digest(main=main, enum="class Enum: ...")
    assert digest(main=main.replace("= 1", "= 2")) != before


def test_relative_imports(digest):
    files = {"pkg__sub__a": "from ..b import f\nfrom . import c\ndef step(): return f() + c.g()"}
    before = digest("pkg.sub.a:step", **files, pkg__b="def f(): return 1", pkg__sub__c="def g(): return 1")
    changed = digest("pkg.sub.a:step", pkg__b="def f(): return 2")
    assert len({before, changed, digest("pkg.sub.a:step", pkg__sub__c="def g(): return 2")}) == 3


def test_packages_on_the_way_count(digest):
    before = digest("pkg.a:step", pkg__a="def step(): ...", pkg__init="print(1)")
    assert digest("pkg.a:step", pkg__init="print(2)") != before


def test_relative_import_in_a_package_file(digest):
    before = digest("pkg:step", pkg__init="from .a import step", pkg__a="def step(): return 1")
    assert digest("pkg:step", pkg__a="def step(): return 2") != before


def test_source_folder(digest):
    before = digest("pkg.a:step", src__pkg__a="def step(): return 1")
    assert digest("pkg.a:step", src__pkg__a="def step(): return 2") != before


def test_functions_that_call_each_other(digest):
    main = "def step(n): return n and odd(n - 1)\ndef odd(n): return n and step(n - 1)"
    assert digest(main=main) != digest(main=main.replace("def odd(n): return n", "def odd(n): return not n"))


def test_modules_that_import_each_other(digest):
    before = digest(main="import b\ndef step(): return b.f()", b="import main\ndef f(): return main.LIMIT")
    assert digest(main="import b\nLIMIT = 2\ndef step(): return b.f()") != before


@pytest.mark.parametrize(
    "body",
    [
        "globals()['f']()",
        "eval('f()')",
        "getattr(sys.modules[__name__], 'f')()",
        "importlib.import_module('main').f()",
        "vars()",
    ],
)
def test_module_that_looks_names_up_counts_whole(digest, body):
    main = f"import importlib, sys\ndef f(): return 1\ndef step(): return {body}"
    assert digest(main=main) != digest(main=main.replace("return 1", "return 2"))


def test_module_with_getattr_counts_whole(digest):
    files = {"main": "from lazy import f\ndef step(): return f()"}
    before = digest(**files, lazy="def g(): return 1\ndef __getattr__(name): return g")
    assert digest(lazy="def g(): return 2\ndef __getattr__(name): return g") != before


def test_words_in_a_comment_are_no_lookup(digest):
    before = digest(main="def step(): ...\ndef f(): return 1")
    assert digest(main="# eval, globals\ndef step(): ...\ndef f(): return 2") == before


def test_module_imported_by_a_computed_name_counts(digest):
    main = "from importlib import import_module\ndef step(name): return import_module('plugins.' + name)"
    before = digest(main=main, plugins__a="X = 1")
    assert digest(plugins__a="X = 2") != before


def test_package_that_imports_by_name_counts_whole(digest):
    files = {"pkg__a": "import importlib\ndef step(name): return importlib.import_module(name)"}
    before = digest("pkg.a:step", **files, pkg__b="X = 1")
    assert digest("pkg.a:step", pkg__b="X = 2") != before


def test_unreadable_python_is_its_bytes(digest):
    before = digest(main="def step(:")
    assert digest(main="def step(:  # comment") != before


def test_no_file_is_its_name(digest):
    assert digest("somewhere.else:f") == digest("somewhere.else:f") != digest("somewhere.else:g")


def test_missing_function_counts_the_module(digest):
    assert digest("main:f", main="X = 1") != digest("main:f", main="X = 2")


def test_deep_expressions(digest):
    assert digest(main="def step(): return " + " + ".join(["1"] * 900)) != digest(main="def step(): return 1")


def test_each_entrypoint_has_its_own(digest):
    assert digest("main:f", main="def f(): ...\ng = f") != digest("main:g")


def test_changed_bytes_of_a_compiled_module_count(digest, tmp_path):
    from importlib.machinery import EXTENSION_SUFFIXES

    (tmp_path / f"fast{EXTENSION_SUFFIXES[0]}").write_bytes(b"1")
    before = digest(main="from fast import f\ndef step(): return f()")
    (tmp_path / f"fast{EXTENSION_SUFFIXES[0]}").write_bytes(b"2")
    assert digest() != before
