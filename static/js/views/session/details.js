/** details */
import { h } from "../../lib/dom.js";
export function details() { return { node: h("p", {}, "details") }; }
