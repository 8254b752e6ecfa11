"""The containers' environment: exactly these names, and nothing secret among the values."""

import json
import ssl
import time
from pathlib import Path

import pytest
from assembly import Assembly, synthesize

ROOT = Path(__file__).resolve().parents[2]

# The first six were asked for by name.
APP = {
    "DATABASE_URL",
    "COGNITO_USER_POOL_ID",
    "COGNITO_CLIENT_ID",
    "AWS_REGION",
    "LOG_LEVEL",
    "S3_BUCKET_NAME",
    # Secrets, read at run time.
    "DATABASE_SECRET_ARN",
    "COGNITO_CLIENT_SECRET_ARN",
    "APP_JWT_SECRET_ARN",
    # Shown although they have their default.
    "STOP_TIMEOUT_S",
    "WORKERS",
}
NGINX = {"NGINX_REAL_IP_FROM", "STOP_TIMEOUT_S"}
MIGRATE = {
    "AWS_REGION",
    "DATABASE_CA_FILE",
    "DATABASE_SECRET_ARN",
    "DATABASE_URL",
    "LOG_LEVEL",
    "MIGRATE_DATABASE_SECRET_ARN",
    "MIGRATE_DATABASE_URL",
    "STOP_TIMEOUT_S",
    "WORKERS",
}


@pytest.mark.parametrize(
    ("container", "names"), [("app", APP), ("nginx", NGINX), ("migrate", MIGRATE)]
)
def test_names(default: Assembly, container: str, names: set[str]) -> None:
    assert set(default.environment(container)) == names


def test_values(default: Assembly) -> None:
    app = default.environment("app")
    assert app["AWS_REGION"] == "us-east-2"
    assert app["LOG_LEVEL"] == "INFO"
    assert app["WORKERS"] == "8"
    assert default.environment("nginx")["NGINX_REAL_IP_FROM"] == "10.0.1.0/24,10.0.11.0/24"


def test_the_database_url_names_the_proxy_and_no_password(default: Assembly) -> None:
    before, endpoint, after = default.environment("app")["DATABASE_URL"]["Fn::Join"][1]
    assert before == "mysql://cbu@"
    (proxy,) = default.resources("AWS::RDS::DBProxy")
    assert endpoint == {"Fn::GetAtt": [proxy, "Endpoint"]}
    assert after == ":3306/cbu"


def test_the_migration_goes_past_the_proxy_and_knows_the_databases_authority(
    default: Assembly,
) -> None:
    environment = default.environment("migrate")
    (instance,) = default.resources("AWS::RDS::DBInstance")
    for name, user in (("DATABASE_URL", "cbu"), ("MIGRATE_DATABASE_URL", "cbu_admin")):
        before, endpoint, after = environment[name]["Fn::Join"][1]
        assert (before, after) == (f"mysql://{user}@", ":3306/cbu")
        assert f"{instance}EndpointAddress" in endpoint["Fn::ImportValue"]
    authority = default.one("AWS::RDS::DBInstance")["CACertificateIdentifier"]
    assert authority == "rds-ca-rsa2048-g1"
    bundle = (ROOT / "infra/rds-ca.pem").read_text()
    assert "# Amazon RDS us-east-2 Root CA RSA2048 G1," in bundle
    assert environment["DATABASE_CA_FILE"] == "/usr/local/share/cbu/rds-ca.pem"
    assert "COPY infra/rds-ca.pem /out/usr/local/share/cbu/\n" in (ROOT / "Dockerfile").read_text()


def test_the_authorities_of_the_database_are_good_for_years() -> None:
    bundle = ssl.create_default_context(cafile=str(ROOT / "infra/rds-ca.pem")).get_ca_certs()
    rds = [each for each in bundle if "Amazon RDS" in str(each["subject"])]
    assert len(rds) > 20
    for each in rds:
        assert each["subject"] == each["issuer"]
        assert ssl.cert_time_to_seconds(str(each["notAfter"])) > time.time() + 5 * 365 * 86400


def test_the_proxy_is_made_after_the_user_that_it_logs_in_as(default: Assembly) -> None:
    """The migration makes that user, and the stack Service is deployed after it."""
    for type in ("AWS::RDS::DBProxy", "AWS::RDS::DBProxyTargetGroup"):
        assert len(default.resources(type, "Service")) == len(default.resources(type)) == 1
    (group,) = default.resources("AWS::RDS::DBProxyTargetGroup")
    (service,) = default.resources("AWS::ECS::Service").values()
    assert group in service["DependsOn"]


def test_no_secret_is_injected_or_resolved(default: Assembly) -> None:
    for name, container in default.containers().items():
        assert "Secrets" not in container, name
        assert "{{resolve:" not in json.dumps(container), name


def test_settings_given_as_context_reach_every_command_of_the_service() -> None:
    assembly = synthesize(WORKERS="4", SHOP_CURRENCY="EUR", LOG_LEVEL="DEBUG")
    for container in ("app", "migrate"):
        environment = assembly.environment(container)
        assert environment["WORKERS"] == "4"
        assert environment["SHOP_CURRENCY"] == "EUR"
        assert environment["LOG_LEVEL"] == "DEBUG"
    assert set(assembly.environment("app")) == APP | {"SHOP_CURRENCY"}


def test_nginxs_settings_given_as_context_reach_nginx() -> None:
    given = {"CORS_ORIGINS": "https://shop.example", "NGINX_MAX_BODY": "128k"}
    assembly = synthesize(**given)
    nginx, app = (assembly.environment(container) for container in ("nginx", "app"))
    assert set(nginx) == NGINX | set(given)
    assert {name: nginx[name] for name in given} == given
    # The program's check at start compares them with its own.
    assert {name: app[name] for name in given} == given
    assert set(assembly.environment("migrate")) == MIGRATE


def test_a_setting_of_both_reaches_both() -> None:
    assembly = synthesize(STOP_TIMEOUT_S="30")
    assert assembly.environment("nginx")["STOP_TIMEOUT_S"] == "30"
    assert assembly.environment("app")["STOP_TIMEOUT_S"] == "30"
