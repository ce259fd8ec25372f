"""Outputs delivered over HTTP as Standard Webhooks (standardwebhooks.com): signed, in each customer's order, at least once under one id."""
