/**
 * One row per symbol: its name, a slider and a number, all for the mark price.
 *
 * Traits: `rows`, `errors`, `label`, `placeholder` (shown without rows), `group` (what stands
 * between thousands), `interval` (ms between previews).
 * Messages: preview, commit, commit_text, cancel, select, undo, redo.
 */
import {
  Disposer,
  freshId,
  historyKey,
  make,
  makeRoot,
  sendHistoryKeys,
  type Model,
  type RenderContext,
} from "./common";
import { initialize } from "./together";

interface MarkData {
  symbol: string;
  text: string;
  value: number;
  low: number;
  high: number;
  step: number;
  selected: boolean;
  /** A word or two about the symbol, "no position" for instance. */
  note?: string;
  /** Accessible name of a row that is no mark price; such a row cannot be selected. */
  name?: string;
}

interface MarkError {
  symbol: string;
  text: string;
  message: string;
}

const KEY_COMMIT_MS = 150;
/** How long a released slider waits for Python's answer before it shows what Python says. */
const HOLD_MS = 800;
const POSITIONS = 1000;

/** Decimals of a number as written, "1,234.50" has two. */
function decimals(text: string): number {
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.slice(point + 1).replace(/\D/g, "").length;
}

function decimalsOf(step: number): number {
  const [mantissa = "", exponent = "0"] = String(step).split("e");
  return Math.max(0, decimals(mantissa) - Number(exponent));
}

/** One symbol's controls; keeps what the user is doing apart from what Python says. */
class MarkRow {
  readonly element = make("div", "mw-mark");
  private readonly name: HTMLElement;
  private readonly note = make("span", "mw-mark-note");
  private readonly range = make("input", "mw-range");
  private readonly number = make("input", "mw-number");
  private readonly message = make("div", "mw-mark-error");
  private data: MarkData;
  private error: MarkError | null = null;
  private positions = POSITIONS;
  private dragging = false;
  /** Where the slider was when it was grabbed; null once it is let go. */
  private begun: string | null = null;
  /** Is the rest of a drag ignored, as Escape has taken it back? */
  private escaped = false;
  private byKey = false;
  private lastPreview = 0;
  private previewTimer = 0;
  private commitTimer = 0;
  private holdTimer = 0;
  private held: number | null = null;
  private shownText = "";
  /** Has anything been typed since the text shown last? Redo then means typing. */
  private typed = false;

  constructor(
    data: MarkData,
    private readonly model: Model,
  ) {
    this.data = data;
    const { symbol } = data;
    const spoken = data.name || `${symbol} mark price`;
    this.name = make(data.name ? "span" : "button", "mw-mark-name");
    this.name.textContent = symbol;
    this.name.title = symbol;
    this.range.type = "range";
    this.range.min = "0";
    this.range.setAttribute("aria-label", spoken);
    this.number.type = "text";
    this.number.inputMode = "decimal";
    this.number.autocomplete = "off";
    this.number.spellcheck = false;
    this.number.setAttribute("aria-label", `${spoken}, number`);
    this.message.id = freshId("mw-error");
    this.message.setAttribute("role", "alert");
    this.element.dataset.symbol = symbol;
    const label = make("div", "mw-mark-label");
    label.append(this.name, this.note);
    this.element.append(label, this.range, this.number, this.message);
    this.listen();
    this.show();
  }

  private listen(): void {
    const { range, number } = this;
    const symbol = this.data.symbol;
    if (!this.data.name) {
      this.name.addEventListener("click", () => this.model.send({ type: "select", symbol }));
    }

    range.addEventListener("pointerdown", () => {
      this.dragging = true;
      this.byKey = false;
      this.begun = range.value;
      this.escaped = false;
      // Wherever the focus is: not every browser gives it to a slider that is grabbed.
      window.addEventListener("keydown", this.onEscape, true);
    });
    range.addEventListener("keydown", () => (this.byKey = true));
    range.addEventListener("input", () => {
      if (this.escaped) {
        this.restore();
        return;
      }
      this.release();
      this.showValue(this.sliderValue());
      this.preview();
      if (this.byKey) this.commitSoon();
    });
    range.addEventListener("change", () => {
      if (this.escaped) this.restore();
      else if (this.byKey) this.commitSoon();
      else this.commit();
      this.dragging = false;
    });
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      // The change event of a drag comes after these; give it time to arrive first.
      range.addEventListener(type, () =>
        setTimeout(() => {
          this.dragging = this.escaped = false;
          this.letGo();
          this.show();
        }),
      );
    }
    range.addEventListener("blur", () => this.commitTimer && this.commit());

    number.addEventListener("focus", () => number.select());
    number.addEventListener("blur", () => this.commitText());
    number.addEventListener("input", () => (this.typed = true));
    number.addEventListener("keydown", (event) => {
      const history = historyKey(event);
      if (history) {
        event.preventDefault();
        event.stopPropagation();
        this.history(history);
      } else if (event.key === "Enter") {
        event.preventDefault();
        this.commitText();
        number.select();
      } else if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        if (this.error) this.model.send({ type: "cancel", symbol });
        this.error = null;
        this.shownText = number.value = this.data.text;
        this.typed = false;
        this.showError();
        number.select();
      }
    });
  }

  private readonly onEscape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || this.begun === null || this.escaped) return;
    event.preventDefault();
    event.stopPropagation();
    clearTimeout(this.previewTimer);
    clearTimeout(this.commitTimer);
    this.previewTimer = this.commitTimer = 0;
    this.escaped = true;
    this.restore();
    this.model.send({ type: "cancel", symbol: this.data.symbol });
  };

  /** Show what was there before a drag, though the pointer still holds the slider. */
  private restore(): void {
    if (this.begun !== null) this.range.value = this.begun;
    this.number.value = this.shownText = this.data.text;
    this.range.setAttribute("aria-valuetext", this.data.text);
    this.paint();
  }

  private letGo(): void {
    this.begun = null;
    window.removeEventListener("keydown", this.onEscape, true);
  }

  /** Undo typing as long as there is some (the browser's own undo does not arrive here). */
  private history(type: "undo" | "redo"): void {
    const typing = this.typed && (type === "redo" || this.number.value !== this.shownText);
    if (typing) document.execCommand(type);
    else this.model.send({ type });
  }

  private sliderValue(): number {
    const { low, high, step } = this.data;
    const at = Number(this.range.value) / this.positions;
    if (at === 0) return low;
    if (at === 1) return high;
    const value = low + at * (high - low);
    if (!(step > 0)) return value;
    const snapped = Number((Math.round(value / step) * step).toFixed(decimalsOf(step)));
    return Math.min(high, Math.max(low, snapped));
  }

  private format(value: number): string {
    const digits = decimals(this.data.text);
    const text = value.toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    return text.replace("-", "\u2212").replaceAll(",", String(this.model.get("group") ?? ","));
  }

  private preview(): void {
    const every = Number(this.model.get("interval") ?? 100);
    const wait = this.lastPreview + every - performance.now();
    if (wait > 0) {
      this.previewTimer ||= window.setTimeout(() => this.sendPreview(), wait);
    } else {
      this.sendPreview();
    }
  }

  private sendPreview(): void {
    clearTimeout(this.previewTimer);
    this.previewTimer = 0;
    this.lastPreview = performance.now();
    this.model.send({ type: "preview", symbol: this.data.symbol, value: this.sliderValue() });
  }

  private commitSoon(): void {
    clearTimeout(this.commitTimer);
    this.commitTimer = window.setTimeout(() => this.commit(), KEY_COMMIT_MS);
  }

  private commit(): void {
    clearTimeout(this.commitTimer);
    clearTimeout(this.previewTimer);
    this.commitTimer = this.previewTimer = 0;
    this.dragging = false;
    const value = this.sliderValue();
    this.held = value;
    clearTimeout(this.holdTimer);
    this.holdTimer = window.setTimeout(() => {
      this.release();
      this.show();
    }, HOLD_MS);
    this.model.send({ type: "commit", symbol: this.data.symbol, value });
  }

  private commitText(): void {
    const text = this.number.value;
    this.typed = false;
    if (text === this.shownText) return;
    this.shownText = text;
    this.model.send({ type: "commit_text", symbol: this.data.symbol, text });
    // No news may mean that the text says what the mark already is: show it as Python writes it.
    clearTimeout(this.holdTimer);
    this.holdTimer = window.setTimeout(() => this.show(), HOLD_MS);
  }

  /** Stop waiting for the answer to a commit. */
  private release(): void {
    clearTimeout(this.holdTimer);
    this.held = null;
  }

  update(data: MarkData, error: MarkError | null): void {
    const priceNews = data.value !== this.data.value || data.text !== this.data.text;
    const news = priceNews || error !== this.error;
    this.data = data;
    this.error = error;
    if (this.held !== null && priceNews && Math.abs(data.value - this.held) <= 1e-9 * Math.abs(this.held)) {
      this.release();
    }
    this.show(news);
  }

  /** Bring the controls in line with the data, except what the user holds. */
  show(news = true): void {
    const { data, range } = this;
    const note = data.note ?? "";
    if (this.note.textContent !== note) {
      this.note.textContent = note;
      this.note.title = note;
      this.note.hidden = !note;
      this.name.title = note ? `${data.symbol}: ${note}` : data.symbol;
      range.setAttribute("aria-description", note);
    }
    if (!data.name) this.name.setAttribute("aria-pressed", String(Boolean(data.selected)));
    this.element.classList.toggle("mw-selected", Boolean(data.selected));
    if (!this.dragging && !this.commitTimer && this.held === null) {
      const span = data.high - data.low;
      const wanted = data.step > 0 ? Math.round(span / data.step) : POSITIONS;
      this.positions = Math.min(POSITIONS, Math.max(1, wanted || 1));
      if (range.max !== String(this.positions)) range.max = String(this.positions);
      const at = span > 0 ? (data.value - data.low) / span : 0;
      const position = String(Math.round(Math.min(1, Math.max(0, at)) * this.positions));
      if (range.value !== position) range.value = position;
      this.paint();
      range.setAttribute("aria-valuetext", data.text);
      const typing = document.activeElement === this.number && this.number.value !== this.shownText;
      if (this.error) {
        if (!typing) this.shownText = this.number.value = this.error.text;
      } else if (!typing && (news || this.shownText === this.number.value)) {
        if (this.number.value !== data.text) this.number.value = data.text;
        this.shownText = data.text;
      }
    }
    this.showError();
  }

  private showValue(value: number): void {
    const text = this.format(value);
    this.number.value = this.shownText = text;
    this.range.setAttribute("aria-valuetext", text);
    this.paint();
  }

  /** The filled part of the track is drawn from this share. */
  private paint(): void {
    const share = (100 * Number(this.range.value)) / this.positions;
    this.range.style.setProperty("--mw-at", `${share}%`);
  }

  private showError(): void {
    const message = this.error?.message ?? "";
    if (this.message.textContent !== message) this.message.textContent = message;
    this.message.hidden = !message;
    this.number.classList.toggle("mw-invalid", Boolean(message));
    if (message) {
      this.number.setAttribute("aria-invalid", "true");
      this.number.setAttribute("aria-describedby", this.message.id);
    } else {
      this.number.removeAttribute("aria-invalid");
      this.number.removeAttribute("aria-describedby");
    }
  }

  remove(): void {
    for (const timer of [this.previewTimer, this.commitTimer, this.holdTimer]) clearTimeout(timer);
    this.letGo();
    this.element.remove();
  }
}

function render({ model, el }: RenderContext): () => void {
  const disposer = new Disposer();
  const root = makeRoot(el, "mw-marks", disposer);
  const rows = new Map<string, MarkRow>();
  const empty = make("p", "mw-empty");

  const update = () => {
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", String(model.get("label") || "Mark prices"));
    empty.textContent = String(model.get("placeholder") ?? "");
    const data = (model.get("rows") as MarkData[] | null) ?? [];
    const errors = (model.get("errors") as MarkError[] | null) ?? [];
    const wanted = new Set(data.map((row) => row.symbol));
    for (const [symbol, row] of rows) {
      if (wanted.has(symbol)) continue;
      row.remove();
      rows.delete(symbol);
    }
    if (data.length || !empty.textContent) empty.remove();
    else root.append(empty);
    data.forEach((item, index) => {
      const error = errors.find((e) => e.symbol === item.symbol) ?? null;
      let row = rows.get(item.symbol);
      if (!row) {
        row = new MarkRow(item, model);
        rows.set(item.symbol, row);
      }
      row.update(item, error);
      const here = root.children[index];
      if (here !== row.element) root.insertBefore(row.element, here ?? null);
    });
  };

  update();
  for (const name of ["rows", "errors", "label", "placeholder"]) {
    disposer.observe(model, `change:${name}`, update);
  }
  disposer.add(() => rows.forEach((row) => row.remove()));
  sendHistoryKeys(root, model, disposer);
  return () => disposer.dispose();
}

export default { initialize, render };
