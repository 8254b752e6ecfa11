"""What is watched and who is told: alarms, a dashboard, saved log queries, and a budget."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.data import STORAGE_GIB, Database
from infra.edge import Edge
from infra.options import Options
from infra.service import Service

BUDGET_PERCENT = 80, 100
ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


@dataclass(frozen=True)
class AlarmRow:
    """An alarm: `of` the last `minutes` minutes (all, unless given) must be beyond the threshold.
    `means` is what the person who is woken reads first; docs/infrastructure.md says what to do."""

    name: str
    means: str
    metric: cloudwatch.IMetric
    threshold: float
    minutes: int
    of: int | None = None
    comparison: cloudwatch.ComparisonOperator = ABOVE
    stops_deployment: bool = False


# Saved queries of CloudWatch Logs Insights: name, container whose log it reads, query.
QUERIES = (
    (
        "failed requests",
        "nginx",
        "fields @timestamp, status, method, uri, request_id, upstream_status\n"
        '| filter event = "nginx.access" and status >= 500\n| sort @timestamp desc\n| limit 200',
    ),
    (
        "slowest requests",
        "nginx",
        "fields @timestamp, request_time, upstream_response_time, method, uri, status, request_id\n"
        '| filter event = "nginx.access"\n| sort request_time desc\n| limit 100',
    ),
    (
        "requests by status and minute",
        "nginx",
        'filter event = "nginx.access"\n| stats count() as requests by status, bin(1m)',
    ),
    (
        "causes of failures",
        "app",
        'fields @timestamp, level, @message\n| filter event = "request.failed"\n'
        "| sort @timestamp desc\n| limit 200",
    ),
    (
        "life of the pool",
        "app",
        "fields @timestamp, level, event, pid, @message\n"
        "| filter event like /^(serve|worker|pool|keeper|process|fork)\\./\n"
        "| sort @timestamp desc\n| limit 200",
    ),
)


class Monitoring(Construct):
    """Attributes: topic, alarms (by name)."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        edge: Edge,
        service: Service,
        database: Database,
    ) -> None:
        super().__init__(scope, id)
        self._options = options
        self._minute = cdk.Duration.minutes(1)
        email = cdk.CfnParameter(
            cdk.Stack.of(self),
            "AlarmEmail",
            description="who is told of alarms and of the budget",
            allowed_pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        ).value_as_string
        self.topic = self._make_topic(email)
        metrics = self._metrics(edge, service, database)
        self.alarms = {row.name: self._make_alarm(row) for row in self._alarm_rows(metrics)}
        self._stop_bad_deployments(service.service, metrics)
        self._make_dashboard(metrics)
        self._save_queries(service)
        self._make_budget(email)

    def _make_topic(self, email: str) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", display_name=f"cbu {self._options.environment}")
        topic.add_subscription(subscriptions.EmailSubscription(email))
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="TlsOnly",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        )
        # A policy of our own replaces the one by which the account itself may publish: without
        # this statement every alarm would be silent.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )
        return topic

    # Metrics

    def _metrics(
        self, edge: Edge, service: Service, database: Database
    ) -> dict[str, cloudwatch.IMetric]:
        balancer, targets, tasks = (
            edge.load_balancer.metrics,
            edge.target_group.metrics,
            service.service,
        )
        codes, own_codes = elb.HttpCodeTarget, elb.HttpCodeElb
        requests = balancer.request_count(period=self._minute)
        from_service = balancer.http_code_target(codes.TARGET_5XX_COUNT, period=self._minute)
        from_balancer = balancer.http_code_elb(own_codes.ELB_5XX_COUNT, period=self._minute)
        return {
            "cpu": tasks.metric_cpu_utilization(period=self._minute),
            "memory": tasks.metric_memory_utilization(period=self._minute),
            "requests": requests,
            "error rate": cloudwatch.MathExpression(
                label="5xx, % of requests",
                # Of three requests one failure is no rate; and a load balancer without healthy
                # targets answers 503 itself.
                expression="IF(requests >= 20,"
                " 100 * (FILL(service, 0) + FILL(balancer, 0)) / requests, 0)",
                using_metrics={
                    "requests": requests,
                    "service": from_service,
                    "balancer": from_balancer,
                },
                period=self._minute,
            ),
            "p50": balancer.target_response_time(period=self._minute, statistic="p50"),
            "p99": balancer.target_response_time(period=self._minute, statistic="p99"),
            "unhealthy": targets.unhealthy_host_count(period=self._minute, statistic="Maximum"),
            "healthy": targets.healthy_host_count(period=self._minute, statistic="Minimum"),
            "shed": self._count_in_log(
                "Shed",
                service.task.log_groups["nginx"],
                logs.FilterPattern.all(
                    logs.FilterPattern.string_value("$.event", "=", "nginx.access"),
                    logs.FilterPattern.number_value("$.status", "=", 503),
                ),
            ),
            "service errors": self._count_in_log(
                "ServiceErrors",
                service.task.log_groups["app"],
                logs.FilterPattern.string_value("$.level", "=", "ERROR"),
            ),
            **self._database_metrics(database),
        }

    def _database_metrics(self, database: Database) -> dict[str, cloudwatch.IMetric]:
        instance = database.instance

        def of_proxy(name: str, statistic: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/RDS",
                metric_name=name,
                dimensions_map={"ProxyName": database.proxy.db_proxy_name},
                statistic=statistic,
                period=self._minute,
            )

        return {
            "db cpu": instance.metric_cpu_utilization(period=self._minute),
            "db connections": instance.metric_database_connections(
                period=self._minute, statistic="Maximum"
            ),
            "db storage": instance.metric_free_storage_space(
                period=self._minute, statistic="Minimum"
            ),
            "db memory": instance.metric_freeable_memory(period=self._minute),
            "db credits": instance.metric(
                "CPUCreditBalance", period=cdk.Duration.minutes(5), statistic="Minimum"
            ),
            "pinned": of_proxy("DatabaseConnectionsCurrentlySessionPinned", "Maximum"),
            "proxy clients": of_proxy("ClientConnections", "Sum"),
            "proxy connections": of_proxy("DatabaseConnections", "Sum"),
        }

    def _count_in_log(
        self, name: str, log_group: logs.ILogGroup, pattern: logs.IFilterPattern
    ) -> cloudwatch.Metric:
        found = logs.MetricFilter(
            self,
            f"Count{name}",
            log_group=log_group,
            filter_pattern=pattern,
            metric_namespace=f"cbu/{self._options.environment}",
            metric_name=name,
            metric_value="1",
            default_value=0,
        )
        return found.metric(period=self._minute, statistic="Sum")

    # Alarms

    def _alarm_rows(self, metrics: dict[str, cloudwatch.IMetric]) -> list[AlarmRow]:
        database = self._options.database
        connections = int(0.6 * database.max_connections)
        rows = [
            AlarmRow("CpuHigh", "tasks are busy and scaling does not help", metrics["cpu"], 85, 10),
            AlarmRow("MemoryHigh", "tasks run out of memory", metrics["memory"], 90, 5),
            AlarmRow(
                "ErrorRate",
                "more than 5 % of requests fail",
                metrics["error rate"],
                5,
                5,
                of=3,
                stops_deployment=True,
            ),
            AlarmRow(
                "UnhealthyHosts",
                "a task fails its health check",
                metrics["unhealthy"],
                0,
                3,
                stops_deployment=True,
            ),
            AlarmRow("SlowResponses", "p99 is above 1 second", metrics["p99"], 1, 5),
            AlarmRow(
                "PoolSaturated",
                "nginx turns requests away (503): queue full, or no worker in time",
                metrics["shed"],
                10,
                5,
                of=3,
            ),
            AlarmRow(
                "ServiceErrors",
                "the service logged an event of level ERROR",
                metrics["service errors"],
                0,
                1,
            ),
            AlarmRow("DatabaseCpuHigh", "the database is busy", metrics["db cpu"], 80, 15),
            AlarmRow(
                "DatabaseStorageLow",
                "less than a fifth of the database's disk is free",
                metrics["db storage"],
                STORAGE_GIB * 2**30 // 5,
                5,
                comparison=BELOW,
            ),
            AlarmRow(
                "DatabaseConnectionsHigh",
                "60 % of the connections that the instance class allows are open",
                metrics["db connections"],
                connections,
                5,
            ),
            AlarmRow(
                "ProxyPinned",
                "sessions are pinned: RDS Proxy no longer shares connections",
                metrics["pinned"],
                0,
                5,
            ),
        ]
        if database.burstable:
            rows.append(
                AlarmRow(
                    "DatabaseCreditsLow",
                    "the database will soon run at its baseline speed or cost more",
                    metrics["db credits"],
                    20,
                    15,
                    comparison=BELOW,
                )
            )
        return rows

    def _alarm_name(self, name: str) -> str:
        return f"cbu-{self._options.environment}-{name}"

    def _make_alarm(self, row: AlarmRow) -> cloudwatch.Alarm:
        metric = row.metric
        period = metric.period.to_minutes() if isinstance(metric, cloudwatch.Metric) else 1
        alarm = cloudwatch.Alarm(
            self,
            row.name,
            alarm_name=self._alarm_name(row.name),
            alarm_description=f"{row.means} (docs/infrastructure.md, {row.name})",
            metric=metric,
            threshold=row.threshold,
            comparison_operator=row.comparison,
            evaluation_periods=int(row.minutes / period),
            datapoints_to_alarm=row.of,
            # No data means no traffic, or a database that is just being restarted.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        tell = actions.SnsAction(self.topic)
        alarm.add_alarm_action(tell)
        alarm.add_ok_action(tell)
        return alarm

    def _stop_bad_deployments(
        self, service: ecs.FargateService, metrics: dict[str, cloudwatch.IMetric]
    ) -> None:
        names = [row.name for row in self._alarm_rows(metrics) if row.stops_deployment]
        service.enable_deployment_alarms(
            [self._alarm_name(name) for name in names],
            behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM,
        )
        # They watch the load balancer, so they can be there before the service asks for them.
        service.node.add_dependency(*(self.alarms[name] for name in names))

    # Dashboard, queries, budget

    def _make_dashboard(self, metrics: dict[str, cloudwatch.IMetric]) -> None:
        rows = (
            ("Requests a minute", ["requests"], ("Failures, % of requests", ["error rate"])),
            ("Seconds to answer", ["p50", "p99"], ("Tasks", ["healthy", "unhealthy"])),
            ("Tasks, %", ["cpu", "memory"], ("Turned away; errors", ["shed", "service errors"])),
            ("Database, CPU %", ["db cpu"], ("CPU credits", ["db credits"])),
            (
                "Connections",
                ["db connections", "proxy connections", "proxy clients", "pinned"],
                ("Free bytes", ["db storage", "db memory"]),
            ),
        )
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"cbu-{self._options.environment}",
            period_override=cloudwatch.PeriodOverride.AUTO,
            widgets=[
                [self._graph(title, names, metrics), self._graph(*right, metrics)]
                for title, names, right in rows
            ]
            + [[cloudwatch.AlarmStatusWidget(title="Alarms", width=24, alarms=self._all_alarms())]],
        )

    def _graph(
        self, title: str, names: list[str], metrics: dict[str, cloudwatch.IMetric]
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, width=12, left=[metrics[name] for name in names])

    def _all_alarms(self) -> list[cloudwatch.IAlarm]:
        return list(self.alarms.values())

    def _save_queries(self, service: Service) -> None:
        for name, container, query in QUERIES:
            logs.CfnQueryDefinition(
                self,
                f"Query {name}",
                name=f"cbu/{self._options.environment}/{name}",
                log_group_names=[service.task.log_groups[container].log_group_name],
                query_string=query,
            )

    def _make_budget(self, email: str) -> None:
        """A budget, and no alarm on AWS/Billing: those metrics live in us-east-1 only, and the
        account is shared. The filter needs the tag to be activated for cost allocation."""
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"cbu-{self._options.environment}",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=self._options.budget_usd, unit="USD"
                ),
                cost_filters={"TagKeyValue": ["user:Project$cbu"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type="ACTUAL",
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(
                            subscription_type="EMAIL", address=email
                        )
                    ],
                )
                for percent in BUDGET_PERCENT
            ],
        )
