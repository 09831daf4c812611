"""The admin site of platform staff: all models of all clients, changed through the services."""
