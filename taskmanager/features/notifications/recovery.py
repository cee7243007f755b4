"""The recovery of an account: its phone number and notification preferences."""

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.notifications.events import PhoneRemoved
from taskmanager.features.notifications.models import Phone, Preferences, ProjectPreferences
from taskmanager.features.users.holdings import MAX_STEP, Recovery


@unit_of_work
def remove_phone(recovery: Recovery) -> int:
    """Remove the phone number of the account, verified or not; the user can set it again with a code.

    Return how many were removed.
    """
    phones = list(Phone.objects(user_id=recovery.user.id, number__ne=""))
    for phone in phones:
        # the counter of sent messages stays: see `phones.remove`
        phone = phone.write(number="", verified_at=None, nonce=None, code_until=None)
        record(PhoneRemoved(phone, Actor(recovery.user.id)))
    return len(phones)


@unit_of_work
def reset_preferences(recovery: Recovery) -> int:
    """Reset preferences that an earlier holder of the account chose to the defaults. Return how many there were."""
    return _delete_older(Preferences, recovery)


@unit_of_work
def reset_project_preferences(recovery: Recovery) -> int:
    """Reset preferences for single projects, as `reset_preferences`, MAX_STEP at a time. Return how many there were."""
    return _delete_older(ProjectPreferences, recovery)


def _delete_older(model: type[Preferences] | type[ProjectPreferences], recovery: Recovery) -> int:
    found = model.objects(user_id=recovery.user.id, updated_at__lt=recovery.proved_at or recovery.at)
    number = found.count()
    model.objects(id__in=list(found.limit(MAX_STEP).scalar("id"))).delete()
    return int(number)
