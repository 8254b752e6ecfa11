"""How many tasks run: 2 to 10, by processor and memory.

The targets (70 % and 80 %) are target tracking, which may only add tasks here. Its timing cannot be
chosen and it knows no "and", so the rules that were asked for word for word are step scaling with
alarms of their own. When several policies apply, the largest number of tasks wins.
"""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra.options import MAX_TASKS, MIN_TASKS

CPU_TARGET, MEMORY_TARGET = 70, 80
CPU_LOW, MEMORY_LOW = 30, 50
OUT_MINUTES, IN_MINUTES = 2, 5

# Far above the threshold one more task is not enough.
FAR_ABOVE = 15


class Scaling(Construct):
    """The scalable target, its four policies and the three alarms that start two of them."""

    def __init__(self, scope: Construct, id: str, service: ecs.FargateService) -> None:
        super().__init__(scope, id)
        self._minute = cdk.Duration.minutes(1)
        self._cooldown = cdk.Duration.seconds(300)
        self._cpu = service.metric_cpu_utilization(period=self._minute, statistic="Average")
        self._memory = service.metric_memory_utilization(period=self._minute, statistic="Average")
        # The plain resource: the construct would make a role, and for ECS there is one already.
        kind = {"service_namespace": "ecs", "scalable_dimension": "ecs:service:DesiredCount"}
        target = scaling.CfnScalableTarget(
            self,
            "Target",
            **kind,
            resource_id=f"service/{service.cluster.cluster_name}/{service.service_name}",
            min_capacity=MIN_TASKS,
            max_capacity=MAX_TASKS,
        )
        self._target = scaling.ScalableTarget.from_scalable_target_attributes(
            self, "Tasks", scalable_target_id=target.ref, **kind
        )
        metrics = scaling.PredefinedMetric
        self._track("TrackCpu", metrics.ECS_SERVICE_AVERAGE_CPU_UTILIZATION, CPU_TARGET)
        self._track("TrackMemory", metrics.ECS_SERVICE_AVERAGE_MEMORY_UTILIZATION, MEMORY_TARGET)
        self._scale_out()
        self._scale_in()

    def _track(self, id: str, metric: scaling.PredefinedMetric, target: int) -> None:
        scaling.TargetTrackingScalingPolicy(
            self,
            id,
            scaling_target=self._target,
            predefined_metric=metric,
            target_value=target,
            scale_out_cooldown=self._cooldown,
            scale_in_cooldown=self._cooldown,
            # Otherwise it would take tasks away on one metric alone.
            disable_scale_in=True,
        )

    def _step(self, id: str) -> scaling.StepScalingAction:
        return scaling.StepScalingAction(
            self,
            id,
            scaling_target=self._target,
            adjustment_type=scaling.AdjustmentType.CHANGE_IN_CAPACITY,
            cooldown=self._cooldown,
            metric_aggregation_type=scaling.MetricAggregationType.AVERAGE,
        )

    def _scale_out(self) -> None:
        # The bounds of a step count from the threshold of the alarm.
        out = self._step("ScaleOut")
        out.add_adjustment(adjustment=1, lower_bound=0, upper_bound=FAR_ABOVE)
        out.add_adjustment(adjustment=2, lower_bound=FAR_ABOVE)
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        # Two alarms that start one policy are the "or".
        self._start("CpuHigh", out, self._cpu, above, CPU_TARGET, OUT_MINUTES)
        self._start("MemoryHigh", out, self._memory, above, MEMORY_TARGET, OUT_MINUTES)

    def _scale_in(self) -> None:
        into = self._step("ScaleIn")
        into.add_adjustment(adjustment=-1, lower_bound=0)
        # Composite alarms cannot start a scaling policy, so the "and" is arithmetic.
        idle = cloudwatch.MathExpression(
            expression=f"IF(cpu < {CPU_LOW} AND memory < {MEMORY_LOW}, 1, 0)",
            using_metrics={"cpu": self._cpu, "memory": self._memory},
            label="idle",
            period=self._minute,
        )
        reached = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        self._start("Idle", into, idle, reached, 1, IN_MINUTES)

    def _start(
        self,
        id: str,
        action: scaling.StepScalingAction,
        metric: cloudwatch.IMetric,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        minutes: int,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_description="starts a scaling policy; tells nobody",
            metric=metric,
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=minutes,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.ApplicationScalingAction(action))
