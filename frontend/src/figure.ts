/**
 * What bqplot does not tell of a figure in the same box: Escape, and where a click fell.
 *
 * Traits: `armed` (whether Escape means something without a drag).
 * Messages: {type: "escape"}, answered by {type: "escaped"}; {type: "click", x, y, width}, x and y
 * as shares of the frame from its upper left.
 */
import { Disposer, makeRoot, type RenderContext } from "./common";
import { initialize } from "./together";

/** How far a pointer may stray, in pixels, for a press to be a click. */
const STRAY = 3;
/** How long to wait for a kernel that may be busy or gone, in milliseconds. */
const PATIENCE = 3000;

function render({ model, el }: RenderContext): () => void {
  const disposer = new Disposer();
  const root = makeRoot(el, "mw-figure-keys", disposer);
  let pressed: { x: number; y: number } | null = null;
  let last = { x: 0, y: 0 };
  let waiting: ReturnType<typeof setTimeout> | null = null;

  const box = () => root.closest<HTMLElement>(".mw-panel");
  const figure = () => box()?.querySelector<HTMLElement>(".mw-plot") ?? null;

  /**
   * End a drag that was left. Messages of different widgets may overtake each other on their way
   * through the kernel: what drags is let go only once the kernel knows that nothing is meant by it.
   */
  const letGo = () => {
    if (waiting === null) return;
    clearTimeout(waiting);
    waiting = null;
    const release = { view: window, bubbles: true, clientX: last.x, clientY: last.y };
    window.dispatchEvent(new MouseEvent("mouseup", release));
  };
  disposer.observe(model, "msg:custom", (content: { type?: string }) => {
    if (content.type === "escaped") letGo();
  });
  // Meanwhile what drags neither hears of moves nor of the button.
  for (const type of ["mousemove", "mouseup"] as const) {
    disposer.listen(
      window,
      type,
      (event) => {
        if (waiting !== null) event.stopImmediatePropagation();
      },
      true,
    );
  }

  const escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    const panel = box();
    if (!panel) return;
    if (pressed) {
      pressed = null;
      waiting = setTimeout(letGo, PATIENCE);
    } else if (
      !model.get("armed") ||
      !(panel.contains(document.activeElement) || figure()?.matches(":hover"))
    ) {
      return;
    }
    model.send({ type: "escape" });
    event.preventDefault();
    event.stopPropagation();
  };

  const release = (event: PointerEvent) => {
    const from = pressed;
    pressed = null;
    if (!from || Math.hypot(event.clientX - from.x, event.clientY - from.y) > STRAY) return;
    const frame = figure()?.querySelector(".plotarea_background")?.getBoundingClientRect();
    if (!frame?.width || !frame.height) return;
    const x = (event.clientX - frame.left) / frame.width;
    const y = (event.clientY - frame.top) / frame.height;
    if (x < 0 || x > 1 || y < 0 || y > 1) return;
    if ((event.target as Element).closest("path.element")) return; // a handle
    model.send({ type: "click", x, y, width: frame.width });
  };

  disposer.listen(window, "keydown", escape, true);
  disposer.listen(
    window,
    "pointerdown",
    (event) => {
      last = { x: event.clientX, y: event.clientY };
      pressed = figure()?.contains(event.target as Node) ? last : null;
    },
    true,
  );
  disposer.listen(
    window,
    "pointermove",
    (event) => {
      if (pressed) last = { x: event.clientX, y: event.clientY };
    },
    true,
  );
  disposer.listen(window, "pointerup", release, true);
  disposer.listen(window, "pointercancel", () => (pressed = null), true);
  disposer.add(letGo);
  return () => disposer.dispose();
}

export default { initialize, render };
