"""Automation: sensors and a schedule that ask for runs of just what a change touched.

A sensor decides in one transaction of our own database (``automation_decisions``), then hands
its requests to Dagster; docs/automation.md tells how the parts work together.
"""
