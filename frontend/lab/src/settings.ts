/** What a person chose in the settings; the schema has the descriptions. */

import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import type { TranslationBundle } from "@jupyterlab/translation";
import { JSONExt, Token } from "@lumino/coreutils";
import { Signal, type ISignal } from "@lumino/signaling";
import type { Options, SeatSettings } from "./seat";
import { letAllGo } from "./warm";

export class Settings implements SeatSettings {
  closeKernel = true;
  options: Options = {};
  saveEachEdit = false;
  venue = "generic";

  /** How accounts are shown is another now. */
  get changed(): ISignal<this, void> {
    return this.changes;
  }

  /** What was chosen is known, or cannot be. */
  get ready(): Promise<void> {
    return this.known;
  }

  /** Follow the registry from now on. */
  async follow(
    loading: Promise<ISettingRegistry.ISettings>,
    trans: TranslationBundle,
  ): Promise<void> {
    this.known = loading.then(
      () => undefined,
      () => undefined,
    );
    const settings = await loading;
    const read = (): void => {
      // Fetched anew, and with it the schema, whenever something was chosen.
      translate(settings.plugin.schema, trans);
      this.closeKernel = settings.composite["closeKernel"] as boolean;
      if (this.closeKernel) {
        letAllGo();
      }
      this.saveEachEdit = settings.composite["autosave"] === "each edit";
      this.venue = settings.composite["venue"] as string;
      const options = {
        convention: settings.composite["ratio"] as string,
        preview_rate: settings.composite["previewRate"] as number,
        number_format: settings.composite["numbers"] as string,
      };
      if (!JSONExt.deepEqual(options, this.options)) {
        this.options = options;
        this.changes.emit();
      }
    };
    settings.changed.connect(read);
    read();
  }

  private changes = new Signal<this, void>(this);
  private known = Promise.resolve();
}

/**
 * Put a schema's words into the language of the page.
 *
 * The server has words only from its language packs; the package's own catalogue is known here.
 * Contexts are those of JupyterLab's catalogues.
 */
function translate(schema: ISettingRegistry.ISchema, trans: TranslationBundle): void {
  const put = (part: Record<string, any>, key: string, context: string): void => {
    if (typeof part[key] === "string") {
      part[key] = trans._p(context, part[key]);
    }
  };
  put(schema, "title", "schema");
  put(schema, "description", "schema");
  put(schema, "jupyter.lab.setting-icon-label", "settings");
  for (const property of Object.values(schema.properties ?? {})) {
    put(property, "title", "settings");
    put(property, "description", "settings");
  }
}

export const IAccountSettings = new Token<Settings>("margin-widgets:IAccountSettings");
