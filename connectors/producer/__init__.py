"""Puts interactions onto their topic: a program's own (Publisher), or a file's (play), in the file's order or shuffled, saying how far time has come."""

from connectors.producer.play import Played, PlayFailed, play
from connectors.producer.publisher import NotAnInteraction, Publisher, PublishFailed

__all__ = ["NotAnInteraction", "PlayFailed", "Played", "PublishFailed", "Publisher", "play"]
