"""What is finite is shared out: one client cannot take all of it."""

from __future__ import annotations

from enhance.web.server.shares import Share


def test_a_client_takes_its_share_and_no_more() -> None:
    share = Share(2)
    assert [share.take("a"), share.take("a"), share.take("a"), share.take("b")] == [
        True,
        True,
        False,
        True,
    ]
    share.give("a")
    with share.taken("a") as first, share.taken("a") as second:
        assert first and not second
    with share.taken("a") as again:
        assert again
