/**
 * Shows HTML that Python has escaped, and reports what the user does with it.
 *
 * Traits: `html`, `label`, `live`, `role`, `names` (what stands beside and is named here: a "figure"
 * by the whole sentence, a "tabpanel" by the chosen tab).
 * Messages: {type: "action", action, value}, {type: "explain", path}, undo, redo.
 * A button with `data-copy` copies the text of the element whose `data-key` that is; the element
 * whose `data-copied` it is says so.
 */
import {
  Disposer,
  focusedIn,
  freshId,
  makeRoot,
  sendHistoryKeys,
  type RenderContext,
} from "./common";
import { watchKernel } from "./kernel";
import { initialize } from "./together";

const CONTROL = "select[data-action], input[data-action]";
const HIDE = "hide-explanation";

/** Copy as browsers did before there was a clipboard to write to; what is copied stays selected. */
function copySelected(source: HTMLElement): boolean {
  const selection = window.getSelection();
  if (!selection) return false;
  const range = document.createRange();
  range.selectNodeContents(source);
  selection.removeAllRanges();
  selection.addRange(range);
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  }
}

/** Put the text of the element that a button is for on the clipboard, and say what came of it. */
async function copyText(root: HTMLElement, key: string): Promise<void> {
  const source = root.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
  if (!source) return;
  let done = true;
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
  } catch {
    // Not permitted, or a page without a secure address.
    done = copySelected(source);
  }
  const said = root.querySelector<HTMLElement>(`[data-copied="${CSS.escape(key)}"]`);
  if (said) said.textContent = done ? "Copied" : "Selected: press Ctrl+C";
}

/** Attribute selectors that find the same control again after a new render. */
function findAgain(element: HTMLElement): string | null {
  const holder = element.closest<HTMLElement>("[data-key]");
  if (holder === element) return `[data-key="${CSS.escape(element.dataset.key!)}"]`;
  for (const name of ["action", "explain"] as const) {
    const own = element.dataset[name];
    if (own === undefined) continue;
    const value = element.dataset.value;
    const tail = value === undefined ? "" : `[data-value="${CSS.escape(value)}"]`;
    return `[data-${name}="${CSS.escape(own)}"]${tail}`;
  }
  return null;
}

/**
 * Replace the content, keeping focus, typed text, scroll positions and open details. Only what has
 * been scrolled is asked where it is: the answer takes a layout of the whole page.
 */
function replaceContent(root: HTMLElement, html: string, scrolled: Set<EventTarget>): void {
  const focused = focusedIn(root);
  const again = focused && focused !== root ? findAgain(focused) : null;
  const typed = focused instanceof HTMLInputElement ? focused : null;
  const kept = [...root.querySelectorAll<HTMLElement>("[data-key]")].map((element) => ({
    key: element.dataset.key!,
    top: scrolled.has(element) ? element.scrollTop : 0,
    left: scrolled.has(element) ? element.scrollLeft : 0,
    open: element instanceof HTMLDetailsElement ? element.open : null,
  }));
  const own = scrolled.has(root) ? { top: root.scrollTop, left: root.scrollLeft } : null;
  scrolled.clear();

  root.innerHTML = html;

  for (const { key, top, left, open } of kept) {
    if (!top && !left && open === null) continue;
    const element = root.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
    if (!element) continue;
    element.scrollTop = top;
    element.scrollLeft = left;
    // The event that says so comes later, and the next content may come before it.
    if (top || left) scrolled.add(element);
    if (open !== null && element instanceof HTMLDetailsElement) element.open = open;
  }
  if (own) {
    root.scrollTo({ ...own, behavior: "instant" });
    scrolled.add(root);
  }
  setTabStops(root);

  const target = again && root.querySelector<HTMLElement>(again);
  if (!target) return;
  if (typed && target instanceof HTMLInputElement && typed.value !== typed.defaultValue) {
    target.value = typed.value;
  }
  if (target.tabIndex < 0) target.tabIndex = 0;
  target.focus({ preventScroll: true });
}

/** The buttons that arrow keys walk through: tabs of a tab list, options of a group. */
function siblings(element: HTMLElement): HTMLElement[] {
  const list = element.closest<HTMLElement>('[role="tablist"], [role="radiogroup"]');
  if (!list) return [];
  return [...list.querySelectorAll<HTMLElement>('[role="tab"], [role="radio"]')];
}

/** One tab stop per tab list and radio group: the chosen item, or else the first. */
function setTabStops(root: HTMLElement): void {
  for (const list of root.querySelectorAll<HTMLElement>('[role="tablist"], [role="radiogroup"]')) {
    const items = [...list.querySelectorAll<HTMLElement>('[role="tab"], [role="radio"]')];
    const chosen =
      items.find((i) => i.ariaSelected === "true" || i.ariaChecked === "true") ?? items[0];
    for (const item of items) item.tabIndex = item === chosen ? 0 : -1;
  }
}

/** Scroll lists that are wider than their place so that the chosen item shows. */
function revealChosen(root: HTMLElement): void {
  for (const list of root.querySelectorAll<HTMLElement>(".mw-tabs, .mw-seg")) {
    if (list.scrollWidth <= list.clientWidth) continue;
    const chosen = list.querySelector('[aria-selected="true"], [aria-checked="true"]');
    if (!chosen) continue;
    const place = list.getBoundingClientRect();
    const box = chosen.getBoundingClientRect();
    if (box.left < place.left) list.scrollLeft -= place.left - box.left;
    else if (box.right > place.right) list.scrollLeft += box.right - place.right;
  }
}

/** What scrolls sideways can be reached, and so scrolled, by keyboard. */
function reachScrolled(root: HTMLElement): void {
  for (const table of root.querySelectorAll<HTMLElement>("table.mw-data")) {
    const wide = table.scrollWidth > table.clientWidth + 1;
    if (wide && !table.closest(".mw-scroll, .mw-wide")) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
}

/** What is cut off can be read by pointing at it. */
function titleIfCut(target: EventTarget | null): void {
  const element = (target as Element | null)?.closest<HTMLElement>(".mw-seg button");
  if (element && !element.title && element.scrollWidth > element.clientWidth) {
    element.title = element.textContent ?? "";
  }
}

/** Arrow keys walk through tabs and radio buttons; a radio button is chosen on arrival. */
function walk(event: KeyboardEvent): void {
  const target = (event.target as HTMLElement).closest<HTMLElement>('[role="tab"], [role="radio"]');
  if (!target || event.ctrlKey || event.metaKey || event.altKey) return;
  const items = siblings(target);
  const at = items.indexOf(target);
  const to = {
    ArrowRight: at + 1,
    ArrowDown: at + 1,
    ArrowLeft: at - 1,
    ArrowUp: at - 1,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const next = items[(to + items.length) % items.length]!;
  for (const item of items) item.tabIndex = item === next ? 0 : -1;
  next.focus();
  if (next.getAttribute("role") === "radio" && next !== target) next.click();
}

/** Give the figure in the same box the sentence as its text, or the panel below its tab's name. */
function nameBeside(el: HTMLElement, root: HTMLElement, names: string, id: string): void {
  if (names === "figure") {
    const sentence = root.querySelector<HTMLElement>(".mw-caption");
    const figure = el.parentElement?.querySelector<HTMLElement>(":scope > .bqplot");
    if (!sentence || !figure) return;
    sentence.id = id;
    figure.setAttribute("role", "img");
    figure.setAttribute("aria-labelledby", id);
  } else if (names === "tabpanel") {
    const panel = el.nextElementSibling;
    const chosen = root.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]');
    if (!panel || !chosen) return;
    chosen.id = id;
    panel.id ||= freshId("mw-panel");
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", id);
    chosen.setAttribute("aria-controls", panel.id);
  }
}

/** bqplot draws for the width on screen; on paper, which may be narrower, the drawing is scaled. */
function scaleForPaper(el: HTMLElement, on: boolean): void {
  const figure = el.parentElement?.querySelector(":scope > .bqplot");
  const frame = figure?.querySelector(".plotarea_background");
  for (const svg of figure?.querySelectorAll(":scope > svg") ?? []) {
    const size = `${frame?.getAttribute("width")} ${frame?.getAttribute("height")}`;
    if (on) svg.setAttribute("viewBox", `0 0 ${size}`);
    else svg.removeAttribute("viewBox");
    svg.setAttribute("preserveAspectRatio", "xMinYMin");
  }
}

/** The box around this widget and those beside it. */
function boxOf(el: HTMLElement): HTMLElement | null {
  return el.parentElement?.closest<HTMLElement>(".margin-widgets") ?? null;
}

/** Escape closes the explanation that is open in the same box. */
function closeExplanation(event: KeyboardEvent, el: HTMLElement): void {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  const close = boxOf(el)?.querySelector<HTMLElement>(`[data-action="${HIDE}"]`);
  if (!close) return;
  event.preventDefault();
  event.stopPropagation();
  close.click();
}

/** When an explanation goes, the focus goes back to its figure, or to the tab of its figure. */
function returnFocus(el: HTMLElement, from: string): void {
  const name = CSS.escape(from);
  const target = `[data-explain="${name}"], [role="tab"][data-value="${name}"]`;
  boxOf(el)?.querySelector<HTMLElement>(target)?.focus();
}

/** Where the part that had the focus made way for this one, a button of this one takes it. */
function takeFocus(root: HTMLElement): void {
  requestAnimationFrame(() => {
    if (document.activeElement && document.activeElement !== document.body) return;
    root.querySelector<HTMLElement>("[data-refocus]")?.focus({ preventScroll: true });
  });
}

function render({ model, el }: RenderContext): () => void {
  const disposer = new Disposer();
  const root = makeRoot(el, "mw-html", disposer);
  const text = (name: string) => String(model.get(name) ?? "");

  const describe = () => {
    const live = Boolean(model.get("live"));
    // A name is no use to an element without a role.
    const role = text("role") || (live ? "status" : text("label") ? "group" : "");
    if (role) root.setAttribute("role", role);
    else root.removeAttribute("role");
    if (live) root.setAttribute("aria-live", "polite");
    else root.removeAttribute("aria-live");
    if (text("label")) root.setAttribute("aria-label", text("label"));
    else root.removeAttribute("aria-label");
  };

  // A node replaced between press and release would swallow the click, so wait for it.
  let pressed = false;
  // A slider that is dragged, and where it was; Escape takes it back there, and the rest of the
  // drag is for nothing.
  let held: { range: HTMLInputElement; value: string; escaped: boolean } | null = null;
  const escaped = (target: EventTarget | null): boolean => {
    if (!held?.escaped || held.range !== target) return false;
    held.range.value = held.value;
    return true;
  };
  let shown: string | null = null;
  const scrolled = new Set<EventTarget>();
  const measured = () => {
    revealChosen(root);
    reachScrolled(root);
  };
  const names = text("names");
  const id = freshId("mw-name");
  const update = () => {
    const html = text("html");
    if (pressed || html === shown) return;
    const fresh = !shown?.includes("data-refocus") && html.includes("data-refocus");
    shown = html;
    // A live region has to be on the page before it says something, but without a place there.
    el.classList.toggle("mw-silent", !html);
    replaceContent(root, html, scrolled);
    if (fresh) takeFocus(root);
    // Later: to measure now would have the browser lay out the page for each part that changed.
    if (/mw-data|mw-tabs|mw-seg/.test(html)) requestAnimationFrame(measured);
    nameBeside(el, root, names, id);
  };
  const released = () => {
    if (!pressed) return;
    setTimeout(() => {
      pressed = false;
      held = null;
      update();
    });
  };

  describe();
  update();
  disposer.observe(model, "change:html", update);
  for (const name of ["label", "live", "role"]) {
    disposer.observe(model, `change:${name}`, describe);
  }
  disposer.listen(root, "pointerdown", (event) => {
    pressed = true;
    const range = event.target as HTMLInputElement;
    held = range.type === "range" ? { range, value: range.value, escaped: false } : null;
  });
  disposer.listen(root, "input", (event) => void escaped(event.target));
  disposer.listen(
    window,
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !held) return;
      event.preventDefault();
      event.stopPropagation();
      held.escaped = true;
      escaped(held.range);
    },
    true,
  );
  disposer.listen(window, "pointerup", released, true);
  disposer.listen(window, "pointercancel", released, true);

  disposer.listen(root, "click", (event) => {
    const target = (event.target as HTMLElement).closest<HTMLElement>(
      "[data-action], [data-explain], [data-copy]",
    );
    if (!target || !root.contains(target) || target.matches(CONTROL)) return;
    if (target.getAttribute("aria-disabled") === "true") return;
    const { action, value, explain, copy } = target.dataset;
    if (copy !== undefined) void copyText(root, copy);
    else if (action !== undefined) {
      if (action === HIDE) returnFocus(el, value ?? "");
      model.send({ type: "action", action, value: value ?? null });
    } else model.send({ type: "explain", path: explain });
  });
  // What Enter has sent is not sent again when the focus leaves.
  const sent = new WeakMap<HTMLElement, string>();
  disposer.listen(root, "change", (event) => {
    const target = event.target as HTMLElement;
    if (!target.matches(CONTROL) || escaped(target)) return;
    const control = target as HTMLInputElement | HTMLSelectElement;
    if (sent.get(control) === control.value) return;
    sent.delete(control);
    const value = control.type === "checkbox" ? (control as HTMLInputElement).checked : control.value;
    model.send({ type: "action", action: control.dataset.action, value });
  });
  // Notebooks keep Enter from ending an input, as it does elsewhere.
  disposer.listen(root, "keydown", (event) => {
    const target = event.target as HTMLInputElement;
    if (event.key !== "Enter" || !target.matches("input[data-action]")) return;
    if (target.type === "checkbox" || target.type === "range") return;
    event.preventDefault();
    event.stopPropagation();
    sent.set(target, target.value);
    model.send({ type: "action", action: target.dataset.action, value: target.value });
  });
  disposer.listen(root, "keydown", walk);
  disposer.listen(root, "keydown", (event) => closeExplanation(event, el));
  disposer.listen(root, "pointerover", (event) => titleIfCut(event.target));
  disposer.listen(root, "scroll", (event) => void scrolled.add(event.target!), true);
  // What stands beside comes in its own time, and may be replaced.
  const neighbours = new MutationObserver(() => nameBeside(el, root, names, id));
  let box: HTMLElement | null = null;
  const sizes = new ResizeObserver(() => {
    measured();
    if (!names || box === el.parentElement || !el.parentElement) return;
    box = el.parentElement;
    neighbours.disconnect();
    neighbours.observe(box, { childList: true });
    nameBeside(el, root, names, id);
  });
  sizes.observe(root);
  if (names === "figure") {
    const paper = matchMedia("print");
    const scale = () => scaleForPaper(el, paper.matches);
    paper.addEventListener("change", scale);
    disposer.add(() => paper.removeEventListener("change", scale));
  }
  disposer.add(() => sizes.disconnect());
  disposer.add(() => neighbours.disconnect());
  sendHistoryKeys(root, model, disposer);
  watchKernel(root, model, disposer);

  return () => disposer.dispose();
}

export default { initialize, render };
