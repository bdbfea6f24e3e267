"""Start a container of an exported pod as a process, from the pod's YAML: what a kubelet does, as far as a process can.

In a mount namespace of its own, a container sees the files of the ConfigMaps and Secrets at the paths of its mounts,
the image's /opt/app, and a file system that it can't write; its user has no rights. The command, the variables and the
fields of the downward API are taken from the YAML as they are. There is no cgroup and no network of its own.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "shop"
USER = 65532
FROM_ETC = ("passwd", "group", "nsswitch.conf", "hosts", "ld.so.cache", "localtime")
LABEL = re.compile(r"metadata\.labels\['(.+)'\]")

Object = dict[str, Any]


@dataclass
class Kubelet:
    """A node with an image, and the objects that were applied.

    Attributes:
        image: a folder whose `app` is the image's /opt/app.
        folder: of this node's files.
        objects: by kind and name.
    """

    image: Path
    folder: Path
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)

    def apply(self, path: Path, *, values: Mapping[str, str] | None = None) -> None:
        """Apply a file of objects; `values` fill in those of its Secrets."""
        for object_ in yaml.safe_load_all(path.read_text()):
            if object_["kind"] == "Secret":
                object_["stringData"] = {key: (values or {})[key] for key in object_["stringData"]}
            self.objects[object_["kind"], object_["metadata"]["name"]] = object_

    def start(self, spec: Object, labels: Mapping[str, str], uid: str) -> subprocess.Popen[str]:
        """Start the only container of a pod."""
        [container] = spec["containers"]
        environment = self._environment(container["env"], labels, uid)
        command = [_expanded(word, environment) for word in container["command"]]
        environment["PATH"] = "/opt/app/bin:/usr/local/bin:/usr/bin:/bin"
        # `exec "$@"` finds the program by the container's own PATH.
        variables = [f"{name}={value}" for name, value in environment.items()]
        inside = [
            "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs",
            "env", "-i", *variables, "/bin/sh", "-c", 'exec "$@"', "sh", *command,
        ]  # fmt: skip
        script = f"{self._mounts(spec, uid)}\ncd /\nexec {shlex.join(inside)}"
        return subprocess.Popen(
            ["unshare", "--mount", "/bin/sh", "-ec", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def _environment(self, variables: list[Object], labels: Mapping[str, str], uid: str) -> dict[str, str]:
        environment: dict[str, str] = {}
        for variable in variables:
            if "value" in variable:
                environment[variable["name"]] = _expanded(variable["value"], environment)
                continue
            path = variable["valueFrom"]["fieldRef"]["fieldPath"]
            fields = {"metadata.namespace": NAMESPACE, "metadata.uid": uid}
            match = LABEL.fullmatch(path)
            environment[variable["name"]] = labels[match[1]] if match else fields[path]
        return environment

    def _mounts(self, spec: Object, uid: str) -> str:
        """A script that mounts the container's files; the folders of its mounts are made in an empty /etc and /run."""
        node = self.folder / uid
        etc = node / "etc"
        etc.mkdir(parents=True)
        for name in FROM_ETC:
            if Path("/etc", name).exists():
                shutil.copy2(f"/etc/{name}", etc)
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        lines = [f"mount --bind {etc} /etc", "mount -t tmpfs tmpfs /run", "mount -t tmpfs tmpfs /opt", "mkdir /opt/app"]
        lines.append(f"mount --bind {self.image}/app /opt/app")
        for mount in spec["containers"][0]["volumeMounts"]:
            if "emptyDir" in volumes[mount["name"]]:
                continue  # /tmp, where this test's own files are
            files = self._files(volumes[mount["name"]])
            source = node / mount["name"]
            source.mkdir()
            for name, text in files.items():
                (source / name).write_text(text)
            lines += [f"mkdir -p {mount['mountPath']}", f"mount --bind {source} {mount['mountPath']}"]
        for folder in [node, *node.rglob("*")]:
            folder.chmod(0o755 if folder.is_dir() else 0o644)
        return "\n".join([*lines, "mount -o remount,bind,ro /"])

    def _files(self, volume: Object) -> dict[str, str]:
        """The files of a volume, by name."""
        if "configMap" in volume:
            return dict(self.objects["ConfigMap", volume["configMap"]["name"]]["data"])
        if "projected" in volume:
            return {
                name: text for source in volume["projected"]["sources"] for name, text in self._files(source).items()
            }
        secret = self.objects["Secret", volume["secret"]["secretName"]]["stringData"]
        items = volume["secret"].get("items") or [{"key": key, "path": key} for key in secret]
        return {item["path"]: secret[item["key"]] for item in items}


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """A text with $(NAME) replaced, and $$ as a dollar, as Kubernetes does; an unknown name stays."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return environment.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", replace, text)
