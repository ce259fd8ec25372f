"""The dashboards, as data (a file each) and as Grafana's JSON (dashboards/), which `python -m deploy` makes of it."""
