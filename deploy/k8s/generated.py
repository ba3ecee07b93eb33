"""Generated manifests: topics and users of Kafka from the code's own tables, and the rules that promtool tests.

`make docs` writes them. kustomize reads no file outside its folder, so the rules need a copy.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from spreader.contract.access import USERS, rules
from spreader.contract.events import PARTITIONS
from spreader.kafka.topics import topic_settings

PROMETHEUS = Path(__file__).parents[1] / "prometheus"
KAFKA = "kafka.strimzi.io/v1"
CLUSTER = {"strimzi.io/cluster": "spreader"}
REPLICAS, IN_SYNC = 3, 2
"""Copies of each record, and how many of them a record has before it counts as written. One broker may be away."""
INTRODUCTION = "# `make docs` wrote this file {source}.\n"

Manifest = Mapping[str, Any]


def topics() -> str:
    """A KafkaTopic for each topic, with three copies of each record."""
    return _document("from the table of topics in spreader.contract.events", map(_topic, PARTITIONS))


def users() -> str:
    """A KafkaUser for each service that uses Kafka. It may use only the service's topics and groups."""
    return _document("from the table in spreader.contract.access", map(_user, USERS))


def prometheus_rules() -> str:
    """The rules of deploy/prometheus as PrometheusRules."""
    files = sorted(PROMETHEUS.glob("*.rules.yml"))
    return _document("from deploy/prometheus", map(_rules, files))


def _topic(topic: str) -> Manifest:
    settings = {name: int(value) if value.isdigit() else value for name, value in topic_settings(topic).items()}
    return {
        "apiVersion": KAFKA,
        "kind": "KafkaTopic",
        "metadata": {"name": topic, "labels": CLUSTER},
        "spec": {
            "partitions": PARTITIONS[topic],
            "replicas": REPLICAS,
            "config": {**settings, "min.insync.replicas": IN_SYNC},
        },
    }


def _user(user: str) -> Manifest:
    acls = [
        {
            "resource": {"type": rule.resource, "name": rule.name, "patternType": "literal"},
            "operations": list(rule.operations),
        }
        for rule in rules(user)
    ]
    return {
        "apiVersion": KAFKA,
        "kind": "KafkaUser",
        "metadata": {"name": f"kafka-{user}", "labels": CLUSTER},
        "spec": {"authentication": {"type": "tls"}, "authorization": {"type": "simple", "acls": acls}},
    }


def _rules(file: Path) -> Manifest:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": f"spreader-{file.name.partition('.')[0]}",
            "labels": {"app.kubernetes.io/part-of": "spreader"},
        },
        "spec": yaml.safe_load(file.read_text()),
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _document(source: str, manifests: Iterable[Manifest]) -> str:
    texts = (yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120) for manifest in manifests)
    return INTRODUCTION.format(source=source) + "---\n".join(texts)


MANIFESTS = {
    "components/strimzi/topics.yaml": topics,
    "components/strimzi/users.yaml": users,
    "components/monitoring/rules.yaml": prometheus_rules,
}
"""By path in this folder."""
