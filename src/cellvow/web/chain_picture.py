"""The chain drawn: a box for each block, its leaves inside, links between, the newest checkpoint across."""

from collections.abc import Sequence

from markupsafe import Markup

from cellvow.web.wording import Wording
from cellvow.workspace.explorer import BlockView, ChainHead

WIDTH, BOX_HEIGHT, GAP = 360, 64, 26
MARGIN = 14
LEAF_SIDE, LEAF_STEP = 10, 14
LEAVES_DRAWN_MAX = 20
"""Leaves drawn in one box; a block with more says how many more."""
CHECKPOINT_HEIGHT = 40


def draw_chain(head: ChainHead, blocks: Sequence[BlockView], wording: Wording) -> Markup:
    """The blocks, newest on top, as inline SVG with a title and a description; at least one block."""
    catalogue = wording.catalogue
    shapes: list[Markup] = []
    top = 4
    for place, block in enumerate(blocks):
        if _is_boundary(head, blocks, place):
            shapes.append(_checkpoint(head, top, wording))
            top += CHECKPOINT_HEIGHT
        shapes.append(_box(block, top, wording, is_covered=_is_covered(head, block)))
        top += BOX_HEIGHT
        has_more = block.first_leaf > 1
        if has_more:
            shapes.append(Markup('<path class="link" d="M{0} {1}v{2}"/>').format(WIDTH // 2, top, GAP))
        top += GAP if has_more else 4
    first, last = wording.whole(blocks[0].height), wording.whole(blocks[-1].height)
    return Markup(
        '<svg class="chain" viewBox="0 0 {} {}" role="img" aria-labelledby="chain-title chain-text">'
        '<title id="chain-title">{}</title><desc id="chain-text">{}</desc>{}</svg>'
    ).format(
        WIDTH,
        top,
        catalogue.plain("picture.title"),
        catalogue.plain("picture.text", first=first, last=last),
        Markup("").join(shapes),
    )


def _is_covered(head: ChainHead, block: BlockView) -> bool:
    return block.block_leaf < head.vouched_leaves


def _is_boundary(head: ChainHead, blocks: Sequence[BlockView], place: int) -> bool:
    """Whether this is the newest block under the checkpoint, with all newer ones in sight."""
    if not _is_covered(head, blocks[place]):
        return False
    if place:
        return not _is_covered(head, blocks[place - 1])
    return blocks[0].height == head.height


def _box(block: BlockView, top: int, wording: Wording, *, is_covered: bool) -> Markup:
    name = wording.catalogue.plain("chain.block_name", height=wording.whole(block.height))
    leaves = block.block_leaf - block.first_leaf + 1
    return Markup(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="8"/>'
        '<text class="name" x="{}" y="{}">{}</text><text class="range" x="{}" y="{}">{}</text>{}'
    ).format(
        "box covered" if is_covered else "box",
        MARGIN,
        top,
        WIDTH - 2 * MARGIN,
        BOX_HEIGHT,
        MARGIN + 12,
        top + 24,
        name,
        WIDTH - MARGIN - 12,
        top + 24,
        _range(block, wording),
        _leaves(leaves, top + 38, wording),
    )


def _range(block: BlockView, wording: Wording) -> str:
    first, last = wording.whole(block.first_leaf), wording.whole(block.block_leaf)
    return wording.catalogue.plain("chain.leaf_range", first=first, last=last)


def _leaves(count: int, top: int, wording: Wording) -> Markup:
    """A square for each statement, and a round one for the block's own leaf, which is the last."""
    drawn = min(count - 1, LEAVES_DRAWN_MAX)
    left = MARGIN + 12
    squares = Markup("").join(
        Markup('<rect class="leaf" x="{}" y="{}" width="{}" height="{}"/>').format(
            left + place * LEAF_STEP, top, LEAF_SIDE, LEAF_SIDE
        )
        for place in range(drawn)
    )
    after = left + drawn * LEAF_STEP
    rest = count - 1 - drawn
    if not rest:
        return squares + _own_leaf(after, top)
    more = Markup('<text class="more" x="{}" y="{}">+{}</text>').format(
        WIDTH - MARGIN - 12, top + 10, wording.whole(rest)
    )
    return squares + _own_leaf(after, top) + more


def _own_leaf(left: int, top: int) -> Markup:
    half = LEAF_SIDE // 2
    return Markup('<circle class="own" cx="{}" cy="{}" r="{}"/>').format(left + half, top + half, half)


def _checkpoint(head: ChainHead, top: int, wording: Wording) -> Markup:
    """A line across the chain: all below it is vouched for, with a ring for each who signed that."""
    checkpoint, consent = head.checkpoint, head.consent
    if consent is not None:
        witnesses = consent.signers
        label = wording.count("picture.validators", witnesses).striptags()
    else:
        witnesses = 0 if checkpoint is None else len(checkpoint.cosigned_by)
        label = wording.count("picture.checkpoint", witnesses).striptags()
    rings = Markup("").join(
        Markup('<circle class="ring" cx="{}" cy="{}" r="5"/>').format(WIDTH - MARGIN - 6 - place * 14, top + 12)
        for place in range(min(witnesses, 8))
    )
    return Markup('<path class="line" d="M2 {}h{}"/><text class="name" x="{}" y="{}">{}</text>{}').format(
        top + 26, WIDTH - 4, MARGIN, top + 17, label, rings
    )
