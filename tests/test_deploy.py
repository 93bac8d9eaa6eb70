"""The files in deploy/, held against schemas and against the code. Nothing is deployed."""

import json
import re
import shlex
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from enhance.arguments import photos_parser
from enhance.engines.choice import replica_range
from tests.server import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = "1.34"


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    return parsed


def manifests() -> dict[str, dict[str, Any]]:
    """By kind."""
    found = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text("utf-8"))
    return {manifest["kind"]: manifest for manifest in found}


def pods() -> list[dict[str, Any]]:
    """The templates of the Ray cluster's pods."""
    spec = manifests()["RayCluster"]["spec"]
    return [group["template"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


def test_the_compose_files_keep_to_the_specification() -> None:
    assert "watch" in PyCompose.from_json(json.dumps(compose("watch.yaml")))
    parsed = PyCompose.from_json(json.dumps(compose()))
    assert all(name in parsed for name in ("head", "worker", "front"))
    with pytest.raises(Exception, match="nonsense"):
        PyCompose.from_json(json.dumps({"services": {"front": {"nonsense": 1}}}))


def test_the_manifests_keep_to_the_schemas_of_kubernetes() -> None:
    for kind in ("StatefulSet", "Service", "NetworkPolicy"):
        kubernetes_validate.validate(manifests()[kind], KUBERNETES, strict=True)
    for template in pods():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, **template}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_every_front_end_asks_for_the_pool_of_its_cluster() -> None:
    (front,) = manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    in_kubernetes = {variable["name"]: variable.get("value") for variable in front["env"]}
    for environment in (compose()["services"]["front"]["environment"], in_kubernetes):
        assert environment["ENHANCE_ENGINE"] == "ray"
        assert replica_range(environment) == (1, 8)
        assert environment["RAY_ADDRESS"].endswith(":6379")
    assert in_kubernetes["RAY_ADDRESS"] == "enhance-head-svc:6379", "as KubeRay names it"


def test_all_nodes_have_the_version_of_ray_that_is_required() -> None:
    required = re.search(r"^ray==(\S+)", (ROOT / "requirements-ray.txt").read_text(), re.MULTILINE)
    assert required
    assert manifests()["RayCluster"]["spec"]["rayVersion"] == required[1]


def test_no_container_has_more_rights_than_it_needs() -> None:
    front = manifests()["StatefulSet"]["spec"]["template"]
    for template in (front, *pods()):
        pod, labels = template["spec"], template["metadata"]["labels"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["fsGroup"] == 1000
        for container in pod["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
        guarded = manifests()["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
        assert guarded.items() <= labels.items()
    services = compose()["services"] | compose("watch.yaml")["services"]
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_a_watched_folder_is_only_read() -> None:
    service = compose("watch.yaml")["services"]["watch"]
    mounted = {each["target"]: each for each in service["volumes"] if isinstance(each, dict)}
    wanted = photos_parser("watch").parse_args(service["command"][4:])
    assert service["command"][:4] == ["python", "-m", "enhance", "watch"]
    assert mounted[wanted.source]["read_only"] and not mounted[wanted.out].get("read_only")

    text = (DEPLOY / "enhance-watch.service").read_text("utf-8")
    unit = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    _, command = unit["ExecStart"].split(" -m enhance watch ")
    wanted = photos_parser("watch").parse_args(shlex.split(command))
    assert unit["RequiresMountsFor"].split() == [wanted.source, wanted.out]
    assert (unit["ProtectSystem"], unit["ReadWritePaths"]) == ("strict", wanted.out)


def test_no_front_end_believes_a_proxy_that_is_not_there() -> None:
    (front,) = manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    for environment in (compose()["services"]["front"]["environment"], front["env"]):
        assert "ENHANCE_TRUSTED_PROXY" not in str(environment)
