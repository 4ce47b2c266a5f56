"""The sandbox's HTML: plain pages without scripts or outside assets, every value escaped."""
