"""Every system that Kairos listens to or speaks to, one folder each. A connector knows the contract in schemas, never another connector."""

from connectors.runtime.readers import readers as readers
