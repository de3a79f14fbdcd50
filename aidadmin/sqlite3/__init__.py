"""SQLite as Django knows it, with a wait for the pen that suits many short acts. Django looks for `base` in here."""
