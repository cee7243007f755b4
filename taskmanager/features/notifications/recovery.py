"""What becomes of the ways in which a person is told, when the account is recovered."""

from datetime import datetime

from taskmanager.core.access import Actor
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.notifications.events import PhoneRemoved
from taskmanager.features.notifications.models import Phone, Preferences, ProjectPreferences
from taskmanager.features.users.holdings import is_of_earlier_holder
from taskmanager.features.users.models import User


@unit_of_work
def remove_phone(user: User, proved_at: datetime | None) -> int:
    """Remove the account's number, confirmed or not: it can be given again with a code. Return how many."""
    phones = list(Phone.objects(user_id=user.id, number__ne=""))
    for phone in phones:
        # what was sent stays counted: see `phones.remove`
        phone = phone.write(number="", verified_at=None, nonce=None, code_until=None)
        record(PhoneRemoved(phone, Actor(user.id)))
    return len(phones)


@unit_of_work
def reset_preferences(user: User, proved_at: datetime | None) -> int:
    """Return to the defaults what an earlier holder chose not to be told, and by which channels. Return how many."""
    return _delete_older(Preferences, user, proved_at)


@unit_of_work
def reset_project_preferences(user: User, proved_at: datetime | None) -> int:
    """As `reset_preferences`, for single projects."""
    return _delete_older(ProjectPreferences, user, proved_at)


def _delete_older(model: type[Preferences] | type[ProjectPreferences], user: User, proved_at: datetime | None) -> int:
    found = [one for one in model.objects(user_id=user.id) if is_of_earlier_holder(one.updated_at, proved_at)]
    for one in found:
        one.delete()
    return len(found)
