"""Metrics, dashboards, alerts."""
