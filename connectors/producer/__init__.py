"""The player: puts a file's interactions onto their topic, in the file's order or shuffled, and says how far time has come."""

from connectors.producer.play import Played, PlayFailed, play

__all__ = ["PlayFailed", "Played", "play"]
