/** What a person chose in the settings; the schema has the descriptions. */

import type { ISettingRegistry } from "@jupyterlab/settingregistry";
import { JSONExt, Token } from "@lumino/coreutils";
import { Signal, type ISignal } from "@lumino/signaling";
import type { Options, SeatSettings } from "./seat";

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
  async follow(loading: Promise<ISettingRegistry.ISettings>): Promise<void> {
    this.known = loading.then(
      () => undefined,
      () => undefined,
    );
    const settings = await loading;
    const read = (): void => {
      this.closeKernel = settings.composite["closeKernel"] as boolean;
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

export const IAccountSettings = new Token<Settings>("margin-widgets:IAccountSettings");
