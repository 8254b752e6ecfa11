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
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert name in alarm["AlarmDescription"]
    assert alarms["DatabaseStorageLow"]["Threshold"] == 4 * 2**30
    assert alarms["DatabaseCreditsLow"]["EvaluationPeriods"] == 3
    assert alarms["SlowResponses"]["ExtendedStatistic"] == "p99"
    assert alarms["ProxyPinned"]["MetricName"] == "DatabaseConnectionsCurrentlySessionPinned"


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
