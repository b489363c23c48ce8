"""What the gateway tells about itself: log lines and health."""
