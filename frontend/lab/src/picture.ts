/** A picture from the text of an SVG: shapes and words only, whatever else the text holds. */

const SVG = "http://www.w3.org/2000/svg";
const ELEMENTS = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "tspan", "title", "desc"]);
const ATTRIBUTES = new Set([
  "class",
  "d",
  "data-mark",
  "fill",
  "fill-opacity",
  "font-family",
  "font-size",
  "font-weight",
  "role",
  "stroke",
  "stroke-dasharray",
  "stroke-opacity",
  "stroke-width",
  "text-anchor",
  "viewBox",
  "x",
  "y",
]);
/** A colour, a number, a word: nothing that names another resource. */
const PLAIN = /^(?!.*(url\s*\(|javascript:))/is;
const OURS = /^mw-[\w-]+$/;

export function pictureOf(text: string): SVGElement | null {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  const root = parsed.documentElement;
  if (root.localName !== "svg" || root.namespaceURI !== SVG) {
    return null;
  }
  return copied(root) as SVGElement | null;
}

function copied(source: Element): Element | null {
  if (source.namespaceURI !== SVG || !ELEMENTS.has(source.localName)) {
    return null;
  }
  const made = document.createElementNS(SVG, source.localName);
  for (const { name, value } of source.attributes) {
    if (name === "class") {
      made.classList.add(...value.split(/\s+/).filter((one) => OURS.test(one)));
    } else if (ATTRIBUTES.has(name) && PLAIN.test(value)) {
      made.setAttribute(name, value);
    }
  }
  for (const child of source.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      made.append(child.textContent ?? "");
    } else if (child.nodeType === Node.ELEMENT_NODE) {
      const copy = copied(child as Element);
      if (copy) {
        made.append(copy);
      }
    }
  }
  return made;
}
