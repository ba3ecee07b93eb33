"""Types of clean texts: a driver or a webhook parser that returns a plain `str` of its gateway fails the type check."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
REFUSED = "  # refused"
SAMPLE = f"""
from datetime import datetime

from ingress.core.reports import AddressedReport, InboundMessage, MessageReceipt, ProfileByAccount
from sender.core.gateway_answer import GatewayAnswer, LookupFailed, SendAccepted, SendInDoubt, SendRefused
from sender.core.session_states import ProfileCheck
from sender.gateways.driver import NumberCheck
from spreader.text.clean_text import clean, clean_id


def answers(body: dict[str, str], name: str) -> list[GatewayAnswer | LookupFailed]:
    return [
        SendAccepted(body["id"]),{REFUSED}
        SendAccepted(clean_id(body["id"])),
        SendRefused("content", f"the gateway says {{name}}"),{REFUSED}
        SendRefused("content", "it cannot be sent", code=body["code"]),{REFUSED}
        SendRefused("content", "it cannot be sent", code=clean_id(body["code"])),
        SendInDoubt(clean(name) + name),{REFUSED}
        LookupFailed(str(body)),{REFUSED}
    ]


def checks(body: dict[str, str]) -> list[ProfileCheck | NumberCheck]:
    return [
        ProfileCheck(False, body["status"]),{REFUSED}
        ProfileCheck(False, clean(body["status"])),
        NumberCheck(None, body["message"]),{REFUSED}
        NumberCheck(True, "it exists", body["jid"]),{REFUSED}
    ]


def reports(body: dict[str, str], text: str, now: datetime) -> list[AddressedReport]:
    return [
        AddressedReport(MessageReceipt(body["id"], "read", now)),{REFUSED}
        AddressedReport(MessageReceipt(clean_id(body["id"]), "read", now, reason=text)),{REFUSED}
        AddressedReport(InboundMessage(clean_id(text), clean(text), "text", text, now)),{REFUSED}
        AddressedReport(InboundMessage(clean_id(text), clean(text), "text", clean(text), now)),
        AddressedReport(InboundMessage(clean_id(text)[:5], clean(text), "text", None, now)),{REFUSED}
        AddressedReport(MessageReceipt(clean_id(text), "read", now), ProfileByAccount(text)),{REFUSED}
    ]
"""


def test_a_plain_text_of_a_gateway_does_not_type_check(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE)
    settings = {
        "typeCheckingMode": "strict",
        "venvPath": str(ROOT),
        "venv": ".venv",
        "pythonVersion": "3.11",
        "reportMissingTypeStubs": False,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    checked = subprocess.run(
        [ROOT / ".venv" / "bin" / "basedpyright", "--outputjson", "--level", "error", "--project", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    errors = json.loads(checked.stdout)["generalDiagnostics"]
    found = {(error["range"]["start"]["line"], error["rule"]) for error in errors if error["severity"] == "error"}
    lines = [number for number, line in enumerate(SAMPLE.splitlines()) if line.endswith(REFUSED)]
    assert sorted(found) == [(number, "reportArgumentType") for number in lines], checked.stdout[:3_000]
    assert len(lines) == 13
