/** The content of a document's tab: its dashboard, and in words what stands in its way. */

import { MimeModel, type IRenderMime } from "@jupyterlab/rendermime";
import type { TranslationBundle } from "@jupyterlab/translation";
import type { Message } from "@lumino/messaging";
import { Panel, Widget } from "@lumino/widgets";
import { bannerOf, button, element, handOn } from "./dom";
import type { Problem, Seat } from "./seat";
import { WIDGET_VIEW } from "./widgets";

export interface Actions {
  openText(path: string): void;
}

/** Lines of the text shown around the place that is wrong. */
const AROUND = 3;
const MOST_TEXT = 4000;

export class AccountPanel extends Panel {
  constructor(
    readonly seat: Seat,
    private actions: Actions,
    private trans: TranslationBundle,
  ) {
    super();
    this.addClass("mwl-account");
    this.banner.addClass("mwl-banners");
    this.page.addClass("mwl-page");
    this.page.node.tabIndex = -1;
    this.addWidget(this.banner);
    this.addWidget(this.page);
    this.node.addEventListener("keydown", handOn);
    this.node.addEventListener("input", (event) => {
      const field = event.target;
      this.typedIn = field instanceof HTMLInputElement && field.type === "text" ? field : null;
    });
    // What was committed or given up is no longer half typed.
    for (const name of ["change", "keydown"] as const) {
      this.node.addEventListener(
        name,
        (event) => {
          if (name === "change" || ["Enter", "Escape"].includes((event as KeyboardEvent).key)) {
            this.typedIn = null;
          }
        },
        true,
      );
    }
    seat.changed.connect(this.update, this);
    this.refresh();
  }

  get shown(): Seat {
    return this.seat;
  }

  override dispose(): void {
    this.seat.changed.disconnect(this.update, this);
    super.dispose();
  }

  protected override onUpdateRequest(message: Message): void {
    super.onUpdateRequest(message);
    this.refresh();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.tabIndex = -1;
    this.node.focus();
  }

  private refresh(): void {
    if (this.isDisposed) {
      return;
    }
    const { seat } = this;
    const { state, problem, modelId } = seat;
    const live = state.kind === "live";
    if (live && modelId && modelId !== this.rendered) {
      this.render(modelId);
    }
    const page = live && problem ? this.problemPage(problem) : this.statePage();
    this.page.setHidden(!page);
    this.page.node.replaceChildren(...(page ?? []));
    this.view?.setHidden(!!page);
    if (!live) {
      this.keepTyped();
    }
    // What is seen without a kernel behind it must not look as if it still took edits.
    this.view?.node.toggleAttribute("inert", !live);
    this.banner.node.replaceChildren(...this.banners());
  }

  /** What stands half typed in a field goes with the dashboard, but not unsaid. */
  private keepTyped(): void {
    const field = this.typedIn;
    this.typedIn = null;
    if (field && field === document.activeElement && field.value) {
      const place = field.getAttribute("aria-label")?.replace(/, number$/, "") ?? "";
      this.seat.unanswered.add({ place, text: field.value });
    }
  }

  private render(modelId: string): void {
    this.rendered = modelId;
    this.view?.dispose();
    const view: IRenderMime.IRenderer = this.seat.rendermime.createRenderer(WIDGET_VIEW);
    view.addClass("mwl-view");
    this.addWidget(view);
    this.view = view;
    const data = { [WIDGET_VIEW]: { version_major: 2, version_minor: 0, model_id: modelId } };
    void view.renderModel(new MimeModel({ data }));
  }

  // -- banners: above a dashboard that stays in view ------------------------------------------

  private banners(): HTMLElement[] {
    const { seat, trans } = this;
    const found: HTMLElement[] = [];
    if (seat.modelId && seat.state.kind === "restarting") {
      found.push(
        bannerOf(
          "status",
          trans.__("The kernel is starting again. Your edits are kept; the dashboard comes back."),
        ),
      );
    }
    if (seat.modelId && seat.state.kind === "ended") {
      found.push(
        bannerOf(
          "alert",
          trans.__("The kernel has ended. Your edits are kept here, saved or not."),
          button(trans.__("Start again"), () => void seat.again(), true),
        ),
      );
    }
    if (seat.unanswered.edits.length) {
      const edits = seat.unanswered.edits.map(({ place, text }) =>
        place && text ? `${place}: ${text}` : place || text,
      );
      found.push(
        bannerOf(
          "alert",
          trans.__(
            "The kernel stopped before this edit reached the account: %1. Make it again.",
            edits.join(", "),
          ),
          button(trans.__("Close"), () => seat.unanswered.dismiss()),
        ),
      );
    }
    if (seat.state.kind === "live" && seat.kept) {
      found.push(
        bannerOf(
          "alert",
          trans.__("This account has edits from before that were not saved."),
          button(trans.__("Take them back"), () => seat.restoreKept(), true),
          button(trans.__("Leave the file as it is"), () => seat.dismissKept()),
        ),
      );
    }
    if (seat.state.kind === "live") {
      found.push(...seat.notes.map((note) => bannerOf("status", note)));
    }
    return found;
  }

  // -- pages: in place of the dashboard -------------------------------------------------------

  private statePage(): HTMLElement[] | null {
    const { seat, trans } = this;
    const { state } = seat;
    switch (state.kind) {
      case "live":
        return null;
      case "starting":
        return seat.modelId ? null : [element("p", "mwl-quiet", trans.__("Starting a kernel…"))];
      case "installing":
        return [
          element("p", "mwl-quiet", trans.__("Installing margin_widgets in the browser's Python…")),
        ];
      case "restarting":
        return seat.modelId ? null : [element("p", "mwl-quiet", trans.__("Starting a kernel…"))];
      case "ended":
        return seat.modelId
          ? null
          : [
              heading(trans.__("The kernel has ended")),
              this.tools(button(trans.__("Start again"), () => void seat.again(), true)),
            ];
      case "no kernel":
        return [
          heading(trans.__("There is no Python kernel")),
          paragraph(
            trans.__("The dashboard runs in Python, and this server offers no kernel for it."),
          ),
          this.tools(),
        ];
      case "no widgets":
        return [
          heading(trans.__("JupyterLab cannot show widgets")),
          paragraph(
            trans.__("Install ipywidgets where JupyterLab runs, then load this page again:"),
          ),
          code("python -m pip install ipywidgets"),
          this.tools(),
        ];
      case "package missing":
        return [
          heading(trans.__("margin_widgets is not installed in the kernel")),
          paragraph(
            trans.__(
              "The kernel %1 has no margin_widgets, or one too old to open documents. Install it in the kernel's environment:",
              state.kernel,
            ),
          ),
          code("python -m pip install --upgrade margin-widgets"),
          paragraph(trans.__("The document is as it was; nothing has been changed.")),
          this.tools(button(trans.__("Try again"), () => void seat.restart(), true)),
        ];
      case "not installed":
        return [
          heading(trans.__("margin_widgets could not be installed in the browser")),
          paragraph(
            trans.__(
              "Python runs in the browser here and takes its packages from this site. Installing margin_widgets said:",
            ),
          ),
          element("pre", "mwl-text", state.message),
          paragraph(trans.__("Whoever builds the site puts the package into it:")),
          code("jupyter lite build --piplite-wheels margin_widgets-….whl"),
          paragraph(trans.__("The document is as it was; nothing has been changed.")),
          this.tools(button(trans.__("Try again"), () => void seat.again(), true)),
        ];
      case "failed":
        return [
          heading(trans.__("The dashboard could not be made")),
          paragraph(state.message),
          ...(state.traceback ? [details(trans.__("Traceback"), state.traceback)] : []),
          paragraph(trans.__("The document is as it was; nothing has been changed.")),
          this.tools(button(trans.__("Try again"), () => void seat.again(), true)),
        ];
    }
  }

  private problemPage(problem: Problem): HTMLElement[] {
    const { trans } = this;
    const titles = {
      damaged: trans.__("The text of this account is damaged"),
      newer: trans.__("This account was written by a newer version"),
      refused: trans.__("This is not a valid account"),
    };
    const parts = [heading(titles[problem.kind])];
    const said = element("p", "mwl-problem", problem.message);
    said.setAttribute("role", "alert");
    parts.push(said);
    if (problem.path) {
      const place = paragraph(trans.__("Where:") + " ");
      place.append(element("code", "", problem.path));
      parts.push(place);
    }
    if (problem.kind === "newer") {
      parts.push(paragraph(trans.__("Install a version that reads it:")));
      parts.push(code("python -m pip install --upgrade margin-widgets"));
    }
    parts.push(
      paragraph(trans.__("Nothing has been changed. When the text is sound, the dashboard opens.")),
      this.tools(),
      this.excerpt(problem.line),
    );
    return parts;
  }

  /** Text of the document, or the lines of it around the one that is wrong. */
  private excerpt(line?: number): HTMLElement {
    const text = this.seat.context.model.toString();
    const block = element("pre", "mwl-text");
    block.tabIndex = 0;
    block.setAttribute("aria-label", this.trans.__("Text of the document"));
    if (!line) {
      block.append(text.length > MOST_TEXT ? text.slice(0, MOST_TEXT) + "\n…" : text);
      return block;
    }
    const lines = text.split("\n");
    const first = Math.max(0, line - 1 - AROUND);
    lines.slice(first, line + AROUND).forEach((content, place) => {
      const number = first + place + 1;
      const row = element("span", number === line ? "mwl-wrong" : "");
      row.append(`${number === line ? "→" : " "} ${String(number).padStart(4)}  ${content}\n`);
      block.append(row);
    });
    return block;
  }

  private tools(...more: HTMLElement[]): HTMLElement {
    const { path } = this.seat.context;
    const open = button(this.trans.__("Open as JSON"), () => this.actions.openText(path));
    return element("div", "mwl-tools", ...more, open);
  }

  private banner = new Widget();
  private page = new Widget();
  private rendered: string | null = null;
  private typedIn: HTMLInputElement | null = null;
  private view: IRenderMime.IRenderer | null = null;
}

function heading(text: string): HTMLElement {
  return element("h2", "", text);
}

function paragraph(text: string): HTMLElement {
  return element("p", "", text);
}

function code(text: string): HTMLElement {
  return element("pre", "mwl-code", element("code", "", text));
}

function details(title: string, text: string): HTMLElement {
  return element("details", "", element("summary", "", title), element("pre", "mwl-text", text));
}
