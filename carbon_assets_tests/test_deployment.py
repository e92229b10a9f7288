"""The files of a deployment with containers, as far as they can be judged without Docker."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from carbon_assets.orchestration.instance import workspace_config

ROOT = Path(__file__).resolve().parents[1]
OURS = ("code", "webserver", "daemon")
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?][^}]*)?\}")


@lru_cache
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def services() -> dict[str, Any]:
    return dict(compose()["services"])


def dockerfile() -> list[str]:
    """Instructions, continued lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def test_every_service_is_guarded_and_watched() -> None:
    assert set(services()) == {"database", *OURS}
    for name, service in services().items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert not any("docker.sock" in str(volume) for volume in service["volumes"]), name
    assert services()["database"]["user"] == "postgres"
    assert "timescaledb" in services()["database"]["image"]
    for name in OURS:
        service = services()[name]
        assert service["build"] == "."
        assert service["read_only"]
        assert "user" not in service  # that of the image


def test_the_ui_is_published_on_this_machine_only() -> None:
    published = [port for one in services().values() for port in one.get("ports", [])]
    assert len(published) == 1
    assert published[0].startswith("127.0.0.1:")


def test_every_volume_and_dependency_is_there() -> None:
    named = set(compose()["volumes"])
    used = {
        volume.split(":")[0]
        for service in services().values()
        for volume in service["volumes"]
        if not volume.startswith(("$", ".", "/"))
    }
    assert used == named
    for service in services().values():
        for other, how in service.get("depends_on", {}).items():
            assert "healthcheck" in services()[other]
            assert how == {"condition": "service_healthy"}


def test_no_secret_stands_in_a_file() -> None:
    for name in ("docker-compose.yml", "Dockerfile", ".env.example", "dagster.yaml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for line in text.splitlines():
            if re.search(r"(?i)password|secret|token", line) and not line.lstrip().startswith("#"):
                value = re.split(r"[:=]", line, maxsplit=1)[1].strip()
                assert value == "" or "${CARBON_DATABASE_PASSWORD:?" in value, line
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ".env" in ignored


def test_the_example_sets_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    offered = {line.partition("=")[0] for line in text.splitlines() if re.match(r"\w+=", line)}
    used = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert offered == used


def test_the_image_builds_from_this_repository_and_runs_as_nobody_in_particular() -> None:
    lines = dockerfile()
    copied = [
        source
        for line in lines
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    ]
    offered = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source.split('/')[0]}" in offered, source
    assert sum("uv sync --locked" in line for line in lines) == 2
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"]
    assert lines.index("USER 10001:10001") > max(
        index for index, line in enumerate(lines) if line.startswith(("RUN", "COPY"))
    )
    images = [line.split()[1] for line in lines if line.startswith("FROM ")]
    images += [services()["database"]["image"]]
    assert all(":" in image and not image.endswith(":latest") for image in images)
    assert not any(line.startswith("ADD") for line in lines)


def test_python_of_the_image_is_one_that_the_package_supports() -> None:
    [version] = set(re.findall(r"FROM python:(\d+\.\d+)-", "\n".join(dockerfile())))
    wanted = importlib.metadata.metadata("carbon-assets")["Requires-Python"]
    least = re.fullmatch(r">=(\d+)\.(\d+)", wanted)
    assert least is not None
    assert tuple(map(int, version.split("."))) >= (int(least[1]), int(least[2]))


def test_the_workspace_names_the_code_server_of_the_compose_file() -> None:
    workspace = yaml.safe_load((ROOT / "deploy" / "workspace.yaml").read_text(encoding="utf-8"))
    [entry] = workspace["load_from"]
    server = entry["grpc_server"]
    command = services()["code"]["command"]
    assert server["host"] in services()
    assert str(server["port"]) == command[command.index("--port") + 1]
    [module] = workspace_config()["load_from"]
    name = command[command.index("--location-name") + 1]
    assert server["location_name"] == name == module["python_module"]["location_name"]
    code = command[command.index("--module-name") + 1]
    assert code == module["python_module"]["module_name"]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("part", ["command", "healthcheck"])
def test_every_command_exists_with_its_options(name: str, part: str) -> None:
    service = services()[name]
    given = service["command"] if part == "command" else service["healthcheck"]["test"][1:]
    program = Path(sys.executable).parent / given[0]
    assert program.exists()
    if given[0] == "python":
        compile(given[2], "healthcheck", "exec")
        return
    words = [word for word in given[1:] if not word.startswith("-")]
    options = [word for word in given[1:] if word.startswith("--")]
    depth = next((i for i, word in enumerate(given[1:]) if word.startswith("-")), len(words))
    told = subprocess.run(
        [str(program), *given[1 : 1 + depth], "--help"],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [option for option in options if option not in told] == []
