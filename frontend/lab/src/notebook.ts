/** Accounts that live in a notebook: as dashboards beside it, and as code in it. */

import type { ILayoutRestorer, JupyterFrontEnd } from "@jupyterlab/application";
import {
  Dialog,
  InputDialog,
  MainAreaWidget,
  WidgetTracker,
  showDialog,
  showErrorMessage,
  type ISessionContext,
} from "@jupyterlab/apputils";
import { MimeModel, type IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { Kernel } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";
import { codeIcon } from "@jupyterlab/ui-components";
import { Signal, type ISignal } from "@lumino/signaling";
import { Panel, Widget } from "@lumino/widgets";
import { bannerOf, button, element, handOn } from "./dom";
import { marginIcon } from "./icons";
import { PythonError, call, callForData, callForWidget, literal } from "./kernel";
import type { Options, Shown, Status } from "./seat";
import type { AccountTracker } from "./tracker";
import { WIDGET_VIEW, manage, modelOf, type WidgetModel } from "./widgets";

export namespace NotebookCommandIDs {
  export const open = "margin-widgets:open-notebook-account";
  export const insert = "margin-widgets:insert-as-code";
}

/** What is needed of a notebook's tab; its package would bring all of JupyterLab into the build. */
interface Notebook extends Widget {
  readonly context: { readonly path: string; readonly pathChanged: ISignal<unknown, string> };
  readonly sessionContext: ISessionContext;
  readonly content: Widget & {
    activeCellIndex: number;
    readonly rendermime: IRenderMimeRegistry;
    readonly model: {
      readonly sharedModel: {
        insertCell(index: number, cell: { cell_type: string; source: string }): unknown;
      };
    } | null;
  };
}

function isNotebook(widget: Widget | null): widget is Notebook {
  const tab = widget as Partial<Notebook> | null;
  return (
    tab?.sessionContext !== undefined &&
    typeof tab.content?.model?.sharedModel?.insertCell === "function" &&
    tab.content.rendermime !== undefined
  );
}

interface Found {
  expression: string;
  title: string;
  summary: string;
}

/** The factory by which JupyterLab opens notebooks. */
const NOTEBOOK = "Notebook";

export function addNotebookCommands(
  app: JupyterFrontEnd,
  tracker: AccountTracker,
  settings: { readonly options: Options },
  trans: TranslationBundle,
  restorer: ILayoutRestorer | null,
): void {
  const { commands, shell } = app;
  let last: Notebook | null = null;
  const notebook = (): Notebook | null => {
    if (isNotebook(shell.currentWidget)) {
      last = shell.currentWidget;
    }
    return last?.isDisposed ? null : last;
  };
  shell.currentChanged?.connect(notebook);
  const opened = new Map<string, SideTab>();
  const sides = new WidgetTracker<SideTab>({ namespace: "margin-notebook-account" });
  /** The tab of an account beside its notebook, made if there is none. */
  const beside = (tab: Notebook, expression: string): [SideTab, boolean] => {
    const key = `${tab.id} ${expression}`;
    const known = opened.get(key);
    if (known && !known.isDisposed) {
      return [known, false];
    }
    const widget = sideTab(tab, expression, settings, trans);
    opened.set(key, widget);
    return [widget, true];
  };
  const add = (widget: SideTab, tab: Notebook): void => {
    shell.add(widget, "main", { mode: "split-right", ref: tab.id });
    void tracker.add(widget);
    void sides.add(widget);
    const renamed = (): void => void sides.save(widget);
    tab.context.pathChanged.connect(renamed);
    widget.disposed.connect(() => tab.context.pathChanged.disconnect(renamed));
  };

  commands.addCommand(NotebookCommandIDs.open, {
    label: (args) =>
      args["isToolbar"] ? "" : trans.__("Margin Dashboard for an Account in This Notebook"),
    caption: trans.__("Show an account of this notebook's kernel in a tab beside it"),
    icon: (args) => (args["isPalette"] ? undefined : marginIcon),
    describedBy: {
      args: {
        type: "object",
        properties: {
          expression: {
            type: "string",
            description: trans.__("Name of the account; asked for if not given"),
          },
          notebook: {
            type: "string",
            description: trans.__("Path of a notebook; the tab then waits for its account"),
          },
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
          isToolbar: { type: "boolean", description: trans.__("Whether a toolbar shows it") },
        },
      },
    },
    isEnabled: (args) => !!args["notebook"] || isNotebook(shell.currentWidget),
    execute: async (args) => {
      if (args["notebook"] && args["expression"]) {
        const path = args["notebook"] as string;
        const found: Widget = await commands.execute("docmanager:open", {
          path,
          factory: NOTEBOOK,
          options: { activate: false },
        });
        if (!isNotebook(found)) {
          throw new Error(`no notebook ${path}`);
        }
        const [widget, made] = beside(found, args["expression"] as string);
        if (made) {
          add(widget, found);
          widget.content.wait();
        }
        return widget;
      }
      const tab = notebook();
      const kernel = tab?.sessionContext.session?.kernel;
      if (!tab || !kernel) {
        await showErrorMessage(
          trans.__("No kernel"),
          trans.__("This notebook has no kernel. Start one and run its cells first."),
        );
        return undefined;
      }
      try {
        const expression =
          (args["expression"] as string | undefined) ?? (await choose(kernel, trans));
        if (!expression) {
          return undefined;
        }
        const [widget, made] = beside(tab, expression);
        await widget.content.open();
        if (made) {
          add(widget, tab);
        }
        shell.activateById(widget.id);
        return widget;
      } catch (reason) {
        await showErrorMessage(trans.__("No dashboard"), told(reason, trans));
        return undefined;
      }
    },
  });

  void restorer?.restore(sides, {
    command: NotebookCommandIDs.open,
    args: ({ content }) => ({ notebook: content.path, expression: content.expression }),
    name: ({ content }) => `${content.path}:${content.expression}`,
  });

  commands.addCommand(NotebookCommandIDs.insert, {
    label: trans.__("Insert Margin Account as Code"),
    caption: trans.__("Insert a cell that builds this account into the notebook used last"),
    icon: (args) => (args["isPalette"] ? undefined : codeIcon),
    describedBy: {
      args: {
        type: "object",
        properties: {
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
        },
      },
    },
    isEnabled: () => !!tracker.currentWidget?.content.shown.document && notebook() !== null,
    execute: async () => {
      const shown = tracker.currentWidget?.content.shown;
      const tab = notebook();
      if (!shown?.kernel || !tab) {
        return;
      }
      try {
        const written = `lab.account_code(${literal(shown.document)})`;
        const source = await callForData<string>(shown.kernel, written);
        const place = tab.content.activeCellIndex + 1;
        tab.content.model?.sharedModel.insertCell(place, { cell_type: "code", source });
        tab.content.activeCellIndex = place;
        shell.activateById(tab.id);
      } catch (reason) {
        await showErrorMessage(trans.__("No code"), told(reason, trans));
      }
    },
  });
}

async function choose(
  kernel: Kernel.IKernelConnection,
  trans: TranslationBundle,
): Promise<string | null> {
  const found = await callForData<Found[]>(kernel, "lab.accounts()");
  if (!found.length) {
    await showDialog({
      title: trans.__("No account in this notebook"),
      body: trans.__(
        "No name in this notebook's kernel is an account. Run the cell that makes one, for example: account = margin_widgets.presets.ref2()",
      ),
      buttons: [Dialog.okButton({ label: trans.__("Close") })],
    });
    return null;
  }
  if (found.length === 1) {
    return found[0]!.expression;
  }
  const items = found.map((one) => `${one.expression}: ${one.summary}`);
  const { value } = await InputDialog.getItem({
    title: trans.__("Accounts in this notebook"),
    label: trans.__("Account"),
    items,
    okLabel: trans.__("Open"),
  });
  return found[items.indexOf(value ?? "")]?.expression ?? null;
}

function told(reason: unknown, trans: TranslationBundle): string {
  if (reason instanceof PythonError && reason.packageMissing) {
    return trans.__(
      "The notebook's kernel has no margin_widgets. Install it there: %1",
      "%pip install --upgrade margin-widgets",
    );
  }
  return reason instanceof Error ? reason.message : String(reason);
}

type SideTab = MainAreaWidget<NotebookAccount>;

function sideTab(
  notebook: Notebook,
  expression: string,
  settings: { readonly options: Options },
  trans: TranslationBundle,
): SideTab {
  const content = new NotebookAccount(notebook, expression, settings, trans);
  const widget = new MainAreaWidget({ content });
  widget.id = `margin-account-${notebook.id}-${expression}`;
  widget.title.label = expression;
  widget.title.caption = trans.__("%1 in %2", expression, notebook.title.label);
  widget.title.icon = marginIcon;
  widget.title.closable = true;
  notebook.disposed.connect(() => widget.dispose());
  return widget;
}

/** The dashboard of an account that lives in a notebook's kernel. */
export class NotebookAccount extends Panel implements Shown {
  constructor(
    private notebook: Notebook,
    readonly expression: string,
    private settings: { readonly options: Options },
    private trans: TranslationBundle,
  ) {
    super();
    this.addClass("mwl-account");
    this.node.tabIndex = -1;
    this.node.addEventListener("keydown", handOn);
    this.banner.addClass("mwl-banners");
    this.addWidget(this.banner);
    const { sessionContext } = notebook;
    this.rendermime = notebook.content.rendermime.clone();
    sessionContext.statusChanged.connect(this.onStatus, this);
    sessionContext.kernelChanged.connect(this.onGone, this);
  }

  /** Path of the notebook. */
  get path(): string {
    return this.notebook.context.path;
  }

  get shown(): Shown {
    return this;
  }

  get changed(): ISignal<this, void> {
    return this.changes;
  }

  get document(): string {
    return this.model?.get("document") ?? "";
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.notebook.sessionContext.session?.kernel ?? null;
  }

  get status(): Status | null {
    const status = this.model?.get("status");
    return status?.modes ? status : null;
  }

  /** Show the account once the notebook has its kernel again, as after a page is loaded anew. */
  wait(): void {
    const { sessionContext } = this.notebook;
    this.waiting = true;
    this.banner.node.replaceChildren(
      bannerOf("status", this.trans.__("Waiting for the kernel of %1…", this.path)),
    );
    sessionContext.ready
      .then(() => (this.isDisposed ? undefined : this.open()))
      .catch((reason) => this.problem(reason))
      .finally(() => {
        this.waiting = false;
      });
  }

  /** Show the account as the notebook has it now. */
  async open(): Promise<void> {
    const { kernel } = this;
    if (!kernel) {
      throw new Error(this.trans.__("This notebook has no kernel."));
    }
    const given = `${literal(this.expression)}, ${literal(this.settings.options)}`;
    const id = await callForWidget(kernel, `lab.open_account(${given})`);
    const manager = await manage(this.notebook.sessionContext, this.rendermime);
    const model = await modelOf(manager, id);
    if (this.isDisposed) {
      return;
    }
    this.leave();
    this.model = model;
    model.on("change:status change:document", this.onTold);
    if (id !== this.rendered) {
      this.rendered = id;
      this.view?.dispose();
      const view = this.rendermime.createRenderer(WIDGET_VIEW);
      view.addClass("mwl-view");
      this.addWidget(view);
      this.view = view;
      const data = { [WIDGET_VIEW]: { version_major: 2, version_minor: 0, model_id: id } };
      await view.renderModel(new MimeModel({ data }));
    }
    this.view?.node.toggleAttribute("inert", false);
    this.banner.node.replaceChildren();
    this.changes.emit();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    const { sessionContext } = this.notebook;
    sessionContext.statusChanged.disconnect(this.onStatus, this);
    sessionContext.kernelChanged.disconnect(this.onGone, this);
    if (this.model && this.kernel) {
      // Nothing of the dashboard is left in the person's kernel.
      void call(this.kernel, `lab.close_account(${literal(this.expression)})`).catch(() => {
        /* the kernel has gone, and the dashboard with it */
      });
    }
    this.leave();
    Signal.clearData(this);
    super.dispose();
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting" || status === "dead") {
      this.onGone();
    }
  }

  private onGone(): void {
    if (this.waiting) {
      return; // this is the kernel that is waited for
    }
    this.leave();
    this.view?.node.toggleAttribute("inert", true);
    this.tell(
      this.trans.__("The notebook's kernel was started anew. Run its cells, then open it again."),
    );
    this.changes.emit();
  }

  private problem(reason: unknown): void {
    const gone = reason instanceof PythonError && reason.kind === "KeyError";
    this.tell(
      gone
        ? this.trans.__(
            "The notebook has no account '%1' now. Run the cell that makes it, then open it again.",
            this.expression,
          )
        : told(reason, this.trans),
    );
  }

  /** Say why there is no live dashboard, and what can be done. */
  private tell(text: string): void {
    const again = (): void => {
      this.open().catch((reason) => this.problem(reason));
    };
    this.banner.node.replaceChildren(
      bannerOf(
        "alert",
        text,
        button(this.trans.__("Open again"), again, true),
        button(this.trans.__("Close"), () => this.parent?.close()),
      ),
    );
  }

  private leave(): void {
    this.model?.off("change:status change:document", this.onTold);
    this.model = null;
  }

  private onTold = (): void => {
    this.changes.emit();
  };

  private banner = new Widget({ node: element("div", "") });
  private changes = new Signal<this, void>(this);
  private model: WidgetModel | null = null;
  private rendered: string | null = null;
  private rendermime: IRenderMimeRegistry;
  private view: ReturnType<IRenderMimeRegistry["createRenderer"]> | null = null;
  private waiting = false;
}
