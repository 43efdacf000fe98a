"""A folder of documents → specs that belong together, or every problem in them."""

from runner.project.check import validate_paths
from runner.project.components import all_settings
from runner.project.declared import around, texts_of
from runner.project.folder import Project, files_of, find_project, is_project
from runner.project.origins import locate, origins, places
from runner.project.pipelines import (
    Pipeline,
    find_pipeline,
    load_pipeline,
    pipelines_of,
    step_images,
    step_settings,
)
from runner.project.stacks import (
    Stack,
    active_stack,
    choose_stack,
    components_of,
    default_stack,
    load_stack,
    orchestrator_from,
    services_of,
    stack_names,
    unreachable,
)

__all__ = [
    "Pipeline",
    "Project",
    "Stack",
    "active_stack",
    "all_settings",
    "around",
    "choose_stack",
    "components_of",
    "default_stack",
    "files_of",
    "find_pipeline",
    "find_project",
    "is_project",
    "load_pipeline",
    "load_stack",
    "locate",
    "orchestrator_from",
    "origins",
    "pipelines_of",
    "places",
    "services_of",
    "stack_names",
    "step_images",
    "step_settings",
    "texts_of",
    "unreachable",
    "validate_paths",
]
