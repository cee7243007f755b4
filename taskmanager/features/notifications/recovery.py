"""What becomes of the ways in which a person is told, when the account is recovered."""

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.notifications.events import PhoneRemoved
from taskmanager.features.notifications.models import Phone, Preferences, ProjectPreferences
from taskmanager.features.users.holdings import MAX_STEP, Recovery


@unit_of_work
def remove_phone(recovery: Recovery) -> int:
    """Remove the account's number, confirmed or not: it can be given again with a code. Return how many."""
    phones = list(Phone.objects(user_id=recovery.user.id, number__ne=""))
    for phone in phones:
        # what was sent stays counted: see `phones.remove`
        phone = phone.write(number="", verified_at=None, nonce=None, code_until=None)
        record(PhoneRemoved(phone, Actor(recovery.user.id)))
    return len(phones)


@unit_of_work
def reset_preferences(recovery: Recovery) -> int:
    """Return to the defaults what an earlier holder chose not to be told, and by which channels. Return how many."""
    return _delete_older(Preferences, recovery)


@unit_of_work
def reset_project_preferences(recovery: Recovery) -> int:
    """Return as `reset_preferences`, for single projects, MAX_STEP of them."""
    return _delete_older(ProjectPreferences, recovery)


def _delete_older(model: type[Preferences] | type[ProjectPreferences], recovery: Recovery) -> int:
    found = model.objects(user_id=recovery.user.id, updated_at__lt=recovery.proved_at or recovery.at)
    number = found.count()
    model.objects(id__in=list(found.limit(MAX_STEP).scalar("id"))).delete()
    return int(number)
