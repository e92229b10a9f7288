"""A backup file: every table of ours and of Dagster's, as of one moment, and its way back."""
