/**
 * An editable table. Python owns the values: an edit is sent as text and stands as pending until
 * Python answers with new `rows` (accepted) or an entry in `errors` (refused, with the reason).
 *
 * Traits: `columns`, `rows`, `selected`, `place` (the cell with the focus), `errors`, `label`,
 * `placeholder`, `actions`, `max_height`.
 * Messages out: edit, cancel, paste, undo, redo, explain, action.
 * Messages in: {type: "ack", row, field}, {type: "focus", row, field?, edit?}.
 */
import {
  Disposer,
  focusedIn,
  freshId,
  historyKey,
  isTextField,
  make,
  makeRoot,
  type Model,
  type RenderContext,
} from "./common";
import { CellEditor } from "./editor";
import {
  alignment,
  Grid,
  ROW_HEIGHT,
  rowsFrom,
  type Column,
  type Row,
  type RowColumns,
} from "./grid";
import { initialize } from "./together";

interface CellError {
  row: string;
  field: string;
  text: string;
  message: string;
}

interface Action {
  action: string;
  label: string;
  needs_row?: boolean;
}

interface Place {
  row: string;
  field: string;
}

const keyOf = (row: string, field: string) => JSON.stringify([row, field]);
const DEFAULT_MAX_HEIGHT = 400;
/** A cell this close to the list of errors needs no message of its own, in pixels. */
const NEAR = 3 * ROW_HEIGHT;
/** A colon within this many letters after the name of a row follows the name of a field. */
const FIELD_LENGTH = 24;

class TableView {
  private readonly root: HTMLElement;
  private readonly body = make("div", "mw-table-body");
  private readonly bubble = make("div", "mw-bubble");
  private readonly errorList = make("ul", "mw-errors");
  private readonly toolbar = make("div", "mw-actions");
  private readonly id = freshId("mw-table");
  private grid!: Grid;
  private columns: Column[] = [];
  private editor: CellEditor | null = null;
  private active: Place | null = null;
  private readonly pending = new Map<string, string>();
  private readonly errors = new Map<string, CellError>();
  private errorIds = new Map<string, string>();
  private bubbleKey: string | null = null;
  private allSelected = false;
  private told = "";
  private hadFocus = false;
  private acted = false;
  private wasHidden = false;
  private readonly sizes = new ResizeObserver(() => {
    const hidden = !this.body.clientWidth;
    if (this.wasHidden && !hidden) this.grid.redraw();
    this.wasHidden = hidden;
    if (hidden) return;
    this.grid.layout();
    this.setTabStop();
    this.placeBubble();
  });

  constructor(
    private readonly model: Model,
    el: HTMLElement,
    private readonly disposer: Disposer,
  ) {
    this.root = makeRoot(el, "mw-table", disposer);
    this.bubble.hidden = true;
    this.bubble.setAttribute("aria-hidden", "true");
    const alert = make("div");
    alert.setAttribute("role", "alert");
    alert.append(this.errorList);
    this.toolbar.setAttribute("role", "toolbar");
    this.root.append(this.body, alert, this.toolbar, this.bubble);
    this.takeErrors();
    this.build();
    this.showErrors();
    this.showActions();
    this.listen();
  }

  // ---- what the model says ---------------------------------------------------------------

  private get selected(): string {
    return String(this.model.get("selected") ?? "");
  }

  private build(): void {
    this.editor = null;
    this.grid?.destroy();
    this.columns = (this.model.get("columns") as Column[] | null) ?? [];
    this.grid = new Grid(this.body, {
      columns: this.columns,
      rows: rowsFrom(this.model.get("rows") as RowColumns | null),
      label: String(this.model.get("label") ?? ""),
      placeholder: String(this.model.get("placeholder") || "No rows"),
      maxHeight: Number(this.model.get("max_height")) || DEFAULT_MAX_HEIGHT,
      paint: (cell, row, column) => this.paint(cell, row, column),
      paintRow: (element, row, index) => this.paintRow(element, row, index),
      busy: () => this.editor !== null,
      onReady: () => {
        this.disposer.listen(this.grid.holder, "scroll", () => this.scrolled());
        if (this.selected) this.grid.reveal(this.selected);
        this.setTabStop();
        this.placeBubble();
      },
    });
  }

  private observe(): void {
    const { disposer, model } = this;
    disposer.observe(model, "change:rows", () => this.takeRows());
    disposer.observe(model, "change:errors", () => {
      this.takeErrors();
      this.showErrors();
    });
    disposer.observe(model, "change:selected", () => this.showSelected());
    disposer.observe(model, "change:actions", () => this.showActions());
    for (const name of ["columns", "label", "placeholder", "max_height"]) {
      disposer.observe(model, `change:${name}`, () => this.build());
    }
    disposer.observe(model, "msg:custom", (message: any) => {
      if (message?.type === "ack") this.acknowledge(message.row, message.field);
      if (message?.type === "focus" && (this.acted || focusedIn(this.root))) {
        this.acted = false;
        const field = message.field || this.firstEditable() || this.columns[0]?.field;
        if (message.edit) this.edit({ row: message.row, field });
        else this.focus({ row: message.row, field });
      }
    });
  }

  private takeRows(): void {
    const rows = rowsFrom(this.model.get("rows") as RowColumns | null);
    const focused = focusedIn(this.root);
    const at = this.active ? this.grid.indexOf(this.active.row) : -1;
    const inGrid = Boolean(focused && this.body.contains(focused));
    this.pending.clear();

    const { editor } = this;
    const ids = new Set(rows.map((row) => row.id));
    const heir = editor && !ids.has(editor.row) ? this.heir(editor.row, rows) : undefined;
    if (editor && !ids.has(editor.row)) this.editor = null;

    if (this.grid.setRows(rows) && !this.body.clientWidth) {
      // What has no place is not rendered, and no frame may see that it had none: ask for one.
      this.wasHidden = true;
      this.sizes.unobserve(this.body);
      this.sizes.observe(this.body);
    }

    if (editor && heir && inGrid) {
      this.edit({ row: heir.id, field: editor.field });
      if (editor.modified) this.editor?.adopt(editor.text);
    }
    if (this.editor) {
      const row = this.grid.row(this.editor.row)!;
      if (!this.errors.has(keyOf(row.id, this.editor.field))) {
        this.editor.offer(rawText(row, this.editor.field));
      }
    }
    if (this.active && !ids.has(this.active.row)) {
      const near = rows[Math.min(at, rows.length - 1)];
      this.active = near ? { row: near.id, field: this.active.field } : null;
    }
    this.setTabStop();
    // Rendering rows again takes them out of the document for a moment, and the focus with them.
    if (inGrid && focusedIn(this.root) !== focused) {
      if (this.editor) this.editor.input.focus({ preventScroll: true });
      else if (this.active) this.focus(this.active);
    }
    this.showErrorList();
    this.showActions();
    this.placeBubble();
  }

  /** The new row that stands where a row was: a draft that became a position, for instance. */
  private heir(row: string, rows: Row[]): Row | undefined {
    const next = rows[this.grid.indexOf(row)];
    return next && !this.grid.row(next.id) ? next : undefined;
  }

  private takeErrors(): void {
    const before = new Set(this.errors.keys());
    const list = (this.model.get("errors") as CellError[] | null) ?? [];
    this.errors.clear();
    for (const error of list) this.errors.set(keyOf(error.row, error.field), error);
    for (const key of this.errors.keys()) {
      if (this.pending.delete(key) || !before.has(key)) this.bubbleKey = key;
    }
    if (this.bubbleKey && !this.errors.has(this.bubbleKey)) this.bubbleKey = null;
  }

  private showErrors(): void {
    this.showErrorList();
    if (!this.grid.built) return;
    for (const row of this.grid.rows) {
      for (const column of this.columns) this.grid.paintCell(row.id, column.field);
    }
    this.placeBubble();
  }

  private showErrorList(): void {
    const previous = this.errorIds;
    this.errorIds = new Map();
    const wanted = [...this.errors].map(([key, error], index) => {
      const id = `${this.id}-error-${index}`;
      this.errorIds.set(key, id);
      return { key, id, error, words: spoken(this.rowName(error), this.columnName(error), error) };
    });
    const same =
      previous.size === wanted.length &&
      wanted.every(({ key, id, words }) => {
        const item = this.errorList.querySelector(`#${id}`);
        return previous.get(key) === id && item?.textContent === words.join("");
      });
    if (same) return;
    this.errorList.replaceChildren(
      ...wanted.map(({ id, error, words: [where, what] }) => {
        const item = make("li", "mw-error");
        item.id = id;
        if (where) {
          const link = make("button", "mw-error-cell", where);
          link.addEventListener("click", () => this.edit({ row: error.row, field: error.field }));
          item.append(link);
        }
        item.append(make("span", "mw-error-text", what));
        if (!error.row) item.append(this.dismissButton());
        return item;
      }),
    );
  }

  /** Takes away what is said of the table as a whole, such as a refused paste. */
  private dismissButton(): HTMLElement {
    const button = make("button", "mw-dismiss");
    button.title = "Dismiss";
    button.setAttribute("aria-label", "Dismiss this message");
    button.addEventListener("click", () => this.dismiss());
    return button;
  }

  private dismiss(): boolean {
    const whole = [...this.errors].filter(([, error]) => !error.row);
    if (!whole.length) return false;
    for (const [key] of whole) this.errors.delete(key);
    this.model.send({ type: "cancel", row: "", field: "" });
    const inList = this.errorList.contains(focusedIn(this.root));
    this.showErrorList();
    this.placeBubble();
    if (inList && this.active) this.focus(this.active);
    return true;
  }

  /** "BTCUSDT Quantity", as far as a cell exists there. */
  private nameOf(place: Place): string {
    return [this.rowName(place), this.columnName(place)].filter(Boolean).join(" ");
  }

  private rowName(place: Place): string {
    const row = this.grid?.row(place.row);
    return (row && this.columns[0] && row.text[this.columns[0].field]) || "";
  }

  private columnName(place: Place): string {
    return this.column(place.field)?.title ?? "";
  }

  private acknowledge(row: string, field: string): void {
    if (this.pending.delete(keyOf(row, field))) this.grid.paintCell(row, field);
  }

  private showSelected(): void {
    if (!this.grid.built) return;
    this.grid.paintRows();
    const { selected } = this;
    if (selected && !(focusedIn(this.root) && this.active?.row === selected)) {
      this.grid.reveal(selected);
    }
    if (selected && !focusedIn(this.body) && this.grid.row(selected)) {
      this.active = { row: selected, field: this.active?.field ?? this.columns[0]!.field };
      this.setTabStop();
    }
    this.showActions();
  }

  private showActions(): void {
    const actions = (this.model.get("actions") as Action[] | null) ?? [];
    this.toolbar.hidden = !actions.length;
    const label = String(this.model.get("label") ?? "");
    this.toolbar.setAttribute("aria-label", label ? `${label}: actions` : "Actions");
    const spec = JSON.stringify(actions);
    if (this.toolbar.dataset.spec !== spec) {
      this.toolbar.dataset.spec = spec;
      this.toolbar.replaceChildren(
        ...actions.map(({ action, label: words }) => {
          const button = make("button", "mw-button", words);
          button.dataset.action = action;
          return button;
        }),
      );
    }
    const none = !this.grid?.row(this.selected);
    actions.forEach((action, index) => {
      const button = this.toolbar.children[index] as HTMLButtonElement;
      // aria-disabled, not disabled: a button must not lose the focus when its row goes.
      const off = Boolean(action.needs_row && none);
      if (off) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    });
  }

  // ---- painting --------------------------------------------------------------------------

  private paint(cell: HTMLElement, row: Row, column: Column): void {
    if (this.editor?.cell === cell) return;
    const key = keyOf(row.id, column.field);
    const error = this.errors.get(key);
    const waiting = this.pending.get(key);
    const text = waiting ?? error?.text ?? row.text[column.field] ?? "";
    const editable = isEditable(row, column);
    const button = Boolean(column.explain && !editable && text);

    const classes = ["tabulator-cell", `mw-kind-${column.kind}`];
    if (editable) classes.push("mw-editable");
    if (row.classes?.[column.field]) classes.push(row.classes[column.field]!);
    if (waiting !== undefined) classes.push("mw-pending");
    if (error) classes.push("mw-invalid");
    if (column === this.columns[0]) classes.push("mw-first");
    const className = classes.join(" ");
    if (cell.className !== className) cell.className = className;

    const inner = cell.firstElementChild as HTMLElement | null;
    if (inner && inner instanceof HTMLButtonElement === button) {
      // The text node stays, so that the change costs one mutation and no layout of new nodes.
      if (inner.textContent !== text) {
        if (inner.firstChild) inner.firstChild.nodeValue = text;
        else inner.textContent = text;
      }
    } else {
      const fresh = button ? make("button", "mw-num", text) : make("span", "mw-text", text);
      cell.replaceChildren(fresh);
      const stop = this.isActive(row.id, column.field) ? 0 : -1;
      if (button) {
        fresh.tabIndex = stop;
        cell.removeAttribute("tabindex");
      } else {
        cell.tabIndex = stop;
      }
    }
    if (column.kind === "text" && cell.title !== text) cell.title = text;
    const describedBy = error ? this.errorIds.get(key) : undefined;
    if (error) {
      cell.setAttribute("aria-invalid", "true");
      if (describedBy) cell.setAttribute("aria-describedby", describedBy);
    } else if (cell.hasAttribute("aria-invalid")) {
      cell.removeAttribute("aria-invalid");
      cell.removeAttribute("aria-describedby");
    }
    if (!cell.hasAttribute("aria-colindex")) {
      cell.setAttribute("aria-colindex", String(this.columns.indexOf(column) + 1));
      cell.setAttribute("aria-readonly", String(!editable));
    }
  }

  private paintRow(element: HTMLElement, row: Row, index: number): void {
    const on = row.id === this.selected;
    element.dataset.row = row.id;
    element.setAttribute("aria-rowindex", String(index + 2));
    element.setAttribute("aria-selected", String(on));
    element.classList.toggle("mw-selected", on);
    const flags = (row.flags ?? []).map((flag) => `mw-flag-${flag.replace(/\s+/g, "-")}`);
    for (const name of [...element.classList]) {
      if (name.startsWith("mw-flag-") && !flags.includes(name)) element.classList.remove(name);
    }
    element.classList.add(...flags);
  }

  /** The message beside the refused cell, unless the list that says it is right there. */
  private placeBubble(): void {
    const own = this.active && keyOf(this.active.row, this.active.field);
    const key = own && this.errors.has(own) && focusedIn(this.body) ? own : this.bubbleKey;
    const error = key ? this.errors.get(key) : undefined;
    const cell = error && this.grid.cell(error.row, error.field);
    const { bubble } = this;
    bubble.hidden = true;
    if (!error || !cell?.isConnected || !cell.offsetWidth) return;
    const frame = this.root.getBoundingClientRect();
    const view = this.grid.holder.getBoundingClientRect();
    const box = cell.getBoundingClientRect();
    if (box.bottom <= view.top + 2 || box.top >= view.bottom - 2) return;
    bubble.hidden = false;
    bubble.textContent = error.message;
    // In a short table the list stands right below the cell, and the bubble would cover it.
    const list = this.errorList.getBoundingClientRect();
    const inSight = list.top >= 0 && list.top + ROW_HEIGHT <= window.innerHeight;
    if (inSight && list.top - box.bottom < Math.max(NEAR, bubble.offsetHeight + 8)) {
      bubble.hidden = true;
      return;
    }
    const left = Math.min(box.left - frame.left, frame.width - bubble.offsetWidth);
    bubble.style.left = `${Math.max(0, left)}px`;
    // Not over the row that is edited now.
    const at = this.grid.indexOf(error.row);
    const busy = this.active && this.active.row !== error.row ? this.grid.indexOf(this.active.row) : -1;
    const above = busy > at && busy <= at + Math.ceil(bubble.offsetHeight / ROW_HEIGHT);
    bubble.classList.toggle("mw-above", above);
    const top = above ? box.top - frame.top - bubble.offsetHeight - 5 : box.bottom - frame.top + 5;
    bubble.style.top = `${top}px`;
    bubble.style.setProperty("--mw-tip", `${box.left - frame.left - Math.max(0, left) + 14}px`);
  }

  // ---- focus -----------------------------------------------------------------------------

  private isActive(row: string, field: string): boolean {
    return this.active?.row === row && this.active.field === field;
  }

  /** The element of a cell that takes the focus: its button, or the cell itself. */
  private target(place: Place): HTMLElement | null {
    const cell = this.grid.cell(place.row, place.field);
    return cell ? (cell.querySelector<HTMLElement>(".mw-num") ?? cell) : null;
  }

  /** Exactly one cell can be reached with Tab. */
  private setTabStop(): void {
    const columns = this.grid.visibleColumns();
    const ok =
      this.active &&
      this.grid.row(this.active.row) &&
      columns.some(({ field }) => field === this.active!.field);
    if (!ok) {
      const row = this.grid.row(this.selected) ?? this.grid.rows[0];
      const field = columns[0]?.field;
      this.active = row && field !== undefined ? { row: row.id, field } : null;
    }
    // An open editor is a tab stop itself; its cell in front of it would trap Shift+Tab.
    const target = this.active && !this.editor ? this.target(this.active) : null;
    for (const element of this.body.querySelectorAll<HTMLElement>('[tabindex="0"]')) {
      if (element !== target) element.tabIndex = -1;
    }
    const stop = target?.isConnected ? target : this.grid.built ? this.grid.holder : null;
    if (stop && this.active && !this.editor && stop.tabIndex !== 0) stop.tabIndex = 0;
  }

  private focus(place: Place): void {
    if (!this.grid.row(place.row)) return;
    this.active = { row: place.row, field: place.field };
    this.grid.reveal(place.row);
    this.setTabStop();
    const target = this.target(this.active);
    target?.focus({ preventScroll: true });
    // All of the cell, not only the button in it.
    const cell = this.grid.cell(place.row, place.field);
    cell?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }

  private select(row: string): void {
    if (row === this.selected) return;
    this.model.set("selected", row);
    this.model.save_changes();
    // Not every front end reports a view's own change back to it.
    this.grid.paintRows();
    this.showActions();
  }

  private placeOf(target: EventTarget | null): Place | null {
    const cell = target instanceof Element ? target.closest<HTMLElement>(".tabulator-cell") : null;
    if (!cell || !this.body.contains(cell)) return null;
    const { row, field } = cell.dataset;
    return row !== undefined && field !== undefined ? { row, field } : null;
  }

  private column(field: string): Column | undefined {
    return this.columns.find((column) => column.field === field);
  }

  private firstEditable(): string | undefined {
    return this.grid.visibleColumns().find((column) => column.kind !== "readonly")?.field;
  }

  /** The next or previous editable cell in reading order. */
  private editableFrom(place: Place, step: 1 | -1): Place | null {
    const columns = this.grid.visibleColumns();
    const { rows } = this.grid;
    let at = this.grid.indexOf(place.row);
    let column = columns.findIndex(({ field }) => field === place.field) + step;
    for (; at >= 0 && at < rows.length; at += step) {
      for (; column >= 0 && column < columns.length; column += step) {
        const row = rows[at]!;
        if (isEditable(row, columns[column]!)) return { row: row.id, field: columns[column]!.field };
      }
      column = step > 0 ? 0 : columns.length - 1;
    }
    return null;
  }

  private scrolled(): void {
    this.placeBubble();
    const target = this.active && this.target(this.active);
    if (!target) return;
    if (!target.isConnected && this.hadFocus && !focusedIn(this.root)) {
      // The focused row left the rendered part: keep the keyboard inside the table.
      this.closeEditor(true);
      this.grid.holder.focus({ preventScroll: true });
      this.hadFocus = true;
    }
    this.setTabStop();
  }

  // ---- editing ---------------------------------------------------------------------------

  private edit(place: Place, options: { mouse?: boolean } = {}): void {
    const { editor } = this;
    if (editor && editor.row === place.row && editor.field === place.field) return;
    this.closeEditor(true);
    const row = this.grid.row(place.row);
    const column = this.column(place.field);
    if (!row || !column || !isEditable(row, column)) {
      this.focus(place);
      return;
    }
    this.active = { ...place };
    this.grid.reveal(place.row);
    const cell = this.grid.cell(place.row, place.field);
    if (!cell) return;
    const key = keyOf(place.row, place.field);
    const text = this.pending.get(key) ?? this.errors.get(key)?.text ?? rawText(row, place.field);
    const choices = column.kind === "choice" ? (column.choices ?? []) : null;
    this.editor = new CellEditor(place.row, place.field, cell, {
      text,
      choices,
      align: alignment(column),
      number: column.kind === "number",
      label: this.nameOf(place),
      describedBy: this.errorIds.get(key) ?? null,
      onModified: () => this.cancelError(place),
      onChosen: () => {
        this.closeEditor(true);
        this.focus(place);
      },
    });
    this.setTabStop();
    this.select(place.row);
    this.editor.focus(Boolean(options.mouse));
    cell.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    this.placeBubble();
  }

  /** Tell Python that a refused text is no longer wanted. */
  private cancelError(place: Place): boolean {
    const key = keyOf(place.row, place.field);
    if (!this.errors.delete(key)) return false;
    if (this.bubbleKey === key) this.bubbleKey = null;
    this.model.send({ type: "cancel", row: place.row, field: place.field });
    this.editor?.input.removeAttribute("aria-invalid");
    this.grid.paintCell(place.row, place.field);
    this.showErrorList();
    this.placeBubble();
    return true;
  }

  /** Take the editor away; with `commit`, send its text if it differs from the value. */
  private closeEditor(commit: boolean): void {
    const { editor } = this;
    if (!editor) return;
    this.editor = null;
    const { row: id, field, text } = editor;
    const row = this.grid.row(id);
    const key = keyOf(id, field);
    if (commit && row) {
      const refused = this.errors.get(key)?.text;
      if (text.trim() === rawText(row, field).trim()) {
        this.pending.delete(key);
        if (refused !== undefined) this.cancelError({ row: id, field });
      } else if (text !== (this.pending.get(key) ?? refused)) {
        this.pending.set(key, text);
        this.model.send({ type: "edit", row: id, field, text });
      }
    }
    editor.close();
    this.grid.paintCell(id, field);
    this.grid.settleSoon();
    this.setTabStop();
  }

  private cancelEdit(): void {
    const { editor } = this;
    if (!editor) return;
    const place = { row: editor.row, field: editor.field };
    this.closeEditor(false);
    this.cancelError(place);
    this.focus(place);
  }

  // ---- events ----------------------------------------------------------------------------

  private listen(): void {
    const { root, body, disposer } = this;
    this.observe();
    disposer.listen(root, "focusin", (event) => this.onFocus(event));
    disposer.listen(root, "focusout", (event) => this.onBlur(event));
    disposer.listen(root, "keydown", (event) => this.onKey(event));
    disposer.listen(body, "click", (event) => this.onClick(event));
    disposer.listen(body, "pointerdown", () => this.selectAll(false));
    disposer.listen(root, "copy", (event) => this.onCopy(event));
    disposer.listen(root, "paste", (event) => this.onPaste(event));
    disposer.listen(this.toolbar, "click", (event) => {
      const button = (event.target as Element).closest<HTMLElement>("[data-action]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      this.act(button.dataset.action!);
    });

    this.sizes.observe(body);
    const paper = matchMedia("print");
    const printed = () => this.grid.print(paper.matches);
    paper.addEventListener("change", printed);
    disposer.add(() => paper.removeEventListener("change", printed));
    disposer.add(() => this.sizes.disconnect());
    disposer.add(() => this.grid.destroy());
  }

  private act(action: string): void {
    this.acted = true;
    const row = this.grid.row(this.selected) ? this.selected : "";
    this.model.send({ type: "action", action, row });
  }

  private onFocus(event: FocusEvent): void {
    this.hadFocus = this.body.contains(event.target as Node);
    if (event.target === this.grid.holder && this.active) {
      if (event.relatedTarget) this.focus(this.active);
      return;
    }
    const place = this.placeOf(event.target);
    if (!place) return;
    if (!this.isActive(place.row, place.field)) {
      this.active = place;
      if (this.bubbleKey && this.bubbleKey !== keyOf(place.row, place.field)) this.bubbleKey = null;
    }
    this.setTabStop();
    const { row, field } = place;
    if (this.told !== keyOf(row, field)) {
      this.told = keyOf(row, field);
      this.model.set("place", [row, field]);
      if (row === this.selected) this.model.save_changes();
    }
    this.select(row);
    this.placeBubble();
  }

  private onBlur(event: FocusEvent): void {
    if (event.relatedTarget) this.hadFocus = this.body.contains(event.relatedTarget as Node);
    const { editor } = this;
    if (!editor || event.target !== editor.input) return;
    // Wait: a row that is rendered again gives the focus back at once.
    queueMicrotask(() => {
      if (this.editor !== editor || focusedIn(this.root) === editor.input) return;
      if (!document.hasFocus()) return;
      this.closeEditor(true);
    });
  }

  private onClick(event: MouseEvent): void {
    const place = this.placeOf(event.target);
    if (!place) return;
    if ((event.target as Element).closest(".mw-num")) {
      this.model.send({ type: "explain", row: place.row, field: place.field });
      return;
    }
    const row = this.grid.row(place.row);
    const column = this.column(place.field);
    if (row && column && isEditable(row, column)) this.edit(place, { mouse: true });
    else this.focus(place);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const used = this.editor && event.target === this.editor.input
      ? this.onEditorKey(event, this.editor)
      : this.onGridKey(event);
    if (used) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  private onEditorKey(event: KeyboardEvent, editor: CellEditor): boolean {
    const place = { row: editor.row, field: editor.field };
    const history = historyKey(event);
    if (history && editor.history(history)) return true;
    if (history) {
      this.closeEditor(false);
      this.focus(place);
      this.model.send({ type: history });
      return true;
    }
    switch (event.key) {
      case "Enter":
        this.closeEditor(true);
        this.focus(place);
        return true;
      case "Escape":
        this.cancelEdit();
        return true;
      case "Tab": {
        const next = this.editableFrom(place, event.shiftKey ? -1 : 1);
        if (next) {
          this.edit(next);
          return true;
        }
        // The browser leaves the table from here, and that commits.
        return false;
      }
      case "ArrowUp":
      case "ArrowDown": {
        if (editor.input instanceof HTMLSelectElement) return false;
        const at = this.grid.indexOf(place.row) + (event.key === "ArrowUp" ? -1 : 1);
        const row = this.grid.rows[at];
        if (!row) return true;
        this.edit({ row: row.id, field: place.field });
        return true;
      }
    }
    return false;
  }

  private onGridKey(event: KeyboardEvent): boolean {
    const inText = isTextField(event.target);
    const history = historyKey(event);
    if (history && !inText) {
      this.model.send({ type: history });
      return true;
    }
    if (!this.active || !this.body.contains(event.target as Node)) return false;
    const onButton = (event.target as Element).matches(".mw-num");
    const place = this.active;
    const row = this.grid.row(place.row);
    const column = this.column(place.field);
    if (!row || !column) return false;
    const command = event.ctrlKey || event.metaKey;
    const { key } = event;

    if (command && key.toLowerCase() === "a") {
      this.selectAll(true);
      return true;
    }
    const to = this.moveFor(event, place);
    if (to) {
      this.selectAll(false);
      this.focus(to);
      return true;
    }
    if (command || event.altKey) return false;
    if (key === "Escape") {
      this.selectAll(false);
      return this.cancelError(place) || this.dismiss();
    }
    if (key === "Delete") {
      this.select(place.row);
      this.act("delete");
      return true;
    }
    if (onButton || !isEditable(row, column)) return false;
    if (key === "Enter" || key === "F2" || key === " ") {
      this.edit(place);
      return true;
    }
    // The key itself then replaces the text selected in the editor, and undo brings that back.
    if (key === "Backspace" || key.length === 1) this.edit(place);
    return false;
  }

  /** Where a navigation key leads, or null for any other key. */
  private moveFor(event: KeyboardEvent, place: Place): Place | null {
    const columns = this.grid.visibleColumns();
    const { rows } = this.grid;
    const far = event.ctrlKey || event.metaKey;
    const page = Math.max(1, Math.floor(this.grid.holder.clientHeight / ROW_HEIGHT) - 1);
    let at = this.grid.indexOf(place.row);
    let column = columns.findIndex(({ field }) => field === place.field);
    switch (event.key) {
      case "ArrowUp": at = far ? 0 : at - 1; break;
      case "ArrowDown": at = far ? rows.length - 1 : at + 1; break;
      case "ArrowLeft": column = far ? 0 : column - 1; break;
      case "ArrowRight": column = far ? columns.length - 1 : column + 1; break;
      case "PageUp": at -= page; break;
      case "PageDown": at += page; break;
      case "Home": column = 0; if (far) at = 0; break;
      case "End": column = columns.length - 1; if (far) at = rows.length - 1; break;
      default: return null;
    }
    const row = rows[Math.min(rows.length - 1, Math.max(0, at))];
    const next = columns[Math.min(columns.length - 1, Math.max(0, column))];
    return row && next ? { row: row.id, field: next.field } : null;
  }

  // ---- clipboard -------------------------------------------------------------------------

  private selectAll(on: boolean): void {
    if (on === this.allSelected) return;
    this.allSelected = on;
    this.root.classList.toggle("mw-all", on);
  }

  private onCopy(event: ClipboardEvent): void {
    if (isTextField(event.target) || !this.body.contains(event.target as Node)) return;
    if (!this.allSelected && String(getSelection() ?? "")) return;
    const one = this.grid.row(this.selected);
    const all = this.allSelected || !one;
    const line = (row: Row) => this.columns.map(({ field }) => rawText(row, field)).join("\t");
    const lines = all
      ? [this.columns.map(({ title }) => title).join("\t"), ...this.grid.rows.map(line)]
      : [line(one)];
    event.clipboardData?.setData("text/plain", lines.join("\n"));
    event.preventDefault();
  }

  private onPaste(event: ClipboardEvent): void {
    const text = (event.clipboardData?.getData("text/plain") ?? "").replace(/(\r?\n)+$/, "");
    const block = /[\t\r\n]/.test(text);
    const { editor } = this;
    if (editor && event.target === editor.input) {
      if (!block && editor.input instanceof HTMLInputElement) return;
      const place = { row: editor.row, field: editor.field };
      this.closeEditor(false);
      this.focus(place);
    } else if (!this.body.contains(event.target as Node)) {
      return;
    }
    event.preventDefault();
    if (!this.active || !text) return;
    const { row, field } = this.active;
    const data = this.grid.row(row);
    const column = this.column(field);
    if (!data || !column) return;
    if (block || column.kind === "choice" || !isEditable(data, column)) {
      this.model.send({ type: "paste", row, field, text });
      return;
    }
    if (text === rawText(data, field)) return;
    this.pending.set(keyOf(row, field), text);
    this.model.send({ type: "edit", row, field, text });
    this.grid.paintCell(row, field);
  }
}

/** Does the message begin with this name? "Entry_Price" and "entry price" are the same. */
function beginsWith(message: string, name: string): boolean {
  const plain = (text: string) => text.toLowerCase().replaceAll("_", " ");
  if (!name || !plain(message).startsWith(plain(name))) return false;
  return !/[\p{L}\p{N}_]/u.test(message.charAt(name.length));
}

/** Where an error is and what it says; what the message begins with is not said twice. */
function spoken(row: string, title: string, error: CellError): [string, string] {
  const { message } = error;
  if (!error.row || !(row || title)) return ["", message];
  if (beginsWith(message, row)) {
    const colon = message.indexOf(":", row.length);
    const end = colon > 0 && colon < row.length + FIELD_LENGTH ? colon : row.length;
    return [message.slice(0, end), message.slice(end)];
  }
  const name = [error.field, title].find((one) => beginsWith(message, one));
  if (name === undefined) return [[row, title].filter(Boolean).join(" "), `: ${message}`];
  const own = message.slice(0, name.length);
  return [row ? `${row} ${own}` : own, message.slice(name.length)];
}

/** The text to edit or copy: what Python gave for editing, or else the text shown. */
function rawText(row: Row, field: string): string {
  return row.raw?.[field] ?? row.text[field] ?? "";
}

/** In a row with editing texts, a cell without one is read-only. */
function isEditable(row: Row, column: Column): boolean {
  return column.kind !== "readonly" && (!row.raw || column.field in row.raw);
}

function render({ model, el }: RenderContext): () => void {
  const disposer = new Disposer();
  new TableView(model, el, disposer);
  return () => disposer.dispose();
}

export default { initialize, render };
