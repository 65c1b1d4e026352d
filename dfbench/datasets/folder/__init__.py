"""Image folders: `PATH/photo/<class>/*` and `PATH/sketch/<class>/*`."""
