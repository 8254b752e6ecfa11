"""What ECS does with a task definition, done by podman on this machine: the same users, volumes,
limits, order of start, and order of stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
POLL_S = 0.01
Json = dict[str, Any]
T = TypeVar("T")


def wait_for(look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Looks again and again until there is something true to see."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}; last seen: {seen!r}"
        time.sleep(POLL_S)
    return seen


def run(*argv: str, input: bytes | None = None, limit_s: float = 120) -> str:
    """Standard output of a program that must succeed."""
    done = subprocess.run(argv, input=input, capture_output=True, timeout=limit_s)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{' '.join(argv)}: {said}{done.stderr.decode(errors='replace')}"
    return said


class Cgroup:
    """The limits of the whole task, in which its containers' own lie. Use as a context manager."""

    ROOT = Path("/sys/fs/cgroup")

    def __init__(self, name: str, *, cpu_units: int, memory_mib: int) -> None:
        self.name = name
        quota_us = 100_000 * cpu_units // 1024
        memory = memory_mib * 2**20
        # Version 2 has one tree, version 1 one for each controller.
        self.limits: dict[Path, dict[str, str]] = (
            {self.ROOT / name: {"cpu.max": f"{quota_us} 100000", "memory.max": str(memory)}}
            if (self.ROOT / "cgroup.controllers").exists()
            else {
                self.ROOT / "cpu" / name: {
                    "cpu.cfs_period_us": "100000",
                    "cpu.cfs_quota_us": str(quota_us),
                },
                self.ROOT / "memory" / name: {
                    "memory.use_hierarchy": "1",
                    "memory.limit_in_bytes": str(memory),
                },
            }
        )

    def __enter__(self) -> Cgroup:
        for folder, limits in self.limits.items():
            folder.mkdir()
            if (self.ROOT / "cgroup.controllers").exists():
                (self.ROOT / "cgroup.subtree_control").write_text("+cpu +memory")
                (folder / "cgroup.subtree_control").write_text("+cpu +memory")
            for file, value in limits.items():
                # A file that says so already may refuse to be told.
                if (folder / file).read_text().split() != value.split():
                    (folder / file).write_text(value)
        return self

    def __exit__(self, *_: object) -> None:
        # On version 1 the runtime has made one for each controller. From the inside out.
        for folder in {*self.limits, *self.ROOT.glob(f"*/{self.name}")}:
            inner = sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True)
            for each in (*inner, folder):
                with contextlib.suppress(OSError):
                    each.rmdir()

    def holds(self, pid: int) -> bool:
        """Whether the process is below both limits."""
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        inside = [line for line in groups if f"/{self.name}/" in line]
        return any(":memory:" in line or line.startswith("0::/") for line in inside) and any(
            ":cpu:" in line or ":cpu," in line or line.startswith("0::/") for line in inside
        )


class Container:
    """One container of a task that was started."""

    def __init__(self, name: str, definition: Json) -> None:
        self.name = name
        self.definition = definition
        self.stop_timeout_s = definition["StopTimeout"]

    def inspect(self) -> Json:
        return json.loads(run("podman", "inspect", self.name))[0]

    @property
    def pid(self) -> int:
        """Of its first process, 0 when it does not run."""
        return int(self.inspect()["State"]["Pid"])

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, as its user."""
        return subprocess.run(
            ["podman", "exec", self.name, *command], capture_output=True, text=True, timeout=60
        )

    def is_healthy(self) -> bool:
        """By the health check of the task definition."""
        kind, *command = self.definition["HealthCheck"]["Command"]
        assert kind == "CMD"
        return self.execute(*command).returncode == 0

    def log(self) -> str:
        done = subprocess.run(["podman", "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def stop_signal(self) -> signal.Signals:
        number = self.inspect()["Config"]["StopSignal"]
        return signal.Signals(number if isinstance(number, int) else int(str(number)))

    def ask_to_stop(self) -> None:
        """What ECS does first, by the signal that the image names."""
        os.kill(self.pid, self.stop_signal())

    def wait(self) -> int:
        """The exit code; 137 when it did not end in time and was killed, as ECS would."""
        try:
            return int(run("podman", "wait", self.name, limit_s=self.stop_timeout_s))
        except subprocess.TimeoutExpired:
            run("podman", "kill", "--signal", "KILL", self.name)
            return int(run("podman", "wait", self.name))


class Task:
    """A task from its CloudFormation properties. `environment` gives values for what only a
    deployment knows; `local` is what this machine needs beside that: ECS has other ways."""

    def __init__(
        self,
        name: str,
        definition: Json,
        cgroup: Cgroup,
        *,
        tag: str,
        environment: Mapping[str, str],
        local: Mapping[str, str],
        files: Mapping[Path, str],
    ) -> None:
        self.name = name
        self.definition = definition
        self.cgroup = cgroup
        self._tag = tag
        self._environment = environment
        self._local = local
        self._files = files
        self.containers = {
            each["Name"]: Container(f"{name}-{each['Name']}", each)
            for each in definition["ContainerDefinitions"]
        }

    def create(self) -> None:
        for container in self.containers.values():
            run("podman", "create", *self._options(container), *self._command(container))

    def start(self, name: str) -> Container:
        container = self.containers[name]
        run("podman", "start", container.name)
        return container

    def start_all(self) -> None:
        """In the order of DependsOn, each when the one before is healthy."""
        self.create()
        for container in self._in_order():
            for needed in container.definition.get("DependsOn", []):
                assert needed["Condition"] == "HEALTHY"
                wait_for(self.containers[needed["ContainerName"]].is_healthy, f"{needed} healthy")
            run("podman", "start", container.name)

    def _in_order(self) -> Iterator[Container]:
        started: set[str] = set()
        while len(started) < len(self.containers):
            for name, container in self.containers.items():
                needs = {d["ContainerName"] for d in container.definition.get("DependsOn", [])}
                if name not in started and needs <= started:
                    started.add(name)
                    yield container

    def stop_order(self) -> list[Container]:
        return list(self._in_order())[::-1]

    def folder_of(self, volume: str) -> Path:
        """Where this machine has a volume of the task."""
        name = f"{self.name}-{volume}"
        return Path(run("podman", "volume", "inspect", "--format", "{{.Mountpoint}}", name).strip())

    def remove(self) -> None:
        for container in self.containers.values():
            subprocess.run(["podman", "rm", "-f", "-t", "0", container.name], capture_output=True)
        for volume in self.definition["Volumes"]:
            subprocess.run(
                ["podman", "volume", "rm", "-f", f"{self.name}-{volume['Name']}"],
                capture_output=True,
            )

    def _options(self, container: Container) -> list[str]:
        definition = container.definition
        options = [
            f"--name={container.name}",
            # One network for all containers of a task, as in the mode awsvpc.
            "--network=host",
            f"--cgroup-parent=/{self.cgroup.name}",
            f"--memory={definition['Memory']}m",
            f"--memory-swap={definition['Memory']}m",
            f"--user={definition['User']}",
            "--security-opt=no-new-privileges",
            # Only what the definition mounts can be written to.
            "--image-volume=ignore",
            "--read-only-tmpfs=false",
            "--no-healthcheck",
            "--no-hosts",
        ]
        if definition["ReadonlyRootFilesystem"]:
            options.append("--read-only")
        for capability in definition["LinuxParameters"]["Capabilities"]["Drop"]:
            options.append(f"--cap-drop={capability}")
        for mount in definition["MountPoints"]:
            # Empty, with owner and mode of the image's folder: what Fargate does for VOLUME, too.
            volume = f"{self.name}-{mount['SourceVolume']}"
            options.append(f"--volume={volume}:{mount['ContainerPath']}")
        for file, path in self._files.items():
            options.append(f"--volume={file}:{path}:ro")
        environment = {v["Name"]: v["Value"] for v in definition["Environment"]}
        for name, value in environment.items():
            if not isinstance(value, str):  # a reference, resolved at deployment
                environment[name] = self._environment[name]
        for name, value in {**self._local, **environment}.items():
            options.append(f"--env={name}={value}")
        return options

    def _command(self, container: Container) -> list[str]:
        # {"Fn::Join": ["", [..., {"Ref": "ImageTag"}, "-app"]]}
        suffix = container.definition["Image"]["Fn::Join"][1][-1]
        return [f"localhost/cbu:{self._tag}{suffix}", *container.definition.get("Command", [])]
