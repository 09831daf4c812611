"""Who may do what: clients, users, roles, subscriptions, sign-in and tenancy."""
