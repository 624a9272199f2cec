/** The document type: files `*.margin.json`, opened as dashboards. */

import { ABCWidgetFactory, DocumentWidget, type DocumentRegistry } from "@jupyterlab/docregistry";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { ServiceManager } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";
import { marginIcon } from "./icons";
import { AccountPanel, type Actions } from "./panel";
import { Seat, type SeatSettings } from "./seat";

export const FACTORY = "Margin account";
export const FILE_TYPE = "margin-account";
export const EXTENSION = ".margin.json";

export type AccountTab = DocumentWidget<AccountPanel, DocumentRegistry.ICodeModel>;

export interface FactoryOptions {
  actions: Actions;
  /** Fills the toolbar of a new tab. */
  addTools(widget: AccountTab): void;
  rendermime: IRenderMimeRegistry;
  restored: Promise<unknown>;
  services: ServiceManager.IManager;
  settings: SeatSettings;
  trans: TranslationBundle;
}

export function fileType(trans: TranslationBundle): Partial<DocumentRegistry.IFileType> {
  return {
    name: FILE_TYPE,
    displayName: trans.__("Margin account"),
    // The longer extension wins over `.json`.
    extensions: [EXTENSION],
    mimeTypes: ["application/json"],
    contentType: "file",
    fileFormat: "text",
    icon: marginIcon,
  };
}

export class AccountFactory extends ABCWidgetFactory<
  AccountTab,
  DocumentRegistry.ICodeModel
> {
  constructor(private parts: FactoryOptions) {
    super({
      name: FACTORY,
      label: parts.trans.__("Margin dashboard"),
      modelName: "text", // the editor's, so that both show one text
      fileTypes: [FILE_TYPE],
      defaultFor: [FILE_TYPE],
      preferKernel: false,
      canStartKernel: false,
    });
  }

  protected createNewWidget(context: DocumentRegistry.CodeContext): AccountTab {
    const { actions, rendermime, restored, services, settings, trans } = this.parts;
    // All views of one document sit at one desk.
    let seat = this.seats.get(context);
    if (!seat || seat.isDisposed) {
      seat = new Seat({
        context,
        rendermime: rendermime.clone({ resolver: context.urlResolver }),
        restored,
        services,
        settings,
      });
      this.seats.set(context, seat);
    }
    const widget = new DocumentWidget({ content: new AccountPanel(seat, actions, trans), context });
    widget.title.icon = marginIcon;
    this.parts.addTools(widget);
    return widget;
  }

  private seats = new WeakMap<DocumentRegistry.CodeContext, Seat>();
}
