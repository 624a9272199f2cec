/**
 * Takes apart what Python said of many widgets in one message (`together.py`): all of it is done
 * in one task of the browser, which then draws the page once.
 */
import type { Model } from "./common";

/** What is used of a widget's model beyond anywidget's face of it. */
interface WholeModel {
  _handle_comm_msg(message: object): Promise<void>;
}

interface Part {
  id: string;
  data: object;
  /** How many of the message's binary buffers are this part's. */
  buffers: number;
}

interface Together {
  type?: string;
  parts: Part[];
}

/** A model of this page; null where this page has not got it. */
async function find(model: Model, id: string): Promise<WholeModel | null> {
  try {
    return (await model.widget_manager.get_model(id)) as WholeModel;
  } catch {
    return null;
  }
}

/** Hand each part to its widget as if it had come alone, in the order in which they were said. */
async function handOn(model: Model, parts: Part[], buffers: DataView[]): Promise<void> {
  const models = await Promise.all(parts.map(({ id }) => find(model, id)));
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const own = buffers.slice(at, (at += part.buffers));
    try {
      await models[index]?._handle_comm_msg({
        content: { data: part.data },
        buffers: own,
        header: {},
        parent_header: {},
        metadata: {},
        channel: "iopub",
      });
    } catch (error) {
      // As if it had come alone: the others are none the worse for it.
      console.error("margin_widgets: a widget did not take its update", error);
    }
  }
}

/** Called once for a model, however many views it has. */
export function initialize({ model }: { model: Model }): void {
  let before = Promise.resolve();
  model.on("msg:custom", (message: Together, buffers?: DataView[]) => {
    if (message?.type !== "together") return;
    before = before.then(() => handOn(model, message.parts, buffers ?? []));
  });
}
