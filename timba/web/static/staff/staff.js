// htmx would write a style sheet of its own into the page, which the policy forbids: see ADR 9.
htmx.config.includeIndicatorStyles = false;
