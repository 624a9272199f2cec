/** Edits that were on their way to a kernel when it stopped, so that none is lost unsaid. */

import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { WidgetModel } from "./widgets";

export interface Edit {
  /** Field, symbol or action; may be empty. */
  place: string;
  text: string;
}

/** What a widget says of an edit to its kernel. */
interface Said {
  action?: string;
  event?: string;
  field?: string;
  row?: string;
  symbol?: string;
  text?: unknown;
  type?: string;
  value?: unknown;
}

/**
 * Actions of the dashboards that change an account, by what they do or by the number that they
 * set. All others, such as choosing, sorting and showing, change what is looked at.
 */
const ACTIONS =
  /^(apply|delete|leverage|mark-first|mark-second|put-.*|quantity|redo|restore|undo|use:.*)$/;
/** One of these is also what a goal is sought for, which is a word. */
const TYPED = "quantity";
/** Letters of an edit that are told: what is pasted may be long. */
const MOST_TEXT = 60;

export class Unanswered {
  /** `modelOf` finds the widget by which an edit was made, if it is there. */
  constructor(
    private changed: () => void,
    private modelOf: (id: string) => Promise<WidgetModel | null>,
  ) {}

  /** What was sent, or typed, and taken by no kernel. */
  get edits(): readonly Edit[] {
    return this.lost;
  }

  /** Watch what goes to a kernel and comes from it. */
  watch(kernel: Kernel.IKernelConnection | null): void {
    if (kernel !== this.kernel) {
      this.kernel?.anyMessage.disconnect(this.onMessage, this);
      kernel?.anyMessage.connect(this.onMessage, this);
      this.kernel = kernel;
    }
  }

  /** There is a desk that takes edits. */
  begin(): void {
    this.waiting.clear();
    this.taken = true;
  }

  /** Nothing that was sent is answered any more. */
  end(): void {
    this.taken = false;
    const left = [...this.waiting.values()];
    this.waiting.clear();
    left.forEach((edit) => this.add(edit));
  }

  add(edit: Edit): void {
    // A field that loses its focus sends what was read from it a moment before.
    if (!edit.text || this.lost.at(-1)?.text !== edit.text) {
      this.lost.push(edit);
      this.changed();
    }
  }

  dismiss(): void {
    this.lost = [];
    this.changed();
  }

  private onMessage(_: unknown, { msg, direction }: Kernel.IAnyMessageArgs): void {
    if (direction === "send") {
      const said = msg.header.msg_type === "comm_msg" ? saidIn(dataOf(msg)) : null;
      const edit = said && editOf(said);
      if (edit) {
        void this.name(edit, said, (msg.content as Data)["comm_id"]);
      }
      if (edit && this.taken) {
        this.waiting.set(msg.header.msg_id, edit);
      } else if (edit) {
        this.add(edit);
      }
    } else if (this.waiting.size && "msg_id" in msg.parent_header) {
      if (isIdle(msg) || bringsDocument(dataOf(msg))) {
        this.waiting.delete(msg.parent_header.msg_id);
      }
    }
  }

  /** Name the place of an edit as its widget does: by the row as well. */
  private async name(edit: Edit, said: Said, id: string): Promise<void> {
    const model = await this.modelOf(id).catch(() => null);
    const place = model && (said.symbol !== undefined || said.row) && placeIn(model, said);
    if (place) {
      edit.place = place;
      if (this.lost.includes(edit)) {
        this.changed();
      }
    }
  }

  private kernel: Kernel.IKernelConnection | null = null;
  private lost: Edit[] = [];
  private taken = false;
  private waiting = new Map<string, Edit>();
}

type Data = Record<string, any>;

function dataOf(message: KernelMessage.IMessage): Data {
  return (message.content as Data)["data"] ?? {};
}

function isIdle(message: KernelMessage.IMessage): boolean {
  const { execution_state } = message.content as Data;
  return message.header.msg_type === "status" && execution_state === "idle";
}

/** Whether an edit has come back as the document's text, alone or among other widgets' news. */
function bringsDocument(data: Data): boolean {
  const parts: Data[] = data["content"]?.parts ?? [];
  return [data, ...parts.map((part) => part["data"])].some(
    (one) => one?.["state"]?.document !== undefined,
  );
}

function saidIn(data: Data): Said {
  return data["method"] === "custom" ? (data["content"] ?? {}) : {};
}

/** The edit that a widget tells of; null where it tells of none. */
function editOf(said: Said): Edit | null {
  const text = shortened(String(said.text ?? said.value ?? ""));
  const action = said.action ?? "";
  switch (said.type ?? said.event) {
    case "edit":
    case "paste":
      return { place: said.field ?? "", text };
    case "commit":
    case "commit_text":
      return { place: said.symbol ?? "", text };
    case "undo":
    case "redo":
      return { place: said.type!, text: "" };
    case "action":
      return ACTIONS.test(action) && (action !== TYPED || /\d/.test(text))
        ? { place: action.replace(/:.*/, "").replaceAll("-", " "), text }
        : null;
    case "drag_end":
      return { place: "drag", text: "" };
    default:
      return null;
  }
}

/** What a table or slider calls the place of an edit, such as "BTCUSDT Leverage". */
function placeIn(model: WidgetModel, said: Said): string {
  const rows = model.get("rows"); // of a table: ids, and texts by field
  if (said.symbol !== undefined) {
    const row = (rows as Data[] | undefined)?.find((one) => one["symbol"] === said.symbol);
    return row?.["name"] || `${said.symbol} mark price`;
  }
  const columns: Data[] = model.get("columns") ?? [];
  const column = columns.find((one) => one["field"] === said.field);
  const place: number = rows?.id?.indexOf(said.row) ?? -1;
  const called = rows?.text?.[columns[0]?.["field"]]?.[place] ?? "";
  return [said.action ?? "", called, column?.["title"] ?? ""].filter(Boolean).join(" ");
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MOST_TEXT ? `${line.slice(0, MOST_TEXT)}…` : line;
}
