"""The command ``kfq``. Without the extra ``cli`` it says how to install it."""
