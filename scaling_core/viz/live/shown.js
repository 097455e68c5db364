// How large the chart above an export menu stands on the page, in pixels; said once for every size that is new to Python.

export default function ({ data, setStateValue }) {
  const name = CSS.escape(data.name);
  const menu = document.querySelector(`.st-key-export-inset-${name}, .st-key-export-below-${name}`);
  const chart = menu && before(document.body, menu, {}).chart;
  if (!chart) return;
  const { width, height } = chart.getBoundingClientRect();
  const size = [Math.round(width), Math.round(height)];
  if (size.join() !== data.known.join()) setStateValue("size", size);
}

// The last chart before an element in the order of the page, shadow trees included.
function before(node, end, found) {
  for (const child of node.children) {
    if (child === end) found.done = true;
    if (found.done) break;
    if (child.matches("canvas, svg.marks") && child.getBoundingClientRect().width) found.chart = child;
    else if (child.shadowRoot) before(child.shadowRoot, end, found);
    if (!found.done && !child.matches("svg")) before(child, end, found);
  }
  return found;
}
