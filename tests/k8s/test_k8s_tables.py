"""Tables: topics, users, calls, scalers, rules and dashboards of the manifests are those of the code."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml
from docs.flow import FLOWS
from docs.sources import SERVICES, sources
from k8s.overlays import OVERLAYS, ROOT, Manifest, containers, label, named, of_kind, pods
from prometheus_client import REGISTRY
from promql import Query, Series, missing

import pacer.metrics
import sender.metrics
from sender.settings import SenderSettings
from spreader.contract.access import ACCESS, OPERATOR
from spreader.contract.events import COMPACTED, DEAD_LETTER_TOPIC, PARTITIONS
from spreader.kafka.topics import topic_settings
from spreader.settings import Settings
from stats.settings import StatsSettings

WITH_KAFKA = ("dev", "prod")
COPIES = {"dev": (1, 1), "prod": (3, 2)}
"""By overlay: the copies of each record, and how many must be written."""
GATEWAY = {("sender", "simulator"), ("simulator", "ingress")}
"""The simulator is a gateway: the sender calls it, and it calls ingress."""
POOLS = {"ingress": 1, "router": 2, "pacer": 1, "sender-reply": 2, "sender-open": 2, "stats": 1}
"""By Deployment: the connection pools of one process, apart from that of exports."""
OF_OTHERS = 20
"""Connections for operators, backups and migrations."""
_ = (pacer.metrics, sender.metrics)  # imported for the metrics that they register


@pytest.fixture(scope="module", autouse=True)
def _with_kustomize(kustomize: Sequence[str]) -> None:
    """Skips these tests where manifests cannot be rendered."""


@pytest.mark.parametrize("overlay", WITH_KAFKA)
def test_each_topic_is_the_one_that_the_code_creates(overlay: str) -> None:
    replicas, in_sync = COPIES[overlay]
    topics = named(overlay, "KafkaTopic")
    assert topics.keys() == PARTITIONS.keys()
    for name, topic in topics.items():
        spec = topic["spec"]
        assert spec["partitions"] == PARTITIONS[name]
        assert spec["replicas"] == replicas
        wanted = {**topic_settings(name), "min.insync.replicas": str(in_sync)}
        assert {key: str(value) for key, value in spec["config"].items()} == wanted
        assert (spec["config"]["cleanup.policy"] == "compact") == (name in COMPACTED)
    (kafka,), (pool,) = of_kind(overlay, "Kafka"), of_kind(overlay, "KafkaNodePool")
    config = kafka["spec"]["kafka"]["config"]
    assert config["auto.create.topics.enable"] is False
    assert (config["offsets.topic.replication.factor"], config["min.insync.replicas"]) == (replicas, in_sync)
    assert pool["spec"]["replicas"] == replicas
    assert {each["metadata"]["labels"]["strimzi.io/cluster"] for each in (pool, *topics.values())} == {
        kafka["metadata"]["name"]
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_job_prepares_what_the_services_need(overlay: str) -> None:
    (job,) = of_kind(overlay, "Job")
    commands = [" ".join(container["command"]) for container in containers(job["spec"]["template"])]
    folders = {path.parts[-2] for path in (ROOT / "services").glob("*/src/*/migrations")}
    assert commands[0] == "python -m spreader roles"
    assert set(commands[1:-1]) == {f"python -m spreader migrate {service}" for service in folders}
    copies = COPIES.get(overlay, (3, 2))[0]
    assert commands[-1] == f"python -m spreader topics --replication {copies}"
    assert job["spec"]["ttlSecondsAfterFinished"] <= 60, "another version could not make its own Job"


@pytest.mark.parametrize("overlay", WITH_KAFKA)
def test_each_user_may_use_only_the_topics_of_its_service(overlay: str) -> None:
    """The flows are derived from the syntax of the code, so this needs no trust in the table of rights."""
    users = named(overlay, "KafkaUser")
    assert users.keys() == {f"kafka-{name}" for name in (*ACCESS, OPERATOR)}
    for service in ACCESS:
        rights = _rights(users[f"kafka-{service}"])
        read = {kind.topic for kind, flow in FLOWS.items() if service in flow.readers}
        written = {kind.topic for kind, flow in FLOWS.items() if service in flow.publishers} | {DEAD_LETTER_TOPIC}
        assert {name for kind, name, operation in rights if (kind, operation) == ("topic", "Read")} == read
        assert {name for kind, name, operation in rights if (kind, operation) == ("topic", "Write")} == written
        groups = {name for kind, name, _ in rights if kind == "group"}
        assert all(name == service or name.startswith(f"{service}-") for name in groups)


def _rights(user: Manifest) -> set[tuple[str, str, str]]:
    assert user["spec"]["authentication"] == {"type": "tls"}
    return {
        (acl["resource"]["type"], acl["resource"]["name"], operation)
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_reach_exactly_those_that_they_call(overlay: str) -> None:
    wanted = {(caller, called) for caller in SERVICES for called in sources(caller).called()}
    wanted |= GATEWAY if overlay == "dev" else set()
    assert _edges(overlay, "Egress", "egress", "to") == wanted
    assert {(peer, own) for own, peer in _edges(overlay, "Ingress", "ingress", "from")} == wanted


def _edges(overlay: str, kind: str, field: str, side: str) -> set[tuple[str, str]]:
    """The pairs of services that policies of a kind allow, with the service that the policy is for first."""
    templates = pods(overlay)
    return {
        (own, peer)
        for policy in of_kind(overlay, "NetworkPolicy")
        if kind in policy["spec"]["policyTypes"]
        for own in _chosen(templates, policy["spec"]["podSelector"])
        for rule in policy["spec"].get(field, ())
        for each in rule[side]
        if "podSelector" in each
        for peer in _chosen(templates, each["podSelector"])
    }


def _chosen(templates: dict[str, Any], selector: Manifest) -> set[str]:
    """The services whose pods a selector chooses."""

    def matches(labels: Manifest) -> bool:
        wanted = selector.get("matchLabels", {}).items() <= labels.items()
        return wanted and all(
            labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
        )

    chosen = {label(pod, "name") for pod in templates.values() if matches(pod["metadata"]["labels"])}
    return {name for name in chosen if name in SERVICES}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_open_that_no_policy_names(overlay: str) -> None:
    deny = named(overlay, "NetworkPolicy")["deny-everything-else"]["spec"]
    assert set(deny["policyTypes"]) == {"Ingress", "Egress"}
    assert deny.keys() == {"podSelector", "policyTypes"}
    assert all(
        deny["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        for pod in pods(overlay).values()
    )
    for policy in of_kind(overlay, "NetworkPolicy"):
        for field, side in (("ingress", "from"), ("egress", "to")):
            assert all(rule.get(side) and rule.get("ports") for rule in policy["spec"].get(field, ()))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kafka_and_postgres_are_reached_by_those_that_use_them(overlay: str) -> None:
    for name, port in (("to-kafka", 9093), ("to-postgres", 5432)):
        policy = named(overlay, "NetworkPolicy")[name]["spec"]
        (expression,) = policy["podSelector"]["matchExpressions"]
        assert set(expression["values"]) == {*ACCESS, "prepare"}
        assert [each["port"] for rule in policy["egress"] for each in rule["ports"]] == [port]


def scalers(overlay: str) -> Iterator[tuple[str, Manifest]]:
    for name, each in named(overlay, "ScaledObject").items():
        yield name, each["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_replicas_are_owned_by_one_and_never_exceed_the_partitions(overlay: str) -> None:
    deployments = named(overlay, "Deployment")
    scaled = dict(scalers(overlay))
    assert deployments.keys() - scaled.keys() == {"console"} | ({"simulator"} if overlay == "dev" else set())
    for name, deployment in deployments.items():
        if name not in scaled:
            assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")
            continue
        assert "replicas" not in deployment["spec"]
        spec, service = scaled[name], label(deployment, "name") or ""
        assert spec["scaleTargetRef"] == {"name": name}
        shared = {PARTITIONS[kind.topic] for kind in ACCESS[service].reads if kind.topic not in COMPACTED}
        assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
        assert spec["maxReplicaCount"] <= min(shared - {1}), f"{name}: another instance would have no partition"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_scaler_asks_for_a_series_that_its_service_exposes(overlay: str) -> None:
    for name, spec in scalers(overlay):
        service = name.partition("-")[0]
        for trigger in spec["triggers"]:
            if trigger["type"] == "cpu":
                assert name == "ingress"
                continue
            query = Query(name, trigger["metadata"]["query"])
            assert query.selectors
            assert missing(query, _series(service)) == []
            assert all(each.name in text_of_metrics(service) for each in query.selectors)
    wrong = Query("one", 'sum(spreader_consumer_lag_records{group="routers"})')
    assert missing(wrong, _series("router")), "a query for a group that nobody has must be found"


def _series(service: str) -> list[Series]:
    """What the service exposes: what its metrics show from the start, and the lag of its groups."""
    shown: list[Series] = [(sample.name, sample.labels) for family in REGISTRY.collect() for sample in family.samples]
    access = ACCESS[service]
    return shown + [
        ("spreader_consumer_lag_records", {"group": group, "topic": kind.topic})
        for group in access.groups
        for kind in access.reads
    ]


def text_of_metrics(service: str) -> str:
    """The modules that define the metrics of a service."""
    own = ROOT / f"services/{service}/src/{service}/metrics.py"
    return own.read_text() + (ROOT / "libs/common/src/spreader/telemetry/metrics.py").read_text()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pacer_and_open_senders_never_scale_on_lag(overlay: str) -> None:
    scaled = dict(scalers(overlay))
    for name in ("pacer", "sender-open"):
        (trigger,) = scaled[name]["triggers"]
        assert trigger["type"] == "prometheus"
        assert "lag" not in trigger["metadata"]["query"]
    (of_pacer,), (of_sender,) = scaled["pacer"]["triggers"], scaled["sender-open"]["triggers"]
    assert "spreader_releasable_profiles" in of_pacer["metadata"]["query"]
    assert int(of_sender["metadata"]["threshold"]) * 2 == SenderSettings().sender_open_concurrency
    for name in ("router", "sender-reply", "stats", "ingress"):
        queries = [each["metadata"].get("query", "") for each in scaled[name]["triggers"]]
        assert any("spreader_consumer_lag_records" in query for query in queries)


@pytest.mark.parametrize("overlay", WITH_KAFKA)
def test_postgres_has_room_for_the_pools_of_the_most_replicas(overlay: str) -> None:
    (cluster,) = of_kind(overlay, "Cluster")
    size, exports = Settings().database_connections, StatsSettings().stats_export_connections
    needed = sum(
        spec["maxReplicaCount"] * (POOLS[name] * size + (exports if name == "stats" else 0))
        for name, spec in scalers(overlay)
    )
    assert needed + OF_OTHERS <= int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    roles = {role["name"]: role["passwordSecret"]["name"] for role in cluster["spec"]["managed"]["roles"]}
    assert roles == {f"spreader_{service}": f"database-{service}" for service in ACCESS}
    assert cluster["spec"]["bootstrap"]["initdb"] == {"database": "spreader", "owner": "spreader"}


def test_a_commit_of_production_is_in_two_places() -> None:
    (cluster,) = of_kind("prod", "Cluster")
    assert cluster["spec"]["instances"] == 3
    wanted = {"method": "any", "number": 1, "dataDurability": "required"}
    assert cluster["spec"]["postgresql"]["synchronous"] == wanted


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rules_and_dashboards_are_the_files_that_are_tested(overlay: str) -> None:
    shown = named(overlay, "PrometheusRule")
    files = sorted((ROOT / "deploy/prometheus").glob("*.rules.yml"))
    assert [each["spec"] for each in shown.values()] == [yaml.safe_load(file.read_text()) for file in files]
    dashboards = {
        name: text
        for each in of_kind(overlay, "ConfigMap")
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for name, text in each["data"].items()
    }
    assert {name: json.loads(text) for name, text in dashboards.items()} == {
        file.name: json.loads(file.read_text()) for file in (ROOT / "deploy/grafana/dashboards").glob("*.json")
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_calls_each_job_by_the_name_that_the_rules_use(overlay: str) -> None:
    monitor = named(overlay, "PodMonitor")["spreader"]["spec"]
    assert monitor["jobLabel"] == "app.kubernetes.io/name"
    (endpoint,) = monitor["podMetricsEndpoints"]
    configured = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    jobs: set[str | None] = set()
    for name, pod in pods(overlay).items():
        assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        ports = {port["name"] for container in containers(pod) for port in container.get("ports", ())}
        assert ports == (set() if name == "prepare" else {endpoint["port"]})
        jobs |= {label(pod, "name")} if ports else set()
    assert jobs == {job["job_name"] for job in configured} - (set() if overlay == "dev" else {"simulator"})
