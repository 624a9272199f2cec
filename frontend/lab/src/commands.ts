/** Commands of the document type. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { InputDialog, type WidgetTracker } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";
import { jsonIcon, refreshIcon } from "@jupyterlab/ui-components";
import type { AccountDocument } from "./document";
import { EXTENSION, FACTORY, type AccountTab } from "./documents";
import { marginIcon } from "./icons";
import presets from "./presets.json";
import type { Settings } from "./settings";
import type { AccountTracker } from "./tracker";

export namespace CommandIDs {
  export const newAccount = "margin-widgets:new-account";
  export const openText = "margin-widgets:open-as-json";
  export const restartKernel = "margin-widgets:restart-kernel";
  export const focus = "margin-widgets:focus-dashboard";
}

interface Preset {
  name: string;
  title: string;
  document: AccountDocument;
}

/** The document that a new file begins with. */
export function startText(name: string, venue: string): string {
  const preset = (presets as unknown as Preset[]).find((one) => one.name === name);
  if (!preset) {
    const known = presets.map((one) => one.name).join(", ");
    throw new Error(`no preset ${name}; there are ${known}`);
  }
  const document = { ...preset.document };
  if (name === "empty") {
    document.venue = { name: venue };
    delete document.rules;
  }
  return JSON.stringify(document, null, 1) + "\n";
}

export function addCommands(
  app: JupyterFrontEnd,
  tracker: WidgetTracker<AccountTab>,
  all: AccountTracker,
  settings: Settings,
  trans: TranslationBundle,
): void {
  const { commands } = app;
  const ours = (): boolean =>
    tracker.currentWidget !== null && tracker.currentWidget === app.shell.currentWidget;

  commands.addCommand(CommandIDs.newAccount, {
    label: (args) =>
      args["isPalette"] ? trans.__("New Margin Account") : trans.__("Margin account"),
    caption: trans.__("Create a margin account, from a preset"),
    icon: (args) => (args["isPalette"] ? undefined : marginIcon),
    describedBy: {
      args: {
        type: "object",
        properties: {
          cwd: { type: "string", description: trans.__("Folder of the new file") },
          preset: {
            type: "string",
            enum: presets.map((one) => one.name),
            description: trans.__("Account to start from; asked for if not given"),
          },
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
        },
      },
    },
    execute: async (args) => {
      const name = (args["preset"] as string | undefined) ?? (await askForPreset(trans));
      if (!name) {
        return undefined;
      }
      const content = startText(name, settings.venue);
      const { contents } = app.serviceManager;
      const path = (args["cwd"] as string | undefined) ?? "";
      const file = await contents.newUntitled({ path, type: "file", ext: EXTENSION });
      await contents.save(file.path, { type: "file", format: "text", content });
      return commands.execute("docmanager:open", { path: file.path, factory: FACTORY });
    },
  });

  commands.addCommand(CommandIDs.openText, {
    label: trans.__("Open Margin Account as JSON"),
    caption: trans.__("Show the text of this account beside its dashboard"),
    describedBy: {
      args: {
        type: "object",
        properties: {
          path: { type: "string", description: trans.__("The active account if not given") },
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
        },
      },
    },
    icon: (args) => (args["isPalette"] ? undefined : jsonIcon),
    isEnabled: (args) => !!args["path"] || ours(),
    execute: (args) =>
      commands.execute("docmanager:open", {
        path: (args["path"] as string | undefined) ?? tracker.currentWidget?.context.path,
        factory: "Editor",
        options: { mode: "split-right" },
      }),
  });

  commands.addCommand(CommandIDs.restartKernel, {
    label: trans.__("Restart Kernel of Margin Account"),
    caption: trans.__("Start this account's kernel again; its edits are kept"),
    icon: (args) => (args["isPalette"] ? undefined : refreshIcon),
    describedBy: {
      args: {
        type: "object",
        properties: {
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
        },
      },
    },
    isEnabled: ours,
    execute: () => tracker.currentWidget?.content.seat.restart(),
  });

  commands.addCommand(CommandIDs.focus, {
    label: trans.__("Go to the Margin Dashboard"),
    caption: trans.__("Show the account that was looked at last"),
    icon: (args) => (args["isPalette"] ? undefined : marginIcon),
    describedBy: {
      args: {
        type: "object",
        properties: {
          isPalette: { type: "boolean", description: trans.__("Whether the palette shows it") },
        },
      },
    },
    isEnabled: () => all.currentWidget !== null,
    execute: () => {
      if (all.currentWidget) {
        app.shell.activateById(all.currentWidget.id);
      }
    },
  });
}

async function askForPreset(trans: TranslationBundle): Promise<string | null> {
  const titles = presets.map((one) => trans.__(one.title));
  const { value } = await InputDialog.getItem({
    title: trans.__("New margin account"),
    label: trans.__("Start from"),
    items: titles,
    okLabel: trans.__("Create"),
  });
  return presets[titles.indexOf(value ?? "")]?.name ?? null;
}
