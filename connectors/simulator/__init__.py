"""The simulator: a brand's people and what they do at every touchpoint, as JSON lines, and the truth about who is who beside them."""

from connectors.simulator.simulate import Simulated, simulate

__all__ = ["Simulated", "simulate"]
