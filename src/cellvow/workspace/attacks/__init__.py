"""Twelve attacks by a dishonest operator or member, carried out on copies of a demonstration - and who notices each."""

from cellvow.workspace.attacks.attack import RULES, Attack, Deed, Look
from cellvow.workspace.attacks.scene import Scene
from cellvow.workspace.attacks.twelve import ATTACKS, Noticed, run_attacks
from cellvow.workspace.attacks.watchers import OUTSIDE, WATCHERS, watch

__all__ = [
    "ATTACKS",
    "Attack",
    "Deed",
    "Look",
    "Noticed",
    "OUTSIDE",
    "RULES",
    "Scene",
    "WATCHERS",
    "run_attacks",
    "watch",
]
