/** Result cards: saved comparisons, drawn from data alone, with no kernel and no markup. */

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import { element } from "./dom";
import { pictureOf } from "./picture";

const MIME = "application/vnd.margin-widgets.report.v1+json";

class ReportCard extends Widget implements IRenderMime.IRenderer {
  constructor() {
    super();
    this.addClass("mwl-card");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.node.replaceChildren(...cardOf(model.data[MIME]));
  }
}

/** What the file holds may be anything: each part is read as far as it is what it should be. */
function cardOf(data: unknown): Node[] {
  const card = record(data);
  const parts: Node[] = [element("h3", "", text(card["title"]))];
  const chips = list(card["chips"]).map((one) => element("li", "", text(one)));
  if (chips.length) {
    parts.push(element("ul", "mwl-chips", ...chips));
  }
  const sentence = list(card["sentence"]).map((one) => {
    const piece = record(one);
    return piece["key"] === true
      ? element("b", "", text(piece["text"]))
      : document.createTextNode(text(piece["text"]));
  });
  if (sentence.length) {
    parts.push(element("p", "mwl-sentence", ...sentence));
  }
  parts.push(...list(card["tables"]).map((one) => tableOf(record(one))));
  for (const one of list(card["pictures"])) {
    const { title, svg } = record(one);
    const drawn = pictureOf(text(svg));
    if (drawn) {
      const caption = element("figcaption", "", text(title));
      parts.push(element("figure", "", caption, drawn));
    }
  }
  parts.push(...list(card["notes"]).map((one) => element("p", "mwl-quiet", text(one))));
  return parts;
}

function tableOf(table: Record<string, unknown>): HTMLElement {
  const row = (cells: unknown, head: boolean): HTMLElement => {
    const made = list(cells).map((one, place) => {
      const cell = element(head || place === 0 ? "th" : "td", "", text(one));
      if (head || place === 0) {
        cell.setAttribute("scope", head ? "col" : "row");
      }
      return cell;
    });
    return element("tr", "", ...made);
  };
  const made = element(
    "table",
    "",
    element("caption", "", text(table["title"])),
    element("thead", "", row(table["head"], true)),
    element("tbody", "", ...list(table["rows"]).map((one) => row(one, false))),
  );
  const scroll = element("div", "mwl-scroll", made);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", text(table["title"]));
  return scroll;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

const extension: IRenderMime.IExtension = {
  id: "margin-widgets:report",
  description: "Draws margin results that are saved in notebooks.",
  rendererFactory: {
    safe: true,
    mimeTypes: [MIME],
    defaultRank: 40, // before the HTML that goes with it
    createRenderer: () => new ReportCard(),
  },
  dataType: "json",
};

export default extension;
