"""Requested profile: a profile that a query of the ingress describes, because the sender may not have read it yet."""

from pydantic import BaseModel, ConfigDict, Field

from spreader.contract.configuration import Driver, Gateway, Profile
from spreader.contract.ids import Id, PhoneNumber

NO_NUMBER = "0000000"
"""A placeholder for the phone number. A profile that is being created may have none yet, and a check needs none."""


class RequestedProfile(BaseModel):
    """The profile with its gateway. It need not exist yet."""

    model_config = ConfigDict(hide_input_in_errors=True)

    package_id: Id
    profile_id: Id
    driver: Driver
    base_url: str
    account: str
    sealed: str | None = Field(default=None, repr=False)
    phone: PhoneNumber = NO_NUMBER

    def profile(self) -> Profile:
        gateway = Gateway(driver=self.driver, base_url=self.base_url, account=self.account, sealed=self.sealed)
        return Profile(profile_id=self.profile_id, name=self.profile_id, phone=self.phone, gateway=gateway)


def same_access(configured: Gateway, requested: Gateway) -> bool:
    """Whether the query uses the same account at the same server, with the same credentials. `holder` does not matter,
    because it does not belong to the access."""
    return configured.model_copy(update={"holder": None}) == requested
