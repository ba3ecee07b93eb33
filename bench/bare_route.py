"""Bare route: a FastAPI service that does as little as possible. For each request, it validates the message, publishes
one record, and waits until Kafka has acknowledged the record."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, Field, StringConstraints

from bench.child import say_ready
from bench.load import PATH
from bench.messages import PACKAGE
from bench.topics import BARE_TOPIC
from spreader.kafka.client import PRODUCE_BATCH_BYTES
from spreader.runtime.service import run
from spreader.settings import Settings


class OpenMessage(BaseModel):
    type: Literal["text"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    recipients: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{7,15}$")], ...] = Field(min_length=1)


def build(kafka: str) -> FastAPI:
    producers: list[AIOKafkaProducer] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka, acks="all", linger_ms=0, max_batch_size=PRODUCE_BATCH_BYTES
        )
        await producer.start()
        producers.append(producer)
        say_ready()
        yield
        await producer.stop()

    async def accept(message: OpenMessage) -> dict[str, str]:
        await producers[0].send_and_wait(BARE_TOPIC, message.model_dump_json().encode(), PACKAGE.encode())
        return {"status": "queued"}

    app = FastAPI(lifespan=lifespan)
    app.add_api_route(PATH, accept, methods=["POST"], status_code=202)
    return app


def main() -> None:
    """`python -m bench.bare_route <bootstrap servers> <port>`, with the same server settings as every service."""
    kafka, port = sys.argv[1:]
    run(build(kafka), Settings(), int(port))


if __name__ == "__main__":
    main()
