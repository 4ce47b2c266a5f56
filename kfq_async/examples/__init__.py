"""Things to try: the companies of ``kfq demo``, invented for it and nobody's data."""
