"""ACLs: writes the rules of all users into Kafka, or shows the commands that do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1
from aiokafka.protocol.api import Request

from spreader.contract.access import USERS, Operation, Resource, rules
from spreader.kafka.client import client_arguments
from spreader.kafka.lifetimes import closed
from spreader.settings import Settings

PRINCIPAL = "User:{user}"
"""How Kafka calls a user that shows a name and a password."""
_RESOURCES: Mapping[Resource, int] = {"topic": 2, "group": 3}
_OPERATIONS: Mapping[Operation, int] = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
}
_LITERAL, _ALLOW, _ANY_HOST = 3, 3, "*"


@dataclass(frozen=True, slots=True)
class Acl:
    """One principal may do one operation with one resource."""

    principal: str
    resource: Resource
    name: str
    operation: Operation


def acls(principal: str = PRINCIPAL) -> Sequence[Acl]:
    """The ACLs of all users. `principal` is how Kafka calls a user, with `{user}` where the name is."""
    return [
        Acl(principal.format(user=user), rule.resource, rule.name, operation)
        for user in USERS
        for rule in rules(user)
        for operation in rule.operations
    ]


def commands(servers: str, principal: str = PRINCIPAL) -> Iterator[str]:
    """The same ACLs as commands of Kafka's own tool."""
    for user in USERS:
        for rule in rules(user):
            operations = " ".join(f"--operation {operation}" for operation in rule.operations)
            yield (
                f"kafka-acls.sh --bootstrap-server {servers} --add --allow-principal '{principal.format(user=user)}' "
                f"{operations} --{rule.resource} {rule.name}"
            )


async def add_acls(settings: Settings, principal: str = PRINCIPAL) -> int:
    """Add the ACLs that are missing, and return how many there are. Kafka keeps all others. Raises KafkaError if Kafka
    refuses one, and OSError if no broker answers."""
    wanted = acls(principal)
    client = AIOKafkaClient(**client_arguments(settings))
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), AddAclsRequest(wanted))
    finally:
        await closed(client.close())
    for result in answer.to_object()["creation_responses"]:
        error = for_code(result["error_code"])
        if error is not NoError:
            raise error(f"Kafka refused an ACL: {result['error_message'] or ''}")
    return len(wanted)


class AddAclsRequest(Request[CreateAclsRequest_v1]):
    """Adds several ACLs. aiokafka's own request adds one."""

    API_KEY = 30

    def __init__(self, wanted: Sequence[Acl]) -> None:
        self._wanted = wanted

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        creations: list[Any] = [
            (
                _RESOURCES[acl.resource],
                acl.name,
                _LITERAL,
                acl.principal,
                _ANY_HOST,
                _OPERATIONS[acl.operation],
                _ALLOW,
            )
            for acl in self._wanted
        ]
        return request_struct_class(creations)
