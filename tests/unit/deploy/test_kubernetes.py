"""deploy/kubernetes as far as it can be known without a cluster: schemas, settings, ports, references, hardening."""

from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from corral.site.secret_files import SECRET_FILES
from services.gateway.settings import Settings as GatewaySettings
from services.registry.settings import Settings as RegistrySettings
from services.worker.settings import Settings as WorkerSettings
from shared.settings import load, variables_of
from source import ROOT

BASE = ROOT / "deploy/kubernetes/base"
NGINX = ROOT / "deploy/nginx"
OVERLAYS = sorted(path.parent for path in (ROOT / "deploy/kubernetes/overlays").glob("*/kustomization.yaml"))
VERSIONS = ("1.29", "1.33")
LONG_SECRET = "x" * 64
READ_BY_THE_COMMAND_LINE = {"CORRAL_API_KEY_FILE"}
SERVICES: dict[str, tuple[Any, str]] = {
    "gateway": (GatewaySettings, "CORRAL_GATEWAY_"),
    "worker": (WorkerSettings, "CORRAL_WORKER_"),
    "registry": (RegistrySettings, "CORRAL_REGISTRY_"),
}

Document = dict[str, Any]


def loaded(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def kustomization(folder: Path) -> Document:
    (document,) = loaded(folder / "kustomization.yaml")
    return document


def documents(folder: Path) -> list[Document]:
    """What a kustomization's own resources are, before its patches and generators."""
    resources = (folder / name for name in kustomization(folder)["resources"])
    return [document for path in resources if path.is_file() for document in loaded(path)]


ALL = documents(BASE)
PODS = [document for document in ALL if "template" in document.get("spec", {})]
POD_IDS = [document["metadata"]["name"] for document in PODS]
PATCHES = [(overlay, patch["path"]) for overlay in OVERLAYS for patch in kustomization(overlay)["patches"]]

each_pod = pytest.mark.parametrize("pod", PODS, ids=POD_IDS)


def named(kind: str, name: str) -> Document:
    (found,) = (one for one in ALL if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def template(pod: Document) -> Document:
    spec: Document = pod["spec"]["template"]["spec"]
    return spec


def container(pod: Document) -> Document:
    (only,) = template(pod)["containers"]
    one: Document = only
    return one


def environment(pod: Document) -> dict[str, str]:
    """A container's variables, with the values of the ConfigMaps it names."""
    values: dict[str, str] = {}
    for entry in container(pod).get("env", []):
        reference = entry.get("valueFrom", {}).get("configMapKeyRef")
        values[entry["name"]] = config(reference["name"])[reference["key"]] if reference else entry["value"]
    return values


def config(name: str) -> dict[str, str]:
    """A generated ConfigMap: keys and values, as kustomize makes them of literals, env files and files."""
    (folder, made), *others = (
        (folder, one)
        for folder in (BASE, NGINX)
        for one in kustomization(folder)["configMapGenerator"]
        if one["name"] == name
    )
    assert not others
    lines = list(made.get("literals", []))
    for path in made.get("envs", []):
        lines += [line for line in (folder / path).read_text().splitlines() if line and not line.startswith("#")]
    files = {Path(path).name: (folder / path).read_text() for path in made.get("files", [])}
    return dict(line.split("=", 1) for line in lines) | files


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", ALL, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_every_document_is_one_of_kubernetes(document: Document, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_noticed() -> None:
    broken = named("Deployment", "gateway") | {"spec": {**named("Deployment", "gateway")["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


@pytest.mark.parametrize(("overlay", "path"), PATCHES, ids=lambda one: str(getattr(one, "name", one)))
def test_a_patch_with_what_it_patches_is_a_document_of_kubernetes(overlay: Path, path: str) -> None:
    (patch,) = loaded(overlay / path)
    patched = named(patch["kind"], patch["metadata"]["name"])
    assert patch["metadata"]["namespace"] == kustomization(BASE)["namespace"]
    changes = template(patch)
    (change,) = changes["containers"]
    assert change["name"] == container(patched)["name"]
    whole = {**template(patched), **changes, "containers": [{**container(patched), **change}]}
    spec = {**patched["spec"], "template": {**patched["spec"]["template"], "spec": whole}}
    kubernetes_validate.validate({**patched, "spec": spec}, VERSIONS[0], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.name)
def test_an_overlay_stands_on_the_base_and_changes_images_that_it_has(overlay: Path) -> None:
    assert [(overlay / name).resolve() for name in kustomization(overlay)["resources"]] == [BASE]
    used = {container(pod)["image"] for pod in PODS}
    assert {image["name"] for image in kustomization(overlay)["images"]} <= used


def test_every_image_of_ours_gets_its_tag_from_the_kustomization() -> None:
    ours = {container(pod)["image"] for pod in PODS if container(pod)["image"].startswith("corral/")}
    assert {image["name"] for image in kustomization(BASE)["images"]} == ours


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_start_with_the_settings_they_are_given(service: str, tmp_path: Path) -> None:
    settings, prefix = SERVICES[service]
    (pod,) = (one for one in PODS if one["metadata"]["name"] == service)
    environ = environment(pod)
    secret = tmp_path / "secret"
    secret.write_text(LONG_SECRET)
    mounted = {f"/run/secrets/{name}" for name in secret_keys(pod)}
    assert {value for name, value in environ.items() if name.endswith("_FILE")} == mounted
    known = {variable for field in settings.__struct_fields__ for variable in variables_of(field, prefix=prefix)}
    assert {name.removesuffix("_FILE") for name in environ.keys() - READ_BY_THE_COMMAND_LINE} <= known
    files = {name: str(secret) for name in environ if name.endswith("_FILE")}
    assert load(settings, environ | files, prefix=prefix).redis_url.reveal() == LONG_SECRET


@pytest.mark.parametrize("service", SERVICES)
def test_the_ports_are_the_services_own(service: str) -> None:
    settings, _ = SERVICES[service]
    (pod,) = (one for one in PODS if one["metadata"]["name"] == service)
    assert container(pod)["ports"] == [{"name": "http", "containerPort": settings().port}]
    assert pod["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(settings().port)
    (port,) = named("Service", service)["spec"]["ports"]
    assert port["port"] == settings().port


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_may_drain_before_it_is_ended(service: str) -> None:
    settings, _ = SERVICES[service]
    (pod,) = (one for one in PODS if one["metadata"]["name"] == service)
    hook = container(pod).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    assert template(pod)["terminationGracePeriodSeconds"] > settings().drain_s + float(hook[1])


def test_services_lead_to_ports_that_their_pods_have() -> None:
    for service in (one for one in ALL if one["kind"] == "Service"):
        (pod,) = (one for one in PODS if one["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"])
        ports = {port["name"] for port in container(pod)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def secret_keys(pod: Document) -> set[str]:
    (volume,) = (
        one["secret"] for one in template(pod)["volumes"] if one.get("secret", {}).get("secretName") == "corral"
    )
    assert all(item["key"] == item["path"] for item in volume["items"])
    return {item["key"] for item in volume["items"]}


@pytest.mark.parametrize("name", ["gateway", "worker", "registry", "redis"])
def test_every_secret_is_one_that_init_makes(name: str) -> None:
    (pod,) = (one for one in PODS if one["metadata"]["name"] == name)
    assert secret_keys(pod) <= {file.name for file in SECRET_FILES}


def test_nginx_gets_every_part_of_its_configuration() -> None:
    parts = config("nginx-parts")
    assert set(parts) == {path.name for path in (NGINX / "corral").iterdir()}
    assert set(config("nginx-templates")) == {path.name for path in (NGINX / "templates").iterdir()}
    (pod,) = (one for one in PODS if one["metadata"]["name"] == "nginx")
    volumes = [one["configMap"]["name"] for one in template(pod)["volumes"] if "configMap" in one]
    assert all(config(name) for name in volumes)
    own = {name for name in environment(pod) if name.startswith("EDGE_")}
    assert own <= set(config("nginx-edge"))
    listening = {environment(pod)[name] for name in ("EDGE_HTTP_LISTEN", "EDGE_HTTPS_LISTEN", "EDGE_OPS_LISTEN")}
    assert {str(port["containerPort"]) for port in container(pod)["ports"]} == listening


@each_pod
def test_every_pod_is_probed_and_mounts_only_volumes_it_has(pod: Document) -> None:
    assert {"livenessProbe", "readinessProbe"} <= container(pod).keys()
    claims = {claim["metadata"]["name"] for claim in pod["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"] for volume in template(pod)["volumes"]}
    assert {mount["name"] for mount in container(pod)["volumeMounts"]} == volumes | claims


@each_pod
def test_every_pod_is_confined(pod: Document) -> None:
    around, inside = template(pod)["securityContext"], container(pod)["securityContext"]
    assert around["runAsNonRoot"] is True
    assert around["runAsUser"] > 0
    assert around["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert template(pod)["automountServiceAccountToken"] is False
    assert "memory" in container(pod)["resources"]["limits"]


@each_pod
def test_every_pod_has_a_network_policy_that_lets_its_callers_in(pod: Document) -> None:
    policy = named("NetworkPolicy", pod["metadata"]["name"])["spec"]
    assert policy["podSelector"]["matchLabels"] == pod["spec"]["template"]["metadata"]["labels"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    own = {port["containerPort"] for port in container(pod)["ports"] if port["name"] != "ops"}
    assert opened == own
    for rule in policy["egress"]:
        for peer in (peer for peer in rule["to"] if "podSelector" in peer):
            callee = peer["podSelector"]["matchLabels"]["app"]
            if callee in POD_IDS:
                callers = named("NetworkPolicy", callee)["spec"]["ingress"][0]["from"]
                assert {"podSelector": {"matchLabels": {"app": pod["metadata"]["name"]}}} in callers
