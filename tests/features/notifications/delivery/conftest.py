"""What tests of deliveries share."""

import pytest

from tests.features.notifications.delivery.due import email


@pytest.fixture
def failing(scene, assign, mail, deliver):
    """A mail that the server did not take."""
    member = scene.member()
    mail.refusing = True
    assign(member)
    deliver()
    mail.refusing = False
    return email()
