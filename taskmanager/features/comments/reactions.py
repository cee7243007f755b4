"""Valid reactions: an emoji of Unicode (UTS #51), or one of the ASCII words that chats use."""

_WORDS = ("+1", "-1")


def canonical(text: str) -> str | None:
    """Return the fully qualified form of one emoji (the same for `❤` and `❤️`), or a word; None for anything else."""
    if text in _WORDS:
        return text
    import emoji  # its names take 3 MB, in processes that never store a reaction too

    return emoji.emojize(emoji.demojize(text)) if emoji.is_emoji(text) else None
