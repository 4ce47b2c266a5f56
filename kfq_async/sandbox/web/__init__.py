"""The sandbox's HTML pages: no external assets, and a script on the start page only."""
