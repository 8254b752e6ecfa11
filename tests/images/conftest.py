"""Builds the two images on a base made here, and runs them as ECS would: podman does what the task
definitions of the synthesized templates say.

Everything but the builds happens in a network namespace of its own, which is to this run what a
task's is on Fargate: nothing else listens there, and nothing outside can be reached.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ecs import ROOT, Cgroup, Task, run

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests/infra"))
sys.path.insert(0, str(ROOT / "tests/integration"))
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.pop("CDK_CONTEXT_JSON", None)

from assembly import Assembly, synthesize
from stacks import Stack

STORE = ROOT / "build/images"
BASE = "localhost/cbu-base:bookworm"
TAG = "imagetest"
CA_IN_CONTAINER = "/run/database-ca.pem"
COGNITO_ARN = "arn:aws:secretsmanager:us-east-2:000000000000:secret:cbu/cognito"

CONTAINERS_CONF = """
[engine]
# crun asks for rights that containers of CI have not.
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_backend = "netavark"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=4096:4096", "nproc=1024:1024"]
"""


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """buildah and podman with a store of this checkout."""
    assert os.geteuid() == 0, "make image-test needs root: namespaces, cgroups, mounts"
    for program in ("buildah", "podman", "runc"):
        assert shutil.which(program), f"{program} is missing; local/setup image installs it"
    STORE.mkdir(parents=True, exist_ok=True)
    storage = STORE / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{STORE}/graph"\nrunroot = "{STORE}/run"\n'
    )
    (STORE / "containers.conf").write_text(CONTAINERS_CONF)
    os.environ.update(
        CONTAINERS_STORAGE_CONF=str(storage),
        CONTAINERS_CONF=str(STORE / "containers.conf"),
        BUILDAH_ISOLATION="chroot",
        IMAGE_TOOL="buildah",
        IMAGE_TAG=TAG,
        BASE=BASE,
    )


Note = Callable[[str], None]


@pytest.fixture(scope="session")
def note() -> Iterator[Note]:
    """Takes down a figure; build/reports/images.txt holds what the documents quote."""
    lines: list[str] = []
    yield lines.append
    (ROOT / "build/reports/images.txt").write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="session", autouse=True)
def images(engine: None) -> None:
    """cbu:TAG-app and cbu:TAG-nginx of this tree."""
    local_image = str(ROOT / "local/image")
    if subprocess.run(["podman", "image", "exists", BASE]).returncode != 0:
        run(local_image, "base", limit_s=900)
    run(local_image, "build", limit_s=1200)


@pytest.fixture(scope="session", autouse=True)
def network(images: None) -> None:
    """From here on in a network of our own, which all programs started later share."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000
    assert libc.unshare(clone_newnet) == 0, os.strerror(ctypes.get_errno())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        set_flags, up_and_running = 0x8914, 0x41
        fcntl.ioctl(probe, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


@pytest.fixture(scope="session")
def stack(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Database and AWS stand-in of local/stack; its own service and nginx are down."""
    data = tmp_path_factory.mktemp("stack") / "data"
    with Stack(data, "--aws", "--empty") as stack:
        for part in ("nginx", "app"):
            stack.command("stop", part)
        aws = data / "secrets/aws.json"
        state = json.loads(aws.read_text())
        version = {"VersionId": str(uuid.uuid4()), "SecretString": secrets.token_hex(20)}
        state["secrets"][COGNITO_ARN] = {"AWSCURRENT": version}
        aws.write_text(json.dumps(state))
        yield stack


@pytest.fixture(scope="session")
def default() -> Assembly:
    return synthesize()


Definition = dict[str, Any]
MakeTask = Callable[..., Task]


@pytest.fixture
def make_task(stack: Stack, default: Assembly) -> Iterator[MakeTask]:
    """Makes tasks from the definition in a stack of the CDK app; removes them afterwards."""
    made: list[tuple[Task, Cgroup]] = []

    def url(user: str, password_url: str) -> str:
        return f"mysql://{user}@{password_url.rpartition('@')[2]}"

    def make(of: str = "Service", assembly: Assembly = default, **changes: str) -> Task:
        definition = assembly.one("AWS::ECS::TaskDefinition", of)
        number = f"{os.getpid()}-{len(made)}"
        cgroup = Cgroup(
            f"cbu-image-test-{number}",
            cpu_units=int(definition["Cpu"]),
            memory_mib=int(definition["Memory"]),
        )
        address = stack.env["DATABASE_TCP_URL"]
        task = Task(
            f"cbu-{number}",
            definition,
            cgroup,
            tag=TAG,
            environment={
                "DATABASE_URL": url("cbu", address),
                "DATABASE_SECRET_ARN": stack.env["DATABASE_SECRET_ARN"],
                "MIGRATE_DATABASE_URL": url("cbu_admin", address),
                "MIGRATE_DATABASE_SECRET_ARN": stack.env["DATABASE_SECRET_ARN"].replace(
                    "/database", "/migrate"
                ),
                "APP_JWT_SECRET_ARN": stack.env["APP_JWT_SECRET_ARN"],
                "COGNITO_CLIENT_SECRET_ARN": COGNITO_ARN,
                "COGNITO_USER_POOL_ID": "us-east-2_ImageTest",
                "COGNITO_CLIENT_ID": "imagetestclient",
                "S3_BUCKET_NAME": stack.env["S3_BUCKET_NAME"],
                "IMAGE_BASE_URL": "https://images.example.com",
                **changes,
            },
            local={
                "DATABASE_CA_FILE": CA_IN_CONTAINER,
                **{
                    name: value
                    for name, value in stack.env.items()
                    if name.startswith(("AWS_", "COGNITO_ENDPOINT", "COGNITO_JWKS"))
                },
            },
            files={stack.data / "tls/ca.pem": CA_IN_CONTAINER},
        )
        made.append((task, cgroup))
        cgroup.__enter__()
        return task

    yield make
    for task, cgroup in reversed(made):
        for container in task.containers.values():
            print(f"--- {container.name}\n{container.log()[-4000:]}")
        task.remove()
        cgroup.__exit__()
