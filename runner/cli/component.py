"""`runner orchestrator`, `runner artifact-store` and their like: components by command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from runner.cli.options import Commands, echo_json, examples, format_option, lazily
from runner.cli.output import tell_notes
from runner.cli.settings_options import SettingsCommand, flavors, given_fields
from runner.engine import declare
from runner.errors import UsageError
from runner.plan.changes import changes_to_json
from runner.project.components import settings_of
from runner.project.declared import around
from runner.project.folder import Project, find_project
from runner.report.changes import as_word, changes_text
from runner.report.words import pairs, table

_EXAMPLES = {
    "orchestrator": "k8s_orchestrator --flavor=kubernetes --kubernetes_context=my-context --kubernetes_namespace=ml",
    "artifact_store": "bucket --flavor=s3 --path=s3://ml-artifacts/runner --region=eu-central-1",
    "container_registry": "images --flavor=generic --uri=registry.example.com/ml",
    "image_builder": "docker --flavor=local",
    "secret_store": "vault --flavor=aws --region=eu-central-1 --prefix=ml/",
    "experiment_tracker": "tracker --flavor=mlflow --tracking_uri=https://mlflow.example.com",
}


def component(kind: str) -> click.Group:
    """The commands of one kind of component."""
    verb, noun = kind.replace("_", "-"), kind.replace("_", " ")
    many = "container registries" if kind == "container_registry" else f"{noun}s"
    group = Commands(
        verb,
        help=f"Register, list, show, update, delete {many}.\n\nA stack names them; `runner stack update` says so.",
        epilog=examples(f"runner {verb} register {_EXAMPLES[kind]}", f"runner {verb} list"),
    )
    for command in (_register(kind), _list(kind), _show(kind), _update(kind), _delete(kind)):
        group.add_command(command)
    return group


def _register(kind: str) -> click.Command:
    verb = kind.replace("_", "-")

    class Register(SettingsCommand):
        pass

    Register.kind = kind

    @click.command(
        "register",
        cls=Register,
        epilog=examples(
            f"runner {verb} register {_EXAMPLES[kind]}",
            f"runner {verb} register NAME --flavor=FLAVOR --help   # the options of that flavor",
        ),
    )
    @click.argument("name")
    @click.option(
        "-f", "--flavor", required=True, metavar="FLAVOR", help="Which flavor it is.", shell_complete=flavors(kind)
    )
    @format_option("text", "json")
    def register(name: str, flavor: str, format_: str, **options: Any) -> None:
        """Declare a new one. The options are the fields of its flavor: `--flavor=FLAVOR --help` shows them."""
        project = find_project(Path.cwd())
        fields = given_fields(settings_of(kind, flavor, project), options)
        _tell(declare.register(project, kind, name, {"flavor": flavor, **fields}), format_)

    return register


def _update(kind: str) -> click.Command:
    class Update(SettingsCommand):
        def flavor_of(self, arguments: Sequence[str]) -> str | None:
            names = [argument for argument in arguments if not argument.startswith("-")]
            if names:
                declare.declared(find_project(Path.cwd()), kind, names[0])  # an unknown name, before unknown options
            return _flavor(kind, names[0]) if names else None

    Update.kind, Update.required = kind, False

    verb, (name, _, option) = kind.replace("_", "-"), (*_EXAMPLES[kind].split(" ", 2), "")[:3]

    @click.command(
        "update",
        cls=Update,
        epilog=examples(f"runner {verb} update {name} {option}".rstrip(), f"runner {verb} update {name} --help"),
    )
    @click.argument("name", shell_complete=lazily(f"{kind}s"))
    @click.option("--unset", "unset", multiple=True, metavar="FIELD", help="Take a field back. May be repeated.")
    @format_option("text", "json")
    def update(name: str, unset: tuple[str, ...], format_: str, **options: Any) -> None:
        """Set or take back fields. `NAME --help` shows those of its flavor."""
        project = find_project(Path.cwd())
        flavor = _flavor(kind, name)
        fields = given_fields(settings_of(kind, flavor, project), options) if flavor else {}
        if not fields and not unset:
            raise UsageError(f"nothing to update on '{name}'", f"see: runner {kind.replace('_', '-')} update {name} -h")
        change = declare.update(project, kind, name, fields, unset)
        _tell(change, format_)
        tell_notes(declare.beside(change))

    return update


def _list(kind: str) -> click.Command:
    verb = kind.replace("_", "-")

    @click.command("list", epilog=examples(f"runner {verb} list", f"runner {verb} list --format json"))
    @format_option("text", "json")
    def list_(format_: str) -> None:
        """List those that are declared: applied, or in a file of `stacks`."""
        project = find_project(Path.cwd())
        facts: dict[str, dict[str, Any]] = {}
        for document in around(project, []):
            if document.kind == kind and document.name:
                facts.setdefault(document.name, _facts(project, kind, document.name))
        if format_ == "json":
            echo_json(list(facts.values()))
        else:
            rows = [(name, fact["flavor"], _short(fact["fields"]), fact["declared"]) for name, fact in facts.items()]
            print(table(("name", "flavor", "fields", "declared"), rows, gives_way=("fields",)))

    return list_


def _show(kind: str) -> click.Command:
    verb, name = kind.replace("_", "-"), _EXAMPLES[kind].partition(" ")[0]

    @click.command("show", epilog=examples(f"runner {verb} show {name}", f"runner {verb} show {name} --format yaml"))
    @click.argument("name", shell_complete=lazily(f"{kind}s"))
    @format_option("text", "json", "yaml")
    def show(name: str, format_: str) -> None:
        """Show one, its fields and where it was declared."""
        project = find_project(Path.cwd())
        facts = _facts(project, kind, name)
        if format_ == "json":
            echo_json(facts)
        elif format_ == "yaml":
            print(declare.as_yaml(declare.declared(project, kind, name)), end="")
        else:
            shown = {key: as_word(value) for key, value in facts["fields"].items()}
            print(pairs({kind: name, "declared": facts["declared"], "flavor": str(facts["flavor"]), **shown}))

    return show


def _delete(kind: str) -> click.Command:
    verb, name = kind.replace("_", "-"), _EXAMPLES[kind].partition(" ")[0]

    @click.command("delete", epilog=examples(f"runner {verb} delete {name}"))
    @click.argument("name", shell_complete=lazily(f"{kind}s"))
    @format_option("text", "json")
    def delete(name: str, format_: str) -> None:
        """Delete one that no stack uses."""
        _tell(declare.delete(find_project(Path.cwd()), kind, name), format_)

    return delete


def _tell(change: Any, format_: str) -> None:
    if format_ == "json":
        echo_json(changes_to_json([change])[0])
    else:
        print(changes_text([change]).partition("\n\n")[0])


def _flavor(kind: str, name: str) -> str | None:
    """The flavor of a declared component; None when there is none of that name, which is told later."""
    for document in around(find_project(Path.cwd()), []):
        if (document.kind, document.name) == (kind, name):
            value = document.node.plain().get("flavor")
            return value if isinstance(value, str) else None
    return None


def _facts(project: Project, kind: str, name: str) -> dict[str, Any]:
    document = declare.declared(project, kind, name)
    fields = {key: value for key, value in document.node.plain().items() if key not in ("kind", "name")}
    flavor = fields.pop("flavor", None)
    where = document.file if document.revision else str(document.position(()))
    return {"kind": kind, "name": name, "flavor": flavor, "declared": where, "fields": fields}


def _short(fields: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {as_word(value)}" for key, value in fields.items())


orchestrator = component("orchestrator")
artifact_store = component("artifact_store")
container_registry = component("container_registry")
image_builder = component("image_builder")
secret_store = component("secret_store")
experiment_tracker = component("experiment_tracker")
