"""Operations of the open API, one resource per module; each method is one line over the session's ``send``."""
