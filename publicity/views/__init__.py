"""The desks of notices, objections and the working calendar. Pages without sign-in are in `public_views`."""
