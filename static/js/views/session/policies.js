/** policies */
import { h } from "../../lib/dom.js";
export function policies() { return { node: h("p", {}, "policies") }; }
