"""Refusal: the reason with which a delivery ends because Kafka does not take the record of its assignment."""


def reason_of_refusal(kafka_reason: str) -> str:
    return f"Kafka does not take the record of its assignment: {kafka_reason}"
