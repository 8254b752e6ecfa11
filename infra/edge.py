"""Where requests come in: name, certificate, load balancer, and what may stand before it."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra import times
from infra.findings import acknowledge
from infra.firewall import HTTP_PORT, Firewall
from infra.network import Network
from infra.options import Options

HEALTH_PATH = "/health/live"
IMAGES_PATH = "/v1/images/*"

ACCESS_LOG_DAYS = 90
WAF_REQUESTS_PER_5_MINUTES = 2000  # from one address


class Edge(Construct):
    """Attributes: load_balancer, target_group, image_base_url ("" unless CloudFront is on)."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        options: Options,
        *,
        network: Network,
        firewall: Firewall,
    ) -> None:
        super().__init__(scope, id)
        zone_id = cdk.CfnParameter(
            cdk.Stack.of(self),
            "HostedZoneId",
            type="AWS::Route53::HostedZone::Id",
            description=f"the public hosted zone that {options.domain} belongs to",
        )
        zone = route53.PublicHostedZone.from_public_hosted_zone_attributes(
            self,
            "Zone",
            hosted_zone_id=zone_id.value_as_string,
            # Only completes relative names, and there are none.
            zone_name=options.domain,
        )
        self.load_balancer = self._make_load_balancer(network, firewall)
        self.target_group = self._make_target_group(options, network)
        self._add_listeners(options, zone)
        route53.ARecord(
            self,
            "Address",
            zone=zone,
            target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self.load_balancer)),
        )
        if options.waf:
            self._put_waf_before()
        self.image_base_url = self._put_cloudfront_before(options) if options.cloudfront else ""

    def _make_load_balancer(
        self, network: Network, firewall: Firewall
    ) -> elb.ApplicationLoadBalancer:
        load_balancer = elb.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=network.vpc,
            vpc_subnets=network.public_subnets,
            security_group=firewall.load_balancer,
            internet_facing=True,
            idle_timeout=cdk.Duration.seconds(times.LOAD_BALANCER_IDLE),
            drop_invalid_header_fields=True,
            deletion_protection=True,
        )
        log_bucket = s3.Bucket(
            self,
            "AccessLogs",
            # The log delivery of load balancers cannot write to a bucket with a KMS key.
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(ACCESS_LOG_DAYS))],
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            log_bucket,
            {"AwsSolutions-S1": "It holds access logs itself; a log of the log has no reader."},
        )
        load_balancer.log_access_logs(log_bucket)
        return load_balancer

    def _make_target_group(self, options: Options, network: Network) -> elb.ApplicationTargetGroup:
        # The inner certificate is nginx's own; the load balancer encrypts without checking it.
        protocol = (
            elb.ApplicationProtocol.HTTPS if options.inner_tls else elb.ApplicationProtocol.HTTP
        )
        return elb.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=network.vpc,
            target_type=elb.TargetType.IP,
            port=HTTP_PORT,
            protocol=protocol,
            deregistration_delay=cdk.Duration.seconds(times.DEREGISTRATION_DELAY),
            # Liveness only. If it asked for the database, one hiccup of that would take every
            # task out, and with them the pages that nginx can still serve from its cache.
            health_check=elb.HealthCheck(
                path=HEALTH_PATH,
                protocol=elb.Protocol.HTTPS if options.inner_tls else elb.Protocol.HTTP,
                healthy_http_codes="200",
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    def _add_listeners(self, options: Options, zone: route53.IHostedZone) -> None:
        certificate = acm.Certificate(
            self,
            "Certificate",
            domain_name=options.domain,
            # The only validation that also renews without anybody's doing.
            validation=acm.CertificateValidation.from_dns(zone),
        )
        self.load_balancer.add_listener(
            "Https",
            port=443,
            protocol=elb.ApplicationProtocol.HTTPS,
            certificates=[certificate],
            # Without a policy CloudFormation takes an old default that allows TLS 1.0.
            ssl_policy=elb.SslPolicy.TLS13_RES,
            default_target_groups=[self.target_group],
            open=False,  # firewall.py says who may connect
        )
        self.load_balancer.add_listener(
            "Http",
            port=80,
            default_action=elb.ListenerAction.redirect(
                protocol="HTTPS", port="443", permanent=True
            ),
            open=False,
        )

    def _put_waf_before(self) -> None:
        acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility("web-acl"),
            rules=[
                wafv2.CfnWebACL.RuleProperty(
                    name="rate",
                    priority=0,
                    action=wafv2.CfnWebACL.RuleActionProperty(block={}),
                    statement=wafv2.CfnWebACL.StatementProperty(
                        rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                            aggregate_key_type="IP", limit=WAF_REQUESTS_PER_5_MINUTES
                        )
                    ),
                    visibility_config=_visibility("rate"),
                ),
                # It refuses bodies above 8 KB, which pictures and imports are: counted instead.
                _managed_rules(
                    "AWSManagedRulesCommonRuleSet", 1, counted=["SizeRestrictions_BODY"]
                ),
                _managed_rules("AWSManagedRulesKnownBadInputsRuleSet", 2),
            ],
        )
        wafv2.CfnWebACLAssociation(
            self,
            "WebAclAssociation",
            resource_arn=self.load_balancer.load_balancer_arn,
            web_acl_arn=acl.attr_arn,
        )

    def _put_cloudfront_before(self, options: Options) -> str:
        """Pictures only. The bucket could not be the origin: the service makes the sizes. Returns
        the beginning of the addresses of pictures."""
        origin = origins.HttpOrigin(
            options.domain,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
        )
        # CloudFront must have a default behaviour; this one ends every other request at the edge.
        nothing_else = cloudfront.Function(
            self,
            "NothingElse",
            comment="404 for everything but pictures",
            code=cloudfront.FunctionCode.from_inline(
                "function handler(event) {"
                " return {statusCode: 404, statusDescription: 'Not Found'}; }"
            ),
        )
        distribution = cloudfront.Distribution(
            self,
            "Pictures",
            comment=f"cbu {options.environment}: product images",
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origin,
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        function=nothing_else,
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                    )
                ],
            ),
            additional_behaviors={
                IMAGES_PATH: cloudfront.BehaviorOptions(
                    origin=origin,
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                    cache_policy=cloudfront.CachePolicy(
                        self,
                        "ByAddress",
                        comment="the whole address is the key, because of the width; no cookies,"
                        " no Authorization",
                        query_string_behavior=cloudfront.CacheQueryStringBehavior.all(),
                        min_ttl=cdk.Duration.seconds(0),
                        default_ttl=cdk.Duration.days(1),
                        max_ttl=cdk.Duration.days(365),
                    ),
                )
            },
        )
        acknowledge(
            distribution,
            {
                "AwsSolutions-CFR1": "The shop sells everywhere.",
                "AwsSolutions-CFR2": "waf=true guards the load balancer, which is the origin.",
                "AwsSolutions-CFR3": "nginx logs what reaches it; hits in the cache are counted in"
                " CloudFront's metrics.",
                "AwsSolutions-CFR4": "CloudFront's own host name allows no other policy; a name of"
                " our own needs a certificate in us-east-1 (docs/infrastructure.md).",
            },
        )
        return f"https://{distribution.distribution_domain_name}"


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=f"cbu-{name}", sampled_requests_enabled=True
    )


def _managed_rules(
    name: str, priority: int, counted: list[str] | None = None
) -> wafv2.CfnWebACL.RuleProperty:
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count)
                    for rule in counted or []
                ],
            )
        ),
        visibility_config=_visibility(name),
    )
