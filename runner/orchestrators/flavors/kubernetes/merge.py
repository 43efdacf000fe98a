"""A step's `pod` over the pod that runner makes of it.

Mappings are merged key by key, and what `pod` says wins. Lists are joined, ours first; where Kubernetes tells entries
apart by a field (`env` by `name`, `volumeMounts` by `mountPath`), one of `pod` takes the place of ours of the same.
`null` takes a field away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.orchestrators.flavors.kubernetes.pod_schema import POD, element, inside


def merged_pod(ours: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a pod with one container, and over it a `pod`, whose only container is the same."""
    found = merged(ours, {key: value for key, value in pod.items() if key != "containers"}, POD)
    for container in pod.get("containers") or ():
        found["containers"] = [merged(ours["containers"][0], container, "Container")]
    return found


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A mapping of this type with another over it."""
    found = dict(ours)
    for key, value in theirs.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _over(ours.get(key), value, inside(kind, key))
    return found


def _over(ours: Any, theirs: Any, kind: str) -> Any:
    if isinstance(theirs, Mapping):
        return merged(ours if isinstance(ours, Mapping) else {}, theirs, kind)
    if isinstance(theirs, list | tuple):
        of, by = element(kind)
        added = [_over(None, each, of) for each in theirs]
        taken = {each.get(by) for each in added} if by else ()
        return [each for each in ours or () if not by or each.get(by) not in taken] + added
    return theirs
