"""What lies in deploy/: linted, and held to what README and comments promise of it."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from http_process import served

from recontact_mcp.settings import FURTHER_VARIABLES, Settings, SettingsError, load_settings, variable

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SCRIPTS = Path(sys.executable).parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
NEEDED = {"RECONTACT_PUBLIC_URL": "https://recontact.example.com", "RECONTACT_AUTH_ISSUER": "https://login.example.com"}
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc")
Tree = dict[str, Any]


def lint(*command: str, **variables: str) -> str:
    """Run a linter over what lies in the repository; return what it said."""
    words = [str(SCRIPTS / command[0]), *command[1:]]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(path: str) -> Tree:
    """Read a file of YAML."""
    tree: Tree = yaml.safe_load((DEPLOY / path).read_text("utf-8"))
    return tree


@pytest.fixture(scope="module")
def compose() -> Tree:
    """What Docker Compose itself makes of the file."""
    tree: Tree = yaml.safe_load(lint("docker-compose", "--file", "deploy/compose.yaml", "config", **NEEDED))
    return tree


def networks(compose: Tree, service: str) -> set[str]:
    """Name the networks that a service is on."""
    return set(compose["services"][service]["networks"])


@pytest.fixture(scope="module")
def pod() -> Tree:
    """The template of the pods."""
    spec: Tree = read("kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    return spec


def images() -> Iterator[str]:
    """Name every image that is pulled or built."""
    yield from re.findall(r"^ARG PYTHON_IMAGE=(\S+)", DOCKERFILE, re.MULTILINE)
    yield from re.findall(r"^\s+image: (\S+)", (DEPLOY / "compose.yaml").read_text("utf-8"), re.MULTILINE)
    yield from (f"{image['newName']}:{image['newTag']}" for image in read("kubernetes/kustomization.yaml")["images"])


def test_the_dockerfile_passes_its_linter() -> None:
    lint("hadolint", "--failure-threshold", "style", "deploy/Dockerfile")


def test_every_yaml_file_passes_its_linter() -> None:
    lint("yamllint", "--strict", "--config-data", "{extends: relaxed, rules: {line-length: disable}}", "deploy")


def test_every_manifest_is_what_kubernetes_knows() -> None:
    lint("kubernetes-validate", "--strict", "--quiet", *map(str, MANIFESTS))


def test_the_kustomization_holds_every_manifest_but_the_example_of_the_secret() -> None:
    listed = read("kubernetes/kustomization.yaml")["resources"]

    assert sorted(listed) == [path.name for path in MANIFESTS if "example" not in path.name]


def test_no_image_is_whatever_is_newest() -> None:
    found = list(images())

    assert len(found) == 5
    assert [image for image in found if not re.search(r":\d", image)] == []


def test_the_version_is_that_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

    assert {image.rpartition(":")[2] for image in images() if "recontact-mcp" in image} == {version}
    assert f"ARG VERSION={version}\n" in DOCKERFILE


def test_the_image_is_built_from_the_locked_packages_with_telemetry() -> None:
    [project] = [
        package
        for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
        if package["name"] == "recontact-mcp"
    ]
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*table["dependencies"], *table["optional-dependencies"]["telemetry"]]

    assert "uv export --locked" in DOCKERFILE
    assert "--extra telemetry" in DOCKERFILE
    # `uv lock` brings the file up to date; the build refuses one that is not.
    locked = {package["name"] for package in project["metadata"]["requires-dist"]}
    assert {re.split(r"[^\w-]", line)[0].replace("_", "-").lower() for line in wanted} <= locked


def test_the_image_runs_as_a_number_that_is_not_root_and_names_what_it_is() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]

    assert re.findall(r"^USER (\S+)", final, re.MULTILINE) == ["10001:10001"]
    assert {"title", "description", "licenses", "source", "version", "revision"} <= set(
        re.findall(r"org\.opencontainers\.image\.(\w+)=", final)
    )
    assert re.findall(r"^(?:STOPSIGNAL|EXPOSE) (\S+)", final, re.MULTILINE) == ["8765", "SIGTERM"]
    assert '"/livez"]' in final.partition("HEALTHCHECK")[2].split("\n")[0]


def test_the_build_is_given_nothing_that_it_does_not_copy() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    given = {line[1:] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert "*" in ignored
    assert given == {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in given)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_variable_of_ours_is_a_setting(path: Path) -> None:
    known = {*map(variable, Settings.model_fields), *FURTHER_VARIABLES, "RECONTACT_PORT"}
    named = set(re.findall(r"\b(?:RECONTACT|CINT)_[A-Z_]*[A-Z]\b", path.read_text("utf-8")))

    assert named - known == set()


def test_the_file_of_secrets_in_the_example_is_one_of_settings() -> None:
    written = tomllib.loads(read("kubernetes/secret.example.yaml")["stringData"]["recontact.toml"])

    assert {"database_url", "state_key", "snapshot_key", "approval_client_secret"} < set(written)
    assert set(written) <= set(Settings.model_fields)


def test_the_pods_have_their_secrets_as_files_of_their_own_user_and_none_in_the_environment(
    pod: Tree, tmp_path: Path
) -> None:
    [container], [copying] = pod["containers"], pod["initContainers"]
    values, volumes = read("kubernetes/configmap.yaml")["data"], {one["name"]: one for one in pod["volumes"]}
    mounts = {one["name"]: one["mountPath"] for one in copying["volumeMounts"]}
    mounted, kept = tmp_path / "mounted", tmp_path / "kept"
    mounted.mkdir()
    kept.mkdir()
    (mounted / "recontact.toml").write_text('database_url = "postgresql://u:p@h/name"')
    line = copying["command"][2].replace(f"{mounts['mounted']}/", f"{mounted}/")
    subprocess.run([*copying["command"][:2], line.replace(f"{mounts['secrets']}/", f"{kept}/")], check=True, timeout=20)

    assert "env" not in container
    assert not re.search(r"(?i)password|secret|key|database", str([*values]))
    assert (volumes["mounted"]["secret"]["secretName"], volumes["secrets"]["emptyDir"]["medium"]) == (
        "recontact",
        "Memory",
    )
    assert {"name": "secrets", "mountPath": mounts["secrets"], "readOnly": True} in container["volumeMounts"]
    assert values["RECONTACT_CONFIG"] == f"{mounts['secrets']}/recontact.toml"
    assert copying["image"] == container["image"]
    # The server takes a secret from such a file.
    found = load_settings({"RECONTACT_CONFIG": str(kept / "recontact.toml"), "RECONTACT_DATA_DIR": str(tmp_path)})
    assert found.database_url is not None


def test_no_variable_of_a_service_looks_like_a_setting(pod: Tree) -> None:
    assert pod["enableServiceLinks"] is False
    with pytest.raises(SettingsError, match="RECONTACT_SERVICE_HOST"):
        load_settings({"RECONTACT_SERVICE_HOST": "10.0.0.1"})


def test_the_numbers_are_for_those_who_may_scrape_and_on_no_service(pod: Tree) -> None:
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    rules = read("kubernetes/network.yaml")["spec"]["ingress"]

    assert [port["targetPort"] for port in read("kubernetes/service.yaml")["spec"]["ports"]] == ["http"]
    assert read("kubernetes/configmap.yaml")["data"]["RECONTACT_METRICS_ADDRESS"].endswith(f":{ports['metrics']}")
    assert [rule["ports"] for rule in rules] == [[{"port": "http"}], [{"port": "metrics"}]]
    assert all(rule["from"] for rule in rules)


def test_the_pods_are_as_restricted_as_kubernetes_knows(pod: Tree) -> None:
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}\n" in DOCKERFILE
    assert pod["automountServiceAccountToken"] is False


def test_a_rolling_restart_takes_no_pod_before_its_successor_is_ready(pod: Tree) -> None:
    spec, values = read("kubernetes/deployment.yaml")["spec"], read("kubernetes/configmap.yaml")["data"]
    seconds = int(values["RECONTACT_LINGER_SECONDS"]) + int(values["RECONTACT_SHUTDOWN_SECONDS"])
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = read("kubernetes/disruption.yaml")["spec"]
    assert (budget["minAvailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    # 5 s are the engine's.
    assert pod["terminationGracePeriodSeconds"] >= before + seconds + 5


def test_the_probes_ask_under_the_name_that_the_server_answers_to(pod: Tree) -> None:
    host = read("kubernetes/ingress.yaml")["spec"]["rules"][0]["host"]
    probes = {kind: pod["containers"][0][f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}

    assert read("kubernetes/configmap.yaml")["data"]["RECONTACT_PUBLIC_URL"] == f"https://{host}"
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/livez",
        "readiness": "/readyz",
        "liveness": "/livez",
    }
    assert all(probe["httpHeaders"] == [{"name": "Host", "value": host}] for probe in probes.values())


def test_two_replicas_in_compose_share_one_database_and_reach_their_secrets_as_files(compose: Tree) -> None:
    replicas = [service for name, service in compose["services"].items() if name.startswith("replica-")]

    assert len(replicas) == 2
    for replica in replicas:
        assert replica["environment"]["RECONTACT_CONFIG"] == "/run/secrets/recontact.toml"
        assert replica["read_only"] is True
        assert replica["user"] == "10001:10001"
        assert "ports" not in replica
    assert not re.search(r"(?i)password|secret|key", str([list(replica["environment"]) for replica in replicas]))
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["balancer"]
    assert all("healthcheck" in service for service in compose["services"].values())
    assert {service["logging"]["driver"] for service in compose["services"].values()} == {"local"}


def test_the_database_is_reached_from_the_replicas_alone_and_reaches_nobody(compose: Tree) -> None:
    [network] = networks(compose, "postgres")
    on_it = {name for name in compose["services"] if network in networks(compose, name)}

    assert on_it == {"postgres", "replica-1", "replica-2"}
    assert compose["networks"][network]["internal"] is True


def test_the_balancer_comes_from_the_network_whose_headers_the_replicas_believe(compose: Tree) -> None:
    for replica in ("replica-1", "replica-2"):
        # With a second one that they share, Docker chooses from which of them the balancer comes.
        [shared] = networks(compose, replica) & networks(compose, "balancer")
        [addresses] = compose["networks"][shared]["ipam"]["config"]
        assert compose["services"][replica]["environment"]["RECONTACT_TRUSTED_PROXIES"] == addresses["subnet"]
        assert compose["networks"][shared]["internal"] is True
        # Nobody but the two is on it who could write such a header.
        assert {name for name in compose["services"] if shared in networks(compose, name)} == {
            "balancer",
            "replica-1",
            "replica-2",
        }


def test_the_port_is_published_and_cint_is_reached_over_a_network_of_their_own(compose: Tree) -> None:
    open_ones = {name for name, network in compose["networks"].items() if "internal" not in network}
    of = {name: networks(compose, name) & open_ones for name in ("balancer", "replica-1", "replica-2")}

    assert all(len(found) == 1 for found in of.values())
    assert of["replica-1"] == of["replica-2"]
    assert not of["balancer"] & of["replica-1"]


def test_the_balancer_keeps_no_idle_connection_for_as_long_as_a_replica_lingers(compose: Tree) -> None:
    pools = re.findall(r"(?ms)^  upstream \w+ \{\n(.*?)^  \}", (DEPLOY / "nginx.conf").read_text("utf-8"))
    kept = [re.findall(r"^ +keepalive_timeout (\d+)s;", pool, re.MULTILINE) for pool in pools]
    lingering = float(compose["services"]["replica-1"]["environment"]["RECONTACT_LINGER_SECONDS"])

    assert len(pools) == 3
    assert all(len(seconds) == 1 and float(seconds[0]) < lingering for seconds in kept)


def test_the_restart_that_the_readme_describes_restarts_what_has_not_changed() -> None:
    [command] = re.findall(r"`(docker compose [^`]*--no-deps[^`]*)`", (DEPLOY / "README.md").read_text("utf-8"))

    assert "--force-recreate" in command.split()


@pytest.mark.parametrize(
    ("path", "port", "code"),
    [("/livez", None, 0), ("/readyz", None, 0), ("/nothing", None, 1), ("/livez", "1", 1)],
    ids=["lives", "is ready", "no such route", "nobody there"],
)
def test_the_health_check_asks_the_real_server(tmp_path: Path, path: str, port: str | None, code: int) -> None:
    url = "https://localhost:1234"
    with served(tmp_path, RECONTACT_PUBLIC_URL=url) as server:
        command = [sys.executable, str(DEPLOY / "healthcheck.py"), path, port or str(server.address[1])]
        done = subprocess.run(command, env={**os.environ, "RECONTACT_PUBLIC_URL": url}, timeout=20, check=False)

    assert done.returncode == code


@pytest.mark.parametrize(
    ("written", "code"),
    [('public_url = "https://localhost:1234"', 0), ("public_url = 1234", 1)],
    ids=["the server's", "none of a server's"],
)
def test_the_health_check_finds_the_public_url_in_the_file_with_the_settings(
    tmp_path: Path, written: str, code: int
) -> None:
    file = tmp_path / "recontact.toml"
    file.write_text(written, "utf-8")
    variables = {
        "RECONTACT_PUBLIC_URL": "https://localhost:1234",
        "RECONTACT_AUTH_ISSUER": NEEDED["RECONTACT_AUTH_ISSUER"],
    }
    # As in a container: a server that listens on every address has no name of loopback.
    with served(tmp_path, "--host", "0.0.0.0", **variables) as server:  # noqa: S104
        asked = [sys.executable, str(DEPLOY / "healthcheck.py"), "/livez", str(server.address[1])]
        environ = {name: value for name, value in os.environ.items() if name != "RECONTACT_PUBLIC_URL"}
        done = subprocess.run(asked, env={**environ, "RECONTACT_CONFIG": str(file)}, timeout=20, check=False)

    assert done.returncode == code


def test_the_file_of_secrets_that_the_readme_writes_is_one_of_settings() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8").partition("<<END\n")[2].partition("\nEND\n")[0]
    names = set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE))

    assert {"database_url", "state_key", "snapshot_key"} <= names <= set(Settings.model_fields)
