"""The demo company that a first `make demo` meets: made up, but through the doors users use."""
