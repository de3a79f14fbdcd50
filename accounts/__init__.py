"""Who may do what, where; and who did it: users, units, appointments, permissions, the audit trail."""
