"""Built-in tools: what a model may look up of the workspace whose run it is. They read, and change nothing."""
