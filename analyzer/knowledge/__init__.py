"""What is known of the world: settings of systems and programs, idle timeouts of devices, each with its source."""
