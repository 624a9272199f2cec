/**
 * The rows and columns on screen: a thin layer over Tabulator's virtual rendering.
 *
 * Tabulator lays out headers and renders the rows in view; it holds only row ids. What a cell
 * shows is painted by the owner, so that new data touch only the cells that differ.
 */
import { FormatModule, Tabulator, type ColumnDefinition } from "tabulator-tables";
import { make } from "./common";

Tabulator.registerModule([FormatModule]);

export interface Column {
  field: string;
  title: string;
  hint?: string;
  kind: "text" | "number" | "choice" | "readonly";
  choices?: string[];
  align?: "left" | "right" | "center";
  width?: number;
  hide_below?: number;
  explain?: boolean;
}

export interface Row {
  id: string;
  text: Record<string, string>;
  raw?: Record<string, string> | undefined;
  classes?: Record<string, string> | undefined;
  flags?: string[] | undefined;
}

type Texts = Record<string, (string | null)[]>;

/** All rows as they arrive: the texts of each field by row, null where a row has none. */
export interface RowColumns {
  id: string[];
  text?: Texts;
  raw?: Texts;
  classes?: Texts;
  /** Flags of each row, separated by spaces. */
  flags?: string[] | undefined;
}

/** The fields of one row that it has. */
function textsOf(columns: Texts | undefined, index: number): Record<string, string> | undefined {
  if (!columns) return undefined;
  const found: Record<string, string> = {};
  for (const field in columns) {
    const text = columns[field]![index];
    if (text !== null && text !== undefined) found[field] = text;
  }
  return found;
}

export function rowsFrom(columns: RowColumns | null): Row[] {
  return (columns?.id ?? []).map((id, index) => ({
    id,
    text: textsOf(columns!.text, index) ?? {},
    raw: textsOf(columns!.raw, index),
    classes: textsOf(columns!.classes, index),
    flags: columns!.flags?.[index]?.split(" ").filter(Boolean),
  }));
}

export interface GridOptions {
  columns: Column[];
  rows: Row[];
  label: string;
  placeholder: string;
  maxHeight: number;
  /** Fill a cell element; called once per new cell, and by the owner after that. */
  paint(cell: HTMLElement, row: Row, column: Column): void;
  /** Set the attributes of a row element. */
  paintRow(element: HTMLElement, row: Row, index: number): void;
  /** Is an editor open? Then columns do not shrink below it. */
  busy(): boolean;
  onReady(): void;
}

export const ROW_HEIGHT = 27;
const PADDING = 14;
/** What each column can give up before words become smaller or the table scrolls sideways. */
const SLACK = 6;
/** How much narrower the smaller words of a crowded table are. */
const SMALL = 12 / 13;
const MARKER = 16;
/** A figure that can be clicked is a button with room for its focus ring. */
const BUTTON = 14;
/** A column of words shows this many digits' width; the rest of a long name is in its title. */
const WORD = 16;
const WORD_MIN = 8;
const WORD_SHARE = 0.4;
/** Data that come faster than this are a drag or a feed: columns only grow while it lasts. */
const IDLE_MS = 1000;

function total(widths: number[]): number {
  return widths.reduce((sum, width) => sum + width, 0);
}

export function alignment(column: Column): "left" | "right" | "center" {
  if (column.align) return column.align;
  return column.kind === "number" || column.kind === "readonly" ? "right" : "left";
}

export class Grid {
  rows: Row[] = [];
  built = false;
  readonly element = make("div", "mw-grid");
  private byId = new Map<string, Row>();
  private index = new Map<string, number>();
  private readonly columnOf = new Map<string, Column>();
  private readonly cells = new Map<string, Map<string, HTMLElement>>();
  private readonly rowElements = new Map<string, HTMLElement>();
  private readonly natural = new Map<string, number>();
  private readonly widths = new Map<string, number>();
  private readonly textWidth = new Map<string, number>();
  private readonly hidden = new Set<string>();
  private readonly ruler = document.createElement("canvas").getContext("2d");
  private readonly table: Tabulator;
  private destroyed = false;
  private lastData = -Infinity;
  private idleTimer = 0;
  /** Pixels between the table's edges, and of its rows beside the scroll bar. */
  private room = 0;
  private width = 0;

  constructor(
    parent: HTMLElement,
    private readonly options: GridOptions,
  ) {
    parent.prepend(this.element);
    for (const column of options.columns) this.columnOf.set(column.field, column);
    this.take(options.rows);
    const none = make("div");
    const words = make("div", "mw-empty", options.placeholder);
    none.setAttribute("role", "row");
    words.setAttribute("role", "gridcell");
    none.append(words);
    this.table = new Tabulator(this.element, {
      data: options.rows.map(({ id }) => ({ id })),
      columns: options.columns.map((column) => this.define(column)),
      index: "id",
      layout: "fitData",
      nestedFieldSeparator: false,
      rowHeight: ROW_HEIGHT,
      maxHeight: options.maxHeight,
      placeholder: none,
      rowFormatter: (row) => this.formatRow(row.getData().id, row.getElement()),
    });
    this.table.on("tableBuilt", () => {
      if (this.destroyed) {
        this.table.destroy();
        return;
      }
      this.built = true;
      this.finish();
      const ids = options.rows.map((row) => row.id);
      this.restructure(ids);
      this.layout();
      this.holder.addEventListener("scroll", () => this.showMore(), { passive: true });
      options.onReady();
    });
  }

  private define(column: Column): ColumnDefinition {
    return {
      field: column.field,
      title: column.title,
      titleFormatter: () => make("span", "mw-title", column.title),
      headerHozAlign: alignment(column),
      hozAlign: alignment(column),
      minWidth: 20,
      width: 60,
      formatter: (cell) => {
        const element = cell.getElement();
        const { id } = cell.getData() as { id: string };
        this.register(id, column.field, element);
        const row = this.byId.get(id);
        if (row) this.options.paint(element, row, column);
        return (element.firstElementChild as HTMLElement | null) ?? "";
      },
    };
  }

  private register(id: string, field: string, element: HTMLElement): void {
    element.dataset.field = field;
    element.dataset.row = id;
    let fields = this.cells.get(id);
    if (!fields) this.cells.set(id, (fields = new Map()));
    fields.set(field, element);
  }

  private formatRow(id: string, element: HTMLElement): void {
    this.rowElements.set(id, element);
    const row = this.byId.get(id);
    if (row) this.options.paintRow(element, row, this.index.get(id)!);
  }

  /** Attributes that Tabulator leaves out or sets otherwise. */
  private finish(): void {
    const { element, options } = this;
    if (options.label) element.setAttribute("aria-label", options.label);
    element.removeAttribute("tabindex");
    // The scrolled element can take the focus, so it cannot stand unnamed between grid and rows.
    element.removeAttribute("aria-owns");
    this.holder.tabIndex = -1;
    this.holder.setAttribute("role", "rowgroup");
    this.holder.firstElementChild?.setAttribute("role", "presentation");
    const headers = element.querySelectorAll<HTMLElement>('[role="columnheader"]');
    options.columns.forEach((column, index) => {
      const header = headers[index];
      if (!header) return;
      header.removeAttribute("aria-sort");
      header.setAttribute("aria-colindex", String(index + 1));
      header.setAttribute("aria-label", column.title);
      if (column.hint) {
        header.title = column.hint;
        header.setAttribute("aria-description", column.hint);
      }
    });
    element.querySelector('.tabulator-headers')?.setAttribute("aria-rowindex", "1");
    element.setAttribute("aria-colcount", String(options.columns.length));
  }

  /** The scrolling element. */
  get holder(): HTMLElement {
    return this.element.querySelector<HTMLElement>(".tabulator-tableholder")!;
  }

  row(id: string): Row | undefined {
    return this.byId.get(id);
  }

  indexOf(id: string): number {
    return this.index.get(id) ?? -1;
  }

  cell(id: string, field: string): HTMLElement | undefined {
    return this.cells.get(id)?.get(field);
  }

  visibleColumns(): Column[] {
    return this.options.columns.filter((column) => !this.hidden.has(column.field));
  }

  private take(rows: Row[]): void {
    this.rows = rows;
    this.byId = new Map(rows.map((row) => [row.id, row]));
    this.index = new Map(rows.map((row, index) => [row.id, index]));
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
  }

  /** Show new data. Returns true when rows were added, removed or moved. */
  setRows(next: Row[]): boolean {
    const before = this.rows.map((row) => row.id);
    this.take(next);
    const now = performance.now();
    const rapid = now - this.lastData < IDLE_MS;
    this.lastData = now;
    if (!this.built) return true;
    const moved = this.restructure(before);
    for (const row of next) this.paintCells(row);
    if (!rapid && !this.options.busy()) this.natural.clear();
    this.settleSoon();
    if (moved) {
      this.natural.clear();
      for (const row of next) {
        const element = this.rowElements.get(row.id);
        if (element) this.options.paintRow(element, row, this.index.get(row.id)!);
      }
    }
    // To measure has the browser lay out the page: other texts alone leave the room as it was.
    if (moved) this.layout();
    else if (this.share()) this.showMore();
    return moved;
  }

  private paintCells(row: Row): void {
    const fields = this.cells.get(row.id);
    if (!fields) return;
    for (const [field, element] of fields) {
      this.options.paint(element, row, this.columnOf.get(field)!);
    }
  }

  /** Paint every row again, e.g. after the selection changed. */
  paintRows(): void {
    for (const [id, element] of this.rowElements) {
      const row = this.byId.get(id);
      if (row) this.options.paintRow(element, row, this.index.get(id)!);
    }
  }

  paintCell(id: string, field: string): void {
    const element = this.cell(id, field);
    const row = this.byId.get(id);
    const column = this.columnOf.get(field);
    if (element && row && column) this.options.paint(element, row, column);
  }

  /** Bring Tabulator's rows in the order of `this.rows`, starting from the ids `before`. */
  private restructure(before: string[]): boolean {
    const { table } = this;
    const wanted = this.rows.map((row) => row.id);
    if (wanted.length === before.length && wanted.every((id, i) => id === before[i])) return false;
    const keep = new Set(wanted);
    const gone = before.filter((id) => !keep.has(id));
    for (const id of gone) {
      this.cells.delete(id);
      this.rowElements.delete(id);
    }
    if (gone.length === before.length || !wanted.length) {
      void table.setData(wanted.map((id) => ({ id })));
      return true;
    }
    const { scrollTop } = this.holder;
    const order = before.filter((id) => keep.has(id));
    const known = new Set(order);
    table.blockRedraw();
    for (const id of gone) void table.deleteRow(id);
    wanted.forEach((id, at) => {
      const here = order[at];
      if (here === id) return;
      if (known.has(id)) {
        table.moveRow(id, here!, true);
        order.splice(order.indexOf(id), 1);
      } else if (here === undefined) {
        void table.addRow({ id }, false);
      } else {
        void table.addRow({ id }, true, here);
      }
      order.splice(at, 0, id);
    });
    table.restoreRedraw();
    this.scrollTo(scrollTop);
    return true;
  }

  private scrollTo(top: number): void {
    const { holder } = this;
    if (holder.scrollTop === top) return;
    holder.scrollTop = top;
    // Tabulator renders on the scroll event, which the browser would send only later.
    holder.dispatchEvent(new Event("scroll"));
  }

  /** Scroll as little as needed to bring a row into view. */
  reveal(id: string): void {
    const at = this.indexOf(id);
    if (at < 0 || !this.built) return;
    const { holder } = this;
    const top = at * ROW_HEIGHT;
    const bottom = top + ROW_HEIGHT - holder.clientHeight;
    if (holder.scrollTop > top) this.scrollTo(top);
    else if (holder.scrollTop < bottom) this.scrollTo(bottom);
  }

  /** Once nothing more arrives and nothing is edited, forget widths that were needed before. */
  settleSoon(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => {
      if (this.destroyed || this.options.busy()) return;
      this.natural.clear();
      this.layout();
    }, IDLE_MS);
  }

  /**
   * Which columns are shown, and how wide they are at least. Only the room counts: a column gives
   * way below its `hide_below`, while long texts make the table scroll sideways.
   */
  private fit(width: number): { columns: Column[]; needs: number[]; tight: boolean; small: boolean } {
    const columns = this.options.columns.filter((column) => this.room >= (column.hide_below ?? 0));
    const needs = columns.map((column) => this.naturalWidth(column, width));
    const over = total(needs) - width;
    if (over <= 0) return { columns, needs, tight: false, small: false };
    const give = Math.min(SLACK, Math.ceil(over / needs.length));
    const tight = needs.map((need) => need - give);
    const small = total(tight) > width ? this.smaller(columns, needs, width) : null;
    return { columns, needs: small ?? tight, tight: true, small: small !== null };
  }

  /** Widths of smaller words, of which names may lose more; null if not even these have room. */
  private smaller(columns: Column[], needs: number[], width: number): number[] | null {
    const widths = needs.map((need) => Math.ceil((need - PADDING) * SMALL) + PADDING - SLACK);
    const over = Math.max(0, total(widths) - width);
    const names = columns.findIndex((column) => column.kind === "text");
    const least = Math.ceil(WORD_MIN * this.measure("0") * SMALL) + PADDING - SLACK;
    if (over && (names < 0 || widths[names]! - over < least)) return null;
    if (over) widths[names]! -= over;
    return widths;
  }

  /** Widths from the room there is now and the longest texts. */
  layout(): void {
    if (!this.built) return;
    this.room = this.element.clientWidth;
    this.width = this.holder.clientWidth;
    this.share();
    this.showMore();
  }

  /** Widths from the longest texts, in the room last measured. Returns whether one is another. */
  private share(): boolean {
    const { width } = this;
    if (!width) return false;
    let changed = false;
    const { columns, needs, tight, small } = this.fit(width);
    this.element.classList.toggle("mw-tight", tight);
    this.element.classList.toggle("mw-small", small);
    for (const column of this.options.columns) {
      const hide = !columns.includes(column);
      if (hide === this.hidden.has(column.field)) continue;
      if (hide) {
        this.hidden.add(column.field);
        this.table.hideColumn(column.field);
      } else {
        this.hidden.delete(column.field);
        this.table.showColumn(column.field);
      }
    }
    const taken = total(needs);
    const spare = Math.max(0, width - taken);
    let given = 0;
    columns.forEach((column, index) => {
      const last = index === columns.length - 1;
      const extra = last ? spare - given : Math.floor((spare * needs[index]!) / taken);
      given += extra;
      const wanted = needs[index]! + extra;
      if (this.widths.get(column.field) === wanted) return;
      this.widths.set(column.field, wanted);
      changed = true;
      const found = this.table.getColumn(column.field);
      if (found) found.setWidth(wanted);
    });
    // What is scrolled into view must not end up below the frozen column.
    this.holder.style.scrollPaddingLeft = `${this.widths.get(columns[0]?.field ?? "") ?? 0}px`;
    return changed;
  }

  /** Shades the edges behind which columns are: scroll bars may be invisible until used. */
  private showMore(): void {
    const { element, holder } = this;
    const { scrollLeft, scrollWidth, clientWidth } = holder;
    element.classList.toggle("mw-more", scrollLeft + clientWidth < scrollWidth - 1);
    element.classList.toggle("mw-scrolled", scrollLeft > 0);
    element.style.setProperty("--mw-bar-width", `${holder.offsetWidth - clientWidth}px`);
    element.style.setProperty("--mw-bar-height", `${holder.offsetHeight - holder.clientHeight}px`);
  }

  private naturalWidth(column: Column, room: number): number {
    if (column.width) return column.width;
    const marker = column.kind === "choice" ? MARKER : column.explain ? BUTTON : 0;
    let longest = this.longest(column) + marker;
    if (column.kind === "text") {
      const digit = this.measure("0");
      const most = Math.max(WORD_MIN * digit, Math.min(WORD * digit, WORD_SHARE * room));
      longest = Math.min(longest, Math.ceil(most));
    }
    const wanted = PADDING + Math.max(this.measure(column.title), longest);
    // While data pour in or a cell is edited columns only grow, or they would jitter.
    const width = Math.max(wanted, this.natural.get(column.field) ?? 0);
    this.natural.set(column.field, width);
    return width;
  }

  /** Width of the longest text; figures of equal length are equally wide, words are not. */
  private longest({ field, kind }: Column): number {
    let length = 0;
    let candidates: string[] = [];
    for (const row of this.rows) {
      const text = row.text[field] ?? "";
      if (text.length > length) {
        length = text.length;
        candidates = [text];
      } else if (text.length === length && kind !== "number" && candidates.length < 12) {
        candidates.push(text);
      }
    }
    return Math.max(0, ...candidates.map((text) => this.measure(text)));
  }

  private measure(text: string): number {
    const { ruler } = this;
    if (!text || !ruler) return 8 * text.length;
    let width = this.textWidth.get(text);
    if (width === undefined) {
      if (!this.textWidth.size || this.textWidth.size > 2000) {
        this.textWidth.clear();
        const style = getComputedStyle(this.element);
        ruler.font = `500 ${style.fontSize} ${style.fontFamily}`;
      }
      width = Math.ceil(ruler.measureText(text).width);
      this.textWidth.set(text, width);
    }
    return width;
  }

  /** Render every row for a printer, or the rows in view again. */
  print(on: boolean): void {
    if (!this.built) return;
    this.element.classList.toggle("mw-printed", on);
    this.holder.style.minHeight = on ? `${this.rows.length * ROW_HEIGHT}px` : "";
    this.widths.clear();
    this.redraw();
    if (!on) return;
    // Paper is as wide as it is: columns share it as they shared the screen.
    const whole = total([...this.widths.values()]);
    for (const one of this.element.querySelectorAll<HTMLElement>(".tabulator-col, .tabulator-cell")) {
      const width = this.widths.get(one.getAttribute("tabulator-field") ?? "");
      if (width) one.style.width = `${(100 * width) / whole}%`;
    }
  }

  /** Render anew after the table was hidden. */
  redraw(): void {
    if (!this.built) return;
    this.table.redraw(true);
    this.layout();
  }

  destroy(): void {
    this.destroyed = true;
    clearTimeout(this.idleTimer);
    if (this.built) this.table.destroy();
    this.element.remove();
  }
}
