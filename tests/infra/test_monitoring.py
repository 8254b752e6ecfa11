"""Alarms, scaling and logs."""

import json

from assembly import Assembly


def test_two_alarms_are_the_or_and_one_is_the_and(default: Assembly) -> None:
    started = [
        action["Ref"]
        for alarm in default.resources("AWS::CloudWatch::Alarm").values()
        for action in alarm["Properties"]["AlarmActions"]
        if action["Ref"].startswith("Scaling")
    ]
    assert sorted(ref[: len("ScalingScaleXx")] for ref in started) == [
        "ScalingScaleIn",
        "ScalingScaleOu",
        "ScalingScaleOu",
    ]


def test_logs_are_kept_30_days(default: Assembly) -> None:
    groups = default.resources("AWS::Logs::LogGroup").values()
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {30}
    assert {group["Properties"]["LogGroupName"] for group in groups} == {
        "/aws/lambda/cbu-production-rotate-admin",
        "/aws/lambda/cbu-production-rotate-serving",
        "/aws/rds/instance/cbu-production/error",
        "/aws/rds/instance/cbu-production/slowquery",
        "/cbu/production/app",
        "/cbu/production/migrate",
        "/cbu/production/nginx",
    }


def test_a_stalled_log_service_stops_no_request(default: Assembly) -> None:
    for container in default.containers().values():
        options = container["LogConfiguration"]["Options"]
        assert options["mode"] == "non-blocking"
        assert "max-buffer-size" in options


def test_alarms(default: Assembly) -> None:
    alarms = {
        a["Properties"]["AlarmName"].removeprefix("cbu-production-"): a["Properties"]
        for a in default.resources("AWS::CloudWatch::Alarm").values()
        if "AlarmName" in a["Properties"]
    }
    assert set(alarms) == {
        "CpuHigh",
        "DatabaseDown",
        "NoHealthyHosts",
        "RotationFailed",
        "MemoryHigh",
        "ErrorRate",
        "UnhealthyHosts",
        "SlowResponses",
        "PoolSaturated",
        "ServiceErrors",
        "DatabaseCpuHigh",
        "DatabaseStorageLow",
        "DatabaseConnectionsHigh",
        "DatabaseCreditsLow",
        "ProxyPinned",
    }
    (topic,) = default.resources("AWS::SNS::Topic")
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": topic}], name
        assert alarm["OKActions"] == [{"Ref": topic}], name
        missing = {"DatabaseDown": "ignore", "NoHealthyHosts": "breaching"}
        assert alarm["TreatMissingData"] == missing.get(name, "notBreaching"), name
        assert name in alarm["AlarmDescription"]
    healthy = alarms["NoHealthyHosts"]
    assert healthy["MetricName"] == "HealthyHostCount"
    assert (healthy["ComparisonOperator"], healthy["Threshold"]) == ("LessThanThreshold", 1)
    assert alarms["DatabaseStorageLow"]["Threshold"] == 4 * 2**30
    assert alarms["DatabaseCreditsLow"]["EvaluationPeriods"] == 3
    assert alarms["SlowResponses"]["ExtendedStatistic"] == "p99"
    assert alarms["ProxyPinned"]["MetricName"] == "DatabaseConnectionsCurrentlySessionPinned"


def test_the_alarm_of_the_database_lasts_as_long_as_the_outage(default: Assembly) -> None:
    """A keeper logs a change once; what ends the alarm is the event that ends the outage."""
    filters = [
        f["Properties"]
        for f in default.resources("AWS::Logs::MetricFilter").values()
        if f["Properties"]["MetricTransformations"][0]["MetricName"] == "DatabaseDown"
    ]
    values = {f["FilterPattern"]: f["MetricTransformations"][0]["MetricValue"] for f in filters}
    event = '($.event = "database.state")'
    assert values == {
        f'{{ {event} && ($.state != "up") }}': "1",
        f'{{ {event} && ($.state = "up") }}': "0",
    }
    assert not any("DefaultValue" in f["MetricTransformations"][0] for f in filters)


def test_the_alarm_of_the_rotation_watches_the_functions_that_there_are(default: Assembly) -> None:
    functions = {
        schedule["Properties"]["HostedRotationLambda"]["RotationLambdaName"]
        for schedule in default.resources("AWS::SecretsManager::RotationSchedule").values()
    }
    (alarm,) = (
        a["Properties"]
        for a in default.resources("AWS::CloudWatch::Alarm").values()
        if a["Properties"].get("AlarmName", "").endswith("-RotationFailed")
    )
    metrics = [m["MetricStat"]["Metric"] for m in alarm["Metrics"] if "MetricStat" in m]
    assert {m["MetricName"] for m in metrics} == {"Errors"}
    assert {m["Dimensions"][0]["Value"] for m in metrics} == functions
    assert alarm["EvaluationPeriods"] == 1


def test_error_rate_counts_the_load_balancers_own_failures(default: Assembly) -> None:
    (alarm,) = (
        a["Properties"]
        for a in default.resources("AWS::CloudWatch::Alarm").values()
        if a["Properties"].get("AlarmName", "").endswith("-ErrorRate")
    )
    names = {m["MetricStat"]["Metric"]["MetricName"] for m in alarm["Metrics"] if "MetricStat" in m}
    assert names == {"HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count", "RequestCount"}


def test_no_alarm_reads_billing_metrics(default: Assembly) -> None:
    assert "AWS/Billing" not in json.dumps(list(default.templates.values()))
