/** Accounts that live in a notebook: as dashboards beside it, and as code in it. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import {
  Dialog,
  InputDialog,
  MainAreaWidget,
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
import { WIDGET_VIEW, manage, type WidgetModel } from "./widgets";

export namespace NotebookCommandIDs {
  export const open = "margin-widgets:open-notebook-account";
  export const insert = "margin-widgets:insert-as-code";
}

/** What is needed of a notebook's tab; its package would bring all of JupyterLab into the build. */
interface Notebook extends Widget {
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

export function addNotebookCommands(
  app: JupyterFrontEnd,
  tracker: AccountTracker,
  settings: { readonly options: Options },
  trans: TranslationBundle,
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
  const opened = new Map<string, MainAreaWidget<NotebookAccount>>();

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
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
          isToolbar: { type: "boolean", description: trans.__("Whether a toolbar shows it") },
        },
      },
    },
    isEnabled: () => isNotebook(shell.currentWidget),
    execute: async (args) => {
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
        const key = `${tab.id} ${expression}`;
        let widget = opened.get(key);
        if (!widget || widget.isDisposed) {
          widget = sideTab(tab, expression, settings, trans);
          opened.set(key, widget);
          await widget.content.open();
          shell.add(widget, "main", { mode: "split-right", ref: tab.id });
          await tracker.add(widget);
        } else {
          await widget.content.open();
        }
        shell.activateById(widget.id);
        return widget;
      } catch (reason) {
        await showErrorMessage(trans.__("No dashboard"), told(reason, trans));
        return undefined;
      }
    },
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

function sideTab(
  notebook: Notebook,
  expression: string,
  settings: { readonly options: Options },
  trans: TranslationBundle,
): MainAreaWidget<NotebookAccount> {
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
    private expression: string,
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

  /** Show the account as the notebook has it now. */
  async open(): Promise<void> {
    const { kernel } = this;
    if (!kernel) {
      throw new Error(this.trans.__("This notebook has no kernel."));
    }
    const given = `${literal(this.expression)}, ${literal(this.settings.options)}`;
    const id = await callForWidget(kernel, `lab.open_account(${given})`);
    const manager = await manage(this.notebook.sessionContext, this.rendermime);
    const model = await manager.get_model(id);
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
    this.leave();
    this.view?.node.toggleAttribute("inert", true);
    const again = (): void => {
      this.open().catch((reason) => {
        this.problem(told(reason, this.trans), again);
      });
    };
    this.problem(
      this.trans.__("The notebook's kernel was started anew. Run its cells, then open it again."),
      again,
    );
    this.changes.emit();
  }

  private problem(text: string, again: () => void): void {
    const open = button(this.trans.__("Open again"), again, true);
    this.banner.node.replaceChildren(bannerOf("alert", text, open));
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
}
