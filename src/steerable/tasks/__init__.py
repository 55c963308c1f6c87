"""Scientific tasks: one folder a science, each with its data, metrics, report and configurations."""
