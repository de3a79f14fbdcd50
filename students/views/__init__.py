"""The desks of the register: pupils, their circumstances and accounts, rosters."""
