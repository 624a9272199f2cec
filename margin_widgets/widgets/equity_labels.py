"""Words on a picture of equity, where they hide nothing, for narrow and for wide figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from margin_widgets.account.curve import Curve, LiquidationEvent
from margin_widgets.account.curve_words import condition, event_name, jump_words, place
from margin_widgets.account.equity_picture import Ghost
from margin_widgets.account.lead import Region
from margin_widgets.widgets.equity_guides import floor, maintenance
from margin_widgets.widgets.plotting import FRAMES, LabelPlacer, Placed, text_px

LABELS_AT_MOST = 8
IN_THE_WAY = 60.0
OVER_ANOTHER = 290.0
# Markers nearer to each other than this many pixels, across and down, share a label.
TOGETHER_PX = (5.0, 22.0)
# A label reaches other markers that are this near, up and down.
AMONG_OTHERS_PX = 84.0
FEW = 3
"""Of so few markers every one has a name, if need be some rows above."""
JUMP_PX = 16.0
BELOW_ZERO = (
    "below zero: paid by the insurance fund or others",
    "below zero: paid by others",
    "below zero",
)
WORDS = {
    0: ("equal until something is liquidated", "equal"),
    1: ("cross ahead",),
    -1: ("isolated ahead",),
}


@dataclass(frozen=True)
class Marker:
    """A LIQ marker on display: the mode's name, its colour, and the liquidation."""

    mode: str
    color: str
    event: LiquidationEvent


@dataclass(frozen=True)
class Scene:
    """What is on display when words are placed.

    Attributes
    ----------
    entries : tuple of float
        Entry prices that have a handle at the upper edge.
    x, y : (float, float)
        The frame.
    untouched : bool
        Whether the equity if nobody were liquidated is drawn.
    """

    curve: Curve
    regions: Sequence[Region]
    markers: Sequence[Marker]
    ghosts: Sequence[Ghost]
    entries: Sequence[float]
    x: tuple[float, float]
    y: tuple[float, float]
    untouched: bool = False


def labels(scene: Scene) -> list[Placed]:
    """Labels of a scene, for the frames of narrow and of wide figures."""
    return [one for width in FRAMES for one in _Labels(scene, width).placed()]


class _Labels:
    """The words of one class of widths; what is placed first stands best."""

    def __init__(self, scene: Scene, width: str) -> None:
        self.scene = scene
        curve = scene.curve
        lines = [(curve.x, series.equity) for series in (curve.cross, curve.isolated)]
        lines += [(one.curve.x, one.curve.cross.equity) for one in scene.ghosts]
        guides = [(np.array(a), np.array(b)) for a, b in (maintenance(curve), floor(curve)) if a]
        self.placer = LabelPlacer(width, scene.x, scene.y, lines, guides)
        self.across = scene.x[1] - scene.x[0]
        self.down = (scene.y[1] - scene.y[0]) / LabelPlacer.HEIGHT
        self.narrowest = FRAMES[width][0]
        self.near = (TOGETHER_PX[0] * self.across / self.narrowest, TOGETHER_PX[1] * self.down)

    def placed(self) -> list[Placed]:
        """All labels."""
        scene = self.scene
        for marker in scene.markers:
            self.placer.take(marker.event.x, marker.event.equity_before)
        self.placer.take(scene.curve.mark, scene.y[0], 16.0)
        for entry in scene.entries:
            self.placer.take(entry, scene.y[1], 16.0)
        self._liquidations()
        self._ghosts()
        self._regions()
        if scene.untouched:
            self._untouched()
        self._below_zero()
        for end, value, text, tone in _line_names(scene.curve):
            self.placer.place(end, value, text, tone, reach=1, at_most=IN_THE_WAY)
        self._jumps()
        self._ticks()
        return self.placer.placed

    def _regions(self) -> None:
        top = self.scene.y[1] - 10 * self.down
        for region in self.scene.regions:
            share = (region.high - region.low) / self.across
            fits = [one for one in WORDS[region.lead] if self.placer.fits(one, share)]
            if fits:
                # Handles of entries stand at the upper edge too.
                self.placer.place(region.low, top, fits[0], "word", reach=1, rightward=True)

    def _liquidations(self) -> None:
        curve = self.scene.curve
        # Cross comes first: its marker is never without a name.
        for group in groups(self.scene.markers, curve.mark, self.near)[:LABELS_AT_MOST]:
            event, mode = group[0].event, group[0].mode
            cross = mode == "cross"
            who = event_name(curve, event)
            if len(group) > 1:
                who = f"{sum(len(one.event.positions) for one in group)} positions"
            where = "now" if event.x == curve.mark else place(curve, event.x)
            text = f"LIQ {who} {where}"
            given = condition(curve) if cross and event.x != curve.mark else ""
            # Rows away, a label that no line leads from would be read as another marker's.
            few = len(self.scene.markers) <= FEW
            reach = 6 if cross else 4 if few or self._alone(group, text) else 2
            tries = [(f"{text} {given}", OVER_ANOTHER)] if given else []
            tries.append((text, 1e4 if cross else OVER_ANOTHER))
            # The place without a name too long for the figure, such as an option's, says enough.
            tries += [(f"LIQ {where}", OVER_ANOTHER)] if few and not cross else []
            for said, at_most in tries:
                done = self.placer.place(
                    event.x,
                    event.equity_before,
                    said,
                    mode,
                    reach=reach,
                    at_most=at_most,
                    away_from=curve.mark if event.x != curve.mark else None,
                )
                if done:
                    break

    def _alone(self, group: Sequence[Marker], text: str) -> bool:
        """Whether no other marker is where the label of these might be."""
        at = group[0].event
        wide = (text_px(text) + 2 * LabelPlacer.GAP) / self.narrowest * self.across
        tall = AMONG_OTHERS_PX * self.down

        def there(markers: Sequence[Marker]) -> int:
            return sum(
                abs(one.event.x - at.x) <= wide
                and abs(one.event.equity_before - at.equity_before) <= tall
                for one in markers
            )

        return there(self.scene.markers) == there(group)

    def _ghosts(self) -> None:
        """Which thin line is which, at the places where it is liquidated."""
        own = {(one.mode, one.event.x) for one in self.scene.markers}
        for ghost in self.scene.ghosts:
            curve, named = ghost.curve, False
            for mode in (curve.cross, curve.isolated):
                # Where the account's is the same, words of the ghost's would say nothing.
                for event in [e for e in mode.events if (mode.mode, e.x) not in own][:1]:
                    *long, short = ghost.names(mode.mode, event)
                    at_all = OVER_ANOTHER if named else 1e4
                    tries = [*((text, OVER_ANOTHER) for text in long), (short, at_all)]
                    reach = 4 if named else 6
                    named |= any(
                        self.placer.place(
                            event.x, event.equity_before, text, "word", reach=reach, at_most=at_most
                        )
                        for text, at_most in tries
                    )
            if not named:
                apart = np.abs(curve.cross.equity - self._live(curve.x))
                at = int(np.argmax(apart))
                x, y = float(curve.x[at]), float(curve.cross.equity[at])
                self.placer.place(x, y, ghost.name, "word", reach=2, at_most=OVER_ANOTHER)

    def _live(self, x: np.ndarray) -> np.ndarray:
        curve = self.scene.curve
        return np.interp(x, curve.x, curve.cross.equity)

    def _untouched(self) -> None:
        """The name of the line of a world without liquidation, where it is far from the others."""
        curve = self.scene.curve
        values = curve.cross.untouched
        inside = np.where(values >= self.scene.y[0], np.abs(values - curve.cross.equity), -1.0)
        at = int(np.argmax(inside))
        x, y = float(curve.x[at]), float(values[at])
        self.placer.place(x, y, "if nobody liquidated", "word", reach=3, at_most=OVER_ANOTHER)

    def _below_zero(self) -> None:
        low = self.scene.y[0]
        if low >= -LabelPlacer.LINE * self.down:
            return
        short_of = any(one.event.pool_equity < 0 for one in self.scene.markers)
        words = BELOW_ZERO if short_of else BELOW_ZERO[-1:]
        word = next((word for word in words if self.placer.fits(word, 1.0)), "")
        at = -0.6 * LabelPlacer.LINE * self.down
        self.placer.place(self.scene.x[0], at, word, "word", reach=2)

    def _jumps(self) -> None:
        """The amount beside the bracket of a jump that can be seen."""
        for marker in self.scene.markers:
            event = marker.event
            change = event.equity_after - event.equity_before
            if abs(change) >= JUMP_PX * self.down:
                middle = event.equity_before + change / 2
                text = jump_words(self.scene.curve, event)
                self.placer.place(event.x, middle, text, marker.mode, reach=1, at_most=IN_THE_WAY)

    def _ticks(self) -> None:
        """Bankruptcy, a price of its own beside the trigger; where two have no room, of one."""
        curve, (low, high) = self.scene.curve, self.scene.x
        for marker in self.scene.markers[:LABELS_AT_MOST]:
            at = marker.event.bankruptcy_x
            if at is not None and low <= at <= high:
                text = f"bankrupt {place(curve, at)}"
                y = 10 * self.down
                self.placer.place(at, y, text, marker.mode, reach=1, at_most=IN_THE_WAY / 2)


def groups(markers: Sequence[Marker], mark: float, near: tuple[float, float]) -> list[list[Marker]]:
    """Markers that share a label: those of cross one by one, then isolated from the mark on."""
    found = [[marker] for marker in markers if marker.mode == "cross"]
    alone = [marker for marker in markers if marker.mode == "isolated"]
    last: Marker | None = None
    for marker in sorted(alone, key=lambda one: (one.event.x < mark, abs(one.event.x - mark))):
        if (
            last is not None
            and abs(marker.event.x - found[-1][0].event.x) <= near[0]
            and abs(marker.event.equity_before - last.event.equity_before) <= near[1]
        ):
            found[-1].append(marker)
        else:
            found.append([marker])
        last = marker
    # Two names still have room, and say more than a number.
    parts = [part for one in found for part in ([one] if len(one) > 2 else [[m] for m in one])]
    return sorted(parts, key=lambda one: (one[0].mode, abs(one[0].event.x - mark)))


def _line_names(curve: Curve) -> list[tuple[float, float, str, str]]:
    """x, y, text and tone of the names of the lines, at an end of each."""
    lead = np.abs(curve.cross.equity - curve.isolated.equity)
    end, other = (-1, 0) if lead[-1] > lead[0] else (0, -1)
    x, far = float(curve.x[end]), float(curve.x[other])
    if lead[end] == 0:
        names = [(x, float(curve.cross.equity[end]), "cross and isolated", "word")]
    else:
        names = [
            (x, float(curve.isolated.equity[end]), "isolated", "isolated"),
            (x, float(curve.cross.equity[end]), "cross", "cross"),
        ]
    level = floor(curve)[1]
    if level:
        names.append((far, level[other], "idle in isolated", "word"))
    required = float(curve.cross.maintenance[other])
    if required > 0:
        names.append((far, required, "maintenance in cross", "word"))
    return names
