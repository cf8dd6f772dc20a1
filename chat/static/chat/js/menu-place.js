// Where a box goes that belongs to an element: below it, or above where there is more space. Pure.

const GAP_PX = 4;
const EDGE_PX = 8; // The least distance from the edge of the window.

/** @typedef {{ left: number, top: number, right: number, bottom: number }} Edges */

/**
 * @param {Edges} anchor  of the element
 * @param {{ width: number, height: number }} box
 * @param {{ width: number, height: number }} view  of the window
 * @param {boolean} fromRight  whether the right edges are aligned
 * @returns {{ left: number, top: number }}
 */
export function placeBox(anchor, box, view, fromRight) {
  const below = anchor.bottom + GAP_PX;
  const above = anchor.top - GAP_PX - box.height;
  const hasRoomBelow = below + box.height <= view.height - EDGE_PX;
  const top = hasRoomBelow || above < EDGE_PX ? below : above;
  const left = fromRight ? anchor.right - box.width : anchor.left;
  return { left: within(left, box.width, view.width), top: within(top, box.height, view.height) };
}

/**
 * @param {number} at
 * @param {number} length
 * @param {number} space
 */
function within(at, length, space) {
  return Math.round(Math.max(EDGE_PX, Math.min(at, space - length - EDGE_PX)));
}
