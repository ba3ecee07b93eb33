"""Webhook dispatcher: finds the profiles that reports concern, and turns the reports into events.

All events are in Kafka, and all effects in Postgres, before the gateway gets its response.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from ingress.configuration.credentials import CredentialSealer
from ingress.core.receipts import ProfileReceipt
from ingress.core.reports import (
    AccountStatusReport,
    AddressedReport,
    CalledProfile,
    Echo,
    EditedMessage,
    Ignored,
    InboundMessage,
    MarketingPreference,
    MessageReceipt,
    NumberChange,
    ProfileByAccount,
    ProfileByPhone,
    ProfilesOfHolder,
    Report,
    Target,
    UnexpectedMessage,
)
from ingress.core.signatures import equal_in_constant_time
from ingress.core.webhook_parsers import WebhookParser
from ingress.metrics import WEBHOOKS, WEBHOOKS_IGNORED
from ingress.webhooks.account_index import AccountIndex, ProfileAccount
from ingress.webhooks.hidden_ids import HiddenIds
from ingress.webhooks.number_changes import NumberChanges
from ingress.webhooks.receipt_groups import ReceiptGroups
from ingress.webhooks.repeated_states import RepeatedStates
from spreader.contract.configuration import Driver
from spreader.contract.events import ProfileReported
from spreader.http.problems import Problem
from spreader.kafka.bus import Bus

REPORTS_A_STEP = 200
"""How many reports of one call are handled before other requests are served."""
EVIDENCE_CHARACTERS_MAX = 500
REPORT_ID_CHARACTERS_MAX = 256
_EVENT_LABELS: dict[type[Report], str] = {
    MessageReceipt: "receipt",
    Echo: "echo",
    InboundMessage: "message",
    EditedMessage: "edit",
    UnexpectedMessage: "unexpected",
    MarketingPreference: "wish",
    NumberChange: "new_number",
    AccountStatusReport: "standing",
}


@dataclass(frozen=True, slots=True)
class WebhookDispatcher:
    bus: Bus
    accounts: AccountIndex
    receipts: ReceiptGroups
    hidden_ids: HiddenIds
    number_changes: NumberChanges
    sealer: CredentialSealer
    states: RepeatedStates = field(default_factory=RepeatedStates)

    async def dispatch(
        self, called: ProfileAccount, parser: WebhookParser, addressed_reports: Sequence[AddressedReport]
    ) -> None:
        """Publishes the events of these reports. Raises an error if it is not certain that all events were published.
        After an error the gateway calls again. Events that are published a second time have no effect.

        `called` is the profile whose webhook address was called. `parser` is the parser of its gateway.
        """
        receipts, statuses = list[ProfileReceipt](), list[ProfileReported]()
        for number, addressed in enumerate(addressed_reports, 1):
            if number % REPORTS_A_STEP == 0:
                await asyncio.sleep(0)
            accounts, report = self._targets(called, parser, addressed.target), addressed.report
            _count(called.gateway.driver, report if accounts else Ignored("not_for_us"))
            if not accounts and self._is_unknown(called, addressed.target):
                await self._take_opt_out(called, addressed)
            for account in accounts:
                package_id, profile_id = account.package.package_id, account.profile.profile_id
                match report:
                    case MessageReceipt() | Echo():
                        receipts.append(ProfileReceipt(package_id, profile_id, report, addressed.hidden_id))
                    case InboundMessage() | EditedMessage() | UnexpectedMessage() | MarketingPreference():
                        await self.hidden_ids.take(package_id, profile_id, addressed.hidden_id, report)
                    case NumberChange():
                        await self.number_changes.take(package_id, report)
                    case AccountStatusReport():
                        statuses.append(_profile_reported(account, report))
                    case Ignored():
                        pass
                    case _:
                        assert_never(report)
        new_statuses = [status for status in statuses if not self.states.is_repeat(status)]
        WEBHOOKS_IGNORED.labels(called.gateway.driver, "repeated").inc(len(statuses) - len(new_statuses))
        await asyncio.gather(self._take(receipts), self.bus.publish(*new_statuses))
        for status in new_statuses:
            self.states.on_published(status)

    async def _take(self, receipts: Sequence[ProfileReceipt]) -> None:
        for start in range(0, len(receipts), REPORTS_A_STEP):
            await self.receipts.take(receipts[start : start + REPORTS_A_STEP])

    def _targets(self, called: ProfileAccount, parser: WebhookParser, target: Target) -> Sequence[ProfileAccount]:
        match target:
            case CalledProfile():
                return [called]
            case ProfileByAccount(name):
                if name == called.gateway.account:
                    return [called]
                return self._if_trusted(called, parser, self.accounts.by_account(called.gateway, name))
            case ProfileByPhone(phone):
                if phone == called.profile.phone:
                    return [called]
                return self._if_trusted(called, parser, self.accounts.by_phone(called.gateway, phone))
            case ProfilesOfHolder():
                return self.accounts.of_same_holder(called)
            case _:
                assert_never(target)

    def _if_trusted(
        self, called: ProfileAccount, parser: WebhookParser, other: ProfileAccount | None
    ) -> Sequence[ProfileAccount]:
        """A list with `other` if that profile has the same webhook secret as the called profile. Otherwise an empty
        list.

        The same secret is enough proof, because the webhook address of `other` would have accepted this call too.
        """
        if other is None or parser.secret_name is None:
            return []
        try:
            called_secrets, other_secrets = (
                self.sealer.require(account.profile.profile_id, account.gateway.sealed) for account in (called, other)
            )
        except Problem:  # credentials that cannot be decrypted prove nothing
            return []
        is_same = equal_in_constant_time(called_secrets[parser.secret_name], other_secrets[parser.secret_name])
        return [other] if is_same else []

    def _is_unknown(self, called: ProfileAccount, target: Target) -> bool:
        match target:
            case ProfileByAccount(name):
                return self.accounts.by_account(called.gateway, name) is None
            case _:
                return False

    async def _take_opt_out(self, called: ProfileAccount, addressed: AddressedReport) -> None:
        """The report concerns an account that no profile has. If it is an opt-out, processes it as an opt-out to the
        called profile. This is right, because the caller knows the secret of the called profile. So the account belongs
        to the same business, or the report names the wrong account."""
        report = addressed.report
        if isinstance(report, InboundMessage) and report.text is not None:
            report = UnexpectedMessage(report.gateway_message_id, report.recipient, report.text, report.at)
        is_resumed = isinstance(report, MarketingPreference) and not report.stop
        if isinstance(report, (EditedMessage, UnexpectedMessage, MarketingPreference)) and not is_resumed:
            package_id, profile_id = called.package.package_id, called.profile.profile_id
            await self.hidden_ids.take(package_id, profile_id, addressed.hidden_id, report)


def _count(driver: Driver, report: Report) -> None:
    if isinstance(report, Ignored):
        WEBHOOKS_IGNORED.labels(driver, report.reason).inc()
    else:
        WEBHOOKS.labels(driver, _EVENT_LABELS[type(report)]).inc()


def _profile_reported(account: ProfileAccount, report: AccountStatusReport) -> ProfileReported:
    return ProfileReported(
        profile_id=account.profile.profile_id,
        package_id=account.package.package_id,
        report_id=report.report_id[:REPORT_ID_CHARACTERS_MAX],
        session=report.session,
        quality=report.quality,
        restriction=report.restriction,
        quota=report.quota,
        code=report.code,
        evidence=report.evidence[:EVIDENCE_CHARACTERS_MAX],
        at=report.at,
    )
