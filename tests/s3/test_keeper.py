"""The keeper's HeadBucket, as a real S3 server sees it."""

from __future__ import annotations

from typing import Any

import pytest
from s3_server import BUCKET, REGION, ROOT_KEY, S3
from stacks import Service, wait_for


def settings(s3: S3, **more: str) -> dict[str, str]:
    """Of a service that has no database, which the keeper does not mind."""
    return {
        "DATABASE_URL": "mysql://cbu@localhost/shop?socket=/nowhere.sock",
        "APP_JWT_SECRET": "0123456789abcdef0123456789abcdef",
        "WORKERS": "1",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": f"http://{s3.host}",
        "S3_BUCKET_NAME": BUCKET,
        **more,
    }


def bucket_seen(service: Service) -> dict[str, Any]:
    """The first word on the bucket."""

    def look() -> dict[str, Any] | None:
        bucket: dict[str, Any] = service.status()["bucket"]
        return bucket if bucket["state"] != "unknown" else None

    return wait_for(look, "a look at the bucket")


LONG_LIVED = {
    "AWS_ACCESS_KEY_ID": ROOT_KEY.access_key,
    "AWS_SECRET_ACCESS_KEY": ROOT_KEY.secret_key,
}


def test_the_bucket_is_up(s3: S3) -> None:
    with Service(with_nginx=False, **settings(s3, **LONG_LIVED)) as service:
        assert bucket_seen(service) == {"state": "up", "error": ""}
        (event,) = service.events("aws.call")
        assert (event["operation"], event["status"], event["attempts"]) == ("HeadBucket", 200, 1)
        assert event["aws_request_id"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "local-test-secreu"}, "HeadBucket: status 403"),
        ({"AWS_REGION": "us-east-1"}, "HeadBucket: status 40"),
        ({"S3_BUCKET_NAME": "absent"}, "HeadBucket: status 404"),
    ],
)
def test_the_bucket_is_down(s3: S3, wrong: dict[str, str], error: str) -> None:
    with Service(with_nginx=False, **settings(s3, **{**LONG_LIVED, **wrong})) as service:
        bucket = bucket_seen(service)
        assert bucket["state"] == "down"
        assert bucket["error"].startswith(error)
