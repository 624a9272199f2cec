/** JupyterLab plugins: settings, the document type, the status bar, accounts of notebooks. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import {
  CommandToolbarButton,
  ICommandPalette,
  Toolbar,
  ToolbarButton,
  WidgetTracker,
} from "@jupyterlab/apputils";
import { ILauncher } from "@jupyterlab/launcher";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStatusBar } from "@jupyterlab/statusbar";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import { CommandIDs, addCommands } from "./commands";
import { AccountFactory, FACTORY, fileType, type AccountTab } from "./documents";
import { IAccountSettings, Settings } from "./settings";
import { NotebookCommandIDs, addNotebookCommands } from "./notebook";
import { StatusItem } from "./status";
import { IAccountTracker, type AccountTracker } from "./tracker";

const DOMAIN = "margin_widgets";
const SETTINGS = "margin-widgets:plugin";
const CATEGORY = "Margin account";

const chosen: JupyterFrontEndPlugin<Settings> = {
  id: "margin-widgets:settings",
  description: "Keeps what was chosen for margin accounts.",
  autoStart: true,
  provides: IAccountSettings,
  optional: [ISettingRegistry, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
  ) => {
    const settings = new Settings();
    if (registry) {
      const trans = (translator ?? nullTranslator).load(DOMAIN);
      settings.follow(registry.load(SETTINGS), trans).catch((reason) => {
        console.error("margin-widgets: no settings, the defaults hold.", reason);
      });
    }
    return settings;
  },
};

const documents: JupyterFrontEndPlugin<AccountTracker> = {
  id: SETTINGS,
  description: "Opens *.margin.json as live dashboards.",
  autoStart: true,
  provides: IAccountTracker,
  requires: [IRenderMimeRegistry, IAccountSettings],
  optional: [ILayoutRestorer, ILauncher, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    settings: Settings,
    restorer: ILayoutRestorer | null,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const tracker = new WidgetTracker<AccountTab>({ namespace: "margin-account" });
    const all: AccountTracker = new WidgetTracker({ namespace: "margin-accounts-in-view" });
    addCommands(app, tracker, all, settings, trans);

    const factory = new AccountFactory({
      actions: {
        openText: (path) => void app.commands.execute(CommandIDs.openText, { path }),
      },
      addTools: (widget) => {
        const { seat } = widget.content;
        const json = new ToolbarButton({
          label: trans.__("Open as JSON"),
          tooltip: trans.__("Show the text of this account beside its dashboard"),
          // The path at that time: the file may have been renamed.
          onClick: () => {
            void app.commands.execute(CommandIDs.openText, { path: widget.context.path });
          },
        });
        const save = new CommandToolbarButton({
          commands: app.commands,
          id: "docmanager:save",
          args: { toolbar: true },
          label: "",
        });
        widget.toolbar.addItem("save", save);
        widget.toolbar.addItem("json", json);
        widget.toolbar.addItem("spacer", Toolbar.createSpacerItem());
        widget.toolbar.addItem("kernel", Toolbar.createKernelStatusItem(seat.sessionContext));
      },
      rendermime,
      restored: app.restored,
      services: app.serviceManager,
      settings,
      trans,
    });
    factory.widgetCreated.connect((_, widget) => {
      widget.context.pathChanged.connect(() => void tracker.save(widget));
      void tracker.add(widget);
      void all.add(widget);
    });
    app.docRegistry.addFileType(fileType(trans), ["text", "json"]);
    app.docRegistry.addWidgetFactory(factory);
    void restorer?.restore(tracker, {
      command: "docmanager:open",
      args: (widget) => ({ path: widget.context.path, factory: FACTORY }),
      name: (widget) => widget.context.path,
    });

    launcher?.add({ command: CommandIDs.newAccount, category: trans.__("Other"), rank: 5 });
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category: trans.__(CATEGORY), args: { isPalette: true } });
    }
    return all;
  },
};

const status: JupyterFrontEndPlugin<void> = {
  id: "margin-widgets:status",
  description: "Shows how far the active account is from liquidation in the status bar.",
  autoStart: true,
  requires: [IAccountTracker],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: AccountTracker,
    bar: IStatusBar | null,
    translator: ITranslator | null,
  ) => {
    if (!bar) return; // as in Notebook 7
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const item = new StatusItem(() => void app.commands.execute(CommandIDs.focus), trans);
    tracker.currentChanged.connect((_, widget) => {
      item.model!.source = widget?.content.shown ?? null;
    });
    bar.registerStatusItem("margin-widgets:status", {
      item,
      align: "left",
      rank: 4,
      isActive: () => item.model!.status !== null,
      activeStateChanged: item.model!.stateChanged,
    });
  },
};

const notebooks: JupyterFrontEndPlugin<void> = {
  id: "margin-widgets:notebook",
  description: "Opens dashboards of accounts that live in a notebook; inserts accounts as code.",
  autoStart: true,
  requires: [IAccountTracker, IAccountSettings],
  optional: [ILayoutRestorer, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: AccountTracker,
    settings: Settings,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    addNotebookCommands(app, tracker, settings, trans, restorer);
    for (const command of Object.values(NotebookCommandIDs)) {
      palette?.addItem({ command, category: trans.__(CATEGORY), args: { isPalette: true } });
    }
  },
};

export default [chosen, documents, status, notebooks];
