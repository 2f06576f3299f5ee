/** activity */
import { h } from "../../lib/dom.js";
export function activity() { return { node: h("p", {}, "activity") }; }
