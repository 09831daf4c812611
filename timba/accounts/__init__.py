"""Clients, users, roles and subscriptions; authentication, authorization and tenancy."""
