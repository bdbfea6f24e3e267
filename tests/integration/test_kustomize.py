"""The exported kustomization is what kubectl kustomize makes of it: every object of the export, and no Secret."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from scheduled_tasks.cli import main
from scheduled_tasks.run import settings
from tests.roots import lacking, require

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    require(lacking("rendering a kustomization", {"kubectl": "kubernetes-client"}, root=False))
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(PYPROJECT))
    settings.load.cache_clear()
    options = ["--image", "registry.example.org/shop:1", "--cluster", "prod", "--namespace", "shop"]
    done = CliRunner().invoke(main, ["export", "kubernetes", str(tmp_path / "k8s"), *options])
    assert done.exit_code == 0, done.output
    yield tmp_path / "k8s"
    settings.load.cache_clear()


def kustomized(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}


def test_a_kustomization_has_every_object_but_the_secrets(folder: Path) -> None:
    written = {
        (one["kind"], one["metadata"]["name"]): one
        for path in folder.glob("*.yaml")
        if path.name not in {"kustomization.yaml", "secret.example.yaml"}
        for one in yaml.safe_load_all(path.read_text())
    }
    assert ("Deployment", "scheduled-tasks-watch") in written
    assert kustomized(folder) == written


def test_an_overlay_changes_the_image_the_namespace_and_one_job(folder: Path) -> None:
    overlay = folder.parent / "staging"
    overlay.mkdir()
    patch = {
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "booking-cancel-expired-bookings", "namespace": "shop"},
        "spec": {"suspend": True},
    }  # fmt: skip
    (overlay / "suspend.yaml").write_text(yaml.safe_dump(patch))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "staging",
        "resources": ["../k8s"], "patchesStrategicMerge": ["suspend.yaml"],
        "images": [{"name": "registry.example.org/shop", "newTag": "2"}],
    }  # fmt: skip
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    objects = kustomized(overlay)
    assert {one["metadata"]["namespace"] for one in objects.values()} == {"staging"}
    job = objects["CronJob", "booking-cancel-expired-bookings"]["spec"]
    assert job["suspend"] is True
    assert job["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.org/shop:2"
