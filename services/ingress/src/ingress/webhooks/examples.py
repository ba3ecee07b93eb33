"""Webhook examples: for each kind of gateway, bodies of webhook calls that the API description shows."""

from collections.abc import Mapping
from typing import Any

from spreader.contract.configuration import Driver

_METADATA = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}

WEBHOOK_EXAMPLES: Mapping[Driver, dict[str, dict[str, Any]]] = {
    "simulator": {
        "receipt": {
            "event": "receipt",
            "delivery_id": "dlv_0f3c",
            "message_id": "sim_17",
            "to": "201001234567",
            "status": "delivered",
            "at": "2024-02-08T18:45:14Z",
        },
        "message": {
            "event": "message",
            "message_id": "sim_18",
            "from": "201001234567",
            "type": "text",
            "text": "When does it come?",
            "at": "2024-02-08T18:46:00Z",
        },
    },
    "cloud_api": {
        "status": {
            "object": "whatsapp_business_account",
            "entry": [
                {
                    "id": "102290129340398",
                    "changes": [
                        {
                            "field": "messages",
                            "value": {
                                "messaging_product": "whatsapp",
                                "metadata": _METADATA,
                                "statuses": [
                                    {
                                        "id": "wamid.HBgM",
                                        "status": "delivered",
                                        "timestamp": "1707417914",
                                        "recipient_id": "201001234567",
                                        "biz_opaque_callback_data": "dlv_0f3c",
                                    }
                                ],
                            },
                        }
                    ],
                }
            ],
        },
    },
    "waha": {
        "ack": {
            "id": "evt_01hp4w",
            "timestamp": 1707417914000,
            "event": "message.ack",
            "session": "profile_1",
            "payload": {"id": "true_201001234567@c.us_3EB0A1", "fromMe": True, "ack": 2, "ackName": "DEVICE"},
        },
    },
    "evolution": {
        "update": {
            "event": "messages.update",
            "instance": "profile_1",
            "data": {
                "keyId": "3EB0A1",
                "remoteJid": "201001234567@s.whatsapp.net",
                "fromMe": True,
                "status": "DELIVERY_ACK",
            },
        },
    },
}
